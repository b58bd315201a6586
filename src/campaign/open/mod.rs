//! Opening a campaign: the one that is there, or a new one. `run` opens it, and `plan` previews what opening it would
//! find. Both take the same request, and one function (`mode`) decides for both what is to be done.
//!
//! - `mode`: what opening comes to, by what is there and what was asked for. `opened`: a campaign that is open.
//!   `preview`: what opening would find. `error`: why a campaign cannot be opened.
//! - `input`: the rows. `create`: every row becomes a target. `resume`: the same campaign with today's input.
//!   `names`: what the names in the input stand for. `exclusions`: machines that are never sent to. `reconcile`:
//!   what an extended input changes about existing targets.
//!   `columns`: how its cells fit the campaign's columns.
//! - `places`: where the campaign's files are. `locks`: one process a campaign. `archive`: renames files that are in
//!   the way of a new campaign. `overwrite`: whether the results file may be overwritten. `rehearsal`: keeps rehearsals
//!   and real campaigns apart.
//! - `marks`: the campaigns that the quota's ledger remembers. `lost`: an unfinished campaign whose state is gone.
//!
//! Whether a state is whole is compared in `recover::witness`, and what it has lost is recovered by `recover` when the
//! campaign is open. The questions to a person come after that, in `cli`. Default places and options are found there
//! too; nothing here knows the command line.

mod archive;
mod columns;
pub mod create;
mod error;
mod exclusions;
mod input;
mod locks;
mod lost;
mod marks;
mod mode;
mod names;
mod opened;
mod overwrite;
mod places;
mod preview;
mod reconcile;
mod rehearsal;
pub mod resume;

use std::{path::PathBuf, sync::Arc};

pub(crate) use archive::with_id;
pub use error::{Difference, OpenError};
pub(crate) use locks::{Locks, lock_campaign};
pub(crate) use marks::Marks;
pub(crate) use names::Resolve;
pub(crate) use opened::Opened;
pub use places::Places;
pub(crate) use preview::{OpenPreview, Refusals};

use super::{away::Away, outcome::Outcome, retry::Policy, running::RunningLimits};
use crate::{
    results,
    roster::{self, Inventory, Names, Skips},
    store::{Identity, Lock, check_place},
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
    /// The campaign that is begun if there is none. Its columns and its id rule are taken from the input.
    pub(crate) meant: Identity,
    /// Whether the tenant in `meant` is known. If it is not, a preview takes that of the campaign that is there.
    pub(crate) tenant_is_known: bool,
    /// Whether a finished campaign is followed by a new one.
    pub(crate) again: bool,
    /// Whether machines that are new in the input are added to the campaign.
    pub(crate) extend: bool,
    /// Machines that are never sent to from now on, by their ids.
    pub(crate) exclude: Vec<String>,
    /// How names are looked up, if the input may hold names.
    pub(crate) resolve: Option<Resolve>,
    /// Machines that are excluded no longer.
    pub(crate) lift: Vec<String>,
    /// Targets that ended so are tried again.
    pub(crate) retry: Vec<Outcome>,
    /// Whether a results file that this campaign did not write may be overwritten.
    pub(crate) force: bool,
    /// Whether a state that lost its end or is gone is to be rebuilt.
    pub(crate) recover: bool,
    /// The id of a campaign that is to be given up.
    pub(crate) abandon: Option<String>,
    /// The quota's ledger, if calls are counted in one.
    pub(crate) ledger: Option<PathBuf>,
    /// The folder with the locks of campaigns by their id, if this user has one.
    pub(crate) locks: Option<PathBuf>,
    /// When targets are tried again, for a preview.
    pub(crate) policy: Policy,
    /// How many scans may be under way at once, for a preview.
    pub(crate) running: RunningLimits,
}

/// A request that is being carried out.
struct Opening {
    request: OpenRequest,
    marks: Marks,
    names: Names,
    /// What the person should know, whatever is opened.
    remarks: Vec<String>,
    /// The machines that are away, for a preview.
    away: Option<Away>,
}

/// The campaign that is meant, before it is opened. Nobody else can open it.
pub(crate) struct Claim {
    opening: Opening,
    lock: Lock,
    /// Whether [`open`](Self::open) has to know the inventory.
    pub(crate) needs_inventory: bool,
}

/// Claims the campaign that is meant. Nothing is changed.
///
/// # Errors
/// Another process is working on it, what is there cannot be opened as was asked for, or a file cannot be used.
pub(crate) async fn claim(request: OpenRequest) -> Result<Claim, OpenError> {
    request.check()?;
    results::probe(&request.places.results)?;
    tokio::task::spawn_blocking(move || {
        let lock = Lock::take(&request.places.state)?;
        let opening = Opening::new(request)?;
        Ok(Claim {
            needs_inventory: opening.needs_inventory()?,
            opening,
            lock,
        })
    })
    .await?
}

impl Claim {
    /// Opens the campaign. Nobody else can open it while [`Opened::lock`] is held.
    ///
    /// # Errors
    /// The input is refused, the campaign that is there is another one or has finished before, or a file cannot be
    /// used.
    pub(crate) async fn open(
        self,
        inventory: Option<Inventory>,
        skips: Skips,
    ) -> Result<Opened, OpenError> {
        let Self {
            mut opening, lock, ..
        } = self;
        opening.request.options.skips = Arc::new(skips);
        tokio::task::spawn_blocking(move || {
            if let Some(inventory) = inventory {
                opening.know(inventory);
            }
            let remarks = std::mem::take(&mut opening.remarks);
            let mut opened = opening.open(lock)?;
            opened.notes.extend(remarks);
            Ok(opened)
        })
        .await?
    }
}

/// What a run would find, before that is found out.
pub(crate) struct UnlockedClaim {
    opening: Opening,
    /// Whether [`preview`](Self::preview) has to know the inventory.
    pub(crate) needs_inventory: bool,
}

impl UnlockedClaim {
    /// Finds out whether the inventory is needed. Nothing is created or written.
    ///
    /// # Errors
    /// The same as [`claim`], except that another process may be working on the campaign.
    pub(crate) fn new(request: OpenRequest) -> Result<Self, OpenError> {
        request.check()?;
        let opening = Opening::new(request)?;
        let needs_inventory = !opening.is_running() && opening.needs_inventory()?;
        Ok(Self {
            opening,
            needs_inventory,
        })
    }

    /// Finds out what a run would find. Nothing is created or written: what it would change about a campaign is tried
    /// out, and rolled back. The machines that are `away` are counted. If a run is working on the campaign, its counts
    /// of this moment are returned.
    ///
    /// # Errors
    /// The same as [`Claim::open`], except that it is no error if nothing is left to be sent.
    pub(crate) fn preview(
        self,
        inventory: Option<Inventory>,
        skips: Skips,
        away: Option<Away>,
    ) -> Result<OpenPreview, OpenError> {
        let mut opening = self.opening;
        opening.away = away;
        opening.request.options.skips = Arc::new(skips);
        if let Some(inventory) = inventory {
            opening.know(inventory);
        }
        let remarks = std::mem::take(&mut opening.remarks);
        let mut preview = opening.preview()?;
        preview.notes.extend(remarks);
        Ok(preview)
    }
}

impl OpenRequest {
    /// Checks what can be checked before the campaign is locked.
    fn check(&self) -> Result<(), OpenError> {
        let not_retried = [Outcome::Accepted, Outcome::Invalid, Outcome::Duplicate];
        if let Some(&outcome) = self.retry.iter().find(|one| not_retried.contains(one)) {
            return Err(OpenError::Retry { outcome });
        }
        self.check_kind()?;
        results::check_path(&self.places.results)?;
        if self.places.keep_state() {
            check_place(&self.places.state)?;
        }
        Ok(())
    }
}

impl Opening {
    /// Reads the marks. The campaign's lock must be held, except for a preview.
    fn new(request: OpenRequest) -> Result<Self, OpenError> {
        let marks = Marks::read(request.ledger.clone())?;
        Ok(Self {
            request,
            marks,
            names: Names::default(),
            remarks: Vec::new(),
            away: None,
        })
    }
}
