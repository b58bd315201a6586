//! The results file at the beginning of a run, while a thread of its own writes it anew.

use std::thread::JoinHandle;

use super::JournalError;
use crate::results::ResultsFile;

type Written = Result<ResultsFile, JournalError>;

/// A results file that is there, or is being written. Dropped, it waits for its writer: nobody else may write meanwhile.
pub(crate) struct Rebuild {
    writing: Option<JoinHandle<Written>>,
    file: Option<ResultsFile>,
}

impl Rebuild {
    /// Lets `write` put the file in its place.
    pub(crate) fn begin(write: impl FnOnce() -> Written + Send + 'static) -> Self {
        Self {
            writing: Some(std::thread::spawn(write)),
            file: None,
        }
    }

    /// The file, once it is there. Blocks until then.
    ///
    /// # Errors
    /// It could not be written.
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
        // Whatever came of it, the file that is there is whole; a panic is the writer's own, and has been printed.
        if let Some(writing) = self.writing.take() {
            let _ = writing.join();
        }
    }
}
