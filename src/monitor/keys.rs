//! Keys that are pressed while a bar is on the terminal.
//!
//! The terminal would show each of them where the cursor is, and Enter would move the bar by a line. So it does not
//! show them. Ctrl-C and Ctrl-Z work as ever. What was typed before a question is asked is no answer to it, and is
//! thrown away.
//!
//! The process has one terminal, so what is kept about it is the process's: a panic in any thread has to put it back.

#[cfg(unix)]
pub(crate) use unix::{drop_typed, hide, show};

#[cfg(unix)]
mod unix {
    use std::{io::stderr, sync::Mutex};

    use rustix::{
        process::getpgrp,
        termios::{
            LocalModes, OptionalActions, QueueSelector, Termios, tcflush, tcgetattr, tcgetpgrp,
            tcsetattr,
        },
    };

    /// How the terminal was before keys were hidden; `None` while they are shown.
    static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

    /// Shows no keys any more on the terminal that stderr is.
    pub(crate) fn hide() {
        let Ok(mut kept) = BEFORE.try_lock() else {
            return;
        };
        if kept.is_some() || !is_ours() {
            return;
        }
        let Ok(before) = tcgetattr(stderr()) else {
            return;
        };
        let mut quiet = before.clone();
        quiet.local_modes -= LocalModes::ECHO | LocalModes::ECHONL;
        if tcsetattr(stderr(), OptionalActions::Now, &quiet).is_ok() {
            *kept = Some(before);
        }
    }

    /// Shows keys again, and throws away those that were pressed meanwhile. It waits for nobody, so that a panic may
    /// call it.
    pub(crate) fn show() {
        if let Ok(mut kept) = BEFORE.try_lock()
            && let Some(before) = kept.take()
            && is_ours()
        {
            // An error means that the terminal is gone.
            let _ = tcsetattr(stderr(), OptionalActions::Flush, &before);
        }
    }

    /// Throws away what was typed so far.
    pub(crate) fn drop_typed() {
        if is_ours() {
            // An error means that the terminal is gone.
            let _ = tcflush(stderr(), QueueSelector::IFlush);
        }
    }

    /// Whether this process is in the foreground of the terminal. In the background it would be stopped for changing
    /// it.
    fn is_ours() -> bool {
        tcgetpgrp(stderr()).is_ok_and(|group| group == getpgrp())
    }
}

/// The console of Windows shows keys only while something reads them.
#[cfg(not(unix))]
pub(crate) const fn hide() {}

/// See [`hide`].
#[cfg(not(unix))]
pub(crate) const fn show() {}

/// See [`hide`].
#[cfg(not(unix))]
pub(crate) const fn drop_typed() {}
