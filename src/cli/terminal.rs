//! A person at the terminal, who can be asked.

use std::{
    io::{self, BufRead},
    pin::Pin,
    sync::Arc,
};

use tokio::sync::oneshot;

use super::screen;
use crate::{campaign::engine::canary_gate::Confirm, monitor::Monitor};

/// Asks at the terminal. Whatever is drawn there makes room meanwhile.
pub struct Terminal {
    /// What draws there.
    pub monitor: Arc<dyn Monitor>,
}

impl Confirm for Terminal {
    /// A thread of its own reads the answer: reading cannot be called off, and a task of the runtime would keep the
    /// process alive after Ctrl-C until somebody presses Enter.
    fn ask(&self, question: &str) -> Pin<Box<dyn Future<Output = bool> + Send>> {
        let asking = Asking::begin(Arc::clone(&self.monitor), question);
        let (answer, answered) = oneshot::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            let read = io::stdin().lock().read_line(&mut line);
            // Whoever asked may be gone.
            let _ = answer.send(read.is_ok() && is_yes(&line));
        });
        Box::pin(asking.wait(answered))
    }
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}

/// A question that stands on the terminal. When it is over, answered or not, the drawing goes on.
struct Asking {
    monitor: Arc<dyn Monitor>,
    answered: bool,
}

impl Asking {
    fn begin(monitor: Arc<dyn Monitor>, question: &str) -> Self {
        monitor.hush(true);
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

impl Drop for Asking {
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
