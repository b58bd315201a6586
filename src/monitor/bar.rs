//! A progress bar on a terminal.
//!
//! ```text
//! [#######>                ] 317/1000 · last call about 14:32, in 3 h 12 min
//! accepted 312 · already pending 4 · failed 1 · minute window, 41 s
//! ```

use std::{
    io::Write,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::tz::TimeZone;

use super::{Began, Ended, Monitor, State};
use crate::plain_text::one_line;

/// The least time between two drawings, on the run's clock. Nobody could see more.
const APART: Duration = Duration::from_millis(50);

/// indicatif's own time of arrival is an estimate from the rate, which is useless for bursts and waits. So the prefix
/// shows the forecast's.
const TEMPLATE: &str = "[{bar:24}] {pos}/{len}{prefix}\n{wide_msg}";

/// A bar that shows how many targets have ended, with two lines of text.
pub struct Bar {
    bars: MultiProgress,
    progress: ProgressBar,
    zone: TimeZone,
    /// Where notes are written while the bar is hidden.
    notes: Mutex<Box<dyn Write + Send>>,
    drawn: Mutex<Option<Duration>>,
    hushed: AtomicBool,
}

impl Bar {
    /// A bar on stderr, with times of day in `zone`.
    #[must_use]
    pub fn on_stderr(zone: TimeZone) -> Self {
        let target = ProgressDrawTarget::stderr();
        Self::new(target, Box::new(std::io::stderr()), zone)
    }

    /// A bar on `target`. `notes` must be the same terminal.
    #[must_use]
    pub fn new(target: ProgressDrawTarget, notes: Box<dyn Write + Send>, zone: TimeZone) -> Self {
        let bars = MultiProgress::with_draw_target(target);
        // The template is a constant, and a test uses it, so this does not fail.
        let style = ProgressStyle::with_template(TEMPLATE)
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("#> ");
        let progress = bars.add(ProgressBar::new(0).with_style(style));
        Self {
            bars,
            progress,
            zone,
            notes: Mutex::new(notes),
            drawn: Mutex::new(None),
            hushed: AtomicBool::new(false),
        }
    }

    /// The bar's group, so that [`logs`](super::logs) can be written above it.
    #[must_use]
    pub fn bars(&self) -> MultiProgress {
        self.bars.clone()
    }

    /// Whether the bar should be drawn again.
    fn due(&self, state: &State) -> bool {
        let mut drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        let due =
            drawn.is_none_or(|last| state.elapsed >= last + APART) || state.ended >= state.targets;
        if due {
            *drawn = Some(state.elapsed);
        }
        due
    }
}

impl Monitor for Bar {
    fn began(&self, began: &Began<'_>) {
        self.note(&began.in_words());
        self.progress.set_length(began.targets);
        self.progress.set_position(began.already_ended);
    }

    fn target_ended(&self, _: &Ended<'_>) {}

    fn state(&self, state: &State) {
        if self.hushed.load(Ordering::Relaxed) || !self.due(state) {
            return;
        }
        let arrival = state.arrival(&self.zone);
        self.progress
            .set_prefix(arrival.map_or_else(String::new, |text| format!(" · {text}")));
        self.progress
            .set_message(one_line(&state.in_words()).into_owned());
        self.progress.set_length(state.targets);
        self.progress.set_position(state.ended);
    }

    fn note(&self, text: &str) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        self.bars.suspend(|| {
            // An error means that the terminal is gone, which is no reason to stop a campaign.
            let _ = writeln!(notes, "{}", one_line(text).trim_end()).and_then(|()| notes.flush());
        });
    }

    fn hush(&self, hushed: bool) {
        self.hushed.store(hushed, Ordering::Relaxed);
        if hushed {
            // An error means that the terminal is gone, which is no reason to stop a campaign.
            let _ = self.bars.clear();
        }
    }

    fn ended(&self) {
        // The summary repeats all of it, and stays on the screen.
        self.progress.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use std::{io, sync::Arc};

    use indicatif::TermLike;

    use super::*;

    /// A terminal of 80 columns that remembers what is written to it.
    #[derive(Clone, Debug, Default)]
    struct Terminal(Arc<Mutex<String>>);

    impl Terminal {
        fn add(&self, text: &str) {
            self.0.lock().unwrap().push_str(text);
        }

        fn take(&self) -> String {
            std::mem::take(&mut self.0.lock().unwrap())
        }
    }

    impl TermLike for Terminal {
        fn width(&self) -> u16 {
            80
        }
        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn write_line(&self, text: &str) -> io::Result<()> {
            self.add(text);
            self.add("\n");
            Ok(())
        }
        fn write_str(&self, text: &str) -> io::Result<()> {
            self.add(text);
            Ok(())
        }
        fn clear_line(&self) -> io::Result<()> {
            self.add("<clear>");
            Ok(())
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Write for Terminal {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.add(str::from_utf8(bytes).unwrap());
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn bar() -> (Terminal, Bar) {
        let terminal = Terminal::default();
        // The highest rate, so that the test need not wait.
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(terminal.clone()), 255);
        let bar = Bar::new(target, Box::new(terminal.clone()), TimeZone::UTC);
        (terminal, bar)
    }

    #[test]
    fn the_bar_shows_the_tally_the_wait_and_the_schedules_arrival() {
        let (terminal, bar) = bar();
        bar.state(&State::example());
        bar.progress.force_draw();
        let text = terminal.take();
        assert!(
            text.contains("] 317/1000 · last call about 14:32, in 3 h 12 min"),
            "{text}"
        );
        assert!(
            text.contains("accepted 312 · already pending 4 · failed 1 · minute window, 41 s"),
            "{text}"
        );
        assert!(text.contains("[#######>"), "{text}");
    }

    #[test]
    fn notes_are_written_above_the_bar_on_lines_of_their_own() {
        let (terminal, bar) = bar();
        bar.began(&Began {
            campaign: "abc",
            targets: 10,
            already_ended: 2,
        });
        bar.note("the disk\u{7} is\nfull");
        let text = terminal.take();
        assert!(
            text.contains("campaign abc: 10 targets, 2 of them"),
            "{text}"
        );
        assert!(text.contains("the disk  is full\n"), "{text}");
        bar.ended();
    }

    #[test]
    fn nothing_is_drawn_while_the_user_is_asked() {
        let (terminal, bar) = bar();
        bar.state(&State::example());
        bar.progress.force_draw();
        bar.hush(true);
        terminal.take();
        bar.state(&State {
            elapsed: Duration::from_mins(1),
            ..State::example()
        });
        assert_eq!(terminal.take(), "");
        bar.hush(false);
        bar.state(&State {
            elapsed: Duration::from_secs(61),
            ..State::example()
        });
        bar.progress.force_draw();
        assert!(terminal.take().contains("317/1000"));
    }

    #[test]
    fn a_flood_of_states_is_drawn_now_and_then_and_the_last_one_always() {
        let (_terminal, bar) = bar();
        let at = |millis, ended| State {
            elapsed: Duration::from_millis(millis),
            ended,
            ..State::example()
        };
        let due = [at(0, 1), at(1, 2), at(49, 3), at(50, 4), at(51, 1000)];
        assert_eq!(
            due.map(|state| bar.due(&state)),
            [true, false, false, true, true]
        );
    }
}
