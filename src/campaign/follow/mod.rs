//! Watches started scans to their end by listing: a few calls a round for ten thousand scans.
//!
//! ```text
//!   store ── open scans ─→ Watch ── since ─→ list, page by page ─→ states ─→ store
//!     ↑                      │ what a whole list did not show                  ↑
//!     └── next round, later  └──────────────── get, by id ────────────────────┘
//! ```
//!
//! Everything that matters is in the store, so following can be interrupted at any time and resumed.
//!
//! - this file: when a round is due: beside a run, and after it. `round`: one round. `watch`: what a round
//!   looks for.
//! - `canaries`: the canaries' scans, until they have succeeded. `verify`: what the devices themselves report.
//!   `followed`: the result.

mod canaries;
mod followed;
mod round;
mod verify;
pub mod watch;

use std::{convert::Infallible, future::pending, path::Path, sync::Arc, time::Duration};

use tokio::sync::mpsc;

pub use super::shared_store::FollowError;
pub use followed::{FollowEnd, Followed, verified_in_words};
use round::Memory;
use verify::Looks;

use super::{disk::DiskWork, shared_store::SharedStore, stop::Signal};
use crate::{
    client::{
        caller::{Caller, OnOutage},
        scans::ScanList,
        wait::wait_until,
    },
    defender::{Defender, sign_in::TokenSource},
    monitor::{Monitor, Scans, span},
    quota::{Clock, Moment, Pacer},
    store::{Store, is_final},
};

/// How often and for how long scans are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FollowOptions {
    /// The first pause between two rounds. It doubles with the age of the newest scan, up to 10 minutes.
    pub interval: Duration,
    /// Following ends after this time, even if scans are still open.
    pub timeout: Option<Duration>,
    /// Whether the devices' own reports are read too, once scans have ended.
    pub verify: bool,
    /// Where the state is read and written.
    pub disk: DiskWork,
}

/// Follows the scans of one campaign.
pub struct Follower<D> {
    /// These calls wait for the end of an outage.
    patient: Calls<D>,
    /// These do not: the run that is in progress finds out whether the API answers.
    beside: Calls<D>,
    /// Reads the devices' report. It waits for no outage: the next look is soon enough.
    reports: Caller<D>,
    clock: Arc<dyn Clock>,
    monitor: Arc<dyn Monitor>,
    state: SharedStore,
    options: FollowOptions,
}

/// The calls of a follower.
struct Calls<D> {
    list: ScanList<D>,
    gets: Caller<D>,
}

impl<D: Defender> Calls<D> {
    fn made(&self) -> u64 {
        self.list.calls() + self.gets.calls()
    }
}

impl<D: Defender> Follower<D> {
    /// A follower for the scans of the campaign whose state file is `state`.
    pub fn new(
        defender: &Arc<D>,
        tokens: &Arc<dyn TokenSource>,
        pacer: &Pacer,
        clock: Arc<dyn Clock>,
        monitor: Arc<dyn Monitor>,
        state: &Path,
        options: FollowOptions,
    ) -> Self {
        let caller = |on_outage| {
            let (defender, tokens) = (Arc::clone(defender), Arc::clone(tokens));
            Caller::new(
                defender,
                tokens,
                pacer.clone(),
                Arc::clone(&clock),
                on_outage,
            )
        };
        let calls = |on_outage: OnOutage| Calls {
            list: ScanList::new(caller(on_outage.clone())),
            gets: caller(on_outage),
        };
        Self {
            patient: calls(OnOutage::Wait {
                at_most: None,
                monitor: Arc::clone(&monitor),
            }),
            beside: calls(OnOutage::Fail),
            reports: caller(OnOutage::Fail),
            clock,
            monitor,
            state: SharedStore::new(state, options.disk),
            options,
        }
    }

    /// The same follower, which reads the devices' report through this client: a page of it may take longer than other
    /// answers.
    #[must_use]
    pub fn with_reports_by(mut self, defender: &Arc<D>) -> Self {
        self.reports = self.reports.through(defender);
        self
    }

    /// Follows until all scans are over, their devices have reported them if that is wanted, and `more_to_come` says
    /// that no more will be started; until the time is up, or until a signal comes.
    ///
    /// # Errors
    /// Listing is not permitted or keeps failing, or the state cannot be used.
    pub async fn follow(
        &self,
        more_to_come: impl Fn() -> bool,
        signals: &mut mpsc::Receiver<Signal>,
    ) -> Result<Followed, FollowError> {
        let began = self.clock.now();
        let deadline = self.options.timeout.map(|timeout| began + timeout);
        if self.options.verify {
            let now = self.clock.wall();
            let prepare = move |store: &mut Store| store.begin_verifying(now);
            self.state.with(prepare).await?;
        }
        let mut memory = Memory::default();
        let mut looks = Looks::default();
        let end = loop {
            let more = more_to_come();
            let round = async {
                let pause = self.round(&mut memory, &self.patient).await?;
                Ok::<_, FollowError>((pause, self.verify(&mut looks).await?))
            };
            let (round, look) = tokio::select! {
                biased;
                Some(signal) = signals.recv() => break FollowEnd::by(signal),
                round = round => round?,
                // An outage may last for longer than anybody wants to wait.
                () = self.wait_for(deadline) => break FollowEnd::TimedOut,
            };
            let scans = self.report().await?;
            let pause = match round {
                Some(pause) => {
                    self.note(&scans, pause);
                    pause
                }
                None if more => self.options.interval,
                None => match look {
                    Some(at) => at.since(self.clock.now()),
                    None => break FollowEnd::Done,
                },
            };
            let now = self.clock.now();
            let next = deadline.map_or(now + pause, |deadline| deadline.min(now + pause));
            tokio::select! {
                biased;
                Some(signal) = signals.recv() => break FollowEnd::by(signal),
                () = wait_until(self.clock.as_ref(), next) => {}
            }
            if deadline.is_some_and(|deadline| deadline <= self.clock.now()) {
                break FollowEnd::TimedOut;
            }
        };
        let verify = self.options.verify;
        let tallies = self.state.with(move |store| {
            let verified = if verify {
                store.verified_tally()?
            } else {
                None
            };
            Ok((store.action_tally()?, verified))
        });
        let (scans, verified) = tallies.await?;
        Ok(Followed {
            end,
            scans,
            verified,
            rounds: memory.rounds,
            calls: self.calls(),
        })
    }

    /// Follows while a run starts scans, so that most results are in the state before the last call. It
    /// reports nothing unless it has to give up. It never returns: a run is not stopped because of it, and
    /// following after the run meets the same error.
    pub async fn meanwhile(&self) -> Infallible {
        let mut memory = Memory::default();
        // The run's first call goes first: it shows whether the tenant accepts requests.
        let mut pause = self.options.interval;
        loop {
            wait_until(self.clock.as_ref(), self.clock.now() + pause).await;
            match self.round(&mut memory, &self.beside).await {
                Ok(next) => {
                    pause = next.map_or(self.options.interval, |pause| {
                        pause.max(self.options.interval)
                    });
                    // Whatever keeps it from being told keeps the next round from being read.
                    if let Ok(scans) = self.report().await {
                        tracing::info!("{}", in_words(&scans));
                    }
                }
                Err(why) => {
                    let note = format!("scans are not followed while more are started: {why}");
                    self.monitor.note(&note);
                    return pending().await;
                }
            }
        }
    }

    /// The number of calls so far.
    pub fn calls(&self) -> u64 {
        self.patient.made() + self.beside.made() + self.reports.calls()
    }

    /// Reports how the scans of the whole campaign stand.
    async fn report(&self) -> Result<Scans, FollowError> {
        let by_status = self.state.with(|store| store.action_tally()).await?;
        let over = by_status.iter().filter(|(status, _)| is_final(status));
        let scans = Scans {
            over: over.map(|(_, count)| count).sum(),
            by_status,
        };
        self.monitor.scans(&scans);
        Ok(scans)
    }

    /// Notes how the scans stand, and when it looks at them again.
    fn note(&self, scans: &Scans, pause: Duration) {
        if !pause.is_zero() {
            let (scans, pause) = (in_words(scans), span::in_words(pause));
            self.monitor
                .note(&format!("following: {scans}; next look in {pause}"));
        }
    }

    async fn wait_for(&self, deadline: Option<Moment>) {
        match deadline {
            Some(deadline) => wait_until(self.clock.as_ref(), deadline).await,
            None => pending().await,
        }
    }
}

/// "3 Pending, 30 Succeeded".
fn in_words(scans: &Scans) -> String {
    scans.in_words().collect::<Vec<_>>().join(", ")
}
