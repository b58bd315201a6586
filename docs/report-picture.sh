#!/usr/bin/env bash
# Makes docs/report.png, the picture in docs/REPORT.md: the beginning of the report of a simulated campaign, as a browser
# shows it.
#
#   docs/report-picture.sh [PROGRAM]
#
# PROGRAM is a built fleetsweep; without it, that of target/ or of $CARGO_TARGET_DIR is taken. BROWSER names a Chromium.
set -euo pipefail
cd "$(dirname "$0")/.."

missing() {
    echo "report-picture: $1" >&2
    exit 1
}
browser=${BROWSER:-$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)}
[ -n "$browser" ] || missing "Chromium is missing, which shows the report: install it, or name one with BROWSER"

program=${1:-}
if [ -z "$program" ]; then
    for profile in release debug; do
        built="${CARGO_TARGET_DIR:-target}/$profile/fleetsweep"
        if [ -x "$built" ] && { [ -z "$program" ] || [ "$built" -nt "$program" ]; }; then program=$built; fi
    done
fi
[ -n "$program" ] && [ -x "$program" ] || missing "there is no built fleetsweep: run cargo build, or name the program"
program=$(realpath "$program")

# A home of its own: nothing of the person at the keyboard is in the picture.
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
mkdir "$place/bin"
ln -s "$program" "$place/bin/fleetsweep"
cp -r sample-inputs "$place/"
(
    cd "$place"
    # The exit code tells of machines that the scenario makes fail.
    env -i HOME="$place" PATH="$place/bin" fleetsweep simulate sample-inputs/fleet-1000.csv -q --yes \
        --scenario sample-inputs/scenarios/busy-fleet.toml --report report.html || true
)
[ -s "$place/report.html" ] || missing "there is no report"
"$browser" --headless --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir="$place/browser" \
    --blink-settings=preferredColorScheme=1 --window-size=900,1120 --virtual-time-budget=10000 \
    --screenshot="$PWD/docs/report.png" "file://$place/report.html" >/dev/null 2>&1
[ -s docs/report.png ] || missing "the browser has made no picture"
