//! A worker sends one call at a time and reports the reply. It decides nothing.

use std::{sync::Arc, time::Duration};

use tokio::sync::{mpsc, watch};

use super::{
    attempt::{Attempt, Report, Sending},
    verdict::{Judgement, Sent, Verdict, judge},
};
use crate::campaign::{brakes::SendTimes, engine::trail, tag::CampaignId};
use crate::{
    defender::{
        Call, Defender, Lost,
        sign_in::{Token, TokenSource},
        throttle,
    },
    monitor::Monitor,
    quota::{self, Clock, Moment, Permit},
};

/// An attempt that is in the store, and a permit to send it.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) attempt: Attempt,
    pub(crate) permit: Permit,
    /// How long it waited for its permit.
    pub(crate) waited: Duration,
    /// When it got its permit.
    pub(crate) due: Moment,
}

/// What a worker needs.
pub(crate) struct Worker<D> {
    pub(crate) defender: Arc<D>,
    pub(crate) tokens: Arc<dyn TokenSource>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) campaign: CampaignId,
    pub(crate) monitor: Arc<dyn Monitor>,
    /// Since when it has had nothing to do.
    pub(crate) free_since: Moment,
    /// When scan calls may go out.
    pub(crate) times: SendTimes,
    /// Counts how often the computer was suspended: calls that were in flight then are given up.
    pub(crate) sleeps: watch::Receiver<u64>,
    /// Whether no more calls may go out.
    pub(crate) stops: watch::Receiver<bool>,
}

impl<D: Defender> Worker<D> {
    /// Runs until no more orders can come.
    pub(crate) async fn run(
        mut self,
        me: usize,
        mut orders: mpsc::Receiver<Order>,
        reports: mpsc::Sender<(usize, Report)>,
    ) {
        while let Some(mut order) = orders.recv().await {
            // Before it was free it could not have sent anything.
            order.due = order.due.max(self.free_since);
            let report = self.send(order).await;
            self.free_since = self.clock.now();
            if reports.send((me, report)).await.is_err() {
                return;
            }
        }
    }

    async fn send(&mut self, order: Order) -> Report {
        let n = order.attempt.n;
        // A sign-in may take a minute. Whoever stops the run must not have to wait for it.
        let token = tokio::select! {
            biased;
            Ok(_) = self.stops.wait_for(|stops| *stops) => None,
            token = self.tokens.token() => Some(token),
        };
        let event = match token {
            Some(Ok(token)) => self.send_with(order, &token).await,
            Some(Err(why)) => {
                order.permit.give_back();
                Sending::NoToken(why.to_string())
            }
            None => {
                order.permit.give_back();
                Sending::Unsent
            }
        };
        Report { n, event }
    }

    async fn send_with(&mut self, order: Order, token: &Token) -> Sending {
        let Order {
            attempt,
            permit,
            waited,
            due,
        } = order;
        let call = Call::StartScan {
            machine: attempt.machine.clone(),
            scan_type: attempt.scan_type,
            comment: attempt.comment.clone(),
        };
        self.sleeps.mark_unchanged();
        // The clocks are read as the last act before sending: a stale permit or a void finding must not be used, and no
        // call goes out at a time of day that the operator excludes.
        let sent = self.clock.now();
        let is_late = !self.times.allow(self.clock.wall());
        if is_late || permit.is_stale() || attempt.send_by.is_some_and(|by| by < sent) {
            permit.give_back();
            return Sending::Unsent;
        }
        trail::sent(&attempt);
        let (reply, slept) = tokio::select! {
            biased;
            reply = self.defender.call(&call, token) => (reply, false),
            _ = self.sleeps.changed() => {
                let why = "the computer slept while the call was on its way";
                (Err(Lost::Unknown(why.into())), true)
            }
        };
        let ended = self.clock.now();
        let took = ended.since(sent);
        let judgement = judge(
            &reply,
            &Sent {
                campaign: &self.campaign,
                n: attempt.n,
                comment: &attempt.comment,
                machine: &attempt.machine,
                took,
            },
        );
        self.monitor.answered(ended.since(due));
        trail::attempt(&attempt, &judgement, took, waited);
        if slept {
            permit.cut_off();
        } else {
            settle(permit, &judgement);
        }
        let date = reply.ok().and_then(|answer| answer.date);
        Sending::Replied {
            judgement: Box::new(judgement),
            sent,
            ended,
            date,
            token: token.serial,
        }
    }
}

fn settle(permit: Permit, judgement: &Judgement) {
    match &judgement.verdict {
        Verdict::Throttled(throttle) => permit.throttled(&(*throttle).into()),
        _ => judgement.class.settle(permit),
    }
}

impl From<throttle::Throttle> for quota::Throttle {
    fn from(throttle: throttle::Throttle) -> Self {
        Self {
            retry_after: throttle.hold,
            window: throttle.window,
        }
    }
}
