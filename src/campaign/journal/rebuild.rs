//! The results file at the beginning of a run, while a thread of its own rewrites it.

use std::thread::JoinHandle;

use super::JournalError;
use crate::results::ResultsFile;

type Written = Result<ResultsFile, JournalError>;

/// A results file that exists, or is being written. Dropping this waits for the writer: nobody else may write
/// meanwhile.
pub(crate) struct Rebuild {
    writing: Option<JoinHandle<Written>>,
    file: Option<ResultsFile>,
}

impl Rebuild {
    /// Starts a thread in which `write` puts the file in its place.
    pub(crate) fn begin(write: impl FnOnce() -> Written + Send + 'static) -> Self {
        Self {
            writing: Some(std::thread::spawn(write)),
            file: None,
        }
    }

    /// The file. Blocks until it is there.
    ///
    /// # Errors
    /// The file could not be written.
    pub(crate) fn file(&mut self) -> Result<&mut ResultsFile, JournalError> {
        if let Some(writing) = self.writing.take() {
            match writing.join() {
                Ok(written) => self.file = Some(written?),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        self.file.as_mut().ok_or(JournalError::NoResults)
    }
}

impl Drop for Rebuild {
    fn drop(&mut self) {
        // Whatever the result, the file that is there is complete. A panic is the writer's own, and has been
        // printed.
        if let Some(writing) = self.writing.take() {
            let _ = writing.join();
        }
    }
}
