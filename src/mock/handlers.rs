//! The calls start, get and cancel. Those that list are in `listing`.

use std::{sync::Arc, time::Duration};

use jiff::SignedDuration;

use super::{
    alert::Alert,
    config::{BusyShape, CancelOfFinal, Ends, within},
    denial,
    machine::{Nature, is_well_formed},
    reply::{Error, Reply},
    request::Route,
    scan_log::ScanRecord,
    scans::{Action, Status, View},
    sign_in::{self, Now},
    tenant::{Passage, State, Tenant},
};
use crate::defender::wire;

/// The application's name, which is the requestor of the scans that calls start.
const REQUESTOR: &str = "fleetsweep";

impl Tenant {
    /// Carries out a call that the quota has admitted.
    pub(super) fn act(
        &self,
        state: &mut State,
        passage: &Passage,
        now: Duration,
    ) -> Result<Reply, Error> {
        let both = Now {
            since_start: now,
            wall: self.clock.wall(now),
        };
        let request = &passage.request;
        let authorization = request.authorization.as_deref();
        if state.issuer.is_foreign(authorization, &passage.route) {
            self.recorder.saw_wrong_token();
        }
        state.issuer.admit(authorization, &passage.route, both)?;
        match &passage.route {
            Route::Token { tenant, version } => {
                let trace = state.dice.u128(..);
                Ok(state
                    .issuer
                    .issue(tenant, *version, &request.body, both, trace))
            }
            Route::Discovery { tenant, version } => {
                Ok(sign_in::discovery(&request.base, tenant, *version))
            }
            Route::Identity => Ok(state.issuer.identity(request, both, state.dice.u128(..))),
            Route::Start { machine } => self.start(state, machine, passage, now),
            Route::List => self.list(state, &request.query, None, now),
            Route::MachineActions { machine } => {
                self.list(state, &request.query, Some(machine), now)
            }
            Route::Get { id } => {
                let action = state.scans.find_mut(id).ok_or_else(|| no_action(id))?;
                Ok(Reply::json(200, &self.view(now).single(action)))
            }
            Route::Cancel { id } => self.cancel(state, id, &request.body, now),
            Route::Machines => self.machines(state, request),
            Route::Health => self.health(state, request, now),
            Route::Alerts => self.alerts(state, request, now),
            Route::Machine { id } => self.machine(state, id),
            Route::AvailableActions { machine } => self.available_actions(machine),
            Route::FindByTag => state.find_by_tag(request),
            Route::FindByIp { arguments } => state.find_by_ip(arguments),
            Route::Tags { machine } => state.change_tags(machine, &request.body),
            Route::OtherAction => Err(Error::new(
                400,
                "InvalidInput",
                "The action is not supported for this machine",
            )),
        }
    }

    fn start(
        &self,
        state: &mut State,
        machine: &str,
        passage: &Passage,
        now: Duration,
    ) -> Result<Reply, Error> {
        denial::of_everybody(&self.config, now)?;
        let body = read_start(&passage.request.body)?;
        if !is_well_formed(machine) {
            return Err(Error::new(400, "InvalidInput", "Invalid machine id"));
        }
        denial::of_machine(&self.config, machine)?;
        let nature = Nature::of(machine, self.config.seed, &self.config.chances);
        if nature.unknown || !self.knows(machine) {
            return Err(Error::new(
                404,
                "ResourceNotFound",
                format!("Machine {machine} was not found"),
            ));
        }
        if let Some(code) = nature.unsupported {
            return Err(Error::new(
                400,
                code,
                "The action is not supported on this machine",
            ));
        }
        if nature.busy
            && state.scans.last_of(machine).is_none()
            && state.met_busy.insert(machine.to_owned())
        {
            self.begin_scan(state, machine, "Scan of another team", true, now);
        }
        if let Some((running, last)) = state.scans.last_of(machine)
            && last.is_active(now)
        {
            return self.busy(state, running, now);
        }
        let started = self.begin_scan(state, machine, &body.comment, false, now);
        if &*body.scan_type == "Full"
            && let Some(scan) = state.scans.get_mut(started)
        {
            scan.full = true;
        }
        if nature.offline
            && let Some(scan) = state.scans.get_mut(started)
        {
            self.hold_up(scan, now);
        }
        let action = state.scans.get(started).ok_or_else(|| no_action(machine))?;
        let scan = ScanRecord {
            comment: Arc::clone(&action.comment),
            answer_lost: passage.answer_lost,
        };
        self.recorder.started(&action.machine, scan);
        Ok(Reply::json(201, &self.view(now).single(action)))
    }

    fn busy(&self, state: &mut State, running: usize, now: Duration) -> Result<Reply, Error> {
        const SHAPES: [BusyShape; 3] = [
            BusyShape::Error,
            BusyShape::Success200,
            BusyShape::Success201,
        ];
        let shape = match self.config.busy_shape {
            BusyShape::Mixed => SHAPES[state.dice.usize(..SHAPES.len())],
            shape => shape,
        };
        let error = |code| Error::new(400, code, "Action is already in progress");
        let status = match shape {
            BusyShape::Success200 => 200,
            BusyShape::Success201 => 201,
            BusyShape::Error | BusyShape::Mixed => return Err(error("ActiveRequestAlreadyExists")),
            BusyShape::ErrorInLowerCase => return Err(error("activerequestalreadyexists")),
            BusyShape::BadRequest => return Err(error("BadRequest")),
            BusyShape::ErrorWithMark => {
                let reply = Reply::error(error("ActiveRequestAlreadyExists"), state.dice.u128(..));
                return Ok(reply.with_mark());
            }
        };
        let action = state.scans.get(running).ok_or_else(|| no_action(""))?;
        Ok(Reply::json(status, &self.view(now).single(action)))
    }

    /// Begins a scan and returns its index. Somebody else's has been running for some minutes, and is listed already.
    pub(super) fn begin_scan(
        &self,
        state: &mut State,
        machine: &str,
        comment: &str,
        foreign: bool,
        now: Duration,
    ) -> usize {
        let State {
            dice: rng,
            scans,
            alerts,
            ..
        } = state;
        let after = self.config.forgets_after;
        if let Some(then) = after.and_then(|after| now.checked_sub(after)) {
            scans.forget_before(then, |scan| {
                alerts.keep(Alert::of_scan(scan, &self.config, &self.clock));
            });
        }
        let scan_time = match &self.config.foreign_scan_time {
            Some(time) if foreign => time,
            _ => &self.config.scan_time,
        };
        let scan = within(rng, scan_time);
        let pending = scan.mul_f64(rng.f64() / 3.0);
        let (began, lag, pending) = if foreign {
            (
                SignedDuration::from_secs(rng.i64(60..1800)),
                Duration::ZERO,
                Duration::ZERO,
            )
        } else {
            (
                SignedDuration::ZERO,
                within(rng, &self.config.listing_lag),
                pending,
            )
        };
        let created = self.clock.wall(now);
        let (id, drawn_end) = (rng.u128(..), end_of(&self.config.ends, rng));
        scans.add(Action {
            id,
            machine: machine.into(),
            comment: comment.into(),
            full: false,
            foreign,
            created: created.checked_sub(began).unwrap_or(created),
            added: now,
            listed_from: now + lag,
            begins: now + pending,
            ends: now + scan,
            end: if self.fails_on(machine) {
                Status::Failed
            } else {
                drawn_end
            },
            cancelled: None,
            vanished: false,
        })
    }

    fn cancel(
        &self,
        state: &mut State,
        id: &str,
        body: &[u8],
        now: Duration,
    ) -> Result<Reply, Error> {
        // The comment is not required here.
        let comment = if body.trim_ascii().is_empty() {
            String::new()
        } else {
            read_body::<CancelBody>(body)?.comment.unwrap_or_default()
        };
        let action = state.scans.find_mut(id).ok_or_else(|| no_action(id))?;
        if action.is_active(now) {
            if action.foreign {
                self.recorder.cancelled_foreign();
            }
            action.cancelled = Some((now, comment));
        } else if self.config.cancel_of_final == CancelOfFinal::Refuse {
            return Err(Error::new(
                400,
                "BadRequest",
                "Action is already in a final state",
            ));
        }
        Ok(Reply::json(200, &self.view(now).single(action)))
    }

    pub(super) fn view(&self, now: Duration) -> View<'_> {
        View {
            now,
            clock: &self.clock,
            comments: self.config.comments,
            requestor: REQUESTOR,
            domain: &self.config.make_up.domain,
        }
    }
}

/// How a scan ends.
fn end_of(ends: &Ends, rng: &mut fastrand::Rng) -> Status {
    let mut left = rng.f64();
    let mut falls = |share: f64| {
        left -= share;
        left < 0.0
    };
    if falls(ends.failed) {
        Status::Failed
    } else if falls(ends.timed_out) {
        Status::TimeOut
    } else if falls(ends.cancelled) {
        Status::Cancelled
    } else {
        Status::Succeeded
    }
}

/// Reads the body of a start.
fn read_start(body: &[u8]) -> Result<wire::StartScan<'_>, Error> {
    let body: wire::StartScan<'_> = read_body(body)?;
    if body.comment.trim().is_empty() {
        return Err(Error::new(400, "InvalidInput", "Comment must not be empty"));
    }
    if !matches!(&*body.scan_type, "Quick" | "Full") {
        let text = "ScanType must be one of: Quick, Full";
        return Err(Error::new(400, "InvalidInput", text));
    }
    Ok(body)
}

/// The body of a cancel call.
#[derive(serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CancelBody {
    comment: Option<String>,
}

/// Reads a body. The error code says whether a parameter is missing or the body is not a JSON object at all.
pub(super) fn read_body<'a, T: serde::Deserialize<'a>>(body: &'a [u8]) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|error| {
        let code = if error.is_data() && body.trim_ascii_start().starts_with(b"{") {
            "MissingRequiredParameter"
        } else {
            "InvalidRequestBody"
        };
        Error::new(400, code, error.to_string())
    })
}

fn no_action(id: &str) -> Error {
    Error::new(
        404,
        "ResourceNotFound",
        format!("Machine action {id} was not found"),
    )
}
