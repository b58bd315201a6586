//! Alerts that come late, twice, changed and in another case, against a list of those that were made.

use std::cell::Cell;

use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;

const BEGAN: Timestamp = Timestamp::constant(1_800_000_000, 0);

/// An alert, and when it can be seen: at or after the look of this number.
#[derive(Debug, Clone)]
struct Made {
    alert: Alert,
    shown_from: usize,
}

/// Shows what has been made, in an order of its own at each look.
struct Service {
    made: Vec<Made>,
    look: Cell<usize>,
}

impl Alerts for Service {
    async fn since(
        &self,
        since: Timestamp,
        mut take: impl FnMut(&Alert),
    ) -> Result<bool, AlertsError> {
        let look = self.look.get();
        self.look.set(look + 1);
        let mut shown: Vec<_> = self
            .made
            .iter()
            .filter(|made| made.shown_from <= look)
            .map(|made| changed(&made.alert, look))
            .filter(|alert| {
                let created = alert.alert_creation_time.as_ref();
                created.is_none_or(|at| at.parse::<Timestamp>().unwrap() >= since)
            })
            .collect();
        let middle = look % shown.len().max(1);
        shown.rotate_left(middle);
        // The last one comes twice, as one does that is moved by a page.
        let again = shown.last().cloned();
        shown.iter().chain(&again).for_each(&mut take);
        Ok(false)
    }
}

/// The alert as a later look shows it: its status and, every other time, the case of its ids are different.
fn changed(alert: &Alert, look: usize) -> Alert {
    let case = |text: &Option<String>| {
        text.as_ref().map(|text| match look % 2 {
            0 => text.to_ascii_lowercase(),
            _ => text.to_ascii_uppercase(),
        })
    };
    Alert {
        id: case(&alert.id),
        machine_id: case(&alert.machine_id),
        status: Some(format!("status {look}")),
        last_update_time: Some(format!("2027-01-{:02}T00:00:00Z", look + 1)),
        ..alert.clone()
    }
}

fn after(minutes: i64) -> Timestamp {
    BEGAN + SignedDuration::from_mins(minutes)
}

/// Machines 0 to 9 of the campaign; the scan of each began so many minutes after the first. Machine 9 has none.
fn machines() -> Machines {
    let mut machines = Machines {
        earliest: Some(BEGAN),
        ..Machines::default()
    };
    for n in 0..10 {
        let id = format!("ab{n}");
        let scanned = Scanned {
            n,
            machine_id: id.as_str().into(),
            began: (n < 9).then(|| after(i64::try_from(n).unwrap() * 10)),
        };
        machines.scanned.insert(id.into(), scanned);
    }
    machines
}

fn made() -> impl Strategy<Value = Made> {
    let severity = prop_oneof![
        Just("High"),
        Just("medium"),
        Just("Low"),
        Just("Informational"),
        Just("UnSpecified"),
        Just("Dreadful"),
    ];
    let source = prop_oneof![
        Just("WindowsDefenderAv"),
        Just("antivirus"),
        Just("CustomerTI")
    ];
    let id = any::<u64>();
    (id, 0..14_u64, -60..200_i64, 0..6_usize, severity, source).prop_map(
        |(id, machine, created, shown_from, severity, source)| Made {
            alert: Alert {
                id: Some(format!("da{id:x}")),
                machine_id: Some(format!("ab{machine}")),
                severity: Some(severity.into()),
                detection_source: Some(source.into()),
                alert_creation_time: Some(after(created).to_string()),
                ..Alert::default()
            },
            shown_from,
        },
    )
}

fn wanted() -> impl Strategy<Value = Wanted> {
    let severity = prop_oneof![Just(Severity::Low), Just(Severity::High)];
    (
        proptest::option::of(-30..100_i64),
        proptest::option::of(50..150_i64),
        any::<bool>(),
        proptest::option::of(severity),
    )
        .prop_map(|(since, until, only_antivirus, least)| Wanted {
            since: since.map(after),
            until: until.map(after),
            only_antivirus,
            least,
        })
}

/// Whether the alert is one of those that are asked for, said anew.
fn is_asked_for(alert: &Alert, wanted: &Wanted) -> bool {
    let number = alert.machine_id.as_deref().unwrap()[2..].parse::<i64>();
    let number = number.unwrap();
    let created: Timestamp = alert
        .alert_creation_time
        .as_deref()
        .unwrap()
        .parse()
        .unwrap();
    let from = match wanted.since {
        Some(since) if number < 10 => since,
        None if number < 9 => after(number * 10),
        _ => return false,
    };
    let severity = alert.severity.as_deref().unwrap();
    let is_grave = match wanted.least {
        None => true,
        Some(Severity::High) => ["High", "Dreadful"].contains(&severity),
        Some(_) => ["Dreadful", "High", "medium", "Low"].contains(&severity),
    };
    let is_source =
        !wanted.only_antivirus || alert.detection_source.as_deref() != Some("CustomerTI");
    created >= from && wanted.until.is_none_or(|until| created <= until) && is_grave && is_source
}

proptest! {
    #[test]
    fn nothing_is_told_twice_and_nothing_is_lost(made in proptest::collection::vec(made(), 0..40), wanted in wanted()) {
        let service = Service { made, look: Cell::new(0) };
        let machines = machines();
        let mut findings = Findings::default();
        let mut told = Vec::new();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for _ in 0..6 {
            runtime.block_on(findings.look(&service, &machines, &wanted)).unwrap();
            told.extend(findings.new_ones().into_iter().map(|finding| finding.alert.to_ascii_lowercase()));
        }
        told.sort_unstable();
        let mut expected: Vec<_> = service
            .made
            .iter()
            .filter(|made| is_asked_for(&made.alert, &wanted))
            .map(|made| made.alert.id.clone().unwrap())
            .collect();
        expected.sort_unstable();
        expected.dedup();
        prop_assert_eq!(told, expected);
        let all = findings.all();
        prop_assert!(all.iter().all(|finding| finding.status == "status 5"), "the last word of each is kept");
    }
}

#[test]
fn an_alert_whose_time_cannot_be_read_is_not_lost_and_one_without_a_machine_is_nobodys() {
    let machines = machines();
    let wanted = Wanted::default();
    let mut findings = Findings::default();
    let alert = |id: &str, machine: Option<&str>| Alert {
        id: Some(id.into()),
        machine_id: machine.map(str::to_owned),
        ..Alert::default()
    };
    findings.take(&alert("1", Some(" AB3 ")), &machines, &wanted);
    findings.take(&alert("2", None), &machines, &wanted);
    findings.take(&alert("3", Some("ab9")), &machines, &wanted);
    findings.take(&alert("4", Some("ab77")), &machines, &wanted);
    let all = findings.all();
    assert_eq!(all.len(), 1);
    assert_eq!((all[0].n, all[0].machine_id.as_str()), (3, "ab3"));
}

#[tokio::test]
async fn a_campaign_without_a_scan_makes_no_call() {
    let service = Service {
        made: Vec::new(),
        look: Cell::new(0),
    };
    let machines = Machines::default();
    let mut findings = Findings::default();
    let looked = findings.look(&service, &machines, &Wanted::default()).await;
    assert!(!looked.unwrap());
    assert_eq!(service.look.get(), 0);
}
