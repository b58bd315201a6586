//! Names as input (`--resolve`): what they stand for is never guessed, and found out once.

use std::{collections::BTreeSet, fs, path::Path, sync::Arc};

use fleetsweep::{
    mock::{Fault, Kind, MockConfig, Rule, Tenant},
    roster::{Ambiguous, InventoryBuilder, Listed, Names, Options, Roster, RowKind},
};
use serde_json::{Value, json};

use crate::{
    rig::short_or_long,
    shell::{Done, at, fleetsweep},
    sign_in::served,
};

pub(super) fn id(n: u64) -> String {
    format!("{n:040x}")
}

pub(super) fn machine(n: u64, name: &str) -> Value {
    json!({"id": id(n), "computerDnsName": name, "lastSeen": format!("2026-01-0{}T00:00:00Z", n % 9 + 1)})
}

/// A tenant whose inventory is this, and after the first listing that.
pub(super) async fn tenant(first: &[Value], then: &[Value]) -> (Arc<Tenant>, String) {
    let answer = |rows: &[Value]| {
        let body = json!({"@odata.count": rows.len(), "value": rows}).to_string();
        Rule::new(Fault::Status(200, body)).kind(Kind::Machines)
    };
    served(MockConfig {
        faults: vec![answer(first).nth(1), answer(then)],
        ..MockConfig::default()
    })
    .await
}

pub(super) async fn command(folder: &Path, base: &str, words: &str) -> Done {
    let token = [("FLEETSWEEP_TOKEN", "ready".to_owned())];
    let progress = if words.starts_with("plan") {
        ""
    } else {
        " --progress none"
    };
    fleetsweep(folder, &format!("{words}{progress} {}", at(base)), &token).await
}

/// The cells of these columns, row by row.
pub(super) fn cells<const N: usize>(folder: &Path, columns: [&str; N]) -> Vec<[String; N]> {
    let mut reader = csv::Reader::from_path(folder.join("in.results.csv")).unwrap();
    let header = reader.headers().unwrap().clone();
    let place = |name: &str| header.iter().position(|column| column == name);
    let places =
        columns.map(|name| place(name).unwrap_or_else(|| panic!("no {name} in {header:?}")));
    let records = reader.records().map(Result::unwrap);
    records
        .map(|row| places.map(|at| row[at].to_owned()))
        .collect()
}

#[tokio::test]
async fn names_entra_ids_and_ids_are_looked_up_by_one_listing_and_each_machine_is_scanned_once() {
    let entra = "2f1b3c4d-0000-4abc-8def-001122334455";
    let mut registered = machine(3, "lap-3");
    registered["aadDeviceId"] = json!(entra);
    let mut merged = machine(4, "old-name");
    merged["mergedIntoMachineId"] = json!(id(1));
    let inventory = [
        machine(1, "Web-1.corp.example"),
        machine(2, "web-2.corp.example"),
        registered,
        merged,
        machine(5, "twin.corp.example"),
        machine(6, "twin.lab.example"),
    ];
    let (tenant, base) = tenant(&inventory, &inventory).await;
    let folder = tempfile::tempdir().unwrap();
    let list = format!(
        "Computer,Site\nWEB-1,a\nweb-2.CORP.example.,b\n{},c\nold-name,d\ntwin,e\nnobody,f\n{},g\ntwin.lab.example,h\n",
        entra.to_uppercase(),
        id(77),
    );
    fs::write(folder.path().join("in.csv"), list).unwrap();

    let refused = command(folder.path(), &base, "run in.csv").await;
    assert_eq!(refused.code, 2);
    for word in ["--resolve", "`Computer`"] {
        assert!(refused.err.contains(word), "{}", refused.err);
    }
    let done = command(folder.path(), &base, "run in.csv --resolve").await;
    assert_eq!(done.code, 1, "{}", done.err);
    let rows = cells(
        folder.path(),
        [
            "machine_id",
            "outcome",
            "error_code",
            "input_Computer",
            "resolved",
        ],
    );
    let row = |machine: String, outcome: &str, code: &str, typed: &str, how: &str| {
        [
            machine,
            outcome.into(),
            code.into(),
            typed.into(),
            how.into(),
        ]
    };
    let merged_from = format!("name; merged from {}", id(4));
    assert_eq!(
        rows,
        [
            row(id(1), "accepted", "", "WEB-1", "name"),
            row(id(2), "accepted", "", "web-2.CORP.example.", "name"),
            row(
                id(3),
                "accepted",
                "",
                &entra.to_uppercase(),
                "Entra device id"
            ),
            row(id(1), "duplicate", "", "old-name", &merged_from),
            row("twin".into(), "invalid", "ambiguous_name", "twin", ""),
            row("nobody".into(), "invalid", "unknown_name", "nobody", ""),
            row(id(77), "accepted", "", &id(77), "id"),
            row(id(6), "accepted", "", "twin.lab.example", "name"),
        ]
    );
    let [message] = &cells(folder.path(), ["message"])[4];
    for candidate in [id(5), id(6)] {
        assert!(message.contains(&candidate), "{message}");
    }
    assert_eq!(tenant.recorder().scans(), 5);
    assert_eq!(tenant.recorder().calls(Kind::Machines), 1);
}

#[tokio::test]
async fn what_a_campaign_has_found_out_stays_and_only_new_rows_are_looked_up() {
    let before = [machine(1, "pc-1"), machine(2, "pc-2")];
    let after = [machine(11, "pc-1"), machine(12, "pc-2"), machine(3, "pc-3")];
    let (tenant, base) = tenant(&before, &after).await;
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("in.csv");
    fs::write(&list, "host\npc-1\npc-2\npc-9\n").unwrap();
    let run = async |more: &str| command(folder.path(), &base, &format!("run in.csv {more}")).await;

    assert_eq!(run("--resolve --max-machines 1").await.code, 3);
    assert_eq!(run("--max-machines 1").await.code, 3);
    assert_eq!(run("--resolve --max-machines 1").await.code, 3);
    assert_eq!(
        tenant.recorder().calls(Kind::Machines),
        1,
        "a resume looks up nothing"
    );

    fs::write(&list, "host\npc-1\npc-2\npc-9\npc-3\n").unwrap();
    let refused = run("--extend").await;
    assert_eq!(refused.code, 2);
    for word in ["line 5", "`pc-3`", "--resolve"] {
        assert!(refused.err.contains(word), "{}", refused.err);
    }
    let done = run("--extend --resolve").await;
    assert_eq!(done.code, 1, "{}", done.err);
    let rows = cells(folder.path(), ["machine_id", "outcome"]);
    let ended = |machine: &str, outcome: &str| [machine.to_owned(), outcome.to_owned()];
    let expected = [
        ended(&id(1), "accepted"),
        ended(&id(2), "accepted"),
        ended("pc-9", "invalid"),
        ended(&id(3), "accepted"),
    ];
    assert_eq!(rows, expected);
    assert_eq!(tenant.recorder().calls(Kind::Machines), 2);
}

#[tokio::test]
async fn a_lost_state_is_rebuilt_with_the_machines_that_its_results_tell() {
    let before = [machine(1, "pc-1"), machine(2, "pc-2")];
    // Looked up anew, the name would be ambiguous.
    let after = [machine(11, "pc-1"), machine(12, "pc-1"), machine(2, "pc-2")];
    let (_tenant, base) = tenant(&before, &after).await;
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("in.csv"), "host\npc-1\npc-2\n").unwrap();
    let first = command(
        folder.path(),
        &base,
        "run in.csv --resolve --max-machines 1",
    )
    .await;
    assert_eq!(first.code, 3, "{}", first.err);
    fs::remove_file(folder.path().join("in.campaign.db")).unwrap();
    let plan = command(
        folder.path(),
        &base,
        "plan in.csv --resolve --recover --json",
    )
    .await;
    assert_eq!(plan.code, 0, "{}", plan.err);
    let plan: Value = serde_json::from_str(&plan.out).unwrap();
    assert_eq!(
        (&plan["due"], &plan["refusals"]),
        (&json!(2), &json!([])),
        "{plan}"
    );
    let lost = command(folder.path(), &base, "run in.csv --resolve").await;
    assert_eq!(lost.code, 5, "{}", lost.err);
    assert!(lost.err.contains("--recover"), "{}", lost.err);
}

#[tokio::test]
async fn a_plan_lists_the_inventory_and_makes_no_other_call() {
    let inventory = [machine(1, "pc-1"), machine(2, "pc-2"), machine(3, "pc-2")];
    let (tenant, base) = tenant(&inventory, &inventory).await;
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("in.csv"), "pc-1\npc-2\n").unwrap();
    let plan = command(folder.path(), &base, "plan in.csv --resolve --json").await;
    assert_eq!(plan.code, 0, "{}", plan.err);
    let plan: Value = serde_json::from_str(&plan.out).unwrap();
    assert_eq!(
        (&plan["rows"], &plan["due"]),
        (&json!(2), &json!(1)),
        "no line is passed over"
    );
    let newest = "plan in.csv --resolve --ambiguous newest --json";
    let plan: Value =
        serde_json::from_str(&command(folder.path(), &base, newest).await.out).unwrap();
    assert_eq!(plan["due"], 2);
    for kind in [Kind::Start, Kind::List, Kind::Get, Kind::Cancel] {
        assert_eq!(tenant.recorder().calls(kind), 0);
    }
    assert_eq!(tenant.recorder().calls(Kind::Machines), 2);
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[tokio::test]
async fn an_exclusion_list_of_names_protects_every_machine_that_it_may_mean() {
    let mut merged = machine(4, "dc-old");
    merged["mergedIntoMachineId"] = json!(id(5));
    let inventory = [
        machine(1, "dc-1.corp.example"),
        machine(2, "dc-1.lab.example"),
        machine(3, "pc-3"),
        merged,
        machine(5, "dc-5"),
    ];
    let (tenant, base) = tenant(&inventory, &inventory).await;
    let folder = tempfile::tempdir().unwrap();
    let list: Vec<_> = (1..=5).map(id).collect();
    fs::write(folder.path().join("in.csv"), list.join("\n")).unwrap();
    fs::write(
        folder.path().join("keep.txt"),
        format!("DC-1\ngone\n{}\n", id(4)),
    )
    .unwrap();
    let done = command(
        folder.path(),
        &base,
        "run in.csv --resolve --exclude keep.txt",
    )
    .await;
    assert_eq!(done.code, 0, "{}", done.err);
    assert!(done.err.contains("`gone`"), "{}", done.err);
    let spared = |n| [id(n), "not_attempted".to_owned()];
    let rows = cells(folder.path(), ["machine_id", "outcome"]);
    let expected = [
        spared(1),
        spared(2),
        [id(3), "accepted".to_owned()],
        spared(5),
        spared(5),
    ];
    assert_eq!(rows, expected);
    assert_eq!(tenant.recorder().scans(), 1);
}

/// 25,000 names; 100,000 in the long form, which take less than fifteen calls.
#[tokio::test]
async fn many_names_take_few_calls() {
    let (wanted, machines, most) = short_or_long((25_000, 30_000, 5), (100_000, 120_000, 15));
    let (tenant, base) = served(MockConfig {
        machines,
        ..MockConfig::default()
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let names: Vec<_> = tenant
        .machine_ids()
        .iter()
        .take(wanted)
        .map(|id| format!("host-{}", &id[..8]))
        .collect();
    fs::write(
        folder.path().join("in.csv"),
        format!("name\n{}", names.join("\n")),
    )
    .unwrap();
    let plan = command(folder.path(), &base, "plan in.csv --resolve --json").await;
    assert_eq!(plan.code, 0, "{}", plan.err);
    let plan: Value = serde_json::from_str(&plan.out).unwrap();
    let distinct: BTreeSet<_> = names.iter().collect();
    assert!(
        plan["due"].as_u64().unwrap() > distinct.len() as u64 - wanted as u64 / 10,
        "{plan}"
    );
    let calls = tenant.recorder().calls(Kind::Machines);
    assert!(calls < most, "{calls}");
}

/// A machine of a random inventory.
#[derive(Debug, Clone)]
pub(super) struct Random {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) entra_id: Option<String>,
    pub(super) seen: Option<i64>,
    pub(super) merged_into: Option<String>,
}

pub(super) fn random_inventory(rng: &mut fastrand::Rng) -> Vec<Random> {
    (0..rng.u64(1..30))
        .map(|n| {
            let domain = *rng.choice(&["", ".corp", ".lab.corp"]).unwrap();
            Random {
                id: id(n),
                name: format!(
                    "{}-{}{domain}",
                    rng.choice(&["pc", "PC", "web"]).unwrap(),
                    rng.u8(0..6)
                ),
                entra_id: rng
                    .bool()
                    .then(|| format!("00000000-0000-0000-0000-{:012x}", rng.u8(0..6))),
                seen: rng.bool().then(|| rng.i64(0..4)),
                merged_into: (rng.u8(0..4) == 0).then(|| id(rng.u64(0..32))),
            }
        })
        .collect()
}

/// The machines that a cell may mean, worked out without an index: their final ids, each with when it was last seen.
fn meant(inventory: &[Random], cell: &str) -> BTreeSet<(String, Option<i64>)> {
    let cell = cell.to_lowercase();
    let fitting = inventory.iter().filter(|machine| fits(machine, &cell));
    fitting.map(|machine| last(inventory, machine)).collect()
}

/// Whether a name or an Entra device id in lower case may mean this machine.
pub(super) fn fits(machine: &Random, cell: &str) -> bool {
    let zero = "00000000-0000-0000-0000-000000000000";
    let name = machine.name.to_lowercase();
    let entra_id = machine.entra_id.as_deref().filter(|&id| id != zero);
    name == cell
        || entra_id == Some(cell)
        || (!cell.contains('.') && name.split('.').next() == Some(cell))
}

/// The id of the machine that this one was merged into in the end, and when that was last seen.
pub(super) fn last(inventory: &[Random], machine: &Random) -> (String, Option<i64>) {
    let mut at = machine;
    for _ in 0..40 {
        let Some(into) = &at.merged_into else {
            return (at.id.clone(), at.seen);
        };
        match inventory.iter().find(|machine| machine.id == *into) {
            Some(next) => at = next,
            None => return (into.clone(), machine.seen),
        }
    }
    (machine.id.clone(), machine.seen)
}

#[test]
fn a_name_is_never_guessed() {
    for seed in 0..600 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let inventory = random_inventory(&mut rng);
        let mut builder = InventoryBuilder::default();
        for machine in &inventory {
            builder.add(Listed {
                id: &machine.id.to_uppercase(),
                dns_name: Some(&machine.name),
                entra_id: machine.entra_id.as_deref(),
                last_seen: machine
                    .seen
                    .map(|second| jiff::Timestamp::from_second(second).unwrap()),
                merged_into: machine.merged_into.as_deref(),
            });
        }
        let newest = rng.bool();
        let ambiguous = if newest {
            Ambiguous::Newest
        } else {
            Ambiguous::Refuse
        };
        let options = Options {
            names: Some(Arc::new(Names::of(builder.build(), ambiguous))),
            ..Options::default()
        };
        let cells: Vec<_> = inventory
            .iter()
            .flat_map(|machine| [Some(machine.name.clone()), machine.entra_id.clone()])
            .flatten()
            .chain(["pc-0", "web-3", "nobody", "pc-1.corp"].map(str::to_owned))
            .collect();
        let list = format!("name\n{}\n", cells.join("\n"));
        let mut roster = Roster::open("in.csv", list.as_bytes(), &options).unwrap();
        for cell in &cells {
            let Ok(Some(row)) = roster.next_row() else {
                panic!("seed {seed}: {cell}")
            };
            let meant = meant(&inventory, cell);
            let newest_time = meant.iter().map(|(_, seen)| *seen).max().flatten();
            let at_last: Vec<_> = meant
                .iter()
                .filter(|(_, seen)| *seen == newest_time)
                .collect();
            let wanted: BTreeSet<&str> = meant.iter().map(|(id, _)| id.as_str()).collect();
            let one = match (wanted.len(), &at_last[..]) {
                (1, _) => wanted.first().copied(),
                (2.., [(id, Some(_))]) if newest => Some(id.as_str()),
                _ => None,
            };
            match (&row.kind, one) {
                (RowKind::Due | RowKind::Duplicate { .. }, Some(id)) => {
                    assert_eq!(row.machine_id, id, "seed {seed}: {cell}");
                }
                (RowKind::Invalid(_), None) => {
                    let code = if meant.is_empty() {
                        "unknown_name"
                    } else {
                        "ambiguous_name"
                    };
                    assert_eq!(row.error_code, code, "seed {seed}: {cell}");
                }
                (kind, one) => panic!("seed {seed}: {cell} is {kind:?}, and means {one:?}"),
            }
        }
    }
}
