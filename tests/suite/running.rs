//! `--max-running`: the tenant's own record of when each scan began and ended is the judge. However often a campaign is
//! stopped, whatever answers are lost and however late the list shows what happened, no more of its scans are under way
//! at any instant than the operator allows.

/// Campaigns that are stopped and killed while much goes wrong.
mod interrupted;
/// Scans that begin hours after they were started.
mod late;
/// The options in the real program.
mod program;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use fleetsweep::{
    campaign::{
        brakes::BrakeOptions,
        outcome::Outcome,
        running::RunningLimits,
        stop::{Signal, StopReason},
    },
    mock::{Chances, Fault, Kind, MockConfig, Outage, QuotaConfig, Rule, ScanSpan, Shape},
    monitor::LastCall,
    quota::Quota,
};

use tokio::time::sleep;

use super::rig::{Ground, Rig, Told, fleet, machine, short_or_long};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

/// What the list of scans is read after at the latest while somebody waits, and the time of some answers.
const LOOK: Duration = Duration::from_secs(125);

fn limits(most: u64, per: &[&str]) -> RunningLimits {
    RunningLimits {
        most: (most > 0).then_some(most),
        per: per.iter().map(|text| text.parse().unwrap()).collect(),
        ..RunningLimits::default()
    }
}

fn limited(mock: MockConfig, running: RunningLimits) -> Rig {
    Rig {
        running,
        ..Rig::against(mock)
    }
}

/// Scans take exactly so long.
fn scans_of(time: Duration) -> MockConfig {
    MockConfig {
        scan_time: time..=time,
        ..MockConfig::default()
    }
}

/// A fleet whose machines stand at these sites, one after the other.
fn at_sites(sites: &[(&str, u64)]) -> String {
    let all = sites
        .iter()
        .flat_map(|&(site, machines)| (0..machines).map(move |_| site));
    let rows = (1..)
        .zip(all)
        .map(|(n, site)| format!("{},{site}", machine(n)));
    let rows: Vec<_> = std::iter::once("machine_id,Site".to_owned())
        .chain(rows)
        .collect();
    rows.join("\n") + "\n"
}

fn took(span: &ScanSpan) -> Duration {
    span.ends.saturating_sub(span.began)
}

/// The most scans that were under way at one instant.
fn most<'a>(spans: impl Iterator<Item = &'a ScanSpan>) -> usize {
    let mut changes: Vec<_> = spans
        .filter(|span| span.began < span.ends)
        .flat_map(|span| [(span.began, 1), (span.ends, -1)])
        .collect();
    // What ends in an instant is over in it.
    changes.sort_unstable();
    let mut under_way = 0_i64;
    let mut most = 0;
    for (_, change) in changes {
        under_way += change;
        most = most.max(under_way);
    }
    usize::try_from(most).unwrap()
}

/// The scans at each site of this input.
fn by_site<'a>(csv: &str, spans: &'a [ScanSpan]) -> BTreeMap<String, Vec<&'a ScanSpan>> {
    let site = |row: &str| {
        let (id, site) = row.split_once(',')?;
        Some((id.to_owned(), site.trim().to_lowercase()))
    };
    let sites: BTreeMap<_, _> = csv.lines().filter_map(site).collect();
    let mut by_site: BTreeMap<String, Vec<&ScanSpan>> = BTreeMap::new();
    for span in spans {
        let site = sites[&*span.machine].clone();
        by_site.entry(site).or_default().push(span);
    }
    by_site
}

/// The most that were under way at one instant at each site of this input.
fn most_by_site(csv: &str, spans: &[ScanSpan]) -> BTreeMap<String, usize> {
    let most = |(site, spans): (String, Vec<&ScanSpan>)| (site, most(spans.into_iter()));
    by_site(csv, spans).into_iter().map(most).collect()
}

#[track_caller]
fn assert_never_more(ground: &Ground, allowed: usize) {
    let spans = ground.tenant().scan_spans();
    let most = most(spans.iter());
    assert!(most <= allowed, "{most} were under way, {allowed} allowed");
}

/// How long the last of these machines waits at least, if so many scans of this time may be under way.
fn bound(machines: u64, places: u64, time: Duration) -> Duration {
    time * u32::try_from(machines.div_ceil(places) - 1).unwrap()
}

/// The campaign is within 2 % and one look for each scan of the bound.
#[track_caller]
fn assert_not_slow(told: &Told, machines: u64, places: u64, time: Duration) {
    let bound = bound(machines, places, time);
    let looks = LOOK * u32::try_from(machines.div_ceil(places)).unwrap();
    let allowed = bound.mul_f64(1.02) + looks;
    assert!(told.elapsed <= allowed, "{:?} of {allowed:?}", told.elapsed);
    assert!(
        told.elapsed >= bound,
        "{:?} is below {bound:?}",
        told.elapsed
    );
}

#[tokio::test(start_paused = true)]
async fn the_record_shows_it_where_nothing_limits_the_scans() {
    let ground = Arc::new(Rig::default().ground());
    let rig = Rig::against(scans_of(5 * MINUTE));
    rig.start_on(&ground, &fleet(60)).await.end().await;
    assert_eq!(most(ground.tenant().scan_spans().iter()), 60);
}

#[tokio::test(start_paused = true)]
async fn a_scan_is_started_when_one_has_ended() {
    for (time, looks_at_least) in [
        (MINUTE, 20 * SECOND),
        (5 * MINUTE, 29 * SECOND),
        (60 * MINUTE, 110 * SECOND),
    ] {
        let rig = || limited(scans_of(time), limits(20, &[]));
        let ground = Arc::new(rig().ground());
        let told = rig().start_on(&ground, &fleet(200)).await.end().await;
        assert_eq!(told.of(Outcome::Accepted), 200);
        assert_eq!(told.stop, None);
        assert_never_more(&ground, 20);
        assert_not_slow(&told, 200, 20, time);
        told.assert_one_scan_each();
        told.assert_never_over();
        let lists = told.tenant.recorder().seen(Kind::List);
        // The first listing comes before the first call, and the usual time of a scan is not known at once.
        for pair in lists
            .windows(2)
            .skip(usize::try_from(time.as_secs() / 30).unwrap() + 2)
        {
            let apart = pair[1].arrived.saturating_sub(pair[0].arrived);
            assert!(apart >= looks_at_least, "{apart:?} for scans of {time:?}");
        }
        assert!(
            told.waits.iter().any(|what| what.contains("--max-running")),
            "{:?}",
            told.waits
        );
    }
}

/// The last scan of these starts after the time of all of them, divided by the places, and one look for each.
#[track_caller]
fn assert_within_the_bound(spans: &[&ScanSpan], places: u32) {
    let all: Duration = spans.iter().map(|span| took(span)).sum();
    let looks = LOOK * u32::try_from(spans.len()).unwrap();
    let allowed = (all.mul_f64(1.02) + looks) / places + MINUTE;
    let last = spans.iter().map(|span| span.began).max().unwrap();
    assert!(last <= allowed, "{last:?} of {allowed:?}");
}

/// Six fleets, with limits of either kind; twenty in the long form.
#[tokio::test(start_paused = true)]
async fn scans_that_take_their_time_and_a_list_that_lags_cost_a_look_for_each_scan() {
    for seed in 1..=short_or_long(6, 20) {
        let mut rng = fastrand::Rng::with_seed(seed);
        let sites = [("a", rng.u64(1..80)), ("b", rng.u64(1..40)), ("c", 10)];
        let (csv, places) = (at_sites(&sites), rng.u32(1..9));
        let is_per_site = rng.bool();
        let rig = || {
            let running = if is_per_site {
                limits(0, &[&format!("Site={places}")])
            } else {
                limits(places.into(), &[])
            };
            let mock = MockConfig {
                seed,
                latency: (Duration::ZERO..=5 * SECOND).into(),
                listing_lag: Duration::ZERO..=5 * SECOND,
                scan_time: MINUTE..=40 * MINUTE,
                ..MockConfig::default()
            };
            limited(mock, running)
        };
        let ground = Arc::new(rig().ground());
        let told = rig().start_on(&ground, &csv).await.end().await;
        assert_eq!(told.stop, None);
        told.assert_one_scan_each();
        let spans = ground.tenant().scan_spans();
        if is_per_site {
            for (site, spans) in by_site(&csv, &spans) {
                assert!(most(spans.iter().copied()) <= places as usize, "{site}");
                assert_within_the_bound(&spans, places);
            }
        } else {
            assert!(most(spans.iter()) <= places as usize);
            assert_within_the_bound(&spans.iter().collect::<Vec<_>>(), places);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn each_site_has_its_own_places_and_none_waits_for_another() {
    // The large site comes first in the input; the others go beside it, and in the time that it takes.
    let csv = at_sites(&[("Hamburg", 100), ("Ulm", 60), (" HAMBURG", 20), ("", 30)]);
    let rig = || limited(scans_of(5 * MINUTE), limits(0, &["site=4"]));
    let ground = Arc::new(rig().ground());
    let told = rig().start_on(&ground, &csv).await.end().await;
    assert_eq!(told.of(Outcome::Accepted), 210);
    let by_site = most_by_site(&csv, &ground.tenant().scan_spans());
    let expected =
        [("", 4), ("hamburg", 4), ("ulm", 4)].map(|(site, most)| (site.to_owned(), most));
    assert_eq!(by_site, BTreeMap::from(expected));
    assert_not_slow(&told, 120, 4, 5 * MINUTE);
    told.assert_one_scan_each();
    let blank = told
        .notes
        .iter()
        .filter(|note| note.contains("without a value there"));
    assert_eq!(blank.count(), 1, "{:?}", told.notes);
}

#[tokio::test(start_paused = true)]
async fn both_limits_hold_together() {
    let csv = at_sites(&[("a", 40), ("b", 40), ("c", 4)]);
    let rig = || limited(scans_of(5 * MINUTE), limits(5, &["Site=3"]));
    let ground = Arc::new(rig().ground());
    let told = rig().start_on(&ground, &csv).await.end().await;
    assert_eq!(told.of(Outcome::Accepted), 84);
    assert_never_more(&ground, 5);
    for (site, most) in most_by_site(&csv, &ground.tenant().scan_spans()) {
        assert!(most <= 3, "{most} at {site}");
    }
    told.assert_one_scan_each();
}

#[tokio::test(start_paused = true)]
async fn more_machines_than_are_kept_in_memory_can_be_set_aside() {
    // The state is read again for those of which only the number was kept.
    let csv = at_sites(&[("a", 6000), ("b", 40)]);
    let rig = || Rig {
        quota: Quota::new(vec!["100000/1s".parse().unwrap()]),
        ..limited(
            MockConfig {
                quota: QuotaConfig {
                    limits: Vec::new(),
                    ..QuotaConfig::default()
                },
                ..scans_of(MINUTE)
            },
            limits(0, &["Site=500"]),
        )
    };
    let ground = Arc::new(rig().ground());
    let told = rig().start_on(&ground, &csv).await.end().await;
    assert_eq!(told.of(Outcome::Accepted), 6040, "{:?}", told.tally);
    let by_site = most_by_site(&csv, &ground.tenant().scan_spans());
    assert!(by_site["a"] <= 500, "{by_site:?}");
    assert_not_slow(&told, 6000, 500, MINUTE);
    // Nobody of the other site has waited for them.
    let spans = ground.tenant().scan_spans();
    let others = spans.iter().filter(|span| span.machine.ends_with("1797"));
    assert!(
        others
            .max_by_key(|span| span.began)
            .is_some_and(|span| span.began < MINUTE)
    );
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_is_switched_off_frees_its_place_after_the_timeout_and_that_is_said() {
    let mock = || MockConfig {
        chances: Chances {
            offline: 0.3,
            ..Chances::default()
        },
        ..scans_of(5 * MINUTE)
    };
    let running = || RunningLimits {
        timeout: 40 * MINUTE,
        ..limits(5, &[])
    };
    let ground = Arc::new(limited(mock(), running()).ground());
    let rig = limited(mock(), running());
    let told = rig.start_on(&ground, &fleet(100)).await.end().await;
    assert_eq!(told.of(Outcome::Accepted), 100);
    let mut spans = ground.tenant().scan_spans();
    let off = spans.iter().filter(|span| took(span) > 5 * MINUTE);
    assert!(off.count() > 10, "the seed has machines that are off");
    assert!(most(spans.iter()) > 5, "places were freed");
    // Up to its timeout each of them counts.
    for span in &mut spans {
        span.ends = span.ends.min(span.began + 40 * MINUTE);
    }
    assert_eq!(most(spans.iter()), 5);
    let said = told
        .notes
        .iter()
        .filter(|note| note.contains("did not begin within 40 min"));
    assert!(said.count() >= 1, "{:?}", told.notes);
}

const FORBIDDEN: &str =
    r#"{"error":{"code":"Forbidden","message":"Missing application roles","target":"c"}}"#;

const GONE: &str =
    r#"{"error":{"code":"NotFound","message":"There is nothing here","target":"c"}}"#;

#[track_caller]
fn why(told: &Told) -> &str {
    match &told.stop {
        Some(StopReason::Tenant(why)) => why,
        stop => panic!("{stop:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn where_the_list_cannot_be_read_nothing_is_started_and_the_role_is_named() {
    let mock = MockConfig {
        faults: vec![Rule::new(Fault::Status(403, FORBIDDEN.into())).kind(Kind::List)],
        ..scans_of(MINUTE)
    };
    let told = limited(mock, limits(5, &[])).run(&fleet(30)).await;
    for words in ["Machine.Read.All", "--max-running", "nothing was sent"] {
        assert!(why(&told).contains(words), "{}", why(&told));
    }
    assert_eq!(told.tenant.recorder().calls(Kind::Start), 0);
    assert_eq!(told.of(Outcome::NotAttempted), 30);
}

#[tokio::test(start_paused = true)]
async fn where_the_list_can_be_read_no_longer_the_limit_is_kept_and_the_campaign_stops() {
    for fault in [
        Fault::Status(403, FORBIDDEN.into()),
        Fault::Status(404, GONE.into()),
    ] {
        let mock = MockConfig {
            faults: vec![
                Rule::new(fault)
                    .kind(Kind::List)
                    .during(90 * SECOND..600 * MINUTE),
            ],
            ..scans_of(MINUTE)
        };
        let rig = || limited(mock.clone(), limits(5, &[]));
        let ground = Arc::new(rig().ground());
        let told = rig().start_on(&ground, &fleet(60)).await.end().await;
        assert!(why(&told).contains("--max-running"), "{}", why(&told));
        assert!(!why(&told).contains("nothing was sent"), "{}", why(&told));
        assert_never_more(&ground, 5);
        assert!(told.of(Outcome::NotAttempted) > 0);
    }
}

#[tokio::test(start_paused = true)]
async fn scans_of_an_earlier_run_count_before_the_first_call_of_the_next() {
    let rig = |most| limited(scans_of(20 * MINUTE), limits(most, &[]));
    let ground = Arc::new(rig(0).ground());
    let csv = fleet(100);
    // A run without a limit starts thirty and is killed.
    let first = Rig {
        brakes: BrakeOptions {
            max_machines: Some(30),
            ..BrakeOptions::default()
        },
        ..rig(0)
    };
    first.start_on(&ground, &csv).await.end().await;
    let told = rig(8).start_on(&ground, &csv).await.end().await;
    assert_eq!(told.of(Outcome::Accepted), 100);
    let spans = ground.tenant().scan_spans();
    assert_eq!(most(spans[..30].iter()), 30);
    // None of the second run began before the first run's had ended, and then no more than allowed.
    let last = spans[..30].iter().map(|span| span.ends).max().unwrap();
    assert!(spans[30..].iter().all(|span| span.began >= last));
    assert_eq!(most(spans[30..].iter()), 8);
    let said = told
        .notes
        .iter()
        .any(|note| note.contains("30 scans of this campaign may still be under way"));
    assert!(said, "{:?}", told.notes);
}

#[tokio::test(start_paused = true)]
async fn the_state_keeps_how_scans_have_ended() {
    let rig = || limited(scans_of(MINUTE), limits(10, &[]));
    let told = rig().run(&fleet(60)).await;
    let ended = (1..=60).filter(|&row| told.cell(row, "action_status") == "Succeeded");
    assert!(ended.count() >= 50, "all but the last ones");
}

#[tokio::test(start_paused = true)]
async fn canaries_keep_to_the_limit() {
    let rig = || Rig {
        brakes: BrakeOptions {
            canary: Some(12),
            ..BrakeOptions::default()
        },
        ..limited(scans_of(5 * MINUTE), limits(4, &[]))
    };
    let ground = Arc::new(rig().ground());
    let told = rig().start_on(&ground, &fleet(40)).await.end().await;
    assert_eq!(told.of(Outcome::Accepted), 40, "{:?}", told.stop);
    assert_never_more(&ground, 4);
    assert_not_slow(&told, 40, 4, 5 * MINUTE);
}

#[tokio::test(start_paused = true)]
async fn scans_of_others_do_not_count() {
    let rig = || limited(scans_of(60 * MINUTE), limits(10, &[]));
    let ground = Arc::new(rig().ground());
    for n in 101..=200 {
        ground.tenant().start_elsewhere(&machine(n), "patch day");
    }
    let told = rig().start_on(&ground, &fleet(10)).await.end().await;
    assert_eq!(told.of(Outcome::Accepted), 10);
    assert!(told.elapsed < MINUTE, "{:?}", told.elapsed);
}

#[tokio::test(start_paused = true)]
async fn machines_that_are_set_aside_count_towards_max_machines_only_when_they_are_sent_to() {
    let csv = at_sites(&[("a", 40), ("b", 40)]);
    let rig = |max_machines| Rig {
        brakes: BrakeOptions {
            max_machines,
            ..BrakeOptions::default()
        },
        ..limited(scans_of(MINUTE), limits(0, &["Site=3"]))
    };
    let ground = Arc::new(rig(None).ground());
    let told = rig(Some(30)).start_on(&ground, &csv).await.end().await;
    assert!(
        matches!(told.stop, Some(StopReason::Brake(_))),
        "{:?}",
        told.stop
    );
    assert_eq!(told.of(Outcome::Accepted), 30);
    let told = rig(None).start_on(&ground, &csv).await.end().await;
    assert_eq!(told.of(Outcome::Accepted), 80);
    told.assert_one_scan_each();
    for (site, most) in most_by_site(&csv, &ground.tenant().scan_spans()) {
        assert!(most <= 3, "{most} at {site}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_call_is_not_forecast_while_it_depends_on_the_scans() {
    let told = limited(scans_of(10 * MINUTE), limits(5, &[]))
        .run(&fleet(30))
        .await;
    let late = told
        .forecasts
        .iter()
        .filter(|(at, _)| *at > MINUTE && *at < 40 * MINUTE);
    let mut late = late.map(|(_, last)| last).peekable();
    assert!(late.peek().is_some());
    assert!(late.all(|last| matches!(last, LastCall::NotKnown)));
}

#[tokio::test(start_paused = true)]
async fn nobody_is_forgotten_whose_attempt_did_not_go_out_in_an_earlier_run() {
    let csv = at_sites(&[("a", 8000)]);
    let mock = || MockConfig {
        quota: QuotaConfig {
            limits: Vec::new(),
            ..QuotaConfig::default()
        },
        outages: vec![Outage::of_everything(MINUTE, 4 * MINUTE, Shape::Refused)],
        ..scans_of(30 * MINUTE)
    };
    let quota = || Quota::new(vec!["2000/1m".parse().unwrap()]);
    let first = Rig {
        quota: quota(),
        ..Rig::against(mock())
    };
    let ground = Arc::new(first.ground());
    let campaign = first.start_on(&ground, &csv).await;
    sleep(2 * MINUTE).await;
    campaign.signal(Signal::Drain).await;
    let told = campaign.end().await;
    assert!(told.of(Outcome::NotAttempted) > 0);
    // Its scans fill the places of the next run, which sets a whole page of machines aside at once.
    sleep(5 * MINUTE).await;
    let second = Rig {
        quota: quota(),
        ..limited(mock(), limits(0, &["Site=500"]))
    };
    let told = second.start_on(&ground, &csv).await.end().await;
    assert_eq!(told.stop, None);
    assert_eq!(told.of(Outcome::NotAttempted), 0);
    told.assert_one_scan_each();
}
