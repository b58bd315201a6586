//! Small campaigns for the store's tests.

use std::path::Path;

use jiff::Timestamp;

use super::{Identity, NewRow, Store};

/// A campaign's identity.
pub(super) fn identity() -> Identity {
    Identity {
        campaign: "ab12cd34ef".into(),
        created: Timestamp::UNIX_EPOCH,
        tenant: "t".into(),
        api: "https://a".into(),
        scan_type: "quick".into(),
        comment: "c".into(),
        columns: Vec::new(),
        id_rule: "hex40".to_owned(),
    }
}

/// A row that has not ended, with the line number after its own.
pub(super) fn row(n: u64, machine_id: &str) -> NewRow<'_> {
    NewRow {
        n,
        line: n + 1,
        machine_id,
        scan_type: None,
        comment: None,
        priority: None,
        extra: "",
        ended: None,
        error_code: "",
        left_out: false,
    }
}

/// A new campaign with these rows.
pub(super) fn campaign<'a>(path: &Path, rows: impl IntoIterator<Item = NewRow<'a>>) -> Store {
    let mut loader = Store::create(path, &identity()).unwrap();
    for row in rows {
        loader.insert(&row).unwrap();
    }
    loader.finish().unwrap()
}
