use jiff::{SignedDuration, Timestamp};

use super::{
    tests::{WALL, at, call, dispatcher, target},
    *,
};
use crate::{
    campaign::{
        engine::{
            lookup::{Finding, Listing, SeenScan},
            verdict::{Scan, Verdict},
        },
        running::{AtStart, RunningLimits},
    },
    store::SentAt,
};

/// A dispatcher with three machines, of which one may be under way.
fn limited(start: AtStart) -> Dispatcher {
    let limits = RunningLimits {
        most: Some(1),
        ..RunningLimits::default()
    };
    dispatcher(3, Policy::default()).with_running(&limits, start, at(0), WALL)
}

/// This computer's time so many seconds after the start.
fn wall(seconds: u64) -> Timestamp {
    WALL + SignedDuration::from_secs(i64::try_from(seconds).unwrap())
}

fn scan(id: &str, status: &str, created: u64) -> Scan {
    Scan {
        id: id.to_owned(),
        status: status.to_owned(),
        created: wall(created).to_string(),
    }
}

/// Reads the list so many seconds after the start: these scans have this status.
fn look(dispatcher: &mut Dispatcher, seconds: u64, scans: &[(&str, &str)], absent: &[u64]) {
    let now = at(seconds);
    dispatcher.wants_listing(now).expect("it is time");
    let scans = scans.iter().map(|&(id, status)| {
        let scan = scan(id, status, 0);
        (id.to_owned(), SeenScan { scan, took: None })
    });
    let listing = Listing {
        began: now,
        findings: absent.iter().map(|n| (*n, Finding::Absent)).collect(),
        running: None,
        scans: scans.collect(),
        server: ServerClock::default(),
    };
    dispatcher.listed(Ok(listing), now, wall(seconds));
}

fn start(dispatcher: &mut Dispatcher, id: &str, seconds: u64) {
    let verdict = Verdict::Accepted(scan(id, "Pending", seconds));
    call(dispatcher, verdict, at(seconds));
}

#[test]
fn nothing_is_started_before_the_list_was_read() {
    let mut limited = limited(AtStart::default());
    assert!(!limited.wants_permit(at(0)));
    look(&mut limited, 0, &[], &[]);
    assert!(limited.wants_permit(at(0)));
}

#[test]
fn a_scan_that_was_overdue_counts_again_once_it_runs() {
    let mut limited = limited(AtStart::default());
    look(&mut limited, 0, &[], &[]);
    start(&mut limited, "a", 1);
    for (seconds, status) in [(60, "Pending"), (120, "Dreaming"), (7100, "Pending")] {
        look(&mut limited, seconds, &[("a", status)], &[]);
        assert!(!limited.wants_permit(at(seconds)), "{status}");
    }
    look(&mut limited, 7300, &[("a", "Pending")], &[]);
    assert_eq!(limited.overdue(), 1);
    start(&mut limited, "b", 7301);
    look(
        &mut limited,
        7400,
        &[("a", "InProgress"), ("b", "Pending")],
        &[],
    );
    look(
        &mut limited,
        7500,
        &[("a", "InProgress"), ("b", "Failed")],
        &[],
    );
    assert!(!limited.wants_permit(at(7500)), "it runs after all");
    look(&mut limited, 7600, &[("a", "Cancelled")], &[]);
    assert!(limited.wants_permit(at(7600)));
    assert_eq!(limited.overdue(), 1);
}

#[test]
fn a_scan_that_runs_keeps_its_place_however_long_it_takes() {
    let mut limited = limited(AtStart::default());
    look(&mut limited, 0, &[], &[]);
    start(&mut limited, "a", 1);
    for seconds in [60, 8000, 20_000, 90_000] {
        look(&mut limited, seconds, &[("a", "InProgress")], &[]);
        assert!(!limited.wants_permit(at(seconds)));
    }
    // One that the list shows no longer is waited for as long as one that has not begun.
    look(&mut limited, 97_100, &[], &[]);
    assert!(!limited.wants_permit(at(97_100)));
    look(&mut limited, 97_300, &[], &[]);
    assert!(limited.wants_permit(at(97_300)));
}

#[test]
fn a_target_that_ended_as_unsure_keeps_its_place_until_a_conclusive_listing_shows_no_scan() {
    let unsure = Unfinished {
        span: std::time::Duration::ZERO,
        target: target(9, None),
        unsure: Some(SentAt {
            at: WALL,
            by_server: true,
        }),
    };
    let mut limited = limited(AtStart {
        unsure: vec![unsure],
        ..AtStart::default()
    });
    look(&mut limited, 0, &[], &[9]);
    assert!(!limited.wants_permit(at(0)), "it may show later");
    look(&mut limited, 40, &[], &[9]);
    assert!(limited.wants_permit(at(40)));
}
