//! `--when-offline defer` beside the options that decide how many may go, and when.

use std::{future::Future, pin::Pin};

use fleetsweep::{
    campaign::{engine::canary_gate::Confirm, running::RunningLimits},
    store::Store,
};

use super::*;

/// Says yes, after a while.
struct Slow(Duration);

impl Confirm for Slow {
    fn ask(&self, _: &str) -> Pin<Box<dyn Future<Output = bool> + Send>> {
        let after = self.0;
        Box::pin(async move {
            sleep(after).await;
            true
        })
    }
}

/// Machines of which most are away for longer than any of these campaigns.
fn hardly_any_there(machines: u64) -> MockConfig {
    tenant(machines, 0.9, back_after(100 * HOUR, 200 * HOUR))
}

fn with_limit(most: u64) -> RunningLimits {
    RunningLimits {
        most: Some(most),
        ..RunningLimits::default()
    }
}

/// The times of all starts, the first one first.
fn in_order(tenant: &Tenant) -> Vec<Duration> {
    let mut times: Vec<_> = starts(tenant).into_values().collect();
    times.sort_unstable();
    times
}

#[tokio::test(start_paused = true)]
async fn where_canaries_are_missing_those_that_are_away_are_tried_early_enough_to_be_judged() {
    let mock = hardly_any_there(60);
    let (end, judging) = (10 * HOUR, 20 * MINUTE);
    let brakes = BrakeOptions {
        canary: Some(20),
        ..not_after(&mock, end)
    };
    let rig = Rig {
        brakes,
        asker: Some(Arc::new(Slow(judging))),
        ..deferring(mock)
    };
    let (ground, told) = run_on(rig, 60).await;
    assert_eq!(told.stop, None, "{:?}", told.notes);
    assert_eq!(told.of(Outcome::Accepted), 60);
    told.assert_one_scan_each();
    let times = in_order(ground.tenant());
    // The twentieth is judged before the next one goes.
    assert!(times[20] >= times[19] + judging, "{times:?}");
    // Nobody goes much earlier than has to be, and the rest no earlier than without canaries.
    let there = 60 - away_at_first(ground.tenant(), 60).len();
    assert!(there < 20 && times[there] + 2 * HOUR >= end, "{times:?}");
    assert!(times[20] + 10 * MINUTE >= end, "{times:?}");
}

/// While canaries are on their way, or the window is closed, nobody else may go. That does not mean that nobody is
/// left.
#[tokio::test(start_paused = true)]
async fn nobody_who_is_away_goes_before_those_that_are_there_while_canaries_or_the_window_hold_them()
 {
    for hours in [None, Some("02:00-12:00@UTC")] {
        let mock = tenant(84, 0.3, back_after(100 * HOUR, 200 * HOUR));
        let mut brakes = BrakeOptions {
            canary: Some(5),
            ..not_after(&mock, 11 * HOUR)
        };
        brakes.times.hours = hours.map(|hours| hours.parse().unwrap());
        let rig = Rig {
            brakes,
            running: with_limit(4),
            asker: Some(Arc::new(Slow(20 * MINUTE))),
            ..deferring(mock)
        };
        let (ground, told) = run_on(rig, 84).await;
        told.assert_one_scan_each();
        let away = away_at_first(ground.tenant(), 84);
        assert!(away.len() > 15, "{}", away.len());
        let times = starts(ground.tenant());
        let is_there = |id: &&String| !away.contains(*id);
        assert_eq!(
            times.keys().filter(is_there).count(),
            84 - away.len(),
            "{:?}",
            told.notes
        );
        let last = times
            .iter()
            .filter(|(id, _)| is_there(id))
            .map(|(_, at)| *at)
            .max();
        let first = times
            .iter()
            .filter(|(id, _)| away.contains(*id))
            .map(|(_, at)| *at)
            .min();
        assert!(
            first.is_none() || first >= last,
            "{first:?} {last:?} {:?}",
            told.notes
        );
    }
}

#[tokio::test(start_paused = true)]
async fn canaries_that_come_back_are_judged_and_the_others_go_as_they_come() {
    let mock = tenant(60, 0.9, back_after(HOUR, 20 * HOUR));
    let brakes = BrakeOptions {
        canary: Some(20),
        ..not_after(&mock, 40 * HOUR)
    };
    let rig = Rig {
        brakes,
        asker: Some(Arc::new(Slow(20 * MINUTE))),
        ..deferring(mock)
    };
    let (ground, told) = run_on(rig, 60).await;
    assert_eq!(told.of(Outcome::Accepted), 60, "{:?}", told.stop);
    let here = |(id, at): (&String, &Duration)| absence_at(ground.tenant(), id, *at).is_none();
    assert!(starts(ground.tenant()).iter().all(here));
    let times = in_order(ground.tenant());
    assert!(times[20] >= times[19] + 20 * MINUTE && times[59] < 21 * HOUR);
}

#[tokio::test(start_paused = true)]
async fn a_look_may_take_as_long_as_the_first_listing() {
    let mut mock = tenant(60, 0.5, back_after(HOUR, 3 * HOUR));
    let slow = Rule::new(Fault::Delay(100 * SECOND)).kind(Kind::Machines);
    mock.faults.push(slow.during(MINUTE..100 * HOUR));
    let rig = Rig {
        brakes: not_after(&mock, 20 * HOUR),
        ..deferring(mock)
    };
    let (ground, told) = run_on(rig, 60).await;
    assert_eq!(told.of(Outcome::Accepted), 60);
    let late = starts(ground.tenant()).into_values().max().unwrap();
    assert!(late < 4 * HOUR, "{late:?} {:?}", told.notes);
}

#[tokio::test(start_paused = true)]
async fn the_rest_goes_so_early_that_each_finds_a_place_before_the_end() {
    let mock = hardly_any_there(60);
    let end = 24 * HOUR;
    let rig = Rig {
        brakes: not_after(&mock, end),
        running: with_limit(12),
        ..deferring(mock)
    };
    let (ground, told) = run_on(rig, 60).await;
    assert_eq!(told.stop, None, "{:?}", told.notes);
    assert_eq!(told.of(Outcome::Accepted), 60);
    told.assert_one_scan_each();
    let away = away_at_first(ground.tenant(), 60);
    assert!(away.len() > 48, "{}", away.len());
    let times = starts(ground.tenant());
    // Four times a scan that never begins keeps its place for two hours.
    let first = away.iter().map(|id| times[id]).min().unwrap();
    assert!(first + 9 * HOUR >= end, "{first:?}");
    // Whoever waits to be seen keeps no place.
    let mut all = in_order(ground.tenant());
    all.retain(|at| *at >= first);
    for many in all.windows(13) {
        assert!(many[12] >= many[0] + 2 * HOUR, "{all:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_is_started_within_the_window_and_the_rest_in_the_last_one_before_the_end() {
    let mock = tenant(60, 0.7, back_after(2 * HOUR, 60 * HOUR));
    // The tenant starts at midnight, and the deadline is noon of the next day.
    let mut brakes = not_after(&mock, 36 * HOUR);
    brakes.times.hours = Some("22:00-06:00@UTC".parse().unwrap());
    let rig = Rig {
        brakes,
        running: with_limit(20),
        ..deferring(mock)
    };
    let (ground, told) = run_on(rig, 60).await;
    assert_eq!(told.stop, None, "{:?}", told.notes);
    assert_eq!(told.of(Outcome::Accepted), 60);
    told.assert_one_scan_each();
    for at in in_order(ground.tenant()) {
        let hour = at.as_secs() / 3600 % 24;
        assert!(!(6..22).contains(&hour) && at < 30 * HOUR, "{at:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_state_knows_how_many_are_away_while_a_run_is_at_work_and_after_it_was_killed() {
    let mock = tenant(60, 0.6, back_after(2 * HOUR, 20 * HOUR));
    let rig = || Rig {
        brakes: not_after(&mock, 40 * HOUR),
        ..deferring(mock.clone())
    };
    let ground = Arc::new(rig().ground());
    let noted = || {
        Store::open_read_only(&ground.state())
            .unwrap()
            .away()
            .unwrap()
    };
    let away = || {
        let tenant = ground.tenant();
        let looks = listings(tenant);
        let shown = |id: &String| looks.iter().any(|at| is_shown(tenant, id, *at, 24 * HOUR));
        let all = away_at_first(tenant, 60);
        all.iter().filter(|id| !shown(id)).count() as u64
    };
    let csv = fleet(60);
    let campaign = rig().start_on(&ground, &csv).await;
    // Between two looks.
    sleep(7 * MINUTE).await;
    let mut last = 61;
    for _ in 0..10 {
        sleep(HOUR).await;
        let count = away();
        assert_eq!(noted().map(|note| note.machines), Some(count));
        assert!(count <= last);
        last = count;
    }
    assert!((1..36).contains(&last), "{last}");
    campaign.kill().await;
    assert_eq!(noted().map(|note| note.machines), Some(last));
    let told = rig().start_on(&ground, &csv).await.end().await;
    assert_eq!(told.of(Outcome::Accepted), 60);
    assert_eq!(noted(), None);
}
