//! The event loop of a run, from its first call to its last.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{sync::mpsc, task::JoinHandle};

use super::{
    Ending, Engine,
    attempt::Report,
    canary_gate::{Answer, Boxed},
    dispatcher::Dispatcher,
    lookup::{Lister, Listing, ListingError},
    sightings::{Seen, SightingError, Sightings},
    waits::Waits,
    worker::Order,
    worker_pool::WorkerPool,
};
use crate::{
    campaign::{
        journal::{Batch, Journal, JournalError, Written},
        optional::optional,
        outcome::Tally,
        stop::{Signal, StopReason},
    },
    defender::{
        Defender,
        sign_in::{SignInError, Token},
    },
    monitor::Expected,
    quota::{LedgerError, Moment, Permit, SleepWatch},
    store::Record,
};

/// How often progress is reported when nothing happens, and the clock is checked for a suspended computer.
const TICK: Duration = Duration::from_secs(1);

/// A batch that is being written, with the journal that writes it.
pub(super) type Writing = JoinHandle<(Box<Journal>, Batch, Result<Written, JournalError>)>;

/// Why there is no permit.
pub(super) enum NoPermit {
    Token(SignInError),
    Ledger(LedgerError),
}

/// What happened.
enum Event {
    Reported(Report),
    Permitted(Result<Permit, NoPermit>),
    Written(Box<Journal>, Batch, Result<Written, JournalError>),
    Listed(Result<Listing, ListingError>),
    Probed(Result<(), ListingError>),
    Sighted(Result<Seen, SightingError>),
    Renewed(Result<Token, SignInError>),
    CanaryDecided(Answer),
    Signalled(Option<Signal>),
    Ticked,
}

/// An engine at work.
pub(super) struct Drive<D> {
    pub(super) engine: Engine<D>,
    pub(super) dispatcher: Dispatcher,
    /// `None` while a batch is being written.
    pub(super) journal: Option<Box<Journal>>,
    pub(super) writing: Option<Writing>,
    /// Orders whose attempts are to be written next, and are being written.
    pub(super) staged: Vec<Order>,
    pub(super) being_written: Vec<Order>,
    /// Records that could not be written. They are tried once more at the end.
    pub(super) unwritten: Vec<Record>,
    pub(super) permit: Option<Boxed<Result<Permit, NoPermit>>>,
    /// When the permit was asked for.
    pub(super) asked: Moment,
    /// Since when the permit has been waiting for a token.
    pub(super) waits_for_token: Arc<Mutex<Option<Moment>>>,
    pub(super) listing: Option<Boxed<Result<Listing, ListingError>>>,
    pub(super) probe: Option<Boxed<Result<(), ListingError>>>,
    pub(super) sighting: Option<Boxed<Result<Seen, SightingError>>>,
    pub(super) renewal: Option<Boxed<Result<Token, SignInError>>>,
    pub(super) canary_decision: Option<Boxed<Answer>>,
    pub(super) lister: Arc<Lister<D>>,
    pub(super) sightings: Arc<Sightings<D>>,
    pub(super) workers: WorkerPool,
    pub(super) signals: Option<mpsc::Receiver<Signal>>,
    sleep_watch: SleepWatch,
    pub(super) began: Moment,
    /// The targets that have ended and are on disk. Only these are reported.
    pub(super) reported: Tally,
    /// Whether `fleetsweep cancel` has asked the run to stop.
    pub(super) is_ordered: bool,
    /// Whether the monitor knows that a brake stops the run.
    pub(super) is_braked: bool,
    /// Whether somebody wants to stop at once.
    pub(super) is_aborted: bool,
    /// The last forecast of the last call: when it was made, the hold that it was made under, and its result;
    /// `None` if no call is left to go out.
    pub(super) last_call: Option<(Moment, Moment, Option<Expected>)>,
    pub(super) waits: Waits,
}

impl<D: Defender> Drive<D> {
    pub(super) fn new(
        engine: Engine<D>,
        dispatcher: Dispatcher,
        journal: Journal,
        signals: mpsc::Receiver<Signal>,
    ) -> Self {
        let lister = Arc::new(Lister::new(
            Arc::clone(&engine.defender),
            Arc::clone(&engine.tokens),
            engine.pacer.clone(),
            Arc::clone(&engine.clock),
            engine.campaign.clone(),
        ));
        let sightings = Arc::new(Sightings::new(
            Arc::clone(&engine.inventory),
            Arc::clone(&engine.tokens),
            engine.pacer.clone(),
            Arc::clone(&engine.clock),
        ));
        let reported = *dispatcher.tally();
        Self {
            workers: WorkerPool::staff(&engine, dispatcher.times()),
            dispatcher,
            journal: Some(Box::new(journal)),
            writing: None,
            staged: Vec::new(),
            being_written: Vec::new(),
            unwritten: Vec::new(),
            permit: None,
            asked: engine.clock.now(),
            waits_for_token: Arc::default(),
            listing: None,
            probe: None,
            sighting: None,
            renewal: None,
            canary_decision: None,
            lister,
            sightings,
            signals: Some(signals),
            sleep_watch: SleepWatch::new(engine.clock.now()),
            began: engine.clock.now(),
            reported,
            is_ordered: false,
            is_braked: false,
            is_aborted: false,
            last_call: None,
            waits: Waits::default(),
            engine,
        }
    }

    pub(super) async fn run(mut self) -> Ending {
        self.report_progress();
        loop {
            self.begin().await;
            if self.dispatcher.is_over() && self.writing.is_none() {
                break;
            }
            match self.next_event().await {
                Event::Signalled(Some(Signal::Abort)) => {
                    self.is_aborted = true;
                    self.dispatcher.stop(StopReason::Interrupted);
                    break;
                }
                event => self.handle(event),
            }
        }
        self.end().await
    }

    async fn next_event(&mut self) -> Event {
        let now = self.engine.clock.now();
        let wake = self
            .dispatcher
            .next_wake(now)
            .map_or(TICK, |wake| wake.since(now).min(TICK));
        tokio::select! {
            biased;
            Some(signal) = optional(self.signals.as_mut().map(mpsc::Receiver::recv)) => Event::Signalled(signal),
            Some(report) = self.workers.report() => Event::Reported(report),
            Some(written) = optional(self.writing.as_mut()) => {
                #[expect(clippy::expect_used, reason = "a panic of the writing thread is a bug; nothing can be \
                    promised after it")]
                let (journal, batch, result) = written.expect("writing a batch does not panic");
                Event::Written(journal, batch, result)
            }
            Some(permit) = optional(self.permit.as_mut()) => Event::Permitted(permit),
            Some(listed) = optional(self.listing.as_mut()) => Event::Listed(listed),
            Some(probed) = optional(self.probe.as_mut()) => Event::Probed(probed),
            Some(sighted) = optional(self.sighting.as_mut()) => Event::Sighted(sighted),
            Some(token) = optional(self.renewal.as_mut()) => Event::Renewed(token),
            Some(decision) = optional(self.canary_decision.as_mut()) => Event::CanaryDecided(decision),
            () = tokio::time::sleep(wake) => Event::Ticked,
        }
    }

    fn handle(&mut self, event: Event) {
        let now = self.engine.clock.now();
        if self.sleep_watch.check(now).is_some() {
            self.workers.slept();
        }
        let wall = self.engine.clock.wall();
        match event {
            Event::Reported(report) => {
                self.dispatcher.reported(report, wall);
                while let Some(report) = self.workers.try_report() {
                    self.dispatcher.reported(report, wall);
                }
                self.dispatch();
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
            Event::Probed(result) => {
                self.probe = None;
                self.dispatcher.probed(result, now);
            }
            Event::Sighted(result) => {
                self.sighting = None;
                self.dispatcher.sighted(result);
            }
            Event::Renewed(result) => {
                self.renewal = None;
                self.dispatcher
                    .renewed(result.map(|token| token.serial).map_err(|e| e.to_string()));
            }
            Event::CanaryDecided(decision) => {
                self.canary_decision = None;
                self.dispatcher.canaries_decided(decision, wall);
            }
            Event::Signalled(Some(signal)) => self.signalled(signal),
            Event::Signalled(None) => self.signals = None,
            Event::Ticked => self.report_progress(),
        }
        self.apply_stop();
    }

    /// Gives orders to idle workers while calls may go out.
    pub(super) fn dispatch(&mut self) {
        if self.dispatcher.stop_reason().is_none() {
            self.workers.dispatch();
        }
    }
}
