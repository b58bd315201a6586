//! One pass over the scans that have to be cancelled: one call for each, as many at a time as the quota has
//! room for.
//!
//! ```text
//!   queue ── permit ─→ attempt in the store ─→ POST ─→ its end, and the scan's, in the store
//!     ↑                                          │
//!     └────────── surely not carried out ────────┘
//! ```
//!
//! Permits are acquired one after the other, so that calls go out in the queue's order. The answers come in
//! any order.

use std::{
    collections::{BTreeMap, VecDeque},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use tokio::{sync::mpsc, task::JoinSet};

use super::{
    CancelCandidate, Cancelled, Canceller,
    call::{End, Report, Turn, call_once},
};
use crate::{
    campaign::{optional::optional, shared_store::FollowError, stop::Signal},
    client::{caller::CallError, reply::Trouble},
    defender::{Call, Defender},
    monitor::{count, span},
    quota::{Kind, Permit},
    store::{CancelEnd, is_final},
};

/// After this many refusals without one cancelled scan, somebody has to look at the reason.
const REFUSED_IN_A_ROW: u64 = 5;

/// How often progress is reported: a minute, as the quota's.
const REPORT_EVERY: Duration = Duration::from_mins(1);

type PermitWait = Pin<Box<dyn Future<Output = Result<Permit, CallError>> + Send>>;

/// Waits until the API answers again.
type Hold = Pin<Box<dyn Future<Output = Result<(), CallError>> + Send>>;

/// A pass in progress.
pub(super) struct Pass<'a, D> {
    canceller: &'a Canceller<D>,
    done: &'a mut Cancelled,
    queue: VecDeque<Turn>,
    /// Scans that were called and are not known to be over, by their place in the order.
    unsettled: BTreeMap<usize, CancelCandidate>,
    permit_wait: Option<PermitWait>,
    /// An outage: nothing is sent until this has completed.
    hold: Option<Hold>,
    /// Dropping this gives up its calls.
    calls: JoinSet<Report>,
    /// Until one call has not been refused, calls go one by one: a missing role costs a few calls, not a
    /// hundred.
    is_proven: bool,
    trouble: Option<FollowError>,
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
            permit_wait: None,
            hold: None,
            calls: JoinSet::new(),
            is_proven: done.cancelled > 0,
            trouble: None,
            done,
        }
    }

    /// Makes all calls, unless somebody stops it. Returns the scans that may still be under way.
    pub(super) async fn run(
        mut self,
        signals: &mut mpsc::Receiver<Signal>,
    ) -> Result<Vec<CancelCandidate>, FollowError> {
        let all = self.queue.len();
        let mut next_report = Box::pin(tokio::time::sleep(REPORT_EVERY));
        loop {
            let is_stopping = self.begin();
            if self.calls.is_empty() && (is_stopping || self.queue.is_empty()) {
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
                Some(permit) = optional(self.permit_wait.as_mut()) => {
                    self.permit_wait = None;
                    match permit {
                        Ok(permit) => self.send(permit).await?,
                        Err(e) => self.trouble = Some(e.into()),
                    }
                }
                Some(over) = optional(self.hold.as_mut()) => {
                    self.hold = None;
                    match over {
                        Ok(()) => {}
                        Err(CallError::Blocked(why)) => {
                            self.done.why = why;
                            self.done.gave_up = true;
                        }
                        Err(e) => self.trouble = Some(e.into()),
                    }
                }
                () = &mut next_report => {
                    next_report = Box::pin(tokio::time::sleep(REPORT_EVERY));
                    self.report_progress(all);
                }
            }
        }
        if let Some(trouble) = self.trouble {
            return Err(trouble);
        }
        let uncalled = self.queue.into_iter().map(|turn| turn.scan);
        Ok(self.unsettled.into_values().chain(uncalled).collect())
    }

    /// Asks for the next permit, unless the pass is stopping or an outage holds it. Returns whether it is
    /// stopping.
    fn begin(&mut self) -> bool {
        let is_stopping = self.done.interrupted || self.done.gave_up || self.trouble.is_some();
        if is_stopping {
            self.permit_wait = None;
            self.hold = None;
        } else if self.hold.is_some() {
            self.permit_wait = None;
        } else if self.permit_wait.is_none() && !self.queue.is_empty() && self.has_room() {
            let caller = Arc::clone(&self.canceller.caller);
            self.permit_wait = Some(Box::pin(async move {
                caller.acquire_permit(Kind::Cancel).await
            }));
        }
        is_stopping
    }

    fn has_room(&self) -> bool {
        let room = if self.is_proven {
            self.canceller.workers
        } else {
            1
        };
        self.calls.len() < room
    }

    /// Records the next attempt, and makes its call.
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
            comment: format!("cancelled by fleetsweep {}", self.canceller.campaign),
        };
        self.done.calls += 1;
        // It may be under way until the call's result is known.
        self.unsettled.insert(turn.at, turn.scan.clone());
        let caller = Arc::clone(&self.canceller.caller);
        self.calls.spawn(async move {
            let end = call_once(&caller, permit, &call, &turn).await;
            Report { turn, number, end }
        });
        Ok(())
    }

    /// Records the calls that have come back, and counts them.
    async fn ended(
        &mut self,
        first: Result<Report, tokio::task::JoinError>,
    ) -> Result<(), FollowError> {
        let mut reports = Vec::new();
        let mut next = Some(first);
        while let Some(report) = next {
            match report {
                Ok(report) => reports.push(report),
                Err(e) => return Err(e.into()),
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
        let updates = reports.iter().filter_map(Report::scan);
        let updates: Vec<_> = updates.map(|scan| scan.update()).collect();
        let write = self.canceller.state.with(move |store| {
            store.update_actions(&updates)?;
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
                self.done.why = why.to_string();
                if let Err(e) = asked {
                    self.trouble = Some(e);
                } else if !is_over {
                    self.done.refused += 1;
                    if self.done.refused >= REFUSED_IN_A_ROW && self.done.cancelled == 0 {
                        self.trouble = Some(why.into());
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

    /// A call was not answered: the list is probed until the API answers, before anything else is sent.
    fn hold(&mut self, trouble: Box<Trouble>) {
        if self.hold.is_none() {
            let caller = Arc::clone(&self.canceller.caller);
            self.hold = Some(Box::pin(async move {
                caller.hold(Kind::Cancel, &trouble).await
            }));
        }
    }

    fn report_progress(&self, all: usize) {
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
