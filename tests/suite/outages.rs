//! Outages over whole campaigns, in virtual time: no machine pays for them, and the campaign takes as long as it must.
//!
//! The suite has a short form. The long form is
//!
//! ```text
//! FLEETSWEEP_OUTAGES=all cargo test --test suite outages -- --nocapture
//! ```
//!
//! A number in the place of `all` runs that case alone.

use std::time::Duration;

use fleetsweep::{
    campaign::{outcome::Outcome, stop::StopReason},
    mock::{Affects, Chances, Kind, MockConfig, Moving, Outage, Shape, SignIn},
};
use proptest::prelude::*;

use super::{
    campaign_quota::in_virtual_time,
    rig::{Rig, fleet, machine},
};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// How long one is.
const LENGTHS: [Duration; 3] = [
    Duration::from_secs(10),
    Duration::from_mins(5),
    Duration::from_hours(6),
];

/// Where in the campaign it begins.
const PLACES: [f64; 3] = [0.0, 0.5, 0.97];

/// How many machines a fleet has. Of the largest one the short form has a third, which is three windows of an hour,
/// where the outage begins in the middle; else a sixth, which is more than one window.
fn machines(fleet: usize, place: usize) -> u64 {
    match (fleet, is_long_form(), place) {
        (0, ..) => 10,
        (1, ..) => 500,
        (_, true, _) => 10_000,
        (_, false, 1) => 3_100,
        (_, false, _) => 1_600,
    }
}

fn is_long_form() -> bool {
    std::env::var_os("FLEETSWEEP_OUTAGES").is_some()
}

/// Which machine is poison: by its place in the fleet, or none.
const POISON: [Option<f64>; 4] = [None, Some(0.0), Some(0.5), Some(1.0)];

fn shapes() -> [Shape; 4] {
    [
        Shape::Refused,
        Shape::TimesOut,
        Shape::Unavailable {
            retry_after: None,
            empty: false,
        },
        Shape::Page { status: 502 },
    ]
}

/// How long a fleet takes at least.
fn bound(machines: u64) -> Duration {
    let hours = (machines - 1) / 1500;
    let minutes = (machines - 1) % 1500 / 100;
    HOUR * u32::try_from(hours).unwrap() + MINUTE * u32::try_from(minutes).unwrap()
}

#[derive(Debug, Clone)]
struct Case {
    /// Its number among all, by which a failure says that it can be run alone.
    #[expect(dead_code, reason = "it is told by `Debug`")]
    number: usize,
    length: Duration,
    place: f64,
    machines: u64,
    shape: Shape,
    affects: Affects,
    poison: Option<u64>,
}

impl Case {
    fn of(
        length: usize,
        place: usize,
        fleet: usize,
        shape: usize,
        poison: usize,
        starts: bool,
    ) -> Self {
        let machines = machines(fleet, place);
        let number = length
            + 3 * (place + 3 * (fleet + 3 * (shape + 4 * (poison + 4 * usize::from(starts)))));
        let shape = shapes()[shape].clone();
        // Nobody's list is answered while starts find no connection.
        let starts = starts && shape != Shape::Refused;
        let at = |share: f64| {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss,
                reason = "a place in a fleet"
            )]
            let n = (share * (machines - 1) as f64) as u64;
            n + 1
        };
        Self {
            number,
            length: LENGTHS[length],
            place: PLACES[place],
            machines,
            shape,
            affects: if starts {
                Affects::Starts
            } else {
                Affects::Everything
            },
            poison: POISON[poison].map(at),
        }
    }

    /// Every fifth pair or so of all that there are.
    fn short() -> Vec<Self> {
        let case = |n: usize| {
            Self::of(
                n % 3,
                n / 3 % 3,
                (n + n / 3 + n / 9) % 3,
                (n + n / 4) % 4,
                (n * 3 / 2) % 4,
                n % 5 == 1,
            )
        };
        let mut cases: Vec<_> = (0..9).map(case).collect();
        // One that failed before the outage, in which all the others fail that are left, is due again before them each
        // time.
        cases.push(Self::of(1, 2, 1, 1, 1, false));
        // All that are left are on their way when starts alone are down for hours.
        cases.push(Self::of(2, 1, 0, 1, 0, true));
        cases
    }

    fn all() -> Vec<Self> {
        let mut cases = Vec::new();
        for n in 0..3 * 3 * 3 * 4 * 4 * 2 {
            cases.push(Self::of(
                n % 3,
                n / 3 % 3,
                n / 9 % 3,
                n / 27 % 4,
                n / 108 % 4,
                n / 432 == 1,
            ));
        }
        cases
    }

    async fn run(self) {
        let from = bound(self.machines).mul_f64(self.place) + Duration::from_millis(100);
        let from = if self.place == 0.0 {
            Duration::ZERO
        } else {
            from
        };
        let outage = Outage {
            from,
            until: from + self.length,
            shape: self.shape.clone(),
            affects: self.affects,
        };
        let poison = self.poison.map(machine);
        let rig = Rig::against(MockConfig {
            outages: vec![outage],
            poison: poison.into_iter().collect(),
            latency: (50 * SECOND / 1000..=300 * SECOND / 1000).into(),
            ..MockConfig::default()
        });
        let timeout = rig.timeout;
        let told = rig.run(&fleet(self.machines)).await;
        assert_eq!(told.stop, None, "{self:?}");
        let poisoned = u64::from(self.poison.is_some());
        assert_eq!(
            (told.of(Outcome::Failed), told.of(Outcome::Accepted)),
            (poisoned, self.machines - poisoned),
            "{self:?}: {:?}",
            told.tally
        );
        told.assert_one_scan_each();
        told.assert_never_over();
        // A poison machine's tries are spread over ten minutes at least, each looked up.
        let slack = if self.poison.is_some() {
            16 * MINUTE
        } else {
            Duration::ZERO
        };
        let most =
            told.lower_bound.mul_f64(1.01) + self.length + MINUTE + 2 * timeout + MINUTE + slack;
        assert!(
            told.elapsed <= most,
            "{self:?}: {:?} where {most:?} is allowed; said: {:#?}",
            told.elapsed,
            told.notes
        );
    }
}

#[tokio::test(start_paused = true)]
async fn no_machine_pays_for_an_outage_and_no_time_is_lost_but_its_own() {
    let cases = match std::env::var("FLEETSWEEP_OUTAGES").as_deref() {
        Ok("all") => Case::all(),
        Ok(one) => {
            let n: usize = one.parse().expect("`all`, or the number of a case");
            vec![Case::all().swap_remove(n)]
        }
        Err(_) => Case::short(),
    };
    for case in cases {
        case.run().await;
    }
}

fn page(status: u16, from: Duration, until: Duration) -> MockConfig {
    MockConfig {
        outages: vec![Outage::of_everything(from, until, Shape::Page { status })],
        latency: (SECOND / 10..=SECOND / 5).into(),
        ..MockConfig::default()
    }
}

#[tokio::test(start_paused = true)]
async fn a_portal_hears_few_tokens_before_a_run_stops_at_its_start() {
    for status in [200, 302, 403, 404, 407] {
        let told = Rig::against(page(status, Duration::ZERO, HOUR))
            .run(&fleet(500))
            .await;
        assert!(
            matches!(told.stop, Some(StopReason::Tenant(_))),
            "{status}: {:?}",
            told.stop
        );
        assert!(told.elapsed < 30 * SECOND, "{status}: {:?}", told.elapsed);
        let recorder = told.tenant.recorder();
        let heard =
            recorder.turned_away(Kind::Start).len() + recorder.turned_away(Kind::List).len();
        assert!(heard <= 5, "{status}: {heard} calls");
        assert_eq!(recorder.scans(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_portal_in_mid_campaign_is_waited_for_and_hears_one_token_a_look() {
    let rig = Rig::against(page(200, 150 * SECOND, 10 * MINUTE));
    let told = rig.run(&fleet(500)).await;
    assert_eq!(told.stop, None);
    assert_eq!(told.of(Outcome::Accepted), 500);
    told.assert_one_scan_each();
    let looks = told.tenant.recorder().turned_away(Kind::List);
    assert!(
        looks.windows(2).all(|two| two[1] >= two[0] + SECOND),
        "{looks:?}"
    );

    let rig = Rig::against(page(200, 150 * SECOND, 20 * HOUR));
    let told = rig.run(&fleet(500)).await;
    assert!(
        matches!(told.stop, Some(StopReason::Tenant(_))),
        "{:?}",
        told.stop
    );
    assert_eq!(told.of(Outcome::Failed), 0);
    assert!(
        told.elapsed > 17 * MINUTE && told.elapsed < 20 * MINUTE,
        "{:?}",
        told.elapsed
    );
    let recorder = told.tenant.recorder();
    assert!(recorder.turned_away(Kind::List).len() <= 25);
}

#[tokio::test(start_paused = true)]
async fn a_restricted_machine_does_not_stop_the_fleet_and_a_revoked_consent_does() {
    let restricted: Vec<_> = (1..=30).chain([77, 500]).map(machine).collect();
    let told = Rig::against(MockConfig {
        restricted: restricted.clone(),
        latency: (SECOND / 10..=SECOND / 5).into(),
        ..MockConfig::default()
    })
    .run(&fleet(500))
    .await;
    assert_eq!(told.stop, None);
    assert_eq!(
        (told.of(Outcome::Refused), told.of(Outcome::Accepted)),
        (32, 468)
    );
    told.assert_one_scan_each();

    for words in [
        fleetsweep::mock::ForbidWords::Roles,
        fleetsweep::mock::ForbidWords::Plain,
    ] {
        let told = Rig::against(MockConfig {
            forbid_starts_from: Some(90 * SECOND),
            forbid_words: words,
            latency: (SECOND / 10..=SECOND / 5).into(),
            ..MockConfig::default()
        })
        .run(&fleet(500))
        .await;
        assert!(
            matches!(told.stop, Some(StopReason::Tenant(_))),
            "{:?}",
            told.stop
        );
        assert!(told.of(Outcome::Accepted) >= 200);
        assert!(told.of(Outcome::Refused) <= 1, "{:?}", told.tally);
    }
}

/// What a killed run, and another process, know of calls that found no connection.
#[tokio::test(start_paused = true)]
async fn calls_that_found_no_connection_cost_no_quota_after_a_restart_either() {
    let rig = || Rig {
        ledger: true,
        ..Rig::against(MockConfig {
            outages: vec![Outage::of_everything(
                30 * SECOND,
                20 * MINUTE,
                Shape::Refused,
            )],
            latency: (SECOND / 10..=SECOND / 5).into(),
            ..MockConfig::default()
        })
    };
    let ground = std::sync::Arc::new(rig().ground());
    let csv = fleet(300);
    for kill_after in [5 * MINUTE, 7 * MINUTE, 4 * MINUTE] {
        let running = rig().start_on(&ground, &csv).await;
        tokio::time::sleep(kill_after).await;
        assert!(!running.is_over());
        running.kill().await;
    }
    let told = rig().start_on(&ground, &csv).await.end().await;
    assert_eq!(told.stop, None);
    assert_eq!(told.of(Outcome::Accepted), 300);
    told.assert_one_scan_each();
    told.assert_never_over();
    let seen = ground.tenant().recorder().seen(Kind::Start);
    let after = seen
        .iter()
        .map(|call| call.arrived)
        .filter(|at| *at > MINUTE);
    let (first, last) = (after.clone().min().unwrap(), after.max().unwrap());
    assert!(first <= 21 * MINUTE + 5 * SECOND, "{first:?}");
    assert!(
        last <= first + MINUTE + 20 * SECOND,
        "{first:?} to {last:?}"
    );
}

fn lossless() -> MockConfig {
    MockConfig {
        latency: (SECOND / 10..=SECOND / 5).into(),
        ..MockConfig::default()
    }
}

#[tokio::test(start_paused = true)]
async fn machines_that_are_never_answered_fail_however_many_stand_together() {
    // Few, because the list of all scans is read at each look of the day that the last ones are waited for.
    let machines = if is_long_form() { 300 } else { 60 };
    for poison in [3, 5, 8] {
        for first in [1, machines / 2, machines - poison + 1] {
            let told = Rig::against(MockConfig {
                poison: (first..first + poison).map(machine).collect(),
                ..lossless()
            })
            .run(&fleet(machines))
            .await;
            assert_eq!(told.stop, None, "{poison} from {first}");
            assert_eq!(
                (told.of(Outcome::Failed), told.of(Outcome::Accepted)),
                (poison, machines - poison),
                "{poison} from {first}"
            );
            // At the end nobody is left who tells that it is no outage of all starts, which is waited for.
            let most = if first > machines / 2 && poison > 3 {
                26
            } else {
                2
            };
            assert!(
                told.elapsed < most * HOUR,
                "{poison} from {first}: {:?}",
                told.elapsed
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_outage_of_starts_is_nobodys_fault_either() {
    let page = || Shape::Page { status: 502 };
    for gap in (0..=150).step_by(10) {
        // All that are left are on their way when the first one begins; some are answered between the two.
        let first = Outage::of_starts(SECOND / 10, 60 * SECOND, page());
        let second = Outage::of_starts(SECOND * (61 + gap), 11 * MINUTE, page());
        let rig = Rig {
            policy: fleetsweep::campaign::retry::Policy {
                max_attempts: 1,
                ..fleetsweep::campaign::retry::Policy::default()
            },
            ..Rig::against(MockConfig {
                outages: vec![first, second],
                ..lossless()
            })
        };
        let told = rig.run(&fleet(40)).await;
        // The last two have nobody beside them who would tell whose fault it is.
        let failed = told.of(Outcome::Failed);
        assert!(failed < 3, "{gap}: {:?}", told.tally);
        assert_eq!(told.of(Outcome::Accepted), 40 - failed);
        told.assert_one_scan_each();
    }
}

#[tokio::test(start_paused = true)]
async fn starts_that_alone_are_blocked_or_paced_cost_no_machine_anything() {
    let shapes = [
        Shape::Page { status: 403 },
        Shape::Unavailable {
            retry_after: Some("1".into()),
            empty: true,
        },
        Shape::Unavailable {
            retry_after: Some("soon".into()),
            empty: true,
        },
    ];
    for shape in shapes {
        let outage = Outage::of_starts(90 * SECOND, 100 * SECOND + 8 * MINUTE, shape.clone());
        let rig = Rig {
            policy: fleetsweep::campaign::retry::Policy {
                max_attempts: 2,
                ..fleetsweep::campaign::retry::Policy::default()
            },
            ..Rig::against(MockConfig {
                outages: vec![outage],
                ..lossless()
            })
        };
        let told = rig.run(&fleet(500)).await;
        assert_eq!(told.stop, None, "{shape:?}");
        assert_eq!(
            told.of(Outcome::Accepted),
            500,
            "{shape:?}: {:?}",
            told.tally
        );
        assert!(told.elapsed < 20 * MINUTE, "{shape:?}: {:?}", told.elapsed);
        let recorder = told.tenant.recorder();
        let starts = recorder.calls(Kind::Start) + recorder.turned_away(Kind::Start).len() as u64;
        // A minute's burst was on its way when it began.
        assert!(starts < 640, "{shape:?}: {starts}");
    }
    let blocked = Outage::of_starts(90 * SECOND, 20 * HOUR, Shape::Page { status: 403 });
    let told = Rig::against(MockConfig {
        outages: vec![blocked],
        ..lossless()
    })
    .run(&fleet(500))
    .await;
    assert!(
        matches!(told.stop, Some(StopReason::Tenant(_))),
        "{:?}",
        told.stop
    );
    assert_eq!(told.of(Outcome::Failed), 0);
    assert!(told.elapsed < 30 * MINUTE, "{:?}", told.elapsed);
}

#[tokio::test(start_paused = true)]
async fn a_machine_in_question_ends_though_a_listing_ended_the_last_of_the_others() {
    let told = Rig::against(MockConfig {
        restricted: vec![machine(1)],
        poison: vec![machine(2)],
        ..lossless()
    })
    .run(&fleet(2))
    .await;
    // Nothing was ever answered well: it may be the application's role.
    assert!(
        matches!(told.stop, Some(StopReason::Tenant(_))),
        "{:?}",
        told.stop
    );
    let told = Rig::against(MockConfig {
        restricted: vec![machine(9)],
        poison: vec![machine(10)],
        ..lossless()
    })
    .run(&fleet(10))
    .await;
    assert_eq!(told.stop, None);
    assert_eq!(
        (
            told.of(Outcome::Refused),
            told.of(Outcome::Failed),
            told.of(Outcome::Accepted)
        ),
        (1, 1, 8)
    );
}

#[tokio::test(start_paused = true)]
async fn an_application_that_may_not_list_loses_few_machines_to_an_outage() {
    let told = Rig::against(MockConfig {
        sign_in: fleetsweep::mock::SignIn {
            roles: vec!["Machine.Scan".into()],
            ..fleetsweep::mock::SignIn::default()
        },
        outages: vec![Outage::of_everything(
            90 * SECOND,
            6 * HOUR,
            Shape::Page { status: 502 },
        )],
        ..lossless()
    })
    .run(&fleet(500))
    .await;
    assert_eq!(told.stop, None);
    assert_eq!(told.of(Outcome::Failed), 0);
    assert!(told.of(Outcome::Unsure) <= 100, "{:?}", told.tally);
    assert_eq!(told.of(Outcome::Unsure) + told.of(Outcome::Accepted), 500);
}

#[tokio::test(start_paused = true)]
async fn clamped_and_moving_pages_lead_to_no_second_scan() {
    for (page, arriving, seed) in [(1, 0, 1), (7, 0, 2), (7, 2, 5), (50, 9, 3), (9_999, 9, 4)] {
        let told = Rig::against(MockConfig {
            seed,
            page_limit: Some(page),
            moving: Moving {
                arriving,
                ..Moving::default()
            },
            listing_lag: Duration::ZERO..=20 * SECOND,
            chances: Chances {
                reset_after: 0.1,
                error_after: 0.1,
                ..Chances::default()
            },
            ..lossless()
        })
        .run(&fleet(120))
        .await;
        assert_eq!(told.stop, None, "{page}");
        // A list that is read a row a call tells too late: nobody is scanned twice for it.
        let unsure = told.of(Outcome::Unsure);
        assert!(unsure == 0 || page == 1, "{page}: {:?}", told.tally);
        assert_eq!(told.of(Outcome::Accepted) + unsure, 120, "{page}");
        told.assert_one_scan_each();
        told.assert_never_over();
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if is_long_form() { 48 } else { 16 }, failure_persistence: None, ..ProptestConfig::default()
    })]

    /// Whatever is in the way, whoever is poison or restricted, and whether the list may be read.
    #[test]
    fn every_campaign_comes_to_an_end_with_one_scan_a_machine(
        seed: u64,
        machines in 1..80_u64,
        spans in prop::collection::vec((0..400_u64, 1..1200_u64, 0..6_usize, prop::bool::ANY), 0..3),
        poison in prop::collection::vec(1..80_u64, 0..7),
        restricted in prop::collection::vec(1..80_u64, 0..7),
        lost in 0.0..0.12_f64,
        may_list in prop::bool::weighted(0.8),
        skip_busy in prop::bool::weighted(0.3),
    ) {
        in_virtual_time(async move {
            let outages = spans.into_iter().map(|(from, length, shape, starts)| Outage {
                from: Duration::from_secs(from),
                until: Duration::from_secs(from + length),
                shape: shapes().get(shape).cloned().unwrap_or(if shape == 4 {
                    Shape::Reset
                } else {
                    Shape::Page { status: 403 }
                }),
                affects: if starts && shape > 0 { Affects::Starts } else { Affects::Everything },
            });
            let roles: &[&str] = if may_list { &["Machine.Scan", "Machine.Read.All"] } else { &["Machine.Scan"] };
            let rig = Rig {
                seed,
                skip_busy: skip_busy && may_list,
                ..Rig::against(MockConfig {
                    seed,
                    outages: outages.collect(),
                    poison: poison.into_iter().map(machine).collect(),
                    restricted: restricted.into_iter().map(machine).collect(),
                    chances: Chances {
                        busy: 0.05,
                        reset_before: lost,
                        reset_after: lost,
                        error_before: lost,
                        error_after: lost,
                        ..Chances::default()
                    },
                    sign_in: SignIn {
                        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
                        ..SignIn::default()
                    },
                    ..lossless()
                })
            };
            let told = tokio::time::timeout(60 * HOUR, rig.run(&fleet(machines))).await;
            let told = told.expect("an end");
            assert!(matches!(told.stop, None | Some(StopReason::Tenant(_) | StopReason::Brake(_))), "{:?}", told.stop);
            told.assert_one_scan_each();
            told.assert_never_over();
        });
    }
}
