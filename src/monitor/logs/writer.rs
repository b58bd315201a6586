//! Writes the log's lines, without control characters.

use std::{
    borrow::Cow,
    fs::File,
    io::{self, Write},
    sync::{Mutex, PoisonError},
};

use indicatif::MultiProgress;
use tracing_subscriber::fmt::MakeWriter;

use crate::plain_text::one_line;

/// Where lines are written.
pub(super) enum Place {
    Stderr,
    /// stderr, with the bar hidden meanwhile.
    AboveBar(MultiProgress),
    File(Mutex<File>),
}

/// Makes writers for a place.
pub(super) struct Writers {
    pub(super) place: Place,
    /// Whether the formatter colours lines. Then it has escaped the control characters of values.
    pub(super) colour: bool,
}

impl<'a> MakeWriter<'a> for Writers {
    type Writer = &'a Writers;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

impl Write for &Writers {
    /// The formatter writes each event at once, as one line.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        let line = text.strip_suffix('\n').unwrap_or(&text);
        let line = if self.colour {
            Cow::Owned(coloured(line))
        } else {
            one_line(line)
        };
        let line = line.into_owned() + "\n";
        match &self.place {
            Place::Stderr => io::stderr().write_all(line.as_bytes())?,
            Place::AboveBar(bars) => bars.suspend(|| io::stderr().write_all(line.as_bytes()))?,
            Place::File(file) => {
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                file.write_all(line.as_bytes())?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One line without control characters, except for sequences that set a colour.
fn coloured(line: &str) -> String {
    const BEGINS: &str = "\u{1b}[";
    let mut plain = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once(BEGINS) {
        plain += &one_line(before);
        let code = after.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';');
        if let Some(behind) = code.strip_prefix('m') {
            plain += BEGINS;
            plain += &after[..after.len() - behind.len()];
            rest = behind;
        } else {
            plain.push(' ');
            rest = after;
        }
    }
    plain + &one_line(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_colours_pass() {
        assert_eq!(
            coloured("\u{1b}[2m12:00\u{1b}[0m a\u{1b}[2Jb\u{1b}]0;x\u{7}c\n\u{202e}d"),
            "\u{1b}[2m12:00\u{1b}[0m a 2Jb ]0;x c d"
        );
    }
}
