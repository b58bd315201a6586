//! What happens to targets whose rows are gone from the input.

use jiff::Timestamp;

use super::*;
use crate::store::NewRow;
use crate::store::{
    Left, Record,
    sample_for_tests::{self as sample, row},
};

const GONE: &str = "gone";

/// Three targets: nothing was sent to the first, a call to the second has no end, and the third has no usable id.
fn campaign(folder: &std::path::Path) -> Store {
    let ids = [1, 2, 3].map(|n| format!("{n:040x}"));
    let [first, second, third] =
        [(1, &ids[0]), (2, &ids[1]), (3, &ids[2])].map(|(n, id)| row(n, id));
    let third = NewRow {
        ended: Some(("invalid", "a slip")),
        ..third
    };
    let mut store = sample::campaign(&folder.join("a.campaign.db"), [first, second, third]);
    let begun = Record::Begun {
        n: 2,
        number: 1,
        sent: Timestamp::UNIX_EPOCH,
        sent_server: None,
    };
    store.commit(1, &[begun]).unwrap();
    store
}

fn withdraw() -> Vec<Amendment> {
    let withdraw = |n| Amendment::Withdraw { n, message: GONE };
    (1..=3).map(withdraw).collect()
}

fn admit(n: u64) -> Amendment {
    Amendment::Admit {
        n,
        scan_type: None,
        comment: None,
        priority: None,
    }
}

fn outcomes(store: &Store) -> Vec<(Option<String>, bool)> {
    let mut rows = Vec::new();
    let each = store.each_row::<StoreError>(crate::store::Selection::All, |row| {
        rows.push((row.outcome.clone(), row.left_out));
        Ok(())
    });
    each.unwrap();
    rows
}

fn in_doubt(store: &Store) -> Vec<u64> {
    let mut numbers = Vec::new();
    let each = store.each_left(|Left { n, in_doubt, .. }| {
        assert!(in_doubt, "{n} would be sent");
        numbers.push(n);
    });
    each.unwrap();
    numbers
}

#[test]
fn what_is_gone_is_not_sent_and_a_call_in_doubt_is_still_looked_up() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = campaign(folder.path());
    let gone = (Some("not_attempted".to_owned()), true);
    assert_eq!(store.amend(&withdraw()).unwrap(), 3);
    assert_eq!(outcomes(&store), [gone.clone(), (None, true), gone.clone()]);
    assert_eq!(in_doubt(&store), [2]);
    assert_eq!(store.amend(&withdraw()).unwrap(), 0, "nothing has changed");
    // A row that turns out to be invalid does not make the call confirmed.
    let end = Amendment::End {
        n: 2,
        outcome: "invalid",
        error_code: String::new(),
        message: "a slip".into(),
    };
    assert_eq!(store.amend(&[end]).unwrap(), 0);
    // The list shows no scan, so the target ends without being sent.
    let at = Timestamp::UNIX_EPOCH;
    store.commit(1, &[Record::Absent { n: 2, at }]).unwrap();
    assert_eq!(outcomes(&store), vec![gone; 3]);
}

#[test]
fn what_comes_back_is_due_again_and_looked_up_where_it_was_in_doubt() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = campaign(folder.path());
    store.amend(&withdraw()).unwrap();
    assert_eq!(store.amend(&[admit(1), admit(2)]).unwrap(), 2);
    assert_eq!(outcomes(&store)[..2], [(None, false), (None, false)]);
    assert_eq!(in_doubt(&store), [2], "the first starts from scratch");
}

#[test]
fn what_fails_in_the_middle_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = campaign(folder.path());
    let before = outcomes(&store);
    let failed = store.all_or_nothing(|store| {
        store.amend(&withdraw())?;
        Err::<(), _>(StoreError::Foreign(folder.path().to_owned()))
    });
    failed.unwrap_err();
    assert_eq!(outcomes(&store), before);
}
