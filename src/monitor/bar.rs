//! A progress bar on a terminal.
//!
//! ```text
//! [###########>                     ] 317/1,000 · last call about 14:32, in 3 h 12 min
//! accepted 312 · already pending 4 · failed 1 · in flight 3 · busy 20 · to go 660
//! minute 100/100 · hour 320/1,500 · next call in 41 s: minute window full
//! went wrong: 403 DisallowedOperation × 12
//! 312 scans · 280 InProgress · 30 Succeeded · 2 Failed
//! ```
//!
//! `page` lays the lines out, `canvas` draws them, and `keys` hides what is typed meanwhile.

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

use super::{
    Began, Monitor, Scans, State,
    canvas::{Canvas, Size},
    keys, page,
};
use crate::plain_text::one_line;

/// The least time between two drawings, on the run's clock. Nobody could see more.
const APART: Duration = Duration::from_millis(50);

/// How often it is drawn anew while nothing happens, so that it is whole again after the window was resized.
const REDRAWN: Duration = Duration::from_secs(1);

/// indicatif's own time of arrival is an estimate from the rate, which is useless for bursts and waits. So the prefix
/// shows the forecast's.
const TEMPLATE: &str = "[{wide_bar}] {prefix}\n{msg}";

/// A bar that shows how many targets have ended, with some lines of text.
pub struct Bar {
    bars: MultiProgress,
    progress: ProgressBar,
    canvas: Canvas,
    zone: TimeZone,
    /// Where notes are written while the bar is hidden.
    notes: Mutex<Box<dyn Write + Send>>,
    shown: Mutex<Shown>,
    is_hushed: AtomicBool,
}

/// What was reported last.
#[derive(Default)]
struct Shown {
    state: Option<State>,
    scans: Option<Scans>,
    /// When it was drawn last, on the run's clock.
    drawn: Option<Duration>,
}

impl Bar {
    /// A bar on stderr, with times of day in `zone`.
    #[must_use]
    pub fn on_stderr(zone: TimeZone) -> Self {
        let size = || console::Term::stderr().size();
        let (bar, notes) = (Box::new(std::io::stderr()), Box::new(std::io::stderr()));
        Self::new(bar, size, notes, zone)
    }

    /// A bar on a terminal of this size. `notes` must be the same terminal.
    fn new(
        out: Box<dyn Write + Send>,
        size: Size,
        notes: Box<dyn Write + Send>,
        zone: TimeZone,
    ) -> Self {
        let canvas = Canvas::new(out, size);
        let target = ProgressDrawTarget::term_like(Box::new(canvas.clone()));
        let bars = MultiProgress::with_draw_target(target);
        // The template is a constant, and a test uses it, so this does not fail.
        let style = ProgressStyle::with_template(TEMPLATE)
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("#> ");
        let progress = bars.add(ProgressBar::new(0).with_style(style));
        Self {
            bars,
            progress,
            canvas,
            zone,
            notes: Mutex::new(notes),
            shown: Mutex::default(),
            is_hushed: AtomicBool::new(false),
        }
    }

    /// The bar's group, so that [`logs`](super::logs) can be written above it.
    #[must_use]
    pub fn bars(&self) -> MultiProgress {
        self.bars.clone()
    }

    fn shown(&self) -> std::sync::MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lays the lines out for the terminal as wide as it is now.
    fn lay_out(&self, shown: &Shown) {
        let Shown { state, scans, .. } = shown;
        let (zone, columns) = (&self.zone, self.canvas.columns());
        match (state, scans) {
            (Some(state), _) => {
                self.progress.set_length(state.targets);
                self.progress.set_position(state.ended);
                self.progress.set_prefix(page::beside(state, zone, columns));
            }
            (None, Some(scans)) => {
                self.progress.set_length(scans.total());
                self.progress.set_position(scans.over);
                self.progress.set_prefix(page::scans_beside(scans));
            }
            (None, None) => return,
        }
        if !self.is_hushed.load(Ordering::Relaxed) {
            keys::hide();
        }
        let lines = page::below(state.as_ref(), scans.as_ref(), zone, columns);
        self.progress.set_message(lines.join("\n"));
        // The first of these begins a thread, which later ones find.
        self.progress.enable_steady_tick(REDRAWN);
    }
}

impl Shown {
    /// Whether this state should be drawn.
    fn is_due(&mut self, state: &State) -> bool {
        let is_last = state.ended >= state.targets;
        let is_due = is_last || self.drawn.is_none_or(|last| state.elapsed >= last + APART);
        if is_due {
            self.drawn = Some(state.elapsed);
        }
        is_due
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        keys::show();
    }
}

impl Monitor for Bar {
    fn began(&self, began: &Began<'_>) {
        self.note(&began.in_words());
        keys::hide();
    }

    fn state(&self, state: &State) {
        let mut shown = self.shown();
        if !self.is_hushed.load(Ordering::Relaxed) && shown.is_due(state) {
            shown.state = Some(state.clone());
            self.lay_out(&shown);
        }
    }

    fn scans(&self, scans: &Scans) {
        let mut shown = self.shown();
        shown.scans = Some(scans.clone());
        self.lay_out(&shown);
    }

    fn note(&self, text: &str) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        self.bars.suspend(|| {
            // An error means that the terminal is gone, which is no reason to stop a campaign.
            let _ = writeln!(notes, "{}", one_line(text).trim_end()).and_then(|()| notes.flush());
        });
    }

    fn hush(&self, hushed: bool) {
        self.is_hushed.store(hushed, Ordering::Relaxed);
        self.canvas.hush(hushed);
        if hushed {
            keys::show();
        } else {
            keys::hide();
        }
    }

    fn ended(&self) {
        // The summary repeats all of it, and stays on the screen.
        self.progress.finish_and_clear();
        keys::show();
    }
}

#[cfg(test)]
mod tests {
    use std::{io, num::NonZeroU16, sync::Arc};

    use super::*;

    /// A terminal of 80 columns and 24 rows.
    #[derive(Clone)]
    struct Terminal(Arc<Mutex<vt100::Parser>>);

    impl Terminal {
        fn new() -> Self {
            let [rows, columns] = [24, 80].map(|n| NonZeroU16::new(n).unwrap());
            Self(Arc::new(Mutex::new(vt100::Parser::new(rows, columns, 0))))
        }

        /// What is on it.
        fn rows(&self) -> Vec<String> {
            let parser = self.0.lock().unwrap();
            let text = parser.screen().contents();
            text.lines().map(str::to_owned).collect()
        }
    }

    impl Write for Terminal {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // The terminal's driver begins a new line at its left end.
            let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n");
            let text = text.replace('\n', "\r\n");
            self.0.lock().unwrap().process(text.as_bytes());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn bar() -> (Terminal, Bar) {
        let terminal = Terminal::new();
        let (out, notes) = (Box::new(terminal.clone()), Box::new(terminal.clone()));
        let bar = Bar::new(out, || (24, 80), notes, TimeZone::UTC);
        (terminal, bar)
    }

    fn at(millis: u64, ended: u64) -> State {
        State {
            elapsed: Duration::from_millis(millis),
            ended,
            ..State::example()
        }
    }

    const BELOW: [&str; 2] = [
        "accepted 312 · already pending 4 · failed 1 · in flight 3 · busy 20 · to go 660",
        "minute 100/100 · hour 320/1,500 · next call in 41 s: minute window full",
    ];

    #[test]
    fn the_bar_shows_the_counts_the_windows_and_the_forecast_of_the_last_call() {
        let (terminal, bar) = bar();
        bar.state(&State::example());
        bar.progress.force_draw();
        let rows = terminal.rows();
        assert_eq!(
            rows[0],
            "[########>                   ] 317/1,000 · last call about 14:32, in 3 h 12 min"
        );
        assert_eq!(rows[1..], BELOW);
    }

    #[test]
    fn notes_and_states_in_turns_leave_nothing_behind() {
        let (terminal, bar) = bar();
        bar.began(&Began {
            campaign: "abc",
            targets: 1000,
            already_ended: 2,
        });
        for n in 0..8 {
            // Sometimes there is a line more, sometimes less.
            let mut state = at(n * 1_000, n);
            if n % 2 == 0 {
                state.waiting = None;
                state.troubles.clear();
                state.windows.clear();
            }
            bar.state(&state);
            bar.progress.force_draw();
            bar.note(&format!("note {n}: the disk\u{7} is\nfull"));
        }
        let rows = terminal.rows();
        let notes = (0..8).map(|n| format!("note {n}: the disk  is full"));
        let began = "campaign abc: 1000 targets, 2 of them ended already".to_owned();
        let expected: Vec<String> = [began].into_iter().chain(notes).collect();
        assert_eq!(rows[..9], expected);
        assert!(rows[9].contains("] 7/1,000 · last call"), "{rows:?}");
        assert_eq!(rows[10..], BELOW);
        bar.ended();
        assert_eq!(terminal.rows(), expected);
    }

    #[test]
    fn scans_are_a_line_below_and_have_a_bar_of_their_own_where_no_more_are_started() {
        let (terminal, bar) = bar();
        let by_status = [("Succeeded", 700), ("InProgress", 300)];
        let scans = Scans {
            by_status: by_status.map(|(s, count)| (s.to_owned(), count)).into(),
            over: 700,
        };
        bar.scans(&scans);
        bar.progress.force_draw();
        let rows = terminal.rows();
        assert!(rows[0].ends_with("] 700/1,000 scans are over"), "{rows:?}");
        let line = "1,000 scans · 700 Succeeded · 300 InProgress";
        assert_eq!(rows[1..], [line]);
        bar.state(&State::example());
        bar.progress.force_draw();
        let rows = terminal.rows();
        assert!(rows[0].contains("] 317/1,000 · last call"), "{rows:?}");
        assert_eq!(rows[1..], [BELOW[0], BELOW[1], line]);
    }

    #[test]
    fn nothing_is_drawn_while_the_user_is_asked() {
        let (terminal, bar) = bar();
        bar.state(&at(0, 1));
        bar.progress.force_draw();
        bar.hush(true);
        assert_eq!(terminal.rows(), Vec::<String>::new());
        bar.state(&at(60_000, 2));
        bar.progress.force_draw();
        bar.progress.tick();
        assert_eq!(terminal.rows(), Vec::<String>::new());
        bar.hush(false);
        bar.state(&at(61_000, 3));
        bar.progress.force_draw();
        assert!(terminal.rows()[0].contains("3/1,000"));
    }

    #[test]
    fn a_flood_of_states_is_drawn_now_and_then_and_the_last_one_always() {
        let mut shown = Shown::default();
        let due = [at(0, 1), at(1, 2), at(49, 3), at(50, 4), at(51, 1000)];
        assert_eq!(
            due.map(|state| shown.is_due(&state)),
            [true, false, false, true, true]
        );
    }
}
