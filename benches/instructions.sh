#!/usr/bin/env bash
# Counts the instructions of one decision of the limiter, and fails above 1,500. Unlike nanoseconds, they are the same
# however busy the machine is. valgrind counts them; without it there is nothing to do here.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly most=1500
# This many are counted, and then twice as many: what the process needs to start, and to use each lane for the first
# time, is in both counts, and so not in their difference.
readonly decisions=10000

if ! command -v valgrind >/dev/null; then
    echo "skipped: the instructions of a decision: valgrind is not here (most Linux distributions have it as a package)"
    exit 0
fi

bench=$(cargo bench --locked --quiet --bench limiter --no-run --message-format=json |
    sed -n 's/.*"executable":"\([^"]*\/limiter-[^"]*\)".*/\1/p')

# Instructions of a process that makes so many decisions of one kind.
instructions() {
    valgrind --tool=cachegrind --cache-sim=no --cachegrind-out-file=/dev/null "$bench" count "$1" "$2" 2>&1 |
        grep -o ' refs: .*' | tr -cd 0-9
}

failed=
for kind in goes must-wait begins-to-wait; do
    once=$(instructions "$kind" "$decisions")
    twice=$(instructions "$kind" $((2 * decisions)))
    each=$(((twice - once) / decisions))
    if [ "$kind" = begins-to-wait ]; then
        echo "$kind: $each instructions, most of them tokio's: a timer is set, and dropped"
        continue
    fi
    echo "$kind: $each instructions, at most $most"
    [ "$each" -le "$most" ] || failed=yes
done
[ -z "$failed" ]
