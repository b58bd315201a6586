//! Ctrl-C and its kin: the first asks a run to drain, the second to stop at once.

use tokio::sync::mpsc;

use crate::campaign::engine::Signal;

/// Signals for one run, for as long as the runtime lives.
#[must_use]
pub fn listen() -> mpsc::Receiver<Signal> {
    // Two are all that a run acts on.
    let (sender, signals) = mpsc::channel(2);
    tokio::spawn(async move {
        for signal in [Signal::Drain, Signal::Abort] {
            if asked_to_stop().await == Signal::Abort {
                let _ = sender.send(Signal::Abort).await;
                return;
            }
            if sender.send(signal).await.is_err() {
                return;
            }
        }
    });
    signals
}

#[cfg(unix)]
async fn asked_to_stop() -> Signal {
    use tokio::signal::unix::{SignalKind, signal};
    // Without handlers the system's own ending remains, which the store survives as well.
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
    Signal::Drain
}

/// A closed console, logging off and shutting down leave seconds: they count as the second signal at once.
#[cfg(windows)]
async fn asked_to_stop() -> Signal {
    use tokio::signal::windows;
    let (Ok(mut close), Ok(mut logoff), Ok(mut shutdown), Ok(mut brk)) = (
        windows::ctrl_close(),
        windows::ctrl_logoff(),
        windows::ctrl_shutdown(),
        windows::ctrl_break(),
    ) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => Signal::Drain,
        _ = brk.recv() => Signal::Drain,
        _ = close.recv() => Signal::Abort,
        _ = logoff.recv() => Signal::Abort,
        _ = shutdown.recv() => Signal::Abort,
    }
}
