//! The service itself: its state, and how a call passes through it.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{
    alert_log::Alerts,
    clock::{ServerClock, http_date},
    config::{Fleet, Kinds, MockConfig, RetryAfter},
    fault_plan::{CallPlan, Counted, FaultPlan, Instead},
    machine::{Machine, is_hex},
    outage::{self, Shape},
    quota::{Quota, Refusal},
    recorder::Recorder,
    reply::{Error, Reply, whole_seconds},
    request::{Kind, Request, Route},
    response::Served,
    scans::{ScanSpan, Scans},
    sign_in::TokenIssuer,
    summary::Summary,
};

/// A tenant in a box, on tokio's time. It does not speak HTTP; [`super::serve`] does.
///
/// ```
/// use std::time::Duration;
///
/// use fleetsweep::mock::{Kind, MockConfig, Request, Served, Tenant};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build()?.block_on(async {
/// let tenant = Tenant::new(MockConfig::default());
/// let machine = "1e5bc9d7e413ddd7902c2932e418702b84d0cc07";
/// let path = format!("/api/machines/{machine}/runAntiVirusScan");
/// let body = r#"{"Comment": "an example", "ScanType": "Quick"}"#;
/// let served = tenant.handle(Request::post(&path, "mock", body)).await;
/// assert!(matches!(served, Served::Response(answer) if answer.status == 201));
///
/// // It records; whoever asks judges.
/// let recorder = tenant.recorder();
/// assert_eq!(recorder.scans_of(machine), 1);
/// assert_eq!(recorder.busiest(Kind::Start, Duration::from_secs(60)), 1);
/// # });
/// # Ok::<_, std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Tenant {
    pub(super) config: MockConfig,
    pub(super) clock: ServerClock,
    /// The ids of [`Fleet::Only`], in lower case.
    named: HashSet<String>,
    pub(super) recorder: Recorder,
    state: Mutex<State>,
}

/// What calls change.
#[derive(Debug)]
pub(super) struct State {
    /// What is random about the call that is being carried out.
    pub(super) dice: fastrand::Rng,
    faults: FaultPlan,
    quota: Quota,
    pub(super) scans: Scans,
    pub(super) issuer: TokenIssuer,
    pub(super) inventory: Vec<Machine>,
    pub(super) alerts: Alerts,
    /// The machines on which somebody else's scan was running when the first start arrived.
    pub(super) met_busy: HashSet<String>,
}

/// A call on its way through the service.
#[derive(Debug)]
pub(super) struct Passage {
    pub(super) request: Request,
    pub(super) route: Route,
    arrived: Duration,
    answer_at: Duration,
    plan: CallPlan,
    /// What is random about the call.
    dice: fastrand::Rng,
    /// Whether the client will not learn the result of the call.
    pub(super) answer_lost: bool,
}

/// Rounds up to the next millisecond, which is when a timer of tokio ends, and so when the client gets the answer.
fn whole_millis(at: Duration) -> Duration {
    let millis = at.as_nanos().div_ceil(1_000_000);
    u64::try_from(millis).map_or(at, Duration::from_millis)
}

impl Tenant {
    /// A tenant whose time starts now.
    #[must_use]
    pub fn new(config: MockConfig) -> Arc<Self> {
        let clock = ServerClock::starting_at(config.started);
        let (inventory, named) = fleet(&config, &clock);
        let recorder = Recorder::new(config.record, config.quota.kinds == Kinds::Together);
        Arc::new(Self {
            named,
            recorder: match config.forgets_after {
                Some(_) => recorder.with_hashes(),
                None => recorder,
            },
            state: Mutex::new(State {
                dice: fastrand::Rng::with_seed(config.seed),
                faults: FaultPlan::new(&config.faults),
                quota: Quota::new(&config.quota, config.seed),
                scans: Scans::default(),
                issuer: TokenIssuer::new(&config.sign_in),
                alerts: Alerts::new(&config, &inventory, &clock),
                inventory,
                met_busy: HashSet::new(),
            }),
            clock,
            config,
        })
    }

    /// Serves one request, however long that takes on tokio's clock.
    ///
    /// A caller that gives up and drops the future does not stop the service, which counts and carries out every call
    /// that has reached it.
    pub async fn handle(self: &Arc<Self>, request: Request) -> Served {
        let arrived = self.clock.now();
        let Some(route) = request.route() else {
            self.recorder.saw_malformed();
            let error = Error::new(
                404,
                "NotFound",
                format!("There is nothing at {}", request.path),
            );
            return self.answer(Reply::error(error, self.lock().dice.u128(..)));
        };
        let (plan, dice) = self.plan_for(&route, arrived);
        let passage = Passage {
            answer_at: whole_millis(arrived.saturating_add(plan.latency)),
            request,
            route,
            arrived,
            answer_lost: plan.instead.is_some(),
            plan,
            dice,
        };
        let at_once = passage.plan.latency.is_zero();
        let carried = Arc::clone(self).carry(passage);
        let served = if at_once {
            carried.await
        } else {
            // The task fails only when the runtime ends, and the connection with it.
            tokio::spawn(carried).await.unwrap_or(Some(Served::Cut))
        };
        match served {
            Some(served) => served,
            None => std::future::pending().await,
        }
    }

    /// Whether this machine exists.
    pub(super) fn knows(&self, machine: &str) -> bool {
        match &self.config.fleet {
            Fleet::Any => true,
            Fleet::Hex40 => is_hex(machine, 40),
            Fleet::Hex => is_hex(machine, 40) || is_hex(machine, 32),
            Fleet::Only(_) => self.named.contains(&machine.to_ascii_lowercase()),
        }
    }

    /// Whether connections are refused now, and after how long that may change.
    pub(super) fn refuses_connections(&self) -> (bool, Option<Duration>) {
        let now = self.clock.now();
        let (is_closed, next) = outage::refuses_connections(&self.config.outages, now);
        (is_closed, next.map(|next| next.saturating_sub(now)))
    }

    fn plan_for(&self, route: &Route, arrived: Duration) -> (CallPlan, fastrand::Rng) {
        let kind = route.kind();
        let outage = outage::met(&self.config.outages, kind, arrived);
        if outage.is_none_or(Shape::lets_calls_in) {
            self.recorder.arrived(kind, arrived);
        } else {
            self.recorder.turn_away(kind, arrived);
        }
        let faults = &mut self.lock().faults;
        let mut dice = faults.dice(route, self.config.seed);
        let plan = match outage {
            Some(shape) => CallPlan::during_outage(shape, &self.config, &mut dice),
            None => faults.draw(route, arrived, &self.config, &mut dice),
        };
        (plan, dice)
    }

    /// Spends quota as another client of the same application would, and returns how many of the calls were admitted.
    pub fn spend_elsewhere(&self, kind: Kind, calls: u32) -> u32 {
        let mut state = self.lock();
        let now = self.clock.now();
        let admitted = (0..calls)
            .filter(|_| state.quota.count(kind, now).is_ok())
            .count();
        u32::try_from(admitted).unwrap_or(calls)
    }

    /// Starts somebody else's scan on a machine, as from the portal, unless one is running.
    pub fn start_elsewhere(&self, machine: &str, comment: &str) {
        let state = &mut *self.lock();
        let now = self.clock.now();
        let machine = machine.to_ascii_lowercase();
        if state
            .scans
            .last_of(&machine)
            .is_none_or(|(_, last)| !last.is_active(now))
        {
            self.begin_scan(state, &machine, comment, true, now);
        }
    }

    /// From when to when each scan was under way that a call has started, in the order in which they were, without
    /// those that are forgotten. For tests.
    #[must_use]
    pub fn scan_spans(&self) -> Vec<ScanSpan> {
        self.lock().scans.spans()
    }

    /// What the tenant has seen.
    #[must_use]
    pub const fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// A summary of what the tenant has seen.
    #[must_use]
    pub fn summary(&self) -> Summary {
        Summary::of(&self.recorder, &self.config.quota)
    }

    /// The fields of the last form that was sent to the token endpoint, including secrets. For tests.
    #[must_use]
    pub fn last_form(&self) -> HashMap<String, String> {
        self.lock().issuer.last_form().clone()
    }

    /// The last token that was issued. For tests.
    #[must_use]
    pub fn last_token(&self) -> String {
        self.lock().issuer.last_token().to_owned()
    }

    /// The ids of the inventory's machines.
    #[must_use]
    pub fn machine_ids(&self) -> Vec<String> {
        let state = self.lock();
        let ids = state.inventory.iter().map(|machine| machine.id.clone());
        ids.collect()
    }

    /// Takes a call through the service. `None` means that there is never an answer.
    async fn carry(self: Arc<Self>, mut passage: Passage) -> Option<Served> {
        let (arrived, answer_at) = (passage.arrived, passage.answer_at);
        let instead = passage.plan.instead.take();
        let own = match passage.plan.counted {
            Counted::Within(after) => {
                self.clock.sleep_until(arrived + after).await;
                self.perform(&passage)
            }
            Counted::Late(later) => {
                let tenant = Arc::clone(&self);
                tokio::spawn(async move {
                    tenant.clock.sleep_until(answer_at + later).await;
                    tenant.perform(&passage)
                });
                None
            }
            Counted::Never => None,
        };
        self.clock.sleep_until(answer_at).await;
        match (instead, own) {
            (Some(Instead::Answer(reply)), _) | (None, Some(reply)) => Some(self.answer(reply)),
            (Some(Instead::Garbled(garbling)), Some(reply)) => {
                Some(self.answer(reply.garbled(garbling)))
            }
            (Some(Instead::Cut), _) | (Some(Instead::Garbled(_)) | None, None) => Some(Served::Cut),
            (Some(Instead::Refusal), _) => Some(Served::Refused),
            (Some(Instead::Silence), _) => None,
        }
    }

    /// Counts the call and carries it out. `None` if it is not to be carried out.
    fn perform(&self, passage: &Passage) -> Option<Reply> {
        let state = &mut *self.lock();
        state.dice = passage.dice.clone();
        // Read under the lock, so that calls are counted in the order of their times.
        let now = self.clock.now();
        let kind = passage.route.kind();
        self.recorder.counted(kind, passage.arrived, now);
        let admitted = state.quota.count(kind, now);
        if let Some(refusal) = admitted.err().or(passage.plan.cpu_429.map(Refusal::by_cpu)) {
            let until = now + Duration::from_secs(whole_seconds(refusal.wait));
            let style = self.config.quota.retry_after;
            // Nobody is early who was not told how long to wait.
            let is_told = !passage.answer_lost && style != RetryAfter::Older;
            let told = is_told.then_some(passage.answer_at);
            let over = refusal.is_deserved;
            self.recorder.refused(kind, told, until, over);
            let date = http_date(self.clock.wall(until));
            return Some(Reply::throttled(refusal, style, date, state.dice.u128(..)));
        }
        if !passage.plan.carried_out {
            return None;
        }
        let acted = self.act(state, passage, now);
        Some(acted.unwrap_or_else(|error| {
            if error.is_of_malformed_call() {
                self.recorder.saw_malformed();
            }
            Reply::error(error, state.dice.u128(..))
        }))
    }

    fn answer(&self, reply: Reply) -> Served {
        let date = http_date(self.clock.wall(self.clock.now()));
        Served::Response(reply.into_response(date))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The inventory, and the ids of [`Fleet::Only`].
fn fleet(config: &MockConfig, clock: &ServerClock) -> (Vec<Machine>, HashSet<String>) {
    let Fleet::Only(ids) = &config.fleet else {
        let numbers = 0..config.machines;
        let machines = numbers.map(|number| Machine::number(number, config, clock));
        return (machines.collect(), HashSet::new());
    };
    let mut named = HashSet::new();
    let once = ids.iter().map(|id| id.to_ascii_lowercase());
    let once = once.filter(|id| named.insert(id.clone()));
    let machines = once.map(|id| Machine::named(id, config, clock)).collect();
    (machines, named)
}
