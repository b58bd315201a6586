//! Whether a campaign over so many machines is really meant.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::RunArgs;
use crate::{
    campaign::{canaries::Asker, engine::Signal},
    cli::{
        ExitCode, Failure,
        terminal::Terminal,
        yes::{Permission, can_ask, permission},
    },
    monitor::Monitor,
    quota::{Kind, Pacer},
};

/// Asks whether scans on so many `machines` are meant, if they are many and there is somebody to ask.
///
/// # Errors
/// They are not, or nobody can be asked. Nothing has been sent.
pub(super) async fn whether(
    args: &RunArgs,
    machines: u64,
    pacer: &Pacer,
    monitor: &Arc<dyn Monitor>,
    signals: &mut mpsc::Receiver<Signal>,
) -> Result<(), Failure> {
    let takes = pacer.lower_bound(Kind::Start, machines);
    let question = match permission(args.yes, machines, takes, can_ask())? {
        Permission::Given => return Ok(()),
        Permission::Ask(question) => question,
    };
    let terminal = Terminal {
        monitor: Arc::clone(monitor),
    };
    tokio::select! {
        biased;
        Some(_) = signals.recv() => Err(Failure::new(ExitCode::Interrupted, "interrupted; nothing was sent")),
        yes = terminal.ask(&question) => {
            if yes {
                Ok(())
            } else {
                Err(Failure::usage("the answer was no; nothing was sent"))
            }
        }
    }
}
