//! Reads a results file, to recover a campaign whose state is lost.

use std::{
    fs::File,
    io::{self, BufReader},
    path::Path,
};

use super::{ResultsError, guard::needs_guard, layout::COLUMNS, owner::Owner};

/// The second of the input's columns if the input held names; the first one holds those.
const RESOLVED: &str = "resolved";

/// One row of the file. Guards against formulas are removed from its cells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadRow {
    /// The machine id as typed.
    pub machine_id: String,
    /// The outcome.
    pub outcome: String,
    /// The scan's id, its status, and when it was created.
    pub action: [String; 3],
    /// The status of the last answer.
    pub http_status: Option<u16>,
    /// The code of the last error.
    pub error_code: String,
    /// The reason, as text.
    pub message: String,
    /// How many POSTs were sent.
    pub attempts: u32,
    /// When the first POST was sent, and when the last answer came.
    pub times: [Option<jiff::Timestamp>; 2],
    /// The id to quote to support.
    pub correlation_id: String,
    /// The cell of the input that was looked up, and how its machine was found. Empty if the input held ids.
    pub named: [String; 2],
}

/// Calls `visit` with the rows of `campaign` in the results file at `path`. An error from `visit` stops it. A file
/// that does not exist, or belongs to another campaign, has no rows.
///
/// # Errors
/// The file cannot be read, or `visit` failed.
pub fn each_row<E: From<ResultsError>>(
    path: &Path,
    campaign: &str,
    mut visit: impl FnMut(&ReadRow) -> Result<(), E>,
) -> Result<(), E> {
    if super::owner(path)? != Owner::Campaign(campaign.to_owned()) {
        return Ok(());
    }
    let failed =
        |why: &dyn ToString| ResultsError::new("read the results file", path, &why.to_string());
    let is_excel = first_line_has_semicolons(path).map_err(|e| failed(&e))?;
    let file = File::open(path).map_err(|e| failed(&e))?;
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(if is_excel { b';' } else { b',' })
        .flexible(true)
        .from_reader(BufReader::with_capacity(1 << 18, file));
    let mut record = csv::ByteRecord::new();
    let header = reader.headers().map_err(|e| failed(&e))?;
    let has_names = header.iter().nth(COLUMNS.len() + 1) == Some(RESOLVED);
    let mut row = ReadRow::default();
    while reader
        .read_byte_record(&mut record)
        .map_err(|e| failed(&e))?
    {
        // A line that a power cut has left incomplete is ignored.
        if record.len() < COLUMNS.len() || &record[12] != campaign.as_bytes() {
            continue;
        }
        fill(&mut row, &record, has_names);
        visit(&row)?;
    }
    Ok(())
}

fn first_line_has_semicolons(path: &Path) -> io::Result<bool> {
    let mut head = [0; 64];
    let read = io::Read::read(&mut File::open(path)?, &mut head)?;
    Ok(head[..read].contains(&b';'))
}

/// Copies the cells of a record, which must have at least as many as [`COLUMNS`], into a row.
fn fill(row: &mut ReadRow, record: &csv::ByteRecord, has_names: bool) {
    let put = |to: &mut String, at: usize| {
        to.clear();
        let text = String::from_utf8_lossy(record.get(at).unwrap_or_default());
        let bare = text.strip_prefix('\'').filter(|rest| needs_guard(rest));
        to.push_str(bare.unwrap_or(&text));
    };
    put(&mut row.machine_id, 0);
    put(&mut row.outcome, 1);
    put(&mut row.action[0], 2);
    put(&mut row.action[1], 3);
    put(&mut row.action[2], 13);
    put(&mut row.error_code, 5);
    put(&mut row.message, 6);
    put(&mut row.correlation_id, 11);
    if has_names {
        put(&mut row.named[0], COLUMNS.len());
        put(&mut row.named[1], COLUMNS.len() + 1);
    }
    let text = |at: usize| str::from_utf8(&record[at]).unwrap_or_default();
    row.http_status = text(4).parse().ok();
    row.attempts = text(7).parse().unwrap_or(0);
    row.times = [text(8).parse().ok(), text(9).parse().ok()];
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::{Layout, Rewrite, Row};

    #[test]
    fn rows_are_read_back_in_both_dialects_and_an_incomplete_line_is_ignored() {
        for excel in [false, true] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("r.csv");
            let layout = Layout::new(&["a".to_owned()], excel);
            let mut fresh = Rewrite::start(&path, &layout).unwrap();
            for message in ["=x; y, z\n", "plain"] {
                let row = Row {
                    machine_id: "AB",
                    outcome: "accepted",
                    campaign: "c",
                    attempts: 2,
                    message,
                    http_status: Some(201),
                    first_sent: "2024-10-21T11:26:49.689Z".parse().ok(),
                    ..Row::default()
                };
                fresh.row(&row).unwrap();
            }
            drop(fresh.install().unwrap());
            let mut text = std::fs::read(&path).unwrap();
            text.extend(b"cd,acc");
            std::fs::write(&path, text).unwrap();
            let mut rows = Vec::new();
            let mut gather = |campaign: &str| {
                each_row::<ResultsError>(&path, campaign, |row| {
                    rows.push(row.clone());
                    Ok(())
                })
            };
            gather("another").unwrap();
            gather("c").unwrap();
            let told: Vec<_> = rows.iter().map(|row| row.message.as_str()).collect();
            assert_eq!(told, ["=x; y, z ", "plain"]);
            assert_eq!((rows[0].attempts, rows[0].http_status), (2, Some(201)));
            assert!(rows[0].times[0].is_some() && rows[0].times[1].is_none());
        }
    }
}
