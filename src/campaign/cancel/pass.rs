//! One pass over the scans that are to be cancelled: each is called once, as many at a time as the quota has room for.
//!
//! ```text
//!   queue ── permit ─→ attempt in the store ─→ POST ─→ its end, and the scan's, in the store
//!     ↑                                          │
//!     └────────── surely not carried out ────────┘
//! ```
//!
//! Permits are asked for one after the other, so that calls go out in the queue's order; the answers come as they like.

use std::{
    collections::{BTreeMap, VecDeque},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use tokio::{sync::mpsc, task::JoinSet};

use super::{CancelCandidate, Cancelled, Canceller};
use crate::{
    campaign::{shared_store::FollowError, stop::Signal},
    client::{
        caller::{Answered, CallError, Caller, Once},
        reply::Trouble,
    },
    defender::{
        Call, Defender,
        wire::{self, MachineAction},
    },
    monitor::{count, span},
    quota::{Kind, Permit},
    store::{CancelEnd, is_final},
};

/// So many refusals, and not one scan cancelled: somebody has to look at the reason.
const REFUSED_IN_A_ROW: u64 = 5;

/// How often somebody who waits is told how things stand: a minute, as the quota's.
const TELL_EVERY: Duration = Duration::from_mins(1);

type Leave = Pin<Box<dyn Future<Output = Result<Permit, CallError>> + Send>>;

/// Waits until the API answers again.
type Hold = Pin<Box<dyn Future<Output = Result<(), CallError>> + Send>>;

/// A pass at work.
pub(super) struct Pass<'a, D> {
    canceller: &'a Canceller<D>,
    done: &'a mut Cancelled,
    queue: VecDeque<Turn>,
    /// What was called and is not over, as far as is known, by its place in the order.
    unsettled: BTreeMap<usize, CancelCandidate>,
    leave: Option<Leave>,
    /// An outage: nothing is sent before this is over.
    hold: Option<Hold>,
    /// Dropped, it gives its calls up.
    calls: JoinSet<Report>,
    /// Until one call was not refused they go one by one: a missing role costs a few calls, not a hundred.
    is_proven: bool,
    trouble: Option<FollowError>,
}

/// A scan that waits for its call.
struct Turn {
    /// Its place in the order.
    at: usize,
    scan: CancelCandidate,
    /// The token that was refused when it was called before; 0 if none was.
    refused: u64,
}

/// A call that has come back.
struct Report {
    turn: Turn,
    /// The attempt's number.
    number: u32,
    end: End,
}

enum End {
    /// With the scan as it stands now, where the body can be read.
    Answered(Option<MachineAction>),
    NotThere,
    /// With the scan as it stands now, where it can be asked for: it may have ended by itself.
    Refused(String, Result<Option<MachineAction>, FollowError>),
    /// Surely not carried out; the token that was refused, if one was.
    NotCarriedOut(u64),
    /// No byte of it was written.
    NeverSent(Box<Trouble>),
    /// Nobody knows whether it was carried out.
    Lost(Box<Trouble>),
    Failed(FollowError),
}

impl End {
    /// As it stands in the store; an attempt of which nothing is known stays without an end.
    fn word(&self) -> Option<&'static str> {
        match self {
            Self::Answered(_) => Some("answered"),
            Self::NotThere => Some("not_found"),
            Self::Refused(..) => Some("refused"),
            Self::NotCarriedOut(_) | Self::NeverSent(_) | Self::Failed(_) => {
                Some("not_carried_out")
            }
            Self::Lost(_) => None,
        }
    }
}

impl<'a, D: Defender> Pass<'a, D> {
    pub(super) fn new(
        canceller: &'a Canceller<D>,
        candidates: Vec<CancelCandidate>,
        done: &'a mut Cancelled,
    ) -> Self {
        let turns = candidates.into_iter().enumerate().map(|(at, scan)| Turn {
            at,
            scan,
            refused: 0,
        });
        Self {
            canceller,
            queue: turns.collect(),
            unsettled: BTreeMap::new(),
            leave: None,
            hold: None,
            calls: JoinSet::new(),
            is_proven: done.cancelled > 0,
            trouble: None,
            done,
        }
    }

    /// Calls them all, unless somebody says stop. Tells which of them may still be under way.
    pub(super) async fn run(
        mut self,
        signals: &mut mpsc::Receiver<Signal>,
    ) -> Result<Vec<CancelCandidate>, FollowError> {
        let all = self.queue.len();
        let mut tell = Box::pin(tokio::time::sleep(TELL_EVERY));
        loop {
            let stopping = self.done.interrupted || self.done.gave_up || self.trouble.is_some();
            if stopping {
                self.leave = None;
                self.hold = None;
            } else if self.hold.is_some() {
                self.leave = None;
            } else if self.leave.is_none() && !self.queue.is_empty() && self.has_room() {
                let caller = Arc::clone(&self.canceller.caller);
                self.leave = Some(Box::pin(async move {
                    caller.acquire_permit(Kind::Cancel).await
                }));
            }
            if self.calls.is_empty() && (stopping || self.queue.is_empty()) {
                break;
            }
            tokio::select! {
                biased;
                Some(signal) = signals.recv() => {
                    self.done.interrupted = true;
                    if signal == Signal::Abort {
                        break;
                    }
                }
                Some(report) = self.calls.join_next() => self.ended(report).await?,
                Some(permit) = maybe(self.leave.as_mut()) => {
                    self.leave = None;
                    match permit {
                        Ok(permit) => self.send(permit).await?,
                        Err(e) => self.trouble = Some(failure(e)),
                    }
                }
                Some(over) = maybe(self.hold.as_mut()) => {
                    self.hold = None;
                    match over {
                        Ok(()) => {}
                        Err(CallError::Blocked(why)) => {
                            self.done.why = why;
                            self.done.gave_up = true;
                        }
                        Err(e) => self.trouble = Some(failure(e)),
                    }
                }
                () = &mut tell => {
                    tell = Box::pin(tokio::time::sleep(TELL_EVERY));
                    self.tell(all);
                }
            }
        }
        if let Some(trouble) = self.trouble {
            return Err(trouble);
        }
        let uncalled = self.queue.into_iter().map(|turn| turn.scan);
        Ok(self.unsettled.into_values().chain(uncalled).collect())
    }

    fn has_room(&self) -> bool {
        let room = if self.is_proven {
            self.canceller.workers
        } else {
            1
        };
        self.calls.len() < room
    }

    /// Notes the next attempt, and makes its call.
    async fn send(&mut self, permit: Permit) -> Result<(), FollowError> {
        let Some(turn) = self.queue.pop_front() else {
            permit.give_back();
            return Ok(());
        };
        let (n, id) = (turn.scan.n, turn.scan.id.clone());
        let sent = self.canceller.clock.wall();
        let state = &self.canceller.state;
        let number = state
            .with(move |store| store.begin_cancel(n, &id, sent))
            .await?;
        let call = Call::CancelAction {
            id: turn.scan.id.clone(),
            comment: format!("called back by fleetsweep {}", self.canceller.campaign),
        };
        self.done.calls += 1;
        // Until its end is known it may be under way.
        self.unsettled.insert(turn.at, turn.scan.clone());
        let caller = Arc::clone(&self.canceller.caller);
        self.calls.spawn(async move {
            let end = call_once(&caller, permit, &call, &turn).await;
            Report { turn, number, end }
        });
        Ok(())
    }

    /// Writes what has come back, and counts it.
    async fn ended(
        &mut self,
        first: Result<Report, tokio::task::JoinError>,
    ) -> Result<(), FollowError> {
        let mut reports = Vec::new();
        let mut next = Some(first);
        while let Some(report) = next {
            match report {
                Ok(report) => reports.push(report),
                Err(e) => return Err(FollowError::Disk(format!("a call broke off: {e}"))),
            }
            next = self.calls.try_join_next();
        }
        let at = self.canceller.clock.wall();
        let ends: Vec<_> = reports
            .iter()
            .filter_map(|report| {
                Some(CancelEnd {
                    n: report.turn.scan.n,
                    number: report.number,
                    at,
                    result: report.end.word()?,
                })
            })
            .collect();
        let heard = reports.iter().filter_map(Report::scan);
        let heard: Vec<_> = heard.map(|scan| scan.heard()).collect();
        let write = self.canceller.state.with(move |store| {
            store.update_actions(&heard)?;
            store.end_cancels(&ends)
        });
        write.await?;
        for report in reports {
            self.settle(report);
        }
        Ok(())
    }

    fn settle(&mut self, report: Report) {
        let now = report.scan();
        let Report { turn, end, .. } = report;
        let status = now.map(|now| now.status).filter(|now| is_final(now));
        if let Some(status) = &status {
            self.done.count(status);
        }
        let is_over = status.is_some();
        if is_over || matches!(end, End::NotCarriedOut(_) | End::NeverSent(_)) {
            self.unsettled.remove(&turn.at);
        }
        self.is_proven |= is_over || matches!(end, End::Answered(_) | End::NotThere);
        match end {
            End::Answered(_) => {}
            End::NotThere => {
                "the service does not know the scan".clone_into(&mut self.done.why);
            }
            End::Refused(why, asked) => {
                self.done.why = why;
                if let Err(e) = asked {
                    self.trouble = Some(e);
                } else if !is_over {
                    self.done.refused += 1;
                    if self.done.refused >= REFUSED_IN_A_ROW && self.done.cancelled == 0 {
                        self.trouble = Some(FollowError::Tenant(self.done.why.clone()));
                    }
                }
            }
            End::NotCarriedOut(refused) => {
                let place = self.queue.partition_point(|other| other.at < turn.at);
                self.queue.insert(place, Turn { refused, ..turn });
            }
            End::NeverSent(trouble) => {
                let place = self.queue.partition_point(|other| other.at < turn.at);
                self.queue.insert(place, turn);
                self.hold(trouble);
            }
            End::Lost(trouble) => {
                self.done.why.clone_from(&trouble.why);
                self.hold(trouble);
            }
            End::Failed(e) => self.trouble = Some(e),
        }
    }

    /// A call was not answered: the list is asked whether the API answers at all, before anything else is sent.
    fn hold(&mut self, trouble: Box<Trouble>) {
        if self.hold.is_none() {
            let caller = Arc::clone(&self.canceller.caller);
            self.hold = Some(Box::pin(async move {
                caller.hold(Kind::Cancel, &trouble).await
            }));
        }
    }

    fn tell(&self, all: usize) {
        let left = self.queue.len() + self.calls.len();
        let takes = self
            .canceller
            .pacer
            .lower_bound(Kind::Cancel, self.queue.len() as u64);
        self.canceller.monitor.note(&format!(
            "{} of {} called; the last call goes out in {} at the earliest",
            all - left,
            count::of(all as u64, "scan"),
            span::in_words(takes)
        ));
    }
}

impl Report {
    /// The scan as it stands now, if the call has told.
    fn scan(&self) -> Option<CancelCandidate> {
        let action = match &self.end {
            End::Answered(action) | End::Refused(_, Ok(action)) => action.as_ref()?,
            _ => return None,
        };
        Some(CancelCandidate::new(self.turn.scan.n, action))
    }
}

/// Makes one call, and asks for the scan where the service refuses to cancel it.
async fn call_once<D: Defender>(
    caller: &Caller<D>,
    permit: Permit,
    call: &Call,
    turn: &Turn,
) -> End {
    match caller.once(permit, call, turn.refused).await {
        Ok(Once::Answered(Answered::Well(answer))) => End::Answered(wire::json(&answer.body)),
        Ok(Once::Answered(Answered::NotThere)) => End::NotThere,
        Ok(Once::Again(refused)) => End::NotCarriedOut(refused),
        Err(e @ CallError::Refused(_)) => {
            End::Refused(e.to_string(), get(caller, &turn.scan).await)
        }
        Err(CallError::Unanswered {
            trouble,
            never_sent: true,
        }) => End::NeverSent(trouble),
        Err(CallError::Unanswered { trouble, .. }) => End::Lost(trouble),
        Err(e) => End::Failed(failure(e)),
    }
}

async fn get<D: Defender>(
    caller: &Caller<D>,
    scan: &CancelCandidate,
) -> Result<Option<MachineAction>, FollowError> {
    let call = Call::GetAction {
        id: scan.id.clone(),
    };
    match caller.ask(Kind::Get, &call).await {
        Ok(Answered::Well(answer)) => Ok(wire::json(&answer.body)),
        Ok(Answered::NotThere) | Err(CallError::Unanswered { .. } | CallError::Refused(_)) => {
            Ok(None)
        }
        Err(e) => Err(failure(e)),
    }
}

fn failure(e: CallError) -> FollowError {
    match e {
        CallError::Ledger(e) => FollowError::Disk(e.to_string()),
        e => FollowError::Tenant(e.to_string()),
    }
}

/// A future that may not be there, which then never comes.
async fn maybe<F: Future>(future: Option<F>) -> Option<F::Output> {
    match future {
        Some(future) => Some(future.await),
        None => std::future::pending().await,
    }
}
