//! Opening a campaign: beginning a new one, or going on with the one that is there.
//!
//! - `input`: the rows. `create`: every row becomes a target. `resume`: the same campaign with today's input.
//!   `joining`: what command and input change about a campaign that is there. `reconcile`: what an extended input
//!   changes about existing targets. `columns`: how its cells fit the campaign's columns.
//! - `opened`: a campaign that is open. `preview`: what opening it would find.
//! - `places`: its files. `locks`: one process a campaign.
//! - `archive`: another campaign's files make room for it. `abandon`: an unfinished one is given up. `succession`: a
//!   finished one is followed by another one. `rehearsal`: rehearsals and real campaigns keep out of each other's way.
//!   `lost`: whether what is there is whole: the state, and what tells of one that is gone.

mod abandon;
mod archive;
mod columns;
pub mod create;
mod error;
mod input;
mod joining;
mod locks;
mod lost;
mod opened;
mod places;
mod preview;
mod reconcile;
mod rehearsal;
pub mod resume;
mod succession;

use std::path::PathBuf;

pub use error::{Difference, OpenError};
pub(crate) use input::check_retry;
pub(crate) use locks::{Locks, of_campaign};
pub(crate) use opened::{Opened, withdraw};
pub use places::Places;
pub(crate) use preview::{Found, Refusals, preview};

use super::{outcome::Outcome, retry::Policy};
use crate::{
    results, roster,
    store::{Identity, check_place},
};

/// The name of the input that means standard input.
pub const STDIN: &str = "-";

/// Which campaign is meant, and what may be done to open it.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a choice of the operator's"
)]
pub(crate) struct OpenRequest {
    /// The input's file, or [`STDIN`].
    pub(crate) input: PathBuf,
    /// How the input is read.
    pub(crate) options: roster::Options,
    /// Where the campaign's files are.
    pub(crate) places: Places,
    /// The campaign that is begun if there is none, apart from its columns and its id rule.
    pub(crate) meant: Identity,
    /// Whether the tenant in `meant` is known before signing in.
    pub(crate) tenant_is_known: bool,
    /// Whether a finished campaign is followed by a new one.
    pub(crate) again: bool,
    /// Whether machines that are new in the input are added to the campaign.
    pub(crate) extend: bool,
    /// Targets that ended so are tried again.
    pub(crate) retry: Vec<Outcome>,
    /// Whether a foreign results file may be overwritten.
    pub(crate) force: bool,
    /// Whether a state that lost its end or is gone is to be rebuilt.
    pub(crate) recover: bool,
    /// The id of a campaign that is to be given up.
    pub(crate) abandon: Option<String>,
    /// The quota's ledger, which remembers campaigns, if calls are counted in one.
    pub(crate) ledger: Option<PathBuf>,
    /// The folder with the locks of campaigns by their id, if this user has one.
    pub(crate) locks: Option<PathBuf>,
    /// When targets are tried again, for a preview.
    pub(crate) policy: Policy,
}

/// Opens the campaign that is meant.
///
/// # Errors
/// The input is refused, the campaign that is there is another one or has finished before, or a file cannot be used.
pub(crate) async fn open(request: OpenRequest) -> Result<Opened, OpenError> {
    request.check_kind()?;
    results::probe(&request.places.results)?;
    check_place(&request.places.state)?;
    let lock = locks::lock(&request.places.state).await?;
    if let Some(id) = &request.abandon {
        tracing::warn!("campaign {id} is given up by --abandon");
    }
    match tokio::task::spawn_blocking(move || request.open_locked(lock)).await {
        Ok(opened) => opened,
        Err(e) => Err(e.into()),
    }
}
