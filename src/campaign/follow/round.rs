//! One round of following: the list once, and by id what it does not show.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    ops::ControlFlow,
    time::Duration,
};

use jiff::SignedDuration;

use super::{
    super::{
        follow::watch::{Watch, update},
        shared_store::all_open,
    },
    Calls, FollowError, Follower,
};
use crate::client::{
    caller::{Answered, CallError, Caller},
    scans::ListingError,
    server_clock::ServerClock,
};
use crate::{
    defender::{
        Call, Defender,
        wire::{self, MachineAction},
    },
    quota::Kind,
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

/// What one process remembers between two rounds.
#[derive(Debug, Default)]
pub(super) struct Memory {
    server: ServerClock,
    /// No longer in the list: from now on asked for by id. How often the service did not know it.
    unlisted: HashMap<u64, u32>,
    /// Machines whose scan a whole listing did not show.
    not_found: HashSet<u64>,
    failed: u32,
    pub(super) rounds: u64,
}

/// What a round came to while something is open still.
pub(super) struct Round {
    /// How long until the next one.
    pub(super) pause: Duration,
    /// How the scans stand that were open before it, in words.
    pub(super) stands: String,
}

impl<D: Defender> Follower<D> {
    /// One round; `None` if there is nothing left to follow.
    pub(super) async fn round(
        &self,
        memory: &mut Memory,
        calls: &Calls<D>,
    ) -> Result<Option<Round>, FollowError> {
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
                Err(e @ (ListingError::Failed(_) | ListingError::Unanswered { .. })) => {
                    // What is not answered is nobody's fault.
                    memory.failed += u32::from(matches!(e, ListingError::Failed(_)));
                    let e = FollowError::from(e);
                    if memory.failed >= ROUNDS_FAILED {
                        return Err(e);
                    }
                    tracing::info!("{e}");
                    return Ok(Some(Round {
                        pause,
                        stands: counts.in_words(),
                    }));
                }
                Err(e) => return Err(e.into()),
            }
        }
        // What the list has told is on disk before anything else is asked.
        counts.change(&updates);
        self.write(updates).await?;
        let asked = self.ask(missing, memory, &calls.gets).await?;
        counts.change(&asked);
        self.write(asked).await?;
        // With nothing open any more the next round tells at once whether the run has started others meanwhile.
        let pause = if counts.open() == 0 {
            Duration::ZERO
        } else {
            pause
        };
        Ok(Some(Round {
            pause,
            stands: counts.in_words(),
        }))
    }

    /// Asks for scans that the list does not show any more.
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
            match gets.ask(Kind::Get, &call).await {
                Ok(Answered::Well(answer)) => {
                    if let Some(action) = wire::json::<MachineAction>(&answer.body) {
                        updates.extend(update(&open, &action));
                    }
                }
                Ok(Answered::NotThere) => *memory.unlisted.entry(open.n).or_default() += 1,
                Err(CallError::Ledger(e)) => return Err(FollowError::Disk(e.to_string())),
                // Another round asks again.
                Err(CallError::Unanswered { .. }) => {}
                Err(e) => return Err(FollowError::Tenant(e.to_string())),
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
