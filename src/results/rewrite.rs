//! Writes the whole file beside the old one, and then replaces that atomically.

use std::{io, path::Path, time::Duration};

use super::{
    Layout, ResultsError, ResultsFile, Row,
    fresh::{Fresh, Installed, What},
    line::RowWriter,
};

/// How many bytes are buffered before they are written.
const BUFFER: usize = 256 * 1024;

/// Writes a new results file. If it is dropped before it is installed, it leaves nothing behind.
pub struct Rewrite {
    fresh: Fresh,
    layout: Layout,
    pen: RowWriter,
    buffer: Vec<u8>,
}

/// A new results file that is complete and on disk, but still beside the old one.
pub struct Finished {
    fresh: Fresh,
    layout: Layout,
}

impl Rewrite {
    /// Starts a file that will replace the one at `path`, and writes its header.
    ///
    /// # Errors
    /// The directory cannot be written to.
    pub fn start(path: &Path, layout: &Layout) -> Result<Self, ResultsError> {
        let fresh = Fresh::create(path, What::Results)
            .map_err(|why| ResultsError::new(What::Results.writing(), path, &why))?;
        let mut this = Self {
            fresh,
            layout: layout.clone(),
            pen: RowWriter::new(layout),
            buffer: Vec::with_capacity(BUFFER + 4096),
        };
        let headed = this.pen.header(&mut this.buffer);
        headed.map_err(|why| ResultsError::new(What::Results.writing(), path, &why))?;
        Ok(this)
    }

    /// Adds a row.
    ///
    /// # Errors
    /// The disk is full or gone. The old file is untouched.
    pub fn row(&mut self, row: &Row<'_>) -> Result<(), ResultsError> {
        let mut written = self.pen.row(row, &mut self.buffer);
        if written.is_ok() && self.buffer.len() >= BUFFER {
            written = self.flush();
        }
        written.map_err(|why| self.fresh.failed(&why))
    }

    /// Completes the file, and waits until it is on disk.
    ///
    /// # Errors
    /// The disk is full or gone. The old file is untouched.
    pub fn seal(mut self) -> Result<Finished, ResultsError> {
        let written = self.flush().and_then(|()| self.fresh.sync());
        written.map_err(|why| self.fresh.failed(&why))?;
        Ok(Finished {
            fresh: self.fresh,
            layout: self.layout,
        })
    }

    /// [Seals](Self::seal) and [installs](Finished::install) the file, at the beginning of a run.
    ///
    /// # Errors
    /// As theirs.
    pub fn install(self) -> Result<ResultsFile, ResultsError> {
        self.seal()?.install()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.fresh.write(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}

impl Finished {
    /// Replaces the old file, and opens the new one to append lines.
    ///
    /// # Errors
    /// The replacement is refused, for instance on Windows while another program has the file open.
    pub fn install(mut self) -> Result<ResultsFile, ResultsError> {
        let path = self.fresh.target.clone();
        let opened = self
            .fresh
            .put(&path)
            .and_then(|()| ResultsFile::open(&path, &self.layout));
        opened.map_err(|why| self.fresh.failed(&why))
    }

    /// Replaces the old file. If that is refused, retries for 10 s, and then puts the new file beside the old one, as
    /// `<stem>.1.csv`. `sleep` waits between the retries, like `tokio::time::sleep`.
    ///
    /// # Errors
    /// The new file cannot be put beside the old one either, because the directory is gone or not writable any more.
    pub async fn place<S, F>(self, sleep: S) -> Result<Installed, ResultsError>
    where
        S: FnMut(Duration) -> F,
        F: Future<Output = ()>,
    {
        self.fresh.place(sleep).await
    }
}

#[cfg(test)]
#[path = "rewrite_tests.rs"]
mod tests;
