//! What a person sees: the program in `tmux`, which breaks lines anew when a window is resized, as most terminals do.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use super::program::{BINARY, fleet, look_again, state_home};

/// A window with a command in it, on a server of its own.
struct Window {
    folder: tempfile::TempDir,
}

impl Window {
    /// Starts the program with these words over so many machines; `None` where tmux is not installed.
    fn open(columns: u32, rows: u32, machines: u32, words: &str) -> Option<Self> {
        if Command::new("tmux").arg("-V").output().is_err() {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("fleet.csv"), fleet(machines)).unwrap();
        let window = Self { folder };
        let path = window.path();
        let state = state_home(path);
        // The shell stays, so that the last words can be read.
        let shell = format!(
            "cd '{}'; export XDG_STATE_HOME='{}'; unset RUST_LOG NO_COLOR; '{BINARY}' {words}; \
             echo \"exit code $?\"; cat",
            path.display(),
            state.display()
        );
        let size = ["-x", &columns.to_string(), "-y", &rows.to_string()].map(str::to_owned);
        let new = ["-f", "/dev/null", "new-session", "-d"].map(str::to_owned);
        window.tmux(new.into_iter().chain(size).chain([shell]));
        Some(window)
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn tmux(&self, words: impl IntoIterator<Item = String>) -> Output {
        let mut tmux = Command::new("tmux");
        tmux.arg("-S").arg(self.path().join("tmux"));
        tmux.env("TERM", "xterm-256color").env_remove("TMUX");
        let done = tmux.args(words).output().unwrap();
        assert!(done.status.success(), "{done:?}");
        done
    }

    fn press(&self, keys: &str) {
        let keys = keys.split(' ').map(str::to_owned);
        self.tmux(["send-keys".to_owned()].into_iter().chain(keys));
    }

    fn resize(&self, columns: u32, rows: u32) {
        let size = format!("resize-window -x {columns} -y {rows}");
        self.tmux(size.split(' ').map(str::to_owned));
    }

    /// The lines in the window. Those that it has broken in two are one.
    fn lines(&self) -> Vec<String> {
        let done = self.tmux(["capture-pane", "-p", "-J"].map(str::to_owned));
        let text = String::from_utf8(done.stdout).unwrap();
        let lines = text.trim_end().lines().map(str::trim_end);
        lines.map(str::to_owned).collect()
    }

    /// Waits until the lines are so, for many looks.
    #[track_caller]
    fn wait(&self, what: &str, is_so: impl Fn(&[String]) -> bool) -> Vec<String> {
        let mut lines = Vec::new();
        for _ in 0..LOOKS {
            lines = self.lines();
            if is_so(&lines) {
                return lines;
            }
            look_again();
        }
        panic!("never {what}:\n{}", lines.join("\n"));
    }

    /// Waits until the bar was drawn for as many columns, of which it leaves the last one free. Then nothing may be
    /// left of an earlier drawing.
    #[track_caller]
    fn whole(&self, what: &str, columns: usize) -> Vec<String> {
        let fits = |line: &String| line.chars().count() < columns;
        let lines = self.wait(what, |lines| {
            bar(lines).is_some_and(|at| {
                lines[at].chars().count() == columns - 1
                    && lines[at..].iter().all(fits)
                    && is_whole(&lines[at..])
            })
        });
        let at = bar(&lines).unwrap();
        for line in &lines[..at] {
            assert!(
                !is_of_the_bar(line),
                "{what}, stale: {line}\n{}",
                lines.join("\n")
            );
        }
        lines
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        self.tmux(["kill-server".to_owned()]);
    }
}

/// How many looks something is waited for: each takes some milliseconds.
const LOOKS: u32 = 4_000;

/// Which line is the bar.
fn bar(lines: &[String]) -> Option<usize> {
    lines.iter().rposition(|line| line.starts_with('['))
}

/// Whether the lines from the bar on are all that belongs to it, and nothing else.
fn is_whole(lines: &[String]) -> bool {
    lines.len() >= 3 && lines.iter().all(|line| is_of_the_bar(line))
}

fn is_of_the_bar(line: &str) -> bool {
    let begins = [
        "[",
        "accepted ",
        "in flight ",
        "to go ",
        "2 s ",
        "hour ",
        "last call",
        "  ",
    ];
    begins.iter().any(|begin| line.starts_with(begin)) || line.contains(" scans · ")
}

/// What the bar's line tells, without the bar.
fn beside_the_bar(line: &str) -> String {
    line.split(']').next_back().unwrap_or_default().to_owned()
}

/// The line with each number as `0`, and what the bar is made of left out.
fn pattern(line: &str) -> String {
    let mut pattern = String::new();
    for c in line.chars() {
        match c {
            '0'..='9' if pattern.ends_with('0') => {}
            '0'..='9' => pattern.push('0'),
            '#' | '>' => {}
            ' ' if pattern.ends_with('[') => {}
            c => pattern.push(c),
        }
    }
    pattern
}

/// Whether this line tells of no call on its way.
fn is_waiting(line: &str) -> bool {
    line.starts_with("accepted ") && line.contains("to go ") && !line.contains("in flight")
}

#[test]
fn the_bar_survives_keys_and_every_resize_with_the_log_above_it() {
    let words = "run fleet.csv --mock --limit 20/2s --limit 1500/1h -v";
    let Some(window) = Window::open(80, 24, 1_000, words) else {
        return;
    };
    window.wait("a wait", |lines| lines.iter().any(|line| is_waiting(line)));
    let lines = window.whole("a bar", 80);
    let at = bar(&lines).unwrap();
    let shown: Vec<String> = lines[at..].iter().map(|line| pattern(line)).collect();
    assert!(shown[0].starts_with("[] 0/0,0 · last call "), "{shown:?}");
    assert_eq!(
        shown[2],
        "0 s 0/0 · hour 0/0,0 · next call in 0 s: 0s window full"
    );
    assert!(
        lines[..at].iter().any(|line| line.contains("INFO")),
        "{lines:?}"
    );

    window.press("a b c Enter Enter Up F5 C-l Escape Space");
    let keyed = window.whole("a bar after keys", 80);
    assert!(
        keyed
            .iter()
            .all(|line| !line.contains("abc") && !line.contains("^["))
    );

    for (columns, rows) in [(50, 20), (200, 50), (60, 16), (120, 30), (80, 24)] {
        window.resize(columns, rows);
        let what = format!("a bar of {columns} columns");
        let lines = window.whole(&what, columns as usize);
        // The next burst, and the end of it. tmux breaks lines at once, and may tell the program a quarter of a second
        // later, so what is drawn in between has nothing to go by.
        let ended = |lines: &[String]| Some(beside_the_bar(&lines[bar(lines)?]));
        window.wait("more machines", |now| ended(now) != ended(&lines));
        window.wait("a wait", |lines| lines.iter().any(|line| is_waiting(line)));
    }
    window.press("C-c");
    let lines = window.wait("an end", |lines| {
        lines
            .last()
            .is_some_and(|line| line.starts_with("exit code"))
    });
    assert_eq!(lines.last().unwrap(), "exit code 130");
    assert_eq!(bar(&lines), None, "{lines:?}");
    assert!(
        lines.iter().any(|line| line.contains(" calls in ")),
        "{lines:?}"
    );
    assert!(lines.iter().all(|line| !line.contains("abc")), "{lines:?}");
}

#[test]
fn two_hundred_columns_are_used_and_a_dumb_terminal_gets_lines() {
    let words = "run fleet.csv --mock --limit 20/2s --limit 1500/1h";
    let Some(window) = Window::open(200, 50, 60, words) else {
        return;
    };
    let lines = window.whole("a bar", 200);
    let at = bar(&lines).unwrap();
    assert!(lines[at].chars().count() > 150, "{}", lines[at]);

    let words = "run fleet.csv --mock --progress lines";
    let window = Window::open(80, 24, 60, words).unwrap();
    let lines = window.wait("an end", |lines| {
        lines
            .last()
            .is_some_and(|line| line.starts_with("exit code"))
    });
    assert_eq!(bar(&lines), None, "{lines:?}");
    assert!(
        lines.iter().any(|line| line.contains("60/60 · accepted ")),
        "{lines:?}"
    );
}

#[test]
fn what_was_typed_before_a_question_is_no_answer_to_it() {
    let words = "run fleet.csv --mock --canary 2 --limit 1/2s --limit 1500/1h";
    let Some(window) = Window::open(80, 24, 5, words) else {
        return;
    };
    window.wait("a bar", |lines| bar(lines).is_some());
    window.press("y e s Enter");
    let asked = |lines: &[String]| {
        lines
            .iter()
            .any(|line| line.ends_with('?') || line.contains("[y/N]"))
    };
    window.wait("a question", asked);
    // Were the keys an answer, the others would start now.
    window.press("n Enter");
    let lines = window.wait("an end", |lines| {
        lines
            .last()
            .is_some_and(|line| line.starts_with("exit code"))
    });
    assert_eq!(lines.last().unwrap(), "exit code 3", "{lines:?}");
}
