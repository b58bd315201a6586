//! A run from its first call to its last.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Poll,
    time::Duration,
};

use tokio::{sync::mpsc, task::JoinHandle};

use super::{
    super::{
        engine::{
            attempt::Report,
            canary_gate::Answer,
            dispatcher::Dispatcher,
            lookup::{Lister, Listing, ListingError},
            worker::Order,
        },
        journal::{Batch, Journal, JournalError, Written},
        outcome::Tally,
        stop::StopReason,
    },
    Ending, Engine,
    worker_pool::WorkerPool,
};
use crate::campaign::stop::Signal;
use crate::{
    defender::{
        Defender,
        sign_in::{SignInError, Token},
    },
    monitor::Expected,
    quota::{Kind, LedgerError, Moment, Permit, SleepWatch},
    store::Record,
};

/// How often the monitor is told how things stand though nothing happens, and the clock is looked at for sleep.
const TICK: Duration = Duration::from_secs(1);

/// A batch on its way to disk, with the journal that it is written by.
pub(super) type Writing = JoinHandle<(Box<Journal>, Batch, Result<Written, JournalError>)>;

/// Why there is no leave for a call.
pub(super) enum NoPermit {
    Token(SignInError),
    Ledger(LedgerError),
}

pub(super) type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What happened.
enum Event {
    Reported(Report),
    Permitted(Result<Permit, NoPermit>),
    Written(Box<Journal>, Batch, Result<Written, JournalError>),
    Listed(Result<Listing, ListingError>),
    Probed(Result<(), ListingError>),
    Renewed(Result<Token, SignInError>),
    Judged(Answer),
    Signalled(Option<Signal>),
    Ticked,
}

/// An engine at work.
pub(super) struct Drive<D> {
    pub(super) engine: Engine<D>,
    pub(super) dispatcher: Dispatcher,
    /// At home while nothing is being written.
    pub(super) journal: Option<Box<Journal>>,
    pub(super) writing: Option<Writing>,
    /// Orders whose attempts are to be written, and are being written.
    pub(super) staged: Vec<Order>,
    pub(super) being_written: Vec<Order>,
    /// Records that could not be written; they are tried once more at the end.
    pub(super) unwritten: Vec<Record>,
    pub(super) permit: Option<Boxed<Result<Permit, NoPermit>>>,
    /// When it was asked for.
    asked: Moment,
    /// Since when a token is waited for.
    waits_for_token: Arc<Mutex<Option<Moment>>>,
    pub(super) listing: Option<Boxed<Result<Listing, ListingError>>>,
    pub(super) probe: Option<Boxed<Result<(), ListingError>>>,
    renewal: Option<Boxed<Result<Token, SignInError>>>,
    pub(super) judgement: Option<Boxed<Answer>>,
    pub(super) lister: Arc<Lister<D>>,
    pub(super) workers: WorkerPool,
    pub(super) signals: Option<mpsc::Receiver<Signal>>,
    sleep_watch: SleepWatch,
    pub(super) began: Moment,
    /// What has ended and is on disk: nothing else is told of.
    pub(super) told: Tally,
    /// Whether `fleetsweep cancel` has ordered it to stop.
    pub(super) is_ordered: bool,
    /// When the time of the last call was reckoned, under which hold, and how far ahead it was then; none goes out if there is
    /// none.
    pub(super) last_call: Option<(Moment, Moment, Option<Expected>)>,
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
        let told = *dispatcher.tally();
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
            renewal: None,
            judgement: None,
            lister,
            signals: Some(signals),
            sleep_watch: SleepWatch::new(engine.clock.now()),
            began: engine.clock.now(),
            told,
            is_ordered: false,
            last_call: None,
            engine,
        }
    }

    pub(super) async fn run(mut self) -> Ending {
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
        let waits = self.permit.as_ref().and(*locked(&self.waits_for_token));
        self.dispatcher.waits_for_token(waits);
        self.dispatcher.look(now, self.engine.clock.wall());
        self.apply_stop();
        while self.dispatcher.wants_permit(now) {
            let mut permit: Boxed<_> = self.permit.take().unwrap_or_else(|| {
                let pacer = self.engine.pacer.clone();
                let tokens = Arc::clone(&self.engine.tokens);
                let waits = Arc::clone(&self.waits_for_token);
                self.asked = now;
                *locked(&waits) = Some(now);
                Box::pin(async move {
                    // First, so that waiting for a token costs no permit.
                    let token = tokens.token().await;
                    *locked(&waits) = None;
                    token.map_err(NoPermit::Token)?;
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
        if self.permit.is_some() && self.dispatcher.wants_look_ahead(now) {
            let forecast = self.engine.pacer.forecast(Kind::Start);
            self.dispatcher
                .look_ahead(now, |calls| now + forecast.lower_bound(calls));
        }
        if let Some(wanted) = self.dispatcher.wants_listing(now) {
            let lister = Arc::clone(&self.lister);
            self.listing = Some(Box::pin(async move { lister.look_up(wanted).await }));
        }
        if self.dispatcher.wants_probe(now) {
            let lister = Arc::clone(&self.lister);
            let since = self.engine.clock.wall();
            self.probe = Some(Box::pin(async move { lister.probe(since).await }));
        }
        if self.renewal.is_none()
            && let Some(serial) = self.dispatcher.wants_renewal()
        {
            let tokens = Arc::clone(&self.engine.tokens);
            self.renewal = Some(Box::pin(async move { tokens.renew(serial).await }));
        }
        // Whoever judges reads the state: what the canaries came to must be there.
        if self.writing.is_none()
            && let Some(passed) = self.dispatcher.wants_judgement()
        {
            let judge = self.engine.judge.clone();
            self.judgement = Some(Box::pin(async move {
                match judge {
                    Some(judge) => judge.judge(passed).await,
                    None => Answer::Yes("nobody was there to ask".to_owned()),
                }
            }));
        }
        self.write();
        for note in self.dispatcher.take_notes() {
            self.engine.monitor.note(&note);
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
            Some(report) = self.workers.report() => Event::Reported(report),
            Some(written) = maybe(self.writing.as_mut()) => {
                #[expect(clippy::expect_used, reason = "a panic of the writing thread is a bug; nothing can be promised after it")]
                let (journal, batch, result) = written.expect("writing a batch does not panic");
                Event::Written(journal, batch, result)
            }
            Some(permit) = maybe(self.permit.as_mut()) => Event::Permitted(permit),
            Some(listed) = maybe(self.listing.as_mut()) => Event::Listed(listed),
            Some(probed) = maybe(self.probe.as_mut()) => Event::Probed(probed),
            Some(token) = maybe(self.renewal.as_mut()) => Event::Renewed(token),
            Some(judged) = maybe(self.judgement.as_mut()) => Event::Judged(judged),
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
            Event::Renewed(result) => {
                self.renewal = None;
                self.dispatcher
                    .renewed(result.map(|token| token.serial).map_err(|e| e.to_string()));
            }
            Event::Judged(judged) => {
                self.judgement = None;
                self.dispatcher.canaries_judged(judged, wall);
            }
            Event::Signalled(Some(signal)) => self.signalled(signal),
            Event::Signalled(None) => self.signals = None,
            Event::Ticked => self.tell(),
        }
        self.apply_stop();
    }

    fn permitted(&mut self, result: Result<Permit, NoPermit>) {
        match result {
            Ok(permit) => {
                let clock = &self.engine.clock;
                match self.dispatcher.assign(clock.now(), clock.wall()) {
                    Some(attempt) => {
                        let waited = clock.now().since(self.asked);
                        self.staged.push(Order {
                            attempt,
                            permit,
                            waited,
                        });
                    }
                    None => permit.give_back(),
                }
            }
            Err(NoPermit::Ledger(e)) => self.dispatcher.stop(StopReason::Disk(e.to_string())),
            Err(NoPermit::Token(e)) => self.dispatcher.stop(StopReason::Tenant(e.to_string())),
        }
    }

    /// Gives orders to idle workers, as long as calls may go out.
    pub(super) fn dispatch(&mut self) {
        if self.dispatcher.stop_reason().is_none() {
            self.workers.dispatch();
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A future that may not be there, which then never comes.
async fn maybe<F: Future>(future: Option<F>) -> Option<F::Output> {
    match future {
        Some(future) => Some(future.await),
        None => std::future::pending().await,
    }
}
