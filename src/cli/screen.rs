//! What commands write to stdout and stderr. It all goes through here, so that no text of others reaches the terminal
//! as it came: a test keeps `stdout()` and `stderr()` out of the rest of `cli`.

use std::io::{self, Write as _};

use serde::Serialize;

use super::Failure;
use crate::plain_text;

/// Writes a report of whole lines to stdout: `what`, as an error calls it. Each line that holds text of others is made
/// by [`plain_text::line`], for that text may hold line ends of its own.
///
/// # Errors
/// It cannot be written. Whoever has closed the pipe has read enough, which is none.
pub(super) fn report(text: &str, what: &str) -> Result<(), Failure> {
    let lines = text.lines().map(plain_text::one_line);
    let mut plain = String::with_capacity(text.len());
    for line in lines {
        plain += &line;
        plain.push('\n');
    }
    to_stdout(&plain, what)
}

/// Writes a line of JSON to stdout, as [`report`] does.
///
/// # Errors
/// As those of [`report`].
pub(super) fn json(value: &impl Serialize, what: &str) -> Result<(), Failure> {
    let text = serde_json::to_string(value)
        .map_err(|e| Failure::storage(format!("cannot write {what}: {e}")))?;
    to_stdout(&(plain_text::json(&text).into_owned() + "\n"), what)
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

/// Writes one line to stderr. That nobody may be left to read it changes nothing.
pub(super) fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{}", plain_text::one_line(line).trim_end());
}

/// Writes several lines to stderr, made as those of a [`report`].
pub(super) fn say_all(text: &str) {
    text.lines().for_each(say);
}

/// Writes a question to stderr, and leaves the cursor behind it.
pub(super) fn ask(question: &str) {
    let mut stderr = io::stderr().lock();
    // A terminal that is gone gives no answer either.
    let _ = write!(stderr, "{}", plain_text::one_line(question)).and_then(|()| stderr.flush());
}

/// Stdout for a CSV, whose [cells](crate::results) are made plain as they are written.
pub(super) fn cells() -> Box<dyn io::Write + Send> {
    Box::new(io::stdout())
}
