//! Keys that are pressed while a bar is on the terminal.
//!
//! The terminal would show each of them where the cursor is, and Enter would move the bar by a line. So it does not
//! show them. Ctrl-C and Ctrl-Z work as ever. What was typed before a question is asked is no answer to it, and is
//! thrown away.

/// Whether the terminal shows keys, and how it was before.
#[derive(Debug, Default)]
pub(super) struct Keys {
    #[cfg(unix)]
    before: Option<rustix::termios::Termios>,
}

#[cfg(unix)]
impl Keys {
    /// Shows no keys any more.
    pub(super) fn hide(&mut self) {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        let terminal = std::io::stdin();
        if self.before.is_some() || !is_ours(&terminal) {
            return;
        }
        let Ok(before) = tcgetattr(&terminal) else {
            return;
        };
        let mut quiet = before.clone();
        quiet.local_modes -= LocalModes::ECHO | LocalModes::ECHONL;
        if tcsetattr(&terminal, OptionalActions::Now, &quiet).is_ok() {
            self.before = Some(before);
        }
    }

    /// Shows keys again, and throws away those that were pressed meanwhile.
    pub(super) fn show(&mut self) {
        use rustix::termios::{OptionalActions, tcsetattr};
        let terminal = std::io::stdin();
        if let Some(before) = self.before.take()
            && is_ours(&terminal)
        {
            // An error means that the terminal is gone.
            let _ = tcsetattr(&terminal, OptionalActions::Flush, &before);
        }
    }
}

/// Whether this process is in the foreground of its terminal. In the background it would be stopped for changing it.
#[cfg(unix)]
fn is_ours(terminal: &std::io::Stdin) -> bool {
    rustix::termios::tcgetpgrp(terminal).is_ok_and(|group| group == rustix::process::getpgrp())
}

#[cfg(not(unix))]
#[expect(
    clippy::unused_self,
    reason = "the console of Windows shows keys only while something reads them"
)]
impl Keys {
    pub(super) fn hide(&mut self) {}

    pub(super) fn show(&mut self) {}
}

impl Drop for Keys {
    fn drop(&mut self) {
        self.show();
    }
}
