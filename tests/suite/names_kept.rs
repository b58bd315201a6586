//! Names as input (`--resolve`), where lists, tenants and inputs change: nothing is lost, and nobody who is excluded is
//! called.

use std::{fs, path::Path, time::Duration};

use fleetsweep::mock::{Fault, Kind, MockConfig, Rule};
use serde_json::{Value, json};

use super::names::{cells, command, id, machine, tenant};
use crate::{shell::at, sign_in::served};

/// What was typed, what it stands for and how it ended, row by row.
fn rows(folder: &Path, typed: &str) -> Vec<[String; 3]> {
    cells(folder, [typed, "machine_id", "outcome"])
}

fn row(typed: &str, machine: String, outcome: &str) -> [String; 3] {
    [typed.to_owned(), machine, outcome.to_owned()]
}

#[tokio::test]
async fn no_line_of_a_list_is_lost_and_two_names_on_a_line_are_no_name() {
    let inventory = [machine(1, "pc-1"), machine(2, "pc-2"), machine(3, "dc-1")];
    let (_tenant, base) = tenant(&inventory, &inventory).await;
    let folder = tempfile::tempdir().unwrap();
    let list = format!("pc-1\n{}\npc-2,dc-1\n", id(2));
    fs::write(folder.path().join("in.csv"), list).unwrap();
    let done = command(folder.path(), &base, "run in.csv --resolve").await;
    assert_eq!(done.code, 1, "{}", done.err);
    let expected = [
        row("pc-1", id(1), "accepted"),
        row(&id(2), id(2), "accepted"),
        row("pc-2", id(2), "invalid"),
    ];
    assert_eq!(rows(folder.path(), "input_machine_id"), expected);
}

#[tokio::test]
async fn every_line_of_an_exclusion_list_counts_or_the_list_is_refused() {
    let inventory = [machine(1, "dc-1"), machine(2, "dc-2"), machine(3, "pc-3")];
    let (tenant, base) = tenant(&inventory, &inventory).await;
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("in.csv"), [1, 2, 3].map(id).join("\n")).unwrap();
    let excluding = "run in.csv --resolve --exclude keep.txt";
    for list in ["dc-2\ndc-1,pc-3\n", &format!("dc-1\n{}\n", &id(2)[1..])] {
        fs::write(folder.path().join("keep.txt"), list).unwrap();
        let refused = command(folder.path(), &base, excluding).await;
        assert_eq!(refused.code, 2, "{list}: {}", refused.err);
        assert!(refused.err.contains("nothing was sent"), "{}", refused.err);
    }
    fs::write(folder.path().join("keep.txt"), format!("dc-1\n{}\n", id(2))).unwrap();
    let done = command(folder.path(), &base, excluding).await;
    assert_eq!(done.code, 0, "{}", done.err);
    assert_eq!(tenant.recorder().scans(), 1);
    assert_eq!(rows(folder.path(), "input_machine_id")[2][2], "accepted");
}

#[tokio::test]
async fn an_exclusion_holds_for_what_a_row_meant_then_and_for_what_it_means_now() {
    let mut merged = machine(1, "pc-1");
    merged["mergedIntoMachineId"] = json!(id(11));
    let before = [
        merged,
        machine(2, "dc-1"),
        machine(3, "pc-3"),
        machine(11, "pc-1"),
    ];
    let after = [machine(11, "pc-1"), machine(12, "dc-1"), machine(3, "pc-3")];
    let (tenant, base) = tenant(&before, &after).await;
    let folder = tempfile::tempdir().unwrap();
    let list = format!("name\npc-3\n{}\ndc-1\n", id(1));
    fs::write(folder.path().join("in.csv"), list).unwrap();
    let first = command(
        folder.path(),
        &base,
        "run in.csv --resolve --max-machines 1",
    )
    .await;
    assert_eq!(first.code, 3, "{}", first.err);
    // The row holds this id, and the other row this name, which is another machine's by now.
    fs::write(folder.path().join("keep.txt"), format!("{}\ndc-1\n", id(1))).unwrap();
    let done = command(
        folder.path(),
        &base,
        "run in.csv --resolve --exclude keep.txt",
    )
    .await;
    assert_eq!(done.code, 0, "{}", done.err);
    assert_eq!(tenant.recorder().scans(), 1);

    let again = command(folder.path(), &base, "run in.csv --resolve --again").await;
    assert_eq!(again.code, 0, "{}", again.err);
    let spared = rows(folder.path(), "input_name");
    assert_eq!(spared[1][2], "not_attempted", "{spared:?}");
}

#[tokio::test]
async fn extended_lists_keep_every_row_whatever_its_column_is_called() {
    let before = [machine(1, "pc-1.corp"), machine(3, "pc-3.corp")];
    let (tenant, base) = tenant(&before, &before).await;
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("in.csv");
    fs::write(&list, "host\npc-1\n").unwrap();
    let run = async |base: &str, more: &str| {
        command(folder.path(), base, &format!("run in.csv {more}")).await
    };
    assert_eq!(run(&base, "--resolve").await.code, 0);
    // A new machine, another name of a known one, and another heading.
    fs::write(&list, "Computer\npc-1\npc-3\npc-1.corp\n").unwrap();
    let extended = run(&base, "--extend --resolve").await;
    assert_eq!(extended.code, 0, "{}", extended.err);
    let expected = [
        row("pc-1", id(1), "accepted"),
        row("pc-3", id(3), "accepted"),
        row("pc-1.corp", id(1), "duplicate"),
    ];
    assert_eq!(rows(folder.path(), "input_host"), expected);

    // Nothing is new: nothing is sent, and the rows stay.
    for more in ["", "--extend", "--extend --resolve"] {
        let done = run(&base, more).await;
        assert_eq!(done.code, 6, "{more}: {}", done.err);
    }
    assert_eq!(tenant.recorder().scans(), 2);

    // An id is a name like any other here: it may have been merged.
    fs::write(
        &list,
        format!("Computer\npc-1\npc-3\npc-1.corp\n{}\n", id(9)),
    )
    .unwrap();
    let refused = run(&base, "--extend").await;
    assert_eq!(refused.code, 2, "{}", refused.err);
    assert!(refused.err.contains("--resolve"), "{}", refused.err);
}

#[tokio::test]
async fn a_name_that_was_left_out_keeps_its_flaw() {
    let inventory = [machine(1, "pc-1"), machine(2, "twin"), machine(3, "twin")];
    let (tenant, base) = tenant(&inventory, &inventory).await;
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("in.csv"),
        "name,site\npc-1,a\ntwin,b\ngone,b\n",
    )
    .unwrap();
    let first = command(folder.path(), &base, "run in.csv --resolve --where site=a").await;
    assert_eq!(first.code, 0, "{}", first.err);
    let newest = "run in.csv --resolve --ambiguous newest";
    let all = command(folder.path(), &base, newest).await;
    assert_eq!(all.code, 1, "{}", all.err);
    assert!(
        all.err.contains("--ambiguous newest has no effect"),
        "{}",
        all.err
    );
    let ends = cells(folder.path(), ["outcome", "error_code"]);
    let expected = [
        ["accepted", ""],
        ["invalid", "ambiguous_name"],
        ["invalid", "unknown_name"],
    ];
    assert_eq!(ends, expected.map(|row| row.map(str::to_owned)));
    assert_eq!(tenant.recorder().calls(Kind::Machines), 1);
}

#[tokio::test]
async fn an_inventory_that_never_stands_still_decides_nothing() {
    let page = |from: u64| -> String {
        let rows: Vec<Value> = (from..from + 3).map(|n| machine(n, "pc-1")).collect();
        json!({"@odata.count": 60, "value": rows}).to_string()
    };
    // No page overlaps with the one before.
    let faults = (0..12).map(|nth| {
        Rule::new(Fault::Status(200, page(nth * 10)))
            .kind(Kind::Machines)
            .nth(nth + 1)
    });
    let (tenant, base) = served(MockConfig {
        faults: faults.collect(),
        ..MockConfig::default()
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("in.csv"), "name\npc-1\n").unwrap();
    let refused = command(folder.path(), &base, "run in.csv --resolve").await;
    assert_eq!(refused.code, 4, "{}", refused.err);
    assert!(refused.err.contains("changed each time"), "{}", refused.err);
    assert_eq!(tenant.recorder().scans(), 0);
}

/// The state as it was is opened while a copy of the campaign goes on elsewhere, and the inventory is still awaited.
#[tokio::test]
async fn a_copy_that_goes_on_while_the_inventory_is_listed_leads_to_no_second_scan() {
    let inventory = [machine(1, "pc-1"), machine(2, "pc-2"), machine(3, "pc-3")];
    let page = json!({"@odata.count": 3, "value": inventory}).to_string();
    let listing = |nth| {
        Rule::new(Fault::Status(200, page.clone()))
            .kind(Kind::Machines)
            .nth(nth)
    };
    let slow = Rule::new(Fault::Delay(Duration::from_secs(5)))
        .kind(Kind::Machines)
        .nth(2);
    let (tenant, base) = served(MockConfig {
        faults: vec![listing(1), slow, listing(3)],
        ..MockConfig::default()
    })
    .await;
    let folders = tempfile::tempdir().unwrap();
    let [here, there] = ["here", "there"].map(|name| folders.path().join(name));
    fs::create_dir(&here).unwrap();
    fs::write(here.join("in.csv"), "name\npc-1\npc-2\npc-3\n").unwrap();
    let run = |folder: &Path, more: &str| {
        let mut command = crate::program::fleetsweep(folder);
        command
            .args(format!("run in.csv -q {} {more}", at(&base)).split_whitespace())
            .env("XDG_STATE_HOME", folders.path().join("state"))
            .env("FLEETSWEEP_TOKEN", "ready");
        tokio::task::spawn_blocking(move || command.output().unwrap())
    };
    let code = |output: &std::process::Output| output.status.code();
    assert_eq!(
        code(&run(&here, "--resolve --max-machines 1").await.unwrap()),
        Some(3)
    );
    fs::create_dir(&there).unwrap();
    for entry in fs::read_dir(&here).unwrap() {
        let from = entry.unwrap().path();
        fs::copy(&from, there.join(from.file_name().unwrap())).unwrap();
    }
    let waiting = run(&here, "--resolve --extend");
    while tenant.recorder().calls(Kind::Machines) < 2 {
        tokio::task::spawn_blocking(crate::program::look_again)
            .await
            .unwrap();
    }
    assert_eq!(code(&run(&there, "").await.unwrap()), Some(0));
    let refused = waiting.await.unwrap();
    assert_eq!(code(&refused), Some(5), "{refused:?}");
    assert_eq!(tenant.recorder().scans(), 3);
}
