//! One round of following: reads the list once, and by id what the list does not show.

use std::{
    collections::{HashMap, HashSet},
    ops::ControlFlow,
    time::Duration,
};

use jiff::SignedDuration;

use super::{
    Calls, FollowError, Follower,
    watch::{Watch, update},
};
use crate::{
    client::{
        caller::{Answered, CallError, Caller},
        scans::ListingError,
        server_clock::ServerClock,
    },
    defender::{Call, Defender, wire::MachineAction},
    store::{ActionUpdate, OpenAction, is_final},
};

/// The longest pause between two rounds.
const LONGEST_INTERVAL: Duration = Duration::from_mins(10);

/// How many scans that the list does not show are read by id in one round: a minute's quota.
const GETS: usize = 100;

/// A scan is given up when the service has not known its id this many times.
const NOT_THERE: u32 = 2;

/// After this many failed rounds in a row, following ends.
const ROUNDS_FAILED: u32 = 5;

/// What is remembered between two rounds.
#[derive(Debug, Default)]
pub(super) struct Memory {
    server: ServerClock,
    /// Scans that are no longer listed and are read by id, and how often the service did not know the id.
    unlisted: HashMap<u64, u32>,
    /// Machines whose scan a complete listing did not show.
    not_found: HashSet<u64>,
    failed: u32,
    pub(super) rounds: u64,
}

impl<D: Defender> Follower<D> {
    /// Runs one round. Returns how long to wait for the next one; `None` if there is nothing left to follow.
    pub(super) async fn round(
        &self,
        memory: &mut Memory,
        calls: &Calls<D>,
    ) -> Result<Option<Duration>, FollowError> {
        let open = self.state.with(|store| store.open_actions()).await?;
        let (by_id, listed): (Vec<_>, Vec<_>) = open
            .into_iter()
            .filter(|open| !memory.not_found.contains(&open.n))
            .filter(|open| memory.unlisted.get(&open.n).is_none_or(|t| *t < NOT_THERE))
            .partition(|open| memory.unlisted.contains_key(&open.n));
        if by_id.is_empty() && listed.is_empty() {
            return Ok(None);
        }
        let mut still_open = StillOpen::of(by_id.iter().chain(&listed));
        let watch = Watch::new(listed);
        let pause = self.pause(&watch, memory);
        let Some((updates, unlisted)) = read_list(watch, memory, calls, &mut still_open).await?
        else {
            return Ok(Some(pause));
        };
        // What the list has shown is on disk before anything else is asked.
        still_open.change(&updates);
        self.write(updates).await?;
        let missing = by_id.into_iter().chain(unlisted).collect();
        let asked = self.ask(missing, memory, &calls.gets).await?;
        still_open.change(&asked);
        self.write(asked).await?;
        // With nothing open any more, the next round finds out at once whether the run has started others.
        let is_done = still_open.0.is_empty();
        Ok(Some(if is_done { Duration::ZERO } else { pause }))
    }

    /// Reads scans by id that the list does not show any more.
    async fn ask(
        &self,
        missing: Vec<OpenAction>,
        memory: &mut Memory,
        gets: &Caller<D>,
    ) -> Result<Vec<ActionUpdate>, FollowError> {
        let mut updates = Vec::new();
        for open in missing.into_iter().take(GETS) {
            let call = Call::GetAction {
                id: open.action_id.clone(),
            };
            match gets.ask::<MachineAction>(&call).await {
                Ok(Answered::Found { body: action, .. }) => updates.extend(update(&open, &action)),
                Ok(Answered::NotFound) => *memory.unlisted.entry(open.n).or_default() += 1,
                // The next round asks again.
                Err(CallError::Unanswered { .. }) => {}
                Err(e) => return Err(e.into()),
            }
        }
        Ok(updates)
    }

    /// The largest doubling of the interval that does not exceed the newest scan's age.
    fn pause(&self, watch: &Watch, memory: &Memory) -> Duration {
        let now = memory
            .server
            .at(self.clock.now())
            .unwrap_or_else(|| self.clock.wall());
        let age = watch
            .newest()
            .map_or(SignedDuration::ZERO, |t| now.duration_since(t));
        let age = Duration::try_from(age).unwrap_or(Duration::ZERO);
        let most = LONGEST_INTERVAL.max(self.options.interval);
        let mut pause = self.options.interval.max(Duration::from_millis(1));
        while pause * 2 <= age.min(most) {
            pause *= 2;
        }
        // Ten minutes are not a doubling of one minute, so the last step is shorter.
        if age >= most { most } else { pause }
    }

    async fn write(&self, updates: Vec<ActionUpdate>) -> Result<(), FollowError> {
        if updates.is_empty() {
            return Ok(());
        }
        self.state
            .with(move |store| store.update_actions(&updates))
            .await
    }
}

/// Reads the list for what `watch` looks for. Returns what has changed, and the scans that a complete listing
/// no longer shows; `None` if the list could not be read this time.
///
/// # Errors
/// Listing is not permitted, or has failed too often in a row.
async fn read_list<D: Defender>(
    mut watch: Watch,
    memory: &mut Memory,
    calls: &Calls<D>,
    still_open: &mut StillOpen,
) -> Result<Option<(Vec<ActionUpdate>, Vec<OpenAction>)>, FollowError> {
    let Some(since) = watch.since() else {
        return Ok(Some((Vec::new(), Vec::new())));
    };
    memory.rounds += 1;
    let read = calls.list.read(since, &mut memory.server, |page| {
        for action in page {
            watch.saw(action);
        }
        if watch.is_complete() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    match read.await {
        Ok(began) => {
            memory.failed = 0;
            let (updates, unseen) = watch.end(memory.server.at(began));
            for open in &unseen.machines {
                memory.not_found.insert(open.n);
                still_open.0.remove(&open.n);
            }
            memory
                .unlisted
                .extend(unseen.by_id.iter().map(|open| (open.n, 0)));
            Ok(Some((updates, unseen.by_id)))
        }
        Err(e @ (ListingError::Failed(_) | ListingError::Unanswered { .. })) => {
            // An outage does not count: it says nothing about the list.
            memory.failed += u32::from(matches!(e, ListingError::Failed(_)));
            let e = FollowError::from(e);
            if memory.failed >= ROUNDS_FAILED {
                return Err(e);
            }
            tracing::info!("{e}");
            Ok(None)
        }
        Err(e) => Err(e.into()),
    }
}

/// The scans that are still open in a round, by target.
struct StillOpen(HashSet<u64>);

impl StillOpen {
    fn of<'a>(open: impl Iterator<Item = &'a OpenAction>) -> Self {
        Self(open.map(|open| open.n).collect())
    }

    fn change(&mut self, updates: &[ActionUpdate]) {
        for update in updates.iter().filter(|update| is_final(&update.status)) {
            self.0.remove(&update.n);
        }
    }
}
