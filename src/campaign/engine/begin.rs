//! What a run begins whenever something has happened: permits, list calls, a new token, a write.

use std::{
    cell::LazyCell,
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Poll,
};

use super::{
    canary_gate::{Answer, Boxed},
    drive::{Drive, NoPermit},
    worker::Order,
};
use crate::{
    campaign::stop::StopReason,
    defender::Defender,
    quota::{Kind, Moment, Permit},
};

impl<D: Defender> Drive<D> {
    /// Begins whatever the dispatcher wants now.
    pub(super) async fn begin(&mut self) {
        let now = self.engine.clock.now();
        let waits = self.permit.as_ref().and(*locked(&self.waits_for_token));
        self.dispatcher.waits_for_token(waits);
        self.dispatcher.advance_clock(now, self.engine.clock.wall());
        self.end_deferral(now);
        self.apply_stop();
        self.acquire_permits(now).await;
        self.begin_list_calls(now);
        self.begin_renewal();
        self.begin_canary_gate();
        self.dispatcher.note_away(self.engine.clock.wall());
        self.write();
        for note in self.dispatcher.take_notes() {
            self.engine.monitor.note(&note);
        }
    }

    /// Spends permits for as long as the quota has room, then leaves one acquisition waiting.
    async fn acquire_permits(&mut self, now: Moment) {
        while self.dispatcher.wants_permit(now) {
            let mut permit = match self.permit.take() {
                Some(permit) => permit,
                None => self.acquire_permit(now),
            };
            // Where the quota has room the permit is there at once, without a turn through the event loop.
            match poll_fn(|context| Poll::Ready(permit.as_mut().poll(context))).await {
                Poll::Ready(result) => self.permitted(result),
                Poll::Pending => {
                    self.permit = Some(permit);
                    break;
                }
            }
        }
        if self.permit.is_some() && self.dispatcher.wants_look_ahead(now) {
            let pacer = &self.engine.pacer;
            // Hardly ever is there anything to look up again.
            let forecast = LazyCell::new(|| pacer.forecast(Kind::Start));
            self.dispatcher
                .look_ahead(now, |calls| now + forecast.lower_bound(calls));
        }
    }

    fn acquire_permit(&mut self, now: Moment) -> Boxed<Result<Permit, NoPermit>> {
        let pacer = self.engine.pacer.clone();
        let tokens = Arc::clone(&self.engine.tokens);
        let waits = Arc::clone(&self.waits_for_token);
        self.asked = now;
        *locked(&waits) = Some(now);
        Box::pin(async move {
            // The token comes first, so that waiting for it costs no permit.
            let token = tokens.token().await;
            *locked(&waits) = None;
            token.map_err(NoPermit::Token)?;
            pacer.acquire(Kind::Start).await.map_err(NoPermit::Ledger)
        })
    }

    fn begin_list_calls(&mut self, now: Moment) {
        if let Some(wanted) = self.dispatcher.wants_listing(now) {
            let lister = Arc::clone(&self.lister);
            self.listing = Some(Box::pin(async move { lister.look_up(wanted).await }));
        }
        if self.dispatcher.wants_probe(now) {
            let lister = Arc::clone(&self.lister);
            let since = self.engine.clock.wall();
            self.probe = Some(Box::pin(async move { lister.probe(since).await }));
        }
        if let Some(since) = self
            .dispatcher
            .wants_sightings(now, self.engine.clock.wall())
        {
            let sightings = Arc::clone(&self.sightings);
            self.sighting = Some(Box::pin(async move { sightings.since(since).await }));
        }
    }

    /// Lets the machines that are away go when it is time to.
    fn end_deferral(&mut self, now: Moment) {
        let wall = self.engine.clock.wall();
        let pacer = &self.engine.pacer;
        self.dispatcher
            .end_deferral(now, wall, || pacer.forecast(Kind::Start));
    }

    fn begin_renewal(&mut self) {
        if self.renewal.is_none()
            && let Some(serial) = self.dispatcher.wants_renewal()
        {
            let tokens = Arc::clone(&self.engine.tokens);
            self.renewal = Some(Box::pin(async move { tokens.renew(serial).await }));
        }
    }

    /// Asks whether the other machines may start. The gate reads the state, so what became of the canaries has to be
    /// there first.
    fn begin_canary_gate(&mut self) {
        if self.writing.is_none()
            && let Some(passed) = self.dispatcher.wants_canary_decision()
        {
            let gate = self.engine.canary_gate.clone();
            self.canary_decision = Some(Box::pin(async move {
                match gate {
                    Some(gate) => gate.decide(passed).await,
                    None => Answer::Yes("nobody was there to ask".to_owned()),
                }
            }));
        }
    }

    pub(super) fn permitted(&mut self, result: Result<Permit, NoPermit>) {
        match result {
            Ok(permit) => {
                let clock = &self.engine.clock;
                match self.dispatcher.assign(clock.now(), clock.wall()) {
                    Some(attempt) => {
                        let due = clock.now();
                        let waited = due.since(self.asked);
                        self.staged.push(Order {
                            attempt,
                            permit,
                            waited,
                            due,
                        });
                    }
                    None => permit.give_back(),
                }
            }
            Err(NoPermit::Ledger(e)) => self.dispatcher.stop(StopReason::Disk(e.to_string())),
            Err(NoPermit::Token(e)) => self.dispatcher.stop(StopReason::Tenant(e.to_string())),
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
