//! Ctrl-C and its kin: the first asks a run to drain, any further one to stop at once.

use std::{future::pending, io, iter};

#[cfg(unix)]
use tokio::signal::unix;
#[cfg(windows)]
use tokio::signal::windows;
use tokio::sync::mpsc;

use crate::campaign::stop::Signal;

/// Signals for one run, for as long as the runtime lives. From here on none is missed, and none ends the process.
#[must_use]
pub fn listen() -> mpsc::Receiver<Signal> {
    listen_and_lend().1
}

/// The same, and the end into which others may put signals too.
#[must_use]
pub fn listen_and_lend() -> (mpsc::Sender<Signal>, mpsc::Receiver<Signal>) {
    // Two are all that a run acts on, and an order.
    let (sender, signals) = mpsc::channel(3);
    let lent = sender.clone();
    // Without handlers the system's own ending remains, which the store survives as well.
    if let Ok(mut requests) = Requests::new() {
        tokio::spawn(async move {
            for signal in iter::once(Signal::Drain).chain(iter::repeat(Signal::Abort)) {
                let asked = requests.next().await;
                let signal = if asked == Signal::Abort {
                    asked
                } else {
                    signal
                };
                if sender.send(signal).await.is_err() {
                    return;
                }
            }
        });
    }
    (lent, signals)
}

/// Waits until somebody wants to stop at once. What asks for good order only, changes nothing about work that is just
/// that. Whoever asks that is told so, by `say`.
pub(super) async fn to_stop_at_once(
    signals: Option<&mut mpsc::Receiver<Signal>>,
    say: impl Fn(&str),
) {
    if let Some(signals) = signals {
        while let Some(signal) = signals.recv().await {
            if signal == Signal::Abort {
                return;
            }
            say("stopping: the results are being put in order; Ctrl-C again stops now");
        }
    }
    pending::<()>().await;
}

/// Does what may be broken off at any moment without a loss, unless somebody wants to stop: `None` then.
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

/// What the system passes on: made once, so that nothing is lost between one request and the next.
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

/// A closed console, logging off and shutting down leave seconds: they count as the second signal at once.
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
