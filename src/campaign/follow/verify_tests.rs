//! Which scans a device's report confirms.

use proptest::prelude::*;

use super::*;
use crate::client::health::{AvMode, UpToDate};

const BEGAN: Timestamp = Timestamp::constant(1_800_000_000, 0);

fn ended() -> EndedScan {
    EndedScan {
        n: 1,
        machine_id: "m".into(),
        action_id: "a".into(),
        ours: true,
        scan_type: "quick".into(),
        status: "Succeeded".into(),
        created: BEGAN.to_string(),
        sent: None,
        device: None,
    }
}

/// A report, made `reported` minutes after our scan began, of scans that many minutes after it.
fn report(quick: Option<i64>, full: Option<i64>, reported: Option<i64>) -> DeviceHealth {
    let after = |minutes| BEGAN + SignedDuration::from_mins(minutes);
    let scan = |minutes: Option<i64>| LastScan {
        at: minutes.map(after),
        result: minutes.map(|_| "Completed".into()),
    };
    DeviceHealth {
        mode: AvMode::Active,
        signatures: UpToDate::Yes,
        engine: UpToDate::Yes,
        quick: scan(quick),
        full: scan(full),
        reported: reported.map(after),
    }
}

fn verdict(scan: &EndedScan, health: Option<&DeviceHealth>) -> String {
    judge(scan, health, BEGAN + SignedDuration::from_hours(10)).verified
}

#[test]
fn only_a_scan_of_the_type_that_was_asked_for_well_after_ours_began_is_ours() {
    let full = EndedScan {
        scan_type: "Full".into(),
        ..ended()
    };
    let foreign = EndedScan {
        ours: false,
        ..ended()
    };
    for (scan, quick, is) in [
        (&ended(), Some(30), "yes"),
        (&ended(), Some(5), "yes"),
        (&ended(), Some(4), "not yet"),
        (&ended(), Some(-30), "not yet"),
        (&ended(), None, "not yet"),
        (&ended(), Some(60 * 60), "not yet"),
        (&full, Some(30), "not yet"),
        (&foreign, Some(30), "yes"),
    ] {
        let health = report(quick, None, Some(300));
        assert_eq!(verdict(scan, Some(&health)), is, "{quick:?}");
    }
    let health = report(Some(-10), Some(40), Some(300));
    assert_eq!(verdict(&full, Some(&health)), "yes");
    assert_eq!(verdict(&foreign, Some(&health)), "yes");
    assert_eq!(verdict(&ended(), None), "no report");
}

#[test]
fn a_report_that_is_gone_does_not_undo_what_it_said() {
    let health = report(Some(-10), None, Some(-5));
    let before = judge(&ended(), Some(&health), BEGAN);
    assert_eq!(before.verified, "not yet");
    let again = EndedScan {
        device: Some(before.clone()),
        ..ended()
    };
    assert_eq!(judge(&again, None, BEGAN), before);
}

proptest! {
    #[test]
    fn no_scan_that_began_before_ours_ever_counts(
        began in -10_000..0_i64,
        took in 0..10_000_i64,
        reported in proptest::option::of(-10_000..10_000_i64),
        is_full: bool,
        as_end: bool,
    ) {
        // Their scan had ended by five minutes after ours began, or is reported by its start.
        let at = if as_end { (began + took).min(4) } else { began };
        let (quick, full) = if is_full { (None, Some(at)) } else { (Some(at), None) };
        let scan = EndedScan { scan_type: if is_full { "full" } else { "quick" }.into(), ..ended() };
        let health = report(quick, full, reported);
        prop_assert_eq!(verdict(&scan, Some(&health)), "not yet");
    }

    #[test]
    fn no_report_from_before_our_scan_ever_counts(at in -1_000..1_000_i64, reported in -1_000..0_i64) {
        let health = report(Some(at), None, Some(reported));
        prop_assert_eq!(verdict(&ended(), Some(&health)), "not yet");
    }
}
