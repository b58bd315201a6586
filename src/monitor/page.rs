//! The lines below the bar, laid out for a terminal's width.

use jiff::tz::TimeZone;

use super::{
    Scans, State,
    count::{grouped, of},
};
use crate::plain_text::one_line;

/// Between two parts of a line.
const DOT: &str = " · ";

/// A terminal with fewer columns shows the last call's time below the bar, so that something of the bar is left.
const NARROW: usize = 64;

/// The text beside the bar: "317/1,000 · last call about 14:32, in 3 h 12 min".
pub(super) fn beside(state: &State, zone: &TimeZone, width: usize) -> String {
    let done = format!("{}/{}", grouped(state.ended), grouped(state.targets));
    match state.arrival(zone) {
        Some(arrival) if width >= NARROW => [done, arrival].join(DOT),
        _ => done,
    }
}

/// The text beside the bar where no more scans are started: "812/1,000 scans are over".
pub(super) fn scans_beside(scans: &Scans) -> String {
    let (over, total) = (grouped(scans.over), grouped(scans.total()));
    format!("{over}/{total} scans are over")
}

/// The lines below the bar, each at most `width` columns long: counts, gauge, what went wrong, scans.
pub(super) fn below(
    state: Option<&State>,
    scans: Option<&Scans>,
    zone: &TimeZone,
    width: usize,
) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(state) = state {
        let arrival = state.arrival(zone).filter(|_| width < NARROW);
        lines.extend(wrapped("", arrival.into_iter().collect(), width));
        lines.extend(wrapped("", state.counts(), width));
        lines.extend(wrapped("", state.gauge(), width));
        lines.extend(wrapped("went wrong: ", state.troubles(), width));
    }
    lines.extend(scans.map_or_else(Vec::new, |scans| wrapped("", in_parts(scans), width)));
    lines
}

/// "1,000 scans", "700 Succeeded", "280 Pending"; nothing where there are none.
pub(super) fn in_parts(scans: &Scans) -> Vec<String> {
    if scans.total() == 0 {
        return Vec::new();
    }
    let all = match scans.total() {
        1 => of(1, "scan"),
        total => format!("{} scans", grouped(total)),
    };
    [all].into_iter().chain(scans.in_words()).collect()
}

/// The parts on as few lines as they fit on. A part that is too long for a line is cut off.
fn wrapped(head: &str, parts: Vec<String>, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for part in parts {
        let part = one_line(&part);
        match lines.last_mut() {
            Some(line) if columns(line) + columns(DOT) + columns(&part) <= width => {
                line.push_str(DOT);
                line.push_str(&part);
            }
            Some(_) => lines.push(format!("  {part}")),
            None => lines.push(format!("{head}{part}")),
        }
    }
    let cut = |line: String| console::truncate_str(&line, width, "…").into_owned();
    lines.into_iter().map(cut).collect()
}

/// How many columns the text takes on a terminal.
fn columns(text: &str) -> usize {
    console::measure_text_width(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::Trouble;

    /// A state that says as much as can be said.
    fn full() -> State {
        let mut state = State::example();
        state.tally = vec![
            ("accepted", 123_456),
            ("already_pending", 1_234),
            ("not_found", 123),
            ("unsupported", 12),
            ("refused", 1),
            ("failed", 1_234),
            ("not_attempted", 12_345),
        ];
        state.standing.unconfirmed = 12;
        state.standing.retrying = 1_234;
        state.troubles = vec![
            Trouble {
                what: "403 DisallowedOperationWithALongNameOfItsOwn".to_owned(),
                count: 12,
            };
            5
        ];
        state
    }

    fn scans() -> Scans {
        let by_status = [("Succeeded", 700), ("InProgress", 280), ("", 20)];
        let by_status = by_status.map(|(status, count)| (status.to_owned(), count));
        Scans {
            by_status: by_status.into(),
            over: 700,
        }
    }

    #[test]
    fn eighty_columns_are_enough_and_two_hundred_are_used() {
        let (state, scans) = (State::example(), scans());
        let told = below(Some(&state), Some(&scans), &TimeZone::UTC, 80).join("\n");
        assert_eq!(
            told,
            "accepted 312 · already pending 4 · failed 1 · in flight 3 · busy 20 · to go 660\n\
             minute 100/100 · hour 320/1,500 · next call in 41 s: minute window full\n\
             1,000 scans · 700 Succeeded · 280 InProgress · 20 not found yet"
        );
        assert_eq!(
            beside(&state, &TimeZone::UTC, 79),
            "317/1,000 · last call about 14:32, in 3 h 12 min"
        );
        let lines = |width| below(Some(&full()), Some(&scans), &TimeZone::UTC, width).len();
        assert_eq!((lines(80), lines(200)), (8, 4));
    }

    #[test]
    fn no_line_is_longer_than_the_terminal_and_no_part_is_lost() {
        let (state, scans) = (full(), scans());
        for width in 1..250 {
            let lines = below(Some(&state), Some(&scans), &TimeZone::UTC, width);
            for line in &lines {
                assert!(columns(line) <= width, "{width}: {line}");
            }
            if width >= 60 {
                let text = lines.join(DOT);
                let parts = state.counts().into_iter().chain(state.gauge());
                for part in parts.chain(state.troubles()).chain(in_parts(&scans)) {
                    assert!(text.contains(&part), "{width}: {part} in {text}");
                }
            }
        }
    }
}
