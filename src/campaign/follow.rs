//! Following: started scans are watched to their end by listing, a few calls a round for ten thousand of them.
//!
//! ```text
//!   store ── open scans ─→ Watch ── since ─→ list, page by page ─→ states ─→ store
//!     ↑                      │ what a whole list did not show                  ↑
//!     └── next round, later  └──────────────── get, by id ────────────────────┘
//! ```
//!
//! All that matters is in the store, so it can be broken off at any moment and taken up again.

mod canaries;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    ops::ControlFlow,
    path::Path,
    sync::Arc,
    time::Duration,
};

use jiff::SignedDuration;
use tokio::sync::mpsc;

use super::{
    borrowed::{Borrowed, all_open},
    engine::Signal,
    errand::{Answered, Errand, ErrandError},
    listing::{ListingError, ScanList},
    server_clock::ServerClock,
    watch::{Watch, update},
};
use crate::{
    defender::{Call, Defender, sign_in::TokenSource, wire::MachineAction},
    monitor::{Monitor, span},
    quota::{Clock, Kind, LONGEST_WAIT, Moment, Pacer},
    store::{ActionUpdate, OpenAction, is_final},
};

/// The longest pause between two rounds.
const LONGEST_INTERVAL: Duration = Duration::from_mins(10);

/// So many scans that the list does not show are asked for by id in one round: a minute's quota.
const GETS: usize = 100;

/// A scan that the service does not know when it is asked for is given up the second time.
const NOT_THERE: u32 = 2;

/// So many rounds in a row may fail.
const ROUNDS_FAILED: u32 = 5;

/// How scans are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FollowOptions {
    /// The first pause between two rounds; it doubles with the age of the newest scan, up to 10 minutes.
    pub interval: Duration,
    /// After so long it ends, whatever is still open.
    pub timeout: Option<Duration>,
}

/// What following needs of the world.
pub struct Follower<D> {
    list: ScanList<D>,
    gets: Errand<D>,
    clock: Arc<dyn Clock>,
    monitor: Arc<dyn Monitor>,
    state: Borrowed,
    options: FollowOptions,
}

/// Why following ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FollowEnd {
    /// There is nothing left to follow.
    Done,
    /// The time was over.
    TimedOut,
    /// Somebody asked for it.
    Interrupted,
    /// `fleetsweep cancel` ordered it.
    Ordered,
}

impl FollowEnd {
    fn by(signal: Signal) -> Self {
        if signal == Signal::Ordered {
            Self::Ordered
        } else {
            Self::Interrupted
        }
    }
}

/// What following came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Followed {
    /// Why it ended.
    pub end: FollowEnd,
    /// How many scans stand how; the empty word is for those that were never found.
    pub scans: Vec<(String, u64)>,
    /// Rounds that were begun.
    pub rounds: u64,
    /// Calls that it took.
    pub calls: u64,
}

/// Following cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// The tenant will not have it.
    #[error("the scans cannot be reached: {0}")]
    Tenant(String),
    /// The state or the ledger cannot be used.
    #[error("{0}")]
    Disk(String),
}

/// What one process remembers between two rounds.
#[derive(Debug, Default)]
struct Memory {
    server: ServerClock,
    /// No longer in the list: from now on asked for by id. How often the service did not know it.
    unlisted: HashMap<u64, u32>,
    /// Machines whose scan a whole listing did not show.
    not_found: HashSet<u64>,
    failed: u32,
    rounds: u64,
}

impl Followed {
    /// Whether every scan succeeded.
    #[must_use]
    pub fn all_succeeded(&self) -> bool {
        self.scans.iter().all(|(status, _)| status == "Succeeded")
    }

    /// How many have not come to their end, as far as is known.
    #[must_use]
    pub fn left(&self) -> u64 {
        let open = self.scans.iter().filter(|(status, _)| !is_final(status));
        open.map(|(_, count)| count).sum()
    }

    /// "8 Succeeded, 1 Failed, 3 not found".
    #[must_use]
    pub fn in_words(&self) -> String {
        let scans = self.scans.iter().map(|(status, count)| {
            let status = if status.is_empty() {
                "not found"
            } else {
                status
            };
            format!("{count} {status}")
        });
        let scans: Vec<_> = scans.collect();
        if scans.is_empty() {
            "no scans".to_owned()
        } else {
            scans.join(", ")
        }
    }
}

impl<D: Defender> Follower<D> {
    /// A follower of the scans of the campaign at `state`.
    pub fn new(
        defender: Arc<D>,
        tokens: Arc<dyn TokenSource>,
        pacer: Pacer,
        clock: Arc<dyn Clock>,
        monitor: Arc<dyn Monitor>,
        state: &Path,
        options: FollowOptions,
    ) -> Self {
        Self {
            list: ScanList::new(
                Arc::clone(&defender),
                Arc::clone(&tokens),
                pacer.clone(),
                Arc::clone(&clock),
            ),
            gets: Errand::new(defender, tokens, pacer, Arc::clone(&clock)),
            clock,
            monitor,
            state: Borrowed::new(state),
            options,
        }
    }

    /// Follows until all scans have come to their end and `more_to_come` says that no more will be started, until the time
    /// is over, or until somebody asks for the end.
    ///
    /// # Errors
    /// Listing is not permitted or fails again and again, or the state cannot be used.
    pub async fn follow(
        &self,
        more_to_come: impl Fn() -> bool,
        mut signals: mpsc::Receiver<Signal>,
    ) -> Result<Followed, FollowError> {
        let began = self.clock.now();
        let deadline = self.options.timeout.map(|timeout| began + timeout);
        let mut memory = Memory::default();
        let end = loop {
            let more = more_to_come();
            let round = tokio::select! {
                biased;
                Some(signal) = signals.recv() => break FollowEnd::by(signal),
                round = self.round(&mut memory) => round?,
            };
            let Some(pause) = round.or(more.then_some(self.options.interval)) else {
                break FollowEnd::Done;
            };
            let now = self.clock.now();
            let next = deadline.map_or(now + pause, |deadline| deadline.min(now + pause));
            tokio::select! {
                biased;
                Some(signal) = signals.recv() => break FollowEnd::by(signal),
                () = self.wait_until(next) => {}
            }
            if deadline.is_some_and(|deadline| deadline <= self.clock.now()) {
                break FollowEnd::TimedOut;
            }
        };
        let scans = self.state.with(|store| store.action_tally()).await?;
        Ok(Followed {
            end,
            scans,
            rounds: memory.rounds,
            calls: self.list.calls() + self.gets.calls(),
        })
    }

    /// One round. Tells how long until the next, if something is open still.
    async fn round(&self, memory: &mut Memory) -> Result<Option<Duration>, FollowError> {
        let open = self.state.with(|store| all_open(store)).await?;
        let (by_id, listed): (Vec<_>, Vec<_>) = open
            .into_iter()
            .filter(|open| !memory.not_found.contains(&open.n))
            .filter(|open| memory.unlisted.get(&open.n).is_none_or(|t| *t < NOT_THERE))
            .partition(|open| memory.unlisted.contains_key(&open.n));
        if by_id.is_empty() && listed.is_empty() {
            return Ok(None);
        }
        let mut counts = Counts::of(by_id.iter().chain(&listed));
        let mut watch = Watch::new(listed);
        let pause = self.pause(&watch, memory);
        let mut updates = Vec::new();
        let mut missing = by_id;
        if let Some(since) = watch.since() {
            memory.rounds += 1;
            let read = self.list.read(since, &mut memory.server, |page| {
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
                    let (heard, unseen) = watch.end(memory.server.at(began));
                    updates = heard;
                    for open in &unseen.machines {
                        memory.not_found.insert(open.n);
                        counts.0.remove(&open.n);
                    }
                    for open in unseen.by_id {
                        memory.unlisted.insert(open.n, 0);
                        missing.push(open);
                    }
                }
                Err(ListingError::Failed(why)) => {
                    memory.failed += 1;
                    if memory.failed >= ROUNDS_FAILED {
                        return Err(FollowError::Tenant(why));
                    }
                    self.monitor
                        .note(&format!("the list of scans could not be read: {why}"));
                    return Ok(Some(pause));
                }
                Err(e) => return Err(e.into()),
            }
        }
        // What the list has told is on disk before anything else is asked.
        counts.change(&updates);
        self.write(updates).await?;
        let asked = self.ask(missing, memory).await?;
        counts.change(&asked);
        self.write(asked).await?;
        if counts.open() == 0 {
            return Ok(Some(Duration::ZERO));
        }
        self.monitor.note(&format!(
            "following: {}; next look in {}",
            counts.in_words(),
            span::in_words(pause)
        ));
        Ok(Some(pause))
    }

    /// Asks for scans that the list does not show any more.
    async fn ask(
        &self,
        missing: Vec<OpenAction>,
        memory: &mut Memory,
    ) -> Result<Vec<ActionUpdate>, FollowError> {
        let mut updates = Vec::new();
        for open in missing.into_iter().take(GETS) {
            let call = Call::GetAction {
                id: open.action_id.clone(),
            };
            match self.gets.ask(Kind::Get, &call).await {
                Ok(Answered::Well(answer)) => {
                    if let Ok(action) = serde_json::from_slice::<MachineAction>(&answer.body) {
                        updates.extend(update(&open, &action));
                    }
                }
                Ok(Answered::NotThere) => *memory.unlisted.entry(open.n).or_default() += 1,
                Err(ErrandError::Ledger(e)) => return Err(FollowError::Disk(e.to_string())),
                Err(ErrandError::SignIn(why) | ErrandError::Refused(why)) => {
                    return Err(FollowError::Tenant(why));
                }
                // Another round asks again.
                Err(ErrandError::Failed(_)) => {}
            }
        }
        Ok(updates)
    }

    /// The largest doubling of the interval that is not above the newest scan's age.
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
        // Ten minutes are no doubling of a minute: the last step is shorter.
        if age >= most { most } else { pause }
    }

    async fn wait_until(&self, moment: Moment) {
        loop {
            let left = moment.since(self.clock.now());
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(LONGEST_WAIT)).await;
        }
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

/// How the scans of one round stand.
struct Counts(HashMap<u64, String>);

impl Counts {
    fn of<'a>(open: impl Iterator<Item = &'a OpenAction>) -> Self {
        Self(open.map(|open| (open.n, open.status.clone())).collect())
    }

    fn change(&mut self, updates: &[ActionUpdate]) {
        for update in updates {
            self.0.insert(update.n, update.status.clone());
        }
    }

    fn open(&self) -> usize {
        self.0.values().filter(|status| !is_final(status)).count()
    }

    fn in_words(&self) -> String {
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for status in self.0.values() {
            let word = if status.is_empty() {
                "not found yet"
            } else {
                status
            };
            *counts.entry(word).or_default() += 1;
        }
        let words = counts
            .iter()
            .map(|(status, count)| format!("{count} {status}"));
        words.collect::<Vec<_>>().join(", ")
    }
}
