//! The workers of a run: orders that are ready wait here for an idle worker, and reports come back.

use std::{
    collections::{VecDeque, vec_deque},
    sync::Arc,
};

use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

use super::{
    Engine,
    attempt::Report,
    worker::{Order, Worker},
};
use crate::{campaign::brakes::SendTimes, defender::Defender};

/// The workers of a run.
pub(super) struct WorkerPool {
    /// Each worker's inbox, which holds one order.
    orders: Vec<mpsc::Sender<Order>>,
    /// The workers that have nothing to do.
    idle: Vec<usize>,
    /// Orders whose attempts are written, waiting for a worker.
    ready: VecDeque<Order>,
    reports: mpsc::Receiver<(usize, Report)>,
    sleeps: watch::Sender<u64>,
    stops: watch::Sender<bool>,
    /// Dropping this ends the workers.
    _workers: JoinSet<()>,
}

impl WorkerPool {
    /// Starts the engine's workers.
    pub(super) fn staff<D: Defender>(engine: &Engine<D>, times: &SendTimes) -> Self {
        // Each worker has at most one report in flight, so no report ever has to wait.
        let (report, reports) = mpsc::channel(engine.workers);
        let sleeps = watch::Sender::new(0);
        let stops = watch::Sender::new(false);
        let mut workers = JoinSet::new();
        let orders = (0..engine.workers).map(|me| {
            let (desk, inbox) = mpsc::channel(1);
            let worker = Worker {
                defender: Arc::clone(&engine.defender),
                tokens: Arc::clone(&engine.tokens),
                clock: Arc::clone(&engine.clock),
                campaign: engine.campaign.clone(),
                monitor: Arc::clone(&engine.monitor),
                free_since: engine.clock.now(),
                times: times.clone(),
                sleeps: sleeps.subscribe(),
                stops: stops.subscribe(),
            };
            workers.spawn(worker.run(me, inbox, report.clone()));
            desk
        });
        Self {
            orders: orders.collect(),
            idle: (0..engine.workers).rev().collect(),
            ready: VecDeque::new(),
            reports,
            sleeps,
            stops,
            _workers: workers,
        }
    }

    /// Adds orders whose attempts have been written.
    pub(super) fn take(&mut self, orders: Vec<Order>) {
        self.ready.extend(orders);
    }

    /// Gives orders to idle workers.
    pub(super) fn dispatch(&mut self) {
        while !self.ready.is_empty()
            && let Some(worker) = self.idle.pop()
            && let Some(order) = self.ready.pop_front()
        {
            if let Err(
                mpsc::error::TrySendError::Full(order) | mpsc::error::TrySendError::Closed(order),
            ) = self.orders[worker].try_send(order)
            {
                // The inbox of an idle worker is empty. If it is not, that is a bug, which must not lose a
                // target.
                self.ready.push_front(order);
                break;
            }
        }
    }

    /// Takes back the orders that no worker has begun.
    pub(super) fn take_back(&mut self) -> vec_deque::Drain<'_, Order> {
        self.ready.drain(..)
    }

    /// Waits for the next report; its worker is idle again. Dropping the future loses nothing.
    pub(super) async fn report(&mut self) -> Option<Report> {
        let (worker, report) = self.reports.recv().await?;
        self.idle.push(worker);
        Some(report)
    }

    /// A report, if one is there already.
    pub(super) fn try_report(&mut self) -> Option<Report> {
        let (worker, report) = self.reports.try_recv().ok()?;
        self.idle.push(worker);
        Some(report)
    }

    /// Tells the workers that no more calls may go out. They return what they have not sent.
    pub(super) fn stop(&self) {
        self.stops.send_replace(true);
    }

    /// Tells the workers that the computer was suspended. They give up the calls that were in flight.
    pub(super) fn slept(&self) {
        self.sleeps.send_modify(|count| *count += 1);
    }
}
