//! The file that `--summary` names.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::Path,
};

use serde::Serialize;

use crate::{
    audit::audit,
    cli::{Failure, screen},
    plain_text,
};

/// Where the summary is written. A run opens it before anything else, so that a bad path fails in the first second.
pub(in crate::cli) enum SummaryFile {
    Nowhere,
    Stdout,
    File(File, String),
}

impl SummaryFile {
    /// Opens the file that `--summary` names.
    ///
    /// # Errors
    /// It cannot be opened for writing.
    pub(in crate::cli) fn open(path: Option<&Path>) -> Result<Self, Failure> {
        match path {
            None => Ok(Self::Nowhere),
            Some(path) if path.as_os_str() == "-" => Ok(Self::Stdout),
            Some(path) => {
                let name = path.display().to_string();
                // The summary of an earlier run stays until there is a new one to put in its place.
                let file = OpenOptions::new()
                    .create(true)
                    .truncate(false)
                    .write(true)
                    .open(path);
                match file {
                    Ok(file) => Ok(Self::File(file, name)),
                    Err(e) => Err(Failure::storage(format!(
                        "cannot write the summary {name}: {e}; look at --summary"
                    ))),
                }
            }
        }
    }

    /// Writes the summary as JSON in the place of what the file contains.
    ///
    /// # Errors
    /// It cannot be written.
    pub(in crate::cli) fn write(self, summary: &impl Serialize) -> Result<(), Failure> {
        let write = |out: &mut dyn Write| {
            let json = serde_json::to_string(summary)?;
            writeln!(out, "{}", plain_text::json(&json))?;
            out.flush()
        };
        match self {
            Self::Nowhere => Ok(()),
            Self::Stdout => screen::json(summary, "the summary"),
            Self::File(mut file, name) => cut(&file)
                .and_then(|()| write(&mut file))
                .inspect(|()| audit!("file", act = "written", what = "summary", path = name))
                .map_err(|e| Failure::storage(format!("cannot write the summary {name}: {e}"))),
        }
    }
}

/// Truncates a file. A pipe cannot be truncated, and need not be.
fn cut(file: &File) -> io::Result<()> {
    if file.metadata()?.is_file() {
        file.set_len(0)?;
    }
    Ok(())
}
