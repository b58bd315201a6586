//! All that the commands write to stdout and stderr. Text that comes from elsewhere (the service, the input) is made
//! plain here, so that it cannot control the terminal. A test makes sure that the rest of `cli` does not use `stdout()`
//! and `stderr()` itself.

use std::{
    io::{self, Write as _},
    sync::atomic::{AtomicBool, Ordering},
};

use serde::Serialize;

use super::Failure;
use crate::{monitor::JsonEvent, plain_text};

/// Whether stderr is for a program: `--progress json`. The process has one stderr, so this holds for all of it.
static IN_JSON: AtomicBool = AtomicBool::new(false);

/// From now on, each line on stderr is an event.
pub(super) fn say_in_json() {
    IN_JSON.store(true, Ordering::Relaxed);
}

/// Whether each line on stderr is an event.
pub(super) fn is_in_json() -> bool {
    IN_JSON.load(Ordering::Relaxed)
}

/// Writes an event to stderr if that is for a program.
pub(super) fn tell(event: &JsonEvent<'_>) {
    if is_in_json() {
        let _ = writeln!(io::stderr(), "{}", event.line());
    }
}

/// Writes whole lines to stdout. Errors call them `what`. Make each line that contains text from elsewhere with
/// [`plain_text::line`], because that text may contain line ends.
///
/// # Errors
/// Stdout cannot be written. A closed pipe is no error: its reader has read enough.
pub(super) fn report(text: &str, what: &str) -> Result<(), Failure> {
    let lines = text.lines().map(plain_text::one_line);
    let plain: String = lines.map(|line| line.into_owned() + "\n").collect();
    to_stdout(&plain, what)
}

/// Writes one line of JSON to stdout.
///
/// # Errors
/// Those of [`report`].
pub(super) fn json(value: &impl Serialize, what: &str) -> Result<(), Failure> {
    let text = serde_json::to_string(value)
        .map_err(|e| Failure::storage(format!("cannot write {what}: {e}")))?;
    to_stdout(&(plain_text::json(&text).into_owned() + "\n"), what)
}

/// Writes a page to stdout, whose texts are made plain already.
///
/// # Errors
/// Those of [`report`].
pub(super) fn page(text: &str, what: &str) -> Result<(), Failure> {
    to_stdout(text, what)
}

fn to_stdout(text: &str, what: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::storage(format!("cannot write {what}: {e}")))
        }
        _ => Ok(()),
    }
}

/// Writes one line to stderr. If stderr is closed there is nowhere to report it, so errors are ignored.
pub(super) fn say(line: &str) {
    if is_in_json() {
        return tell(&JsonEvent::Note { text: line });
    }
    let _ = writeln!(io::stderr(), "{}", plain_text::one_line(line).trim_end());
}

/// Writes several lines to stderr. Make them as those of a [`report`].
pub(super) fn say_all(text: &str) {
    text.lines().for_each(say);
}

/// Writes a question to stderr, without a line end.
pub(super) fn ask(question: &str) {
    let mut stderr = io::stderr().lock();
    // If this fails, reading the answer fails too.
    let _ = write!(stderr, "{}", plain_text::one_line(question)).and_then(|()| stderr.flush());
}

/// Stdout for a CSV. The writers in [`results`](crate::results) make its cells plain.
pub(super) fn csv() -> Box<dyn io::Write + Send> {
    Box::new(io::stdout())
}
