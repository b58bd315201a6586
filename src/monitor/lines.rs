//! Progress as lines, where there is no terminal: CI logs, `nohup`, a file.

use std::{
    io::Write,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use jiff::tz::TimeZone;

use super::{Began, Monitor, Scans, State, page};
use crate::plain_text::one_line;

/// The time between two lines, on the run's clock. Six a minute are few enough for the log of a run of many hours.
const APART: Duration = Duration::from_secs(10);

/// Writes a line when the run begins, every 10 s, and when it ends.
pub struct Lines {
    zone: TimeZone,
    page: Mutex<Page>,
}

struct Page {
    out: Box<dyn Write + Send>,
    /// When the last line was written.
    last: Duration,
    /// The last state, if it has not been written.
    unwritten: Option<State>,
    /// The scans, as they were reported last.
    scans: Option<Scans>,
    /// Whether it was told that all targets have ended.
    is_last_told: bool,
    hushed: bool,
}

impl Lines {
    /// Writes to `out`, with times of day in `zone`.
    #[must_use]
    pub fn new(out: Box<dyn Write + Send>, zone: TimeZone) -> Self {
        Self {
            zone,
            page: Mutex::new(Page {
                out,
                last: Duration::ZERO,
                unwritten: None,
                scans: None,
                is_last_told: false,
                hushed: false,
            }),
        }
    }

    fn line(&self, state: &State, scans: Option<&Scans>) -> String {
        let at = state.wall.to_zoned(self.zone.clone()).strftime("%H:%M:%S");
        let done = format!("{at} {}", page::beside(state, &self.zone, usize::MAX));
        let mut parts = vec![done];
        parts.extend(state.counts());
        parts.extend(state.gauge());
        let troubles = state.troubles();
        if !troubles.is_empty() {
            parts.push(format!("went wrong: {}", troubles.join(", ")));
        }
        parts.extend(scans.map_or_else(Vec::new, page::in_parts));
        parts.join(" · ")
    }

    fn page(&self) -> std::sync::MutexGuard<'_, Page> {
        self.page.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Page {
    /// Writes a line. An error, such as a closed pipe, is no reason to stop a campaign.
    fn write(&mut self, line: &str) {
        let _ = writeln!(self.out, "{}", one_line(line).trim_end()).and_then(|()| self.out.flush());
    }
}

impl Monitor for Lines {
    fn began(&self, began: &Began<'_>) {
        self.page().write(&began.in_words());
    }

    fn state(&self, state: &State) {
        let mut page = self.page();
        // The end of the last target may be followed by hours of watching scans.
        let is_last = state.ended >= state.targets && !page.is_last_told;
        if (state.elapsed >= page.last + APART || is_last) && !page.hushed {
            page.is_last_told |= is_last;
            page.last = state.elapsed;
            page.unwritten = None;
            let line = self.line(state, page.scans.as_ref());
            page.write(&line);
        } else {
            page.unwritten = (!page.is_last_told).then(|| state.clone());
        }
    }

    fn scans(&self, scans: &Scans) {
        self.page().scans = Some(scans.clone());
    }

    fn note(&self, text: &str) {
        self.page().write(text);
    }

    fn hush(&self, hushed: bool) {
        self.page().hushed = hushed;
    }

    fn ended(&self) {
        let mut page = self.page();
        if let Some(state) = page.unwritten.take() {
            let line = self.line(&state, page.scans.as_ref());
            page.write(&line);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{io, sync::Arc};

    use super::*;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn told(tell: impl FnOnce(&Lines)) -> String {
        let out = Shared::default();
        tell(&Lines::new(Box::new(out.clone()), TimeZone::UTC));
        String::from_utf8(out.0.lock().unwrap().clone()).unwrap()
    }

    fn state(elapsed_ms: u64, ended: u64) -> State {
        State {
            elapsed: Duration::from_millis(elapsed_ms),
            ended,
            ..State::example()
        }
    }

    #[test]
    fn a_line_comes_every_ten_seconds_and_at_both_ends() {
        let text = told(|lines| {
            lines.began(&Began {
                campaign: "abc",
                targets: 1000,
                already_ended: 0,
            });
            for (elapsed, ended) in [
                (0, 1),
                (9_999, 2),
                (10_000, 3),
                (19_000, 4),
                (21_000, 5),
                (22_000, 6),
            ] {
                lines.state(&state(elapsed, ended));
            }
            lines.ended();
        });
        let firsts: Vec<&str> = text
            .lines()
            .map(|line| line.split(" · ").next().unwrap())
            .collect();
        assert_eq!(
            firsts,
            [
                "campaign abc: 1000 targets",
                "11:20:00 3/1,000",
                "11:20:00 5/1,000",
                "11:20:00 6/1,000"
            ]
        );
    }

    #[test]
    fn a_line_says_it_all_and_the_last_is_not_said_twice() {
        let text = told(|lines| {
            lines.state(&state(10_000, 317));
            lines.ended();
        });
        assert_eq!(
            text,
            "11:20:00 317/1,000 · last call about 14:32, in 3 h 12 min · accepted 312 · already pending 4 · failed 1 · \
             in flight 3 · busy 20 · to go 660 · minute 100/100 · hour 320/1,500 · \
             next call in 41 s: minute window full\n"
        );
    }

    #[test]
    fn the_end_of_the_last_target_is_told_at_once_and_once() {
        let text = told(|lines| {
            lines.state(&state(10_000, 999));
            lines.state(&state(10_100, 1000));
            lines.state(&state(10_200, 1000));
            lines.ended();
        });
        let done: Vec<&str> = text.lines().map(|line| &line[9..14]).collect();
        assert_eq!(done, ["999/1", "1,000"]);
    }

    #[test]
    fn a_note_is_one_line_that_cannot_play_with_the_terminal() {
        let text = told(|lines| lines.note("stopped:\n\u{1b}[2Jgone\n"));
        assert_eq!(text, "stopped:  [2Jgone\n");
    }
}
