//! A dry run: changes are visible through its store and nowhere else.

use super::{Amendment, Store, StoreError, sample_for_tests as sample};

#[test]
fn what_is_tried_out_is_seen_and_gone_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.campaign.db");
    let ids: Vec<_> = (1..=1000).map(|n| format!("{n:040x}")).collect();
    let rows = ids.iter().zip(1..).map(|(id, n)| sample::row(n, id));
    sample::campaign(&path, rows).close().unwrap();
    let before = std::fs::read(&path).unwrap();
    let mut store = Store::open_dry_run(&path).unwrap();
    let leave_out: Vec<_> = (1..=600)
        .map(|n| Amendment::LeaveOut {
            n,
            message: "left out".into(),
        })
        .collect();
    store.amend(&leave_out).unwrap();
    let added = store.extend::<StoreError>(|extension| extension.add(sample::row(0, "new")));
    added.unwrap();
    let tally = store.tally().unwrap();
    assert!(tally.contains(&(None, false, 401)), "{tally:?}");
    assert_eq!(store.reopen("not_attempted").unwrap(), 0);
    assert_eq!(store.ended_on_reading("not_attempted", 2).unwrap().len(), 2);
    let files = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(files, 1, "something lies beside the state");
    drop(store);
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert_eq!(
        Store::open_read_only(&path).unwrap().tally().unwrap(),
        [(None, false, 1000)]
    );
}
