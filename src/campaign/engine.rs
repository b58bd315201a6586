//! Drives a run: asks the dispatcher what to do next, does it, and tells it what happened.
//!
//! ```text
//!             ┌────────────────────── permit ──────────────────────┐
//!  journal ───┤ page                                               │
//!     ↑       ▼                                                    │
//!     │   dispatcher ── attempt ─→ journal ── order ─→ worker ── POST ─→ reply ─→ verdict
//!     │       ↑                                                                      │
//!     └───────┴───────────────────────────── report ─────────────────────────────────┘
//! ```
//!
//! `select!` only names what happened; the dispatcher decides, synchronously; then whatever it wants is begun.

use std::{
    collections::VecDeque, future::poll_fn, pin::Pin, sync::Arc, task::Poll, time::Duration,
};

use tokio::{
    sync::{mpsc, watch},
    task::{JoinHandle, JoinSet},
};

use super::{
    canaries::CanaryJudge,
    dispatcher::{Dispatcher, Report, Sending},
    journal::{Batch, Journal, JournalError, Reading, Written},
    lookup::{Lister, Listing, ListingError},
    stop::StopReason,
    tag::CampaignId,
    worker::{Order, Worker},
};
use crate::{
    defender::{
        Defender,
        sign_in::{SignInError, Token, TokenSource},
    },
    monitor::{self, Monitor},
    quota::{Clock, Kind, LedgerError, Moment, Pacer, Permit, SleepWatch},
    store::Record,
};

/// How often the monitor is told how things stand though nothing happens, and the clock is looked at for sleep.
const TICK: Duration = Duration::from_secs(1);

/// The schedule's own time of arrival is computed anew at least this far apart: it is arithmetic over all calls to come,
/// some nanoseconds each.
const ETA_EVERY: Duration = Duration::from_secs(30);

/// Longer for many calls: an arrival days ahead need not be known to the second, and a thousandth of the time that the
/// calls take is spent soonest.
fn eta_every(calls: u64) -> Duration {
    ETA_EVERY.max(Duration::from_millis(calls.saturating_mul(10)).min(Duration::from_mins(30)))
}

/// What a run needs of the world.
pub struct Engine<D> {
    /// The API.
    pub defender: Arc<D>,
    /// Where tokens come from.
    pub tokens: Arc<dyn TokenSource>,
    /// The quota.
    pub pacer: Pacer,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Who is told.
    pub monitor: Arc<dyn Monitor>,
    /// How many calls may be on the wire at once.
    pub workers: usize,
    /// The campaign's id.
    pub campaign: CampaignId,
    /// Who says whether the others may start once the canaries are through; without one they do.
    pub judge: Option<Arc<dyn CanaryJudge>>,
}

/// What somebody outside asks of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// No new calls; wait for those in flight.
    Drain,
    /// As [`Drain`](Self::Drain), by an order of `fleetsweep cancel`.
    Ordered,
    /// Stop at once; the store is whole.
    Abort,
}

/// How a run ended.
pub struct Ending {
    /// Why before its end, if so.
    pub stop: Option<StopReason>,
    /// The journal, to be finished.
    pub journal: Journal,
    /// POSTs of this run.
    pub attempts: u64,
    /// All calls of this run.
    pub calls: u64,
    /// 429s of this run.
    pub throttled: u64,
    /// The campaign's id.
    pub campaign: CampaignId,
    /// What is asked from here on, while the journal is being finished.
    pub signals: Option<mpsc::Receiver<Signal>>,
}

type Writing = JoinHandle<(Box<Journal>, Batch, Result<Written, JournalError>)>;
/// Why there is no leave for a call.
enum NoPermit {
    Token(SignInError),
    Ledger(LedgerError),
}

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What happened.
enum Event {
    Reported(usize, Report),
    Permitted(Result<Permit, NoPermit>),
    Written(Box<Journal>, Batch, Result<Written, JournalError>),
    Listed(Result<Listing, ListingError>),
    Renewed(Result<Token, SignInError>),
    Judged(Result<(), StopReason>),
    Signalled(Option<Signal>),
    Ticked,
}

impl<D: Defender> Engine<D> {
    /// Runs until the dispatcher has nothing left to do, or nothing more may be done.
    ///
    /// # Panics
    /// If the thread that writes has panicked, which is a bug.
    pub async fn run(
        self,
        dispatcher: Dispatcher,
        journal: Journal,
        signals: mpsc::Receiver<Signal>,
    ) -> Ending {
        Drive::new(self, dispatcher, journal, signals).run().await
    }
}

/// An engine at work.
struct Drive<D> {
    engine: Engine<D>,
    dispatcher: Dispatcher,
    /// At home while nothing is being written.
    journal: Option<Box<Journal>>,
    writing: Option<Writing>,
    /// Orders whose attempts are to be written, are being written, and wait for a worker.
    staged: Vec<Order>,
    being_written: Vec<Order>,
    ready: VecDeque<Order>,
    /// Records that could not be written; they are tried once more at the end.
    unwritten: Vec<Record>,
    permit: Option<Boxed<Result<Permit, NoPermit>>>,
    listing: Option<Boxed<Result<Listing, ListingError>>>,
    renewal: Option<Boxed<Result<Token, SignInError>>>,
    judgement: Option<Boxed<Result<(), StopReason>>>,
    lister: Arc<Lister<D>>,
    desks: Vec<mpsc::Sender<Order>>,
    idle: Vec<usize>,
    reports: mpsc::Receiver<(usize, Report)>,
    /// Dropped, it ends the workers.
    _workers: JoinSet<()>,
    signals: Option<mpsc::Receiver<Signal>>,
    sleeps: watch::Sender<u64>,
    sleep_watch: SleepWatch,
    began: Moment,
    eta: Option<(Moment, Duration)>,
}

impl<D: Defender> Drive<D> {
    fn new(
        engine: Engine<D>,
        dispatcher: Dispatcher,
        journal: Journal,
        signals: mpsc::Receiver<Signal>,
    ) -> Self {
        // A worker has at most one report on its way, so no report ever waits.
        let (report, reports) = mpsc::channel(engine.workers);
        let sleeps = watch::Sender::new(0);
        let mut workers = JoinSet::new();
        let desks: Vec<_> = (0..engine.workers)
            .map(|me| {
                let (desk, orders) = mpsc::channel(1);
                let worker = Worker {
                    defender: Arc::clone(&engine.defender),
                    tokens: Arc::clone(&engine.tokens),
                    clock: Arc::clone(&engine.clock),
                    campaign: engine.campaign.clone(),
                    times: dispatcher.times().clone(),
                    sleeps: sleeps.subscribe(),
                };
                workers.spawn(worker.run(me, orders, report.clone()));
                desk
            })
            .collect();
        let lister = Arc::new(Lister::new(
            Arc::clone(&engine.defender),
            Arc::clone(&engine.tokens),
            engine.pacer.clone(),
            Arc::clone(&engine.clock),
            engine.campaign.clone(),
        ));
        Self {
            dispatcher,
            journal: Some(Box::new(journal)),
            writing: None,
            staged: Vec::new(),
            being_written: Vec::new(),
            ready: VecDeque::new(),
            unwritten: Vec::new(),
            permit: None,
            listing: None,
            renewal: None,
            judgement: None,
            lister,
            idle: (0..desks.len()).rev().collect(),
            desks,
            reports,
            _workers: workers,
            signals: Some(signals),
            sleeps,
            sleep_watch: SleepWatch::new(engine.clock.now()),
            began: engine.clock.now(),
            eta: None,
            engine,
        }
    }

    async fn run(mut self) -> Ending {
        self.tell();
        loop {
            self.begin().await;
            if self.dispatcher.is_over() && self.writing.is_none() {
                break;
            }
            match self.next_event().await {
                Event::Signalled(Some(Signal::Abort)) => {
                    self.dispatcher.stop(StopReason::Interrupted);
                    break;
                }
                event => self.handle(event),
            }
        }
        self.end().await
    }

    /// Begins whatever the dispatcher wants.
    async fn begin(&mut self) {
        let now = self.engine.clock.now();
        self.dispatcher.look(self.engine.clock.wall());
        self.heed_stop();
        while self.dispatcher.wants_permit(now) {
            let mut permit: Boxed<_> = self.permit.take().unwrap_or_else(|| {
                let pacer = self.engine.pacer.clone();
                let tokens = Arc::clone(&self.engine.tokens);
                Box::pin(async move {
                    // First, so that waiting for a token costs no permit.
                    tokens.token().await.map_err(NoPermit::Token)?;
                    pacer.acquire(Kind::Start).await.map_err(NoPermit::Ledger)
                })
            });
            // Where the quota has room the permit is there at once, and no event need be waited for.
            match poll_fn(|context| Poll::Ready(permit.as_mut().poll(context))).await {
                Poll::Ready(result) => self.permitted(result),
                Poll::Pending => {
                    self.permit = Some(permit);
                    break;
                }
            }
        }
        if let Some(wanted) = self.dispatcher.wants_listing(now) {
            let lister = Arc::clone(&self.lister);
            self.listing = Some(Box::pin(async move { lister.look_up(wanted).await }));
        }
        if self.renewal.is_none()
            && let Some(serial) = self.dispatcher.wants_renewal()
        {
            let tokens = Arc::clone(&self.engine.tokens);
            self.renewal = Some(Box::pin(async move { tokens.renew(serial).await }));
        }
        if let Some(passed) = self.dispatcher.wants_judgement() {
            let judge = self.engine.judge.clone();
            self.judgement = Some(Box::pin(async move {
                match judge {
                    Some(judge) => judge.judge(passed).await,
                    None => Ok(()),
                }
            }));
        }
        self.write();
        for note in self.dispatcher.take_notes() {
            self.engine.monitor.note(&note);
        }
    }

    /// Writes what is to be written, unless a batch is being written already: then it joins the next one.
    fn write(&mut self) {
        if self.writing.is_some() {
            return;
        }
        let reading = self.dispatcher.wants_reading(self.engine.clock.now());
        if reading.is_empty() && !self.dispatcher.has_records() {
            return;
        }
        if let Some(mut journal) = self.journal.take() {
            let batch = Batch {
                records: self.dispatcher.take_records(),
                reading,
            };
            self.being_written = std::mem::take(&mut self.staged);
            // One batch, one blocking task: it also keeps virtual time from running on meanwhile.
            self.writing = Some(tokio::task::spawn_blocking(move || {
                let result = journal.write(&batch);
                (journal, batch, result)
            }));
        }
    }

    async fn next_event(&mut self) -> Event {
        let now = self.engine.clock.now();
        let wake = self
            .dispatcher
            .next_wake(now)
            .map_or(TICK, |wake| wake.since(now).min(TICK));
        tokio::select! {
            biased;
            Some(signal) = maybe(self.signals.as_mut().map(mpsc::Receiver::recv)) => Event::Signalled(signal),
            Some((worker, report)) = self.reports.recv() => Event::Reported(worker, report),
            Some(written) = maybe(self.writing.as_mut()) => {
                #[expect(clippy::expect_used, reason = "a panic of the writing thread is a bug; nothing can be promised after it")]
                let (journal, batch, result) = written.expect("writing a batch does not panic");
                Event::Written(journal, batch, result)
            }
            Some(permit) = maybe(self.permit.as_mut()) => Event::Permitted(permit),
            Some(listed) = maybe(self.listing.as_mut()) => Event::Listed(listed),
            Some(token) = maybe(self.renewal.as_mut()) => Event::Renewed(token),
            Some(judged) = maybe(self.judgement.as_mut()) => Event::Judged(judged),
            () = tokio::time::sleep(wake) => Event::Ticked,
        }
    }

    fn handle(&mut self, event: Event) {
        let now = self.engine.clock.now();
        if self.sleep_watch.look(now).is_some() {
            self.sleeps.send_modify(|count| *count += 1);
        }
        let wall = self.engine.clock.wall();
        match event {
            Event::Reported(worker, report) => {
                self.dispatcher.reported(report, wall);
                self.idle.push(worker);
                while let Ok((worker, report)) = self.reports.try_recv() {
                    self.dispatcher.reported(report, wall);
                    self.idle.push(worker);
                }
                self.hand_out();
            }
            Event::Permitted(result) => {
                self.permit = None;
                self.permitted(result);
            }
            Event::Written(journal, batch, result) => {
                self.writing = None;
                self.journal = Some(journal);
                self.written(batch, result);
            }
            Event::Listed(result) => {
                self.listing = None;
                self.dispatcher.listed(result, now, wall);
            }
            Event::Renewed(result) => {
                self.renewal = None;
                self.dispatcher
                    .renewed(result.map(|token| token.serial).map_err(|e| e.to_string()));
            }
            Event::Judged(judged) => {
                self.judgement = None;
                self.dispatcher.canaries_judged(judged);
            }
            Event::Signalled(Some(Signal::Ordered)) => self
                .dispatcher
                .stop(StopReason::Brake("stopped by cancel".to_owned())),
            Event::Signalled(Some(_)) => self.dispatcher.stop(StopReason::Interrupted),
            Event::Signalled(None) => self.signals = None,
            Event::Ticked => self.tell(),
        }
        self.heed_stop();
    }

    /// Whatever would lead to a new call is given up when the campaign stops.
    fn heed_stop(&mut self) {
        if self.dispatcher.stop_reason().is_some() {
            self.permit = None;
            self.listing = None;
            self.judgement = None;
            self.call_back();
        }
    }

    fn permitted(&mut self, result: Result<Permit, NoPermit>) {
        match result {
            Ok(permit) => {
                let clock = &self.engine.clock;
                match self.dispatcher.assign(clock.now(), clock.wall()) {
                    Some(attempt) => self.staged.push(Order { attempt, permit }),
                    None => permit.give_back(),
                }
            }
            Err(NoPermit::Ledger(e)) => self.dispatcher.stop(StopReason::Disk(e.to_string())),
            Err(NoPermit::Token(e)) => self.dispatcher.stop(StopReason::Tenant(e.to_string())),
        }
    }

    fn written(&mut self, batch: Batch, result: Result<Written, JournalError>) {
        let orders = std::mem::take(&mut self.being_written);
        match result {
            Ok(written) => {
                self.ready.extend(orders);
                self.tell_ended(&written);
                let has_ended = !written.ended.is_empty();
                if let Some((page, next)) = written.fresh {
                    self.dispatcher.page_came(page, next);
                }
                self.dispatcher.recalled(
                    &batch.reading,
                    written.retries,
                    written.doubts,
                    self.engine.clock.now(),
                );
                if has_ended {
                    self.tell();
                }
                self.hand_out();
            }
            Err(JournalError::Store(e)) => {
                for Order { attempt, permit } in orders {
                    permit.give_back();
                    self.dispatcher.unwritten(attempt.n);
                }
                let records = batch
                    .records
                    .into_iter()
                    .filter(|record| !matches!(record, Record::Begun { .. }));
                self.unwritten.extend(records);
                self.dispatcher.stop(StopReason::Disk(e.to_string()));
            }
            Err(e @ (JournalError::Results(_) | JournalError::NoResults)) => {
                self.ready.extend(orders);
                self.dispatcher.stop(StopReason::Disk(e.to_string()));
            }
        }
    }

    /// Gives orders to idle workers, as long as calls may go out.
    fn hand_out(&mut self) {
        if self.dispatcher.stop_reason().is_some() {
            return;
        }
        while !self.ready.is_empty()
            && let Some(worker) = self.idle.pop()
            && let Some(order) = self.ready.pop_front()
        {
            if let Err(
                mpsc::error::TrySendError::Full(order) | mpsc::error::TrySendError::Closed(order),
            ) = self.desks[worker].try_send(order)
            {
                // An idle worker's desk is empty; one that is not comes back only as a bug, which must not lose a target.
                self.ready.push_front(order);
                break;
            }
        }
    }

    /// Takes back the orders that no worker has yet.
    fn call_back(&mut self) {
        let wall = self.engine.clock.wall();
        for Order { attempt, permit } in self.ready.drain(..) {
            permit.give_back();
            self.dispatcher.reported(
                Report {
                    n: attempt.n,
                    event: Sending::Unsent,
                },
                wall,
            );
        }
        // What is staged is in no file yet, but its record is on its way there.
        for Order { attempt, permit } in self.staged.drain(..) {
            permit.give_back();
            self.dispatcher.reported(
                Report {
                    n: attempt.n,
                    event: Sending::Unsent,
                },
                wall,
            );
        }
    }

    fn tell_ended(&self, written: &Written) {
        for ended in &written.ended {
            self.engine.monitor.target_ended(&monitor::Ended {
                line: ended.line,
                machine_id: &ended.machine_id,
                outcome: ended.outcome.as_str(),
                message: &ended.message,
            });
        }
    }

    fn tell(&mut self) {
        let now = self.engine.clock.now();
        let ended = self.dispatcher.tally().total();
        let targets = self.dispatcher.targets();
        let (computed, eta) = match self.eta {
            Some((at, eta)) if now.since(at) < eta_every(targets - ended) => (at, eta),
            _ => (
                now,
                self.dispatcher.times().stretch(
                    self.engine.clock.wall(),
                    self.engine.pacer.lower_bound(Kind::Start, targets - ended),
                ),
            ),
        };
        self.eta = Some((computed, eta));
        let waiting = self
            .permit
            .as_ref()
            .and_then(|_| self.engine.pacer.waiting(Kind::Start));
        let wall = self.engine.clock.wall();
        let closed = self.dispatcher.times().waiting(wall);
        let closed = closed.filter(|_| ended < targets);
        // A hold that came since then puts the arrival off at least by itself.
        let wait = waiting.as_ref().and_then(|waiting| waiting.left(now));
        let eta = eta
            .saturating_sub(now.since(computed))
            .max(wait.unwrap_or_default());
        self.engine.monitor.state(&monitor::State {
            elapsed: now.since(self.began),
            wall,
            tally: self
                .dispatcher
                .tally()
                .iter()
                .map(|(outcome, count)| (outcome.as_str(), count))
                .collect(),
            targets,
            ended,
            in_flight: u32::try_from(self.dispatcher.in_flight()).unwrap_or(u32::MAX),
            waiting: closed
                .map(|(what, left)| monitor::Waiting {
                    what,
                    left: Some(left),
                })
                .or_else(|| {
                    waiting.map(|waiting| monitor::Waiting {
                        what: waiting.cause.to_string(),
                        left: waiting.left(now),
                    })
                })
                .or_else(|| self.pause(now)),
            eta: Some(eta),
            throttled: self.dispatcher.throttled(),
        });
    }

    /// What the next call waits for if it is neither the quota nor an answer: after a crash that is half a minute until
    /// the calls that were on their way can be looked up.
    fn pause(&self, now: Moment) -> Option<monitor::Waiting> {
        if self.dispatcher.in_flight() > 0 {
            return None;
        }
        let wake = self.dispatcher.next_wake(now)?;
        Some(monitor::Waiting {
            what: "next lookup or retry".to_owned(),
            left: Some(wake.since(now)),
        })
    }

    async fn end(mut self) -> Ending {
        if let Some(writing) = self.writing.take() {
            #[expect(
                clippy::expect_used,
                reason = "a panic of the writing thread is a bug; nothing can be promised after it"
            )]
            let (journal, batch, result) = writing.await.expect("writing a batch does not panic");
            self.journal = Some(journal);
            self.written(batch, result);
        }
        self.call_back();
        // What has come back by now is not unsure.
        let wall = self.engine.clock.wall();
        while let Ok((_, report)) = self.reports.try_recv() {
            self.dispatcher.reported(report, wall);
        }
        #[expect(
            clippy::expect_used,
            reason = "it is at home whenever nothing is being written"
        )]
        let mut journal = self.journal.take().expect("the journal is at home");
        self.unwritten.extend(self.dispatcher.take_records());
        let batch = Batch {
            records: std::mem::take(&mut self.unwritten),
            reading: Reading::default(),
        };
        let (journal, result) = if batch.records.is_empty() {
            (journal, Ok(Written::default()))
        } else {
            #[expect(clippy::expect_used, reason = "as above")]
            tokio::task::spawn_blocking(move || {
                let result = journal.write(&batch);
                (journal, result)
            })
            .await
            .expect("writing a batch does not panic")
        };
        match result {
            Ok(written) => self.tell_ended(&written),
            Err(e) => self.dispatcher.stop(StopReason::Disk(e.to_string())),
        }
        self.tell();
        Ending {
            stop: self.dispatcher.stop_reason().cloned(),
            journal: *journal,
            attempts: self.dispatcher.attempts(),
            calls: self.dispatcher.attempts() + self.lister.calls(),
            throttled: self.dispatcher.throttled(),
            campaign: self.engine.campaign,
            signals: self.signals,
        }
    }
}

/// A future that may not be there, which then never comes.
async fn maybe<F: Future>(future: Option<F>) -> Option<F::Output> {
    match future {
        Some(future) => Some(future.await),
        None => std::future::pending().await,
    }
}
