#!/usr/bin/env bash
# Makes docs/progress.svg, the picture in the README: a real run against the mock, as a terminal of 80 columns shows it.
#
#   docs/picture.sh [PROGRAM]
#
# PROGRAM is a built fleetsweep; without it, that of target/ or of $CARGO_TARGET_DIR is taken. SECONDS_IN says how many
# seconds into the run the picture is taken (135), ROWS how high the terminal is (24).
set -euo pipefail
cd "$(dirname "$0")/.."

missing() {
    echo "picture: $1" >&2
    exit 1
}
command -v tmux >/dev/null || missing "tmux is missing, which shows the run on a terminal: install the package tmux"
command -v python3 >/dev/null || missing "python3 is missing, which draws the picture: install Python 3.8 or later"

program=${1:-}
if [ -z "$program" ]; then
    for profile in release debug; do
        built="${CARGO_TARGET_DIR:-target}/$profile/fleetsweep"
        if [ -x "$built" ] && { [ -z "$program" ] || [ "$built" -nt "$program" ]; }; then program=$built; fi
    done
fi
[ -n "$program" ] && [ -x "$program" ] || missing "there is no built fleetsweep: run cargo build, or name the program"
program=$(realpath "$program")

# A home, a state directory and a tmux server of its own: nothing of the person at the keyboard is in the picture.
place=$(mktemp -d)
tmux="tmux -S $place/tmux -f /dev/null"
tidy() {
    $tmux kill-server 2>/dev/null || true
    # The run writes its last lines while it is stopped.
    for _ in $(seq 50); do
        if rm -rf "$place" 2>/dev/null; then return; fi
        sleep 0.1
    done
}
trap tidy EXIT
mkdir "$place/bin" "$place/work"
ln -s "$program" "$place/bin/fleetsweep"
cp sample-inputs/fleet-1000.csv "$place/work/"

command="fleetsweep run fleet-1000.csv --mock --follow"
$tmux new-session -d -x 80 -y "${ROWS:-24}" -c "$place/work" \
    "env -i HOME='$place' XDG_STATE_HOME='$place/state' TERM=tmux-256color LANG=C.UTF-8 PS1='$ ' \
     PATH='$place/bin:/usr/local/bin:/usr/bin:/bin' bash --norc --noprofile"

# Waits until the pane shows these words.
shown() {
    for _ in $(seq 100); do
        if $tmux capture-pane -p | grep -qF -- "$1"; then return; fi
        sleep 0.1
    done
    $tmux capture-pane -p >&2
    missing "the terminal does not show '$1'"
}
# Blanks at a line's end are left out of what tmux gives.
shown '$'
$tmux send-keys -l "$command"
$tmux send-keys Enter
# The campaign's first line; from then on seconds count.
shown "campaign mock"
sleep "${SECONDS_IN:-135}"
$tmux capture-pane -p -e >"$place/pane"
# The shell's mark and the command are the first line, and the campaign is the second.
if [ "$(grep -c . "$place/pane")" -lt 3 ] || grep -q 'done:\|stopped:' "$place/pane"; then
    cat "$place/pane" >&2
    missing "the run is not in its middle"
fi

python3 - "$place/pane" docs/progress.svg "$command" <<'PYTHON'
import re
import sys
import unicodedata
from html import escape

pane, picture, command = sys.argv[1:]
COLUMNS, CELL, LINE, LEFT, TOP = 80, 8.4, 19, 20, 58
INK, PAPER, BAR = "#d7dae0", "#16181d", "#23262e"
PLAIN = {0: "#7f848e", 1: "#e06c75", 2: "#98c379", 3: "#e5c07b", 4: "#61afef", 5: "#c678dd", 6: "#56b6c2", 7: INK}


def pieces(line):
    """The line's text in pieces of one look: (text, colour, bold, dim)."""
    colour, bold, dim = INK, False, False
    for text, codes in re.findall(r"([^\x1b]+)|\x1b\[([\d;]*)m", line):
        if text:
            yield text, colour, bold, dim
            continue
        rest = iter([int(code or 0) for code in codes.split(";")])
        for code in rest:
            if code in (38, 48):
                # One of 256 colours, or three parts of one. Only the first sixteen inks have a look here.
                kind = next(rest, 0)
                numbers = [next(rest, 0) for _ in range(1 if kind == 5 else 3)]
                if code == 38:
                    colour = PLAIN[numbers[0] % 8] if kind == 5 and numbers[0] < 16 else INK
            elif code == 0:
                colour, bold, dim = INK, False, False
            elif code == 1:
                bold = True
            elif code == 2:
                dim = True
            elif code == 22:
                bold = dim = False
            elif code == 39:
                colour = INK
            elif 30 <= code <= 37 or 90 <= code <= 97:
                colour = PLAIN[code % 10]


def width(text):
    """How many columns of the terminal it takes."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return len(text) + wide


with open(pane, encoding="utf-8") as file:
    lines = [line.rstrip() for line in file]
# What tmux sends for a pane's look other than colours is no text.
lines = [re.sub(r"\x1b(?!\[[\d;]*m)[^\x1b]?|\x0f|\x0e", "", line) for line in lines]
while lines and not re.sub(r"\x1b\[[\d;]*m", "", lines[-1]).strip():
    lines.pop()

w = COLUMNS * CELL + 2 * LEFT
h = TOP + LINE * len(lines) + 8
out = [
    f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w:g} {h:g}" width="{w:g}" height="{h:g}" role="img"'
    ' aria-labelledby="title desc">',
    '<title id="title">fleetsweep in a terminal</title>',
    f'<desc id="desc">A run in the middle, as the terminal shows it: {escape(command)}</desc>',
    f'<rect width="{w:g}" height="{h:g}" rx="8" fill="{PAPER}"/>',
    f'<path d="M0 8a8 8 0 0 1 8-8h{w - 16:g}a8 8 0 0 1 8 8v24H0z" fill="{BAR}"/>',
]
for n, dot in enumerate(("#e06c75", "#e5c07b", "#98c379")):
    out.append(f'<circle cx="{LEFT + 20 * n:g}" cy="16" r="6" fill="{dot}"/>')
out.append(
    f'<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, \'DejaVu Sans Mono\', monospace" font-size="14"'
    f' fill="{INK}">'
)
for n, line in enumerate(lines):
    column = 0
    for text, colour, bold, dim in pieces(line):
        size = width(text)
        if text.strip():
            look = "" if colour == INK else f' fill="{colour}"'
            look += ' font-weight="bold"' if bold else ""
            look += ' opacity="0.7"' if dim else ""
            # The length keeps columns below one another, whatever font there is; plain blanks would be drawn together.
            text = escape(text).replace(" ", "\u00a0")
            out.append(
                f'<text x="{LEFT + CELL * column:g}" y="{TOP + LINE * n:g}" textLength="{CELL * size:g}"'
                f' lengthAdjust="spacingAndGlyphs"{look}>{text}</text>'
            )
        column += size
out.append("</g>\n</svg>")
with open(picture, "w", encoding="utf-8") as file:
    file.write("\n".join(out) + "\n")
print(f"picture: {picture}, {len(lines)} lines")
PYTHON
