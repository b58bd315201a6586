//! Asks a person at the terminal.

use std::{
    io::{self, BufRead},
    pin::Pin,
    sync::Arc,
};

use tokio::sync::oneshot;

use super::screen;
use crate::{
    campaign::engine::canary_gate::Confirm,
    monitor::{Monitor, keys},
};

/// Asks at the terminal. The monitor draws nothing until there is an answer.
pub struct Terminal {
    /// The monitor that draws on the same terminal.
    pub monitor: Arc<dyn Monitor>,
}

impl Confirm for Terminal {
    /// A thread of its own reads the answer, because the read cannot be cancelled. On a blocking thread of the runtime
    /// it would keep the process alive after Ctrl-C until somebody presses Enter.
    fn ask(&self, question: &str) -> Pin<Box<dyn Future<Output = bool> + Send>> {
        let pending = PendingQuestion::print(Arc::clone(&self.monitor), question);
        let (answer, answered) = oneshot::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            let read = io::stdin().lock().read_line(&mut line);
            // The receiver is gone if the question was cancelled.
            let _ = answer.send(read.is_ok() && is_yes(&line));
        });
        Box::pin(pending.wait(answered))
    }
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}

/// A question on the terminal. The monitor draws again when this is dropped, whether it was answered or not.
struct PendingQuestion {
    monitor: Arc<dyn Monitor>,
    answered: bool,
}

impl PendingQuestion {
    fn print(monitor: Arc<dyn Monitor>, question: &str) -> Self {
        monitor.hush(true);
        // It is no answer to a question that nobody has seen.
        keys::drop_typed();
        screen::ask(question);
        Self {
            monitor,
            answered: false,
        }
    }

    async fn wait(mut self, answer: oneshot::Receiver<bool>) -> bool {
        let yes = answer.await.unwrap_or(false);
        self.answered = true;
        yes
    }
}

impl Drop for PendingQuestion {
    fn drop(&mut self) {
        if !self.answered {
            screen::say("");
        }
        self.monitor.hush(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_yes_is_a_yes() {
        for answer in ["y", "Y\n", " yes \r\n", "YES"] {
            assert!(is_yes(answer), "{answer:?}");
        }
        for answer in ["", "\n", "n", "no", "yep", "y y"] {
            assert!(!is_yes(answer), "{answer:?}");
        }
    }
}
