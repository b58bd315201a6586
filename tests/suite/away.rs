//! `--when-offline defer`: the tenant's own record of who was there when, of each start and of each listing is the
//! judge. Machines that are away keep nobody waiting, each is started within one look of the listing that shows that it
//! is back, and none is forgotten or scanned twice, however often a campaign is stopped.

/// The options in the real program.
mod program;
/// Beside the options that decide how many may go, and when.
mod together;
/// A virtual week with restarts.
mod week;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use fleetsweep::{
    campaign::{
        brakes::{BrakeOptions, NotAfter, SendTimes},
        outcome::Outcome,
        stop::{Signal, StopReason},
    },
    mock::{Absence, Chances, Coming, Fault, Fleet, Kind, MockConfig, Rule, Tenant},
    quota::Quota,
};
use jiff::SignedDuration;
use tokio::time::sleep;

use super::rig::{Ground, Rig, fleet, machine};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// The time between two listings of the inventory.
const LOOK: Duration = Duration::from_mins(15);

/// A tenant that has these machines, some of which are away at first.
fn tenant(machines: u64, offline: f64, coming: Coming) -> MockConfig {
    MockConfig {
        fleet: Fleet::Only((1..=machines).map(machine).collect()),
        chances: Chances {
            offline,
            ..Chances::default()
        },
        coming: Some(coming),
        ..MockConfig::default()
    }
}

/// Away for so long at first, and then there for good.
fn back_after(from: Duration, until: Duration) -> Coming {
    Coming {
        away_for: from..=until,
        here_for: None,
    }
}

fn deferring(mock: MockConfig) -> Rig {
    Rig {
        offline_after: Some(SignedDuration::from_hours(24)),
        ..Rig::against(mock)
    }
}

/// `--not-after`, so long after the tenant's start.
fn not_after(mock: &MockConfig, after: Duration) -> BrakeOptions {
    BrakeOptions {
        times: SendTimes {
            not_after: Some(NotAfter {
                at: mock.started + SignedDuration::try_from(after).unwrap(),
                typed: "then".to_owned(),
            }),
            ..SendTimes::default()
        },
        ..BrakeOptions::default()
    }
}

/// When each machine was started.
fn starts(tenant: &Tenant) -> BTreeMap<String, Duration> {
    let spans = tenant.scan_spans();
    let starts = spans
        .iter()
        .map(|span| (span.machine.to_string(), span.began));
    starts.collect()
}

/// When the inventory was listed.
fn listings(tenant: &Tenant) -> Vec<Duration> {
    let calls = tenant.recorder().seen(Kind::Machines);
    calls.iter().map(|call| call.counted).collect()
}

fn absence_at(tenant: &Tenant, machine: &str, at: Duration) -> Option<Absence> {
    let begun = tenant
        .absences(machine)
        .take_while(|absence| absence.from <= at);
    begun.last().filter(|absence| at < absence.until)
}

/// Whether a listing at this time shows that the machine was seen within `after`.
fn is_shown(tenant: &Tenant, machine: &str, at: Duration, after: Duration) -> bool {
    match absence_at(tenant, machine, at) {
        None => true,
        // It was away for a day at least when the tenant started.
        Some(absence) if absence.from.is_zero() => false,
        Some(absence) => at.saturating_sub(absence.from) <= after,
    }
}

fn away_at_first(tenant: &Tenant, machines: u64) -> Vec<String> {
    let all = (1..=machines).map(machine);
    let away = all.filter(|id| absence_at(tenant, id, Duration::ZERO).is_some());
    away.collect()
}

async fn run_on(rig: Rig, machines: u64) -> (Arc<Ground>, super::rig::Told) {
    let ground = Arc::new(rig.ground());
    let told = rig.start_on(&ground, &fleet(machines)).await.end().await;
    (ground, told)
}

#[tokio::test(start_paused = true)]
async fn without_the_option_they_are_sent_to_as_others_are() {
    let mock = tenant(200, 0.4, back_after(HOUR, 2 * HOUR));
    let (ground, told) = run_on(Rig::against(mock), 200).await;
    assert_eq!(told.of(Outcome::Accepted), 200);
    let starts = starts(ground.tenant());
    let away = away_at_first(ground.tenant(), 200);
    assert!(away.iter().any(|id| starts[id] < SECOND), "{starts:?}");
    assert!(listings(ground.tenant()).is_empty());
    // Their scans wait until they are back.
    let spans = ground.tenant().scan_spans();
    let waited = spans
        .iter()
        .filter(|span| away.contains(&span.machine.to_string()));
    assert!(waited.clone().count() > 50);
    assert!(waited.clone().all(|span| span.ends > HOUR), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn they_keep_nobody_waiting_and_the_rest_is_sent_at_the_end() {
    let machines = 900;
    let mock = tenant(machines, 0.4, back_after(100 * HOUR, 200 * HOUR));
    let (ground, told) = run_on(deferring(mock), machines).await;
    assert_eq!(told.stop, None);
    assert_eq!(told.of(Outcome::Accepted), machines);
    told.assert_one_scan_each();
    told.assert_never_over();
    told.assert_never_slow(Duration::ZERO);
    let starts = starts(ground.tenant());
    let away = away_at_first(ground.tenant(), machines);
    assert!((300..450).contains(&away.len()));
    let first_away = away.iter().map(|id| starts[id]).min().unwrap();
    let others = starts.iter().filter(|(id, _)| !away.contains(id));
    assert!(others.clone().all(|(_, at)| *at <= first_away));
    assert!(
        told.notes
            .iter()
            .any(|note| note.contains("nobody else is left"))
    );
}

#[tokio::test(start_paused = true)]
async fn one_that_is_back_goes_next_while_others_are_being_sent() {
    let machines = 3000;
    let mock = tenant(machines, 0.1, back_after(5 * MINUTE, 90 * MINUTE));
    // At this pace no window keeps anybody waiting for an hour.
    let rig = Rig {
        quota: Quota::new(vec!["25/1m".parse().unwrap()]),
        ..deferring(mock)
    };
    let (ground, told) = run_on(rig, machines).await;
    assert_eq!(told.of(Outcome::Accepted), machines);
    told.assert_one_scan_each();
    told.assert_never_over();
    let (tenant, starts) = (ground.tenant(), starts(ground.tenant()));
    let listings = listings(tenant);
    for pair in listings.windows(2) {
        assert!(pair[1].saturating_sub(pair[0]) >= LOOK, "{listings:?}");
    }
    let away = away_at_first(tenant, machines);
    let last = starts.values().max().unwrap();
    assert!(*last > HOUR);
    let mut judged = 0;
    for id in &away {
        let shown = listings
            .iter()
            .find(|at| is_shown(tenant, id, **at, 24 * HOUR));
        let Some(shown) = shown else {
            continue;
        };
        judged += 1;
        let start = starts[id];
        assert!(
            *shown <= start && start <= *shown + LOOK,
            "{shown:?} {start:?}"
        );
        assert!(absence_at(tenant, id, start).is_none());
    }
    assert!(judged > 100, "{judged}");
}

#[tokio::test(start_paused = true)]
async fn shortly_before_the_deadline_the_rest_is_sent_all_the_same() {
    let machines = 700;
    let mock = tenant(machines, 0.9, back_after(50 * HOUR, 200 * HOUR));
    let end = 10 * HOUR;
    let rig = Rig {
        brakes: not_after(&mock, end),
        ..deferring(mock)
    };
    let (ground, told) = run_on(rig, machines).await;
    assert_eq!(told.stop, None, "{:?}", told.tally);
    assert_eq!(told.of(Outcome::Accepted), machines);
    let starts = starts(ground.tenant());
    let away = away_at_first(ground.tenant(), machines);
    for id in &away {
        assert!(
            starts[id] + 20 * MINUTE >= end && starts[id] < end,
            "{:?}",
            starts[id]
        );
    }
    let waits = told.waits.iter().any(|what| what.contains("are away"));
    assert!(waits, "{:?}", told.waits);
}

#[tokio::test(start_paused = true)]
async fn where_the_inventory_can_be_listed_no_longer_that_is_said_and_nobody_is_forgotten() {
    const FORBIDDEN: &str =
        r#"{"error":{"code":"Forbidden","message":"Missing application roles","target":"c"}}"#;
    for (fault, calls) in [
        (Fault::Status(403, FORBIDDEN.into()), 2),
        (Fault::Status(500, "{}".into()), 12),
        (Fault::CutBefore, 12),
    ] {
        let mut mock = tenant(60, 0.5, back_after(MINUTE, 2 * MINUTE));
        let rule = Rule::new(fault)
            .kind(Kind::Machines)
            .during(MINUTE..100 * HOUR);
        mock.faults.push(rule);
        let rig = Rig {
            brakes: not_after(&mock, 3 * HOUR),
            ..deferring(mock)
        };
        let (ground, told) = run_on(rig, 60).await;
        assert_eq!(told.of(Outcome::Accepted), 60);
        assert_eq!(listings(ground.tenant()).len(), calls);
        let said = told
            .notes
            .iter()
            .filter(|note| note.contains("the inventory could"));
        let said = said.chain(
            told.notes
                .iter()
                .filter(|note| note.contains("the inventory cannot")),
        );
        assert_eq!(said.count(), 1, "{:?}", told.notes);
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_is_set_aside_is_not_attempted_when_a_run_stops_and_the_next_goes_on() {
    let machines = 100;
    let mock = tenant(machines, 0.5, back_after(30 * MINUTE, 2 * HOUR));
    let rig = |max_machines| Rig {
        brakes: BrakeOptions {
            max_machines,
            ..not_after(&mock, 20 * HOUR)
        },
        ..deferring(mock.clone())
    };
    let ground = Arc::new(rig(None).ground());
    let csv = fleet(machines);
    let told = rig(Some(20)).start_on(&ground, &csv).await.end().await;
    assert!(
        matches!(told.stop, Some(StopReason::Brake(_))),
        "{:?}",
        told.stop
    );
    assert_eq!(told.of(Outcome::Accepted), 20);
    let campaign = rig(None).start_on(&ground, &csv).await;
    sleep(10 * MINUTE).await;
    campaign.signal(Signal::Drain).await;
    let told = campaign.end().await;
    assert_eq!(told.stop, Some(StopReason::Interrupted));
    let away = away_at_first(ground.tenant(), machines).len() as u64;
    assert_eq!(told.of(Outcome::NotAttempted), away);
    let told = rig(None).start_on(&ground, &csv).await.end().await;
    assert_eq!(told.of(Outcome::Accepted), machines);
    assert!(told.elapsed < 3 * HOUR, "{:?}", told.elapsed);
    told.assert_one_scan_each();
    let starts = starts(ground.tenant());
    let here = |id: &String| absence_at(ground.tenant(), id, starts[id]).is_none();
    assert!((1..=machines).map(machine).all(|id| here(&id)));
}

#[tokio::test(start_paused = true)]
async fn canaries_are_those_that_are_there() {
    let mock = tenant(100, 0.6, back_after(HOUR, 2 * HOUR));
    let rig = Rig {
        brakes: BrakeOptions {
            canary: Some(10),
            ..BrakeOptions::default()
        },
        ..deferring(mock)
    };
    let (ground, told) = run_on(rig, 100).await;
    assert_eq!(told.of(Outcome::Accepted), 100, "{:?}", told.stop);
    told.assert_one_scan_each();
    let spans = ground.tenant().scan_spans();
    let first = spans[..10].iter();
    assert!(
        first
            .clone()
            .all(|span| absence_at(ground.tenant(), &span.machine, span.began).is_none())
    );
}
