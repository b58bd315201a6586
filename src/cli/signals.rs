//! Ctrl-C, SIGTERM and what Windows has in their place. The first asks a run to drain, any further one to stop at once.

use std::{future::pending, io, iter};

#[cfg(unix)]
use tokio::signal::unix;
#[cfg(windows)]
use tokio::signal::windows;
use tokio::sync::mpsc;

use crate::campaign::stop::Signal;

/// The signals that this process gets from here on, for as long as the runtime lives. None of them ends the process.
#[must_use]
pub fn listen() -> mpsc::Receiver<Signal> {
    channel().1
}

/// The same, with a sender through which other sources can send signals too.
#[must_use]
pub fn channel() -> (mpsc::Sender<Signal>, mpsc::Receiver<Signal>) {
    // A run reacts to two signals and one stop request.
    let (sender, signals) = mpsc::channel(3);
    let others = sender.clone();
    // If no handler can be installed, a signal ends the process, which the store survives as well.
    if let Ok(mut requests) = Requests::new() {
        tokio::spawn(async move {
            for signal in iter::once(Signal::Drain).chain(iter::repeat(Signal::Abort)) {
                let signal = match requests.next().await {
                    Signal::Abort => Signal::Abort,
                    _ => signal,
                };
                if sender.send(signal).await.is_err() {
                    return;
                }
            }
        });
    }
    (others, signals)
}

/// What is being done when the results are.
pub(super) const ORDERING: &str = "the results are being put in order";

/// Waits until somebody wants to stop at once. The work that goes on meanwhile is the end of a run, which is what a
/// milder signal asks for, so that changes nothing, and `say` says what is being done.
pub(super) async fn to_stop_at_once(
    signals: Option<&mut mpsc::Receiver<Signal>>,
    doing: &str,
    say: impl Fn(&str),
) {
    if let Some(signals) = signals {
        while let Some(signal) = signals.recv().await {
            if signal == Signal::Abort {
                return;
            }
            say(&stopping(doing));
        }
    }
    pending::<()>().await;
}

/// What whoever stops is told while this is done.
pub(super) fn stopping(doing: &str) -> String {
    format!("stopping: {doing}; Ctrl-C again stops now")
}

/// Does work that loses nothing if it is cancelled at any moment. Returns `None` if a signal comes first.
pub(super) async fn unless_stopped<F: Future>(
    signals: &mut mpsc::Receiver<Signal>,
    work: F,
) -> Option<F::Output> {
    tokio::select! {
        biased;
        Some(_) = signals.recv() => None,
        done = work => Some(done),
    }
}

/// The signals that the system passes on. The handlers are installed once, so that none is missed between two calls of
/// `next`.
#[cfg(unix)]
struct Requests {
    interrupt: unix::Signal,
    terminate: unix::Signal,
}

#[cfg(unix)]
impl Requests {
    fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: unix::signal(unix::SignalKind::interrupt())?,
            terminate: unix::signal(unix::SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
        Signal::Drain
    }
}

/// After a closed console, a logoff or a shutdown only seconds are left, so these stop a run at once.
#[cfg(windows)]
struct Requests {
    interrupt: windows::CtrlC,
    interrupted_hard: windows::CtrlBreak,
    closed: windows::CtrlClose,
    logged_off: windows::CtrlLogoff,
    shut_down: windows::CtrlShutdown,
}

#[cfg(windows)]
impl Requests {
    fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: windows::ctrl_c()?,
            interrupted_hard: windows::ctrl_break()?,
            closed: windows::ctrl_close()?,
            logged_off: windows::ctrl_logoff()?,
            shut_down: windows::ctrl_shutdown()?,
        })
    }

    async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::Drain,
            _ = self.interrupted_hard.recv() => Signal::Drain,
            _ = self.closed.recv() => Signal::Abort,
            _ = self.logged_off.recv() => Signal::Abort,
            _ = self.shut_down.recv() => Signal::Abort,
        }
    }
}
