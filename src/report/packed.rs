//! The listed machines, as the page carries them: as a text with a line for each cell, column by column, compressed.
//! The page's script reads it.

use std::{collections::HashSet, io::Write as _};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use flate2::{Compression, write::GzEncoder};

use super::machines::{Machine, cut};

/// A column of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    Line,
    Machine,
    Name,
    Outcome,
    Scan,
    Verified,
    Findings,
    Message,
}

impl Column {
    const ALL: [Self; 8] = [
        Self::Line,
        Self::Machine,
        Self::Name,
        Self::Outcome,
        Self::Scan,
        Self::Verified,
        Self::Findings,
        Self::Message,
    ];

    /// The columns that have something to show.
    pub(super) fn used(machines: &[Machine]) -> Vec<Self> {
        let is_used = |column: &Self| match column {
            Self::Line | Self::Machine | Self::Outcome => true,
            Self::Findings => machines.iter().any(|machine| machine.findings > 0),
            _ => machines
                .iter()
                .any(|machine| !column.cell(machine).is_empty()),
        };
        Self::ALL.into_iter().filter(is_used).collect()
    }

    pub(super) const fn heading(self) -> &'static str {
        match self {
            Self::Line => "Line",
            Self::Machine => "Machine id",
            Self::Name => "Name",
            Self::Outcome => "Outcome",
            Self::Scan => "Scan",
            Self::Verified => "Confirmed",
            Self::Findings => "Alerts",
            Self::Message => "Message",
        }
    }

    pub(super) fn cell(self, machine: &Machine) -> String {
        match self {
            Self::Line => machine.line.to_string(),
            Self::Machine => machine.machine_id.clone(),
            Self::Name => machine.name.clone(),
            Self::Outcome => machine.outcome.to_owned(),
            Self::Scan => machine.scan.clone(),
            Self::Verified => machine.verified.clone(),
            Self::Findings if machine.findings == 0 => String::new(),
            Self::Findings => machine.findings.to_string(),
            Self::Message => machine.message.clone(),
        }
    }
}

/// As many characters of an id are kept if whole ids would make the page too large.
const SHORT_ID: usize = 16;

/// As many characters of a message are kept then, if that is not enough.
const SHORT_MESSAGE: usize = 40;

/// How large the packed machines may be, in bytes. With the rest of the page that is below 300 kB.
const ROOM: usize = 250_000;

/// The machines of a page.
pub(super) struct Packed {
    /// Base64 of what gzip makes of the text.
    pub(super) data: String,
    /// How many machines are in it, the first of the list.
    pub(super) rows: usize,
    /// How many characters there are of ids that are cut; `None` if all are whole.
    pub(super) short_ids: Option<usize>,
}

impl Packed {
    /// Packs the cells of these columns. If that takes too much room, ids are cut, then messages too, and in the end
    /// only the first machines are packed.
    pub(super) fn of(machines: &[Machine], columns: &[Column]) -> Self {
        let data = pack(machines, columns, |_, cell| cell);
        if data.len() <= ROOM {
            return Self {
                data,
                rows: machines.len(),
                short_ids: None,
            };
        }
        let alike = alike(machines);
        let short_id = |cell: String| match cell.get(..SHORT_ID) {
            Some(short) if !alike.contains(short) => short.to_owned(),
            _ => cell,
        };
        let short_ids = |column, cell| match column {
            Column::Machine => short_id(cell),
            _ => cell,
        };
        let all_short = |column, cell: String| match column {
            Column::Message | Column::Name => cut(&cell, SHORT_MESSAGE),
            _ => short_ids(column, cell),
        };
        let mut rows = machines.len();
        let mut data = pack(machines, columns, short_ids);
        while data.len() > ROOM {
            data = pack(&machines[..rows], columns, all_short);
            if data.len() > ROOM {
                rows = rows * 3 / 4;
            }
        }
        Self {
            data,
            rows,
            short_ids: Some(SHORT_ID),
        }
    }
}

/// The beginnings that several ids have in common.
fn alike(machines: &[Machine]) -> HashSet<&str> {
    let (mut seen, mut alike) = (HashSet::new(), HashSet::new());
    for machine in machines {
        if let Some(short) = machine.machine_id.get(..SHORT_ID)
            && !seen.insert(short)
        {
            alike.insert(short);
        }
    }
    alike
}

/// Packs the cells as `shown` leaves them.
fn pack(
    machines: &[Machine],
    columns: &[Column],
    shown: impl Fn(Column, String) -> String,
) -> String {
    let mut text = String::new();
    for column in columns {
        // Line numbers take no room as differences, which are 1 in most cases.
        let mut line_before = 0;
        for machine in machines {
            let cell = match column {
                Column::Line => {
                    let line = i128::from(machine.line);
                    (line - std::mem::replace(&mut line_before, line)).to_string()
                }
                _ => shown(*column, column.cell(machine)),
            };
            text += &cell;
            text.push('\n');
        }
    }
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    // Writing to memory does not fail.
    let _ = gzip.write_all(text.as_bytes());
    STANDARD.encode(gzip.finish().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machines(count: u64) -> Vec<Machine> {
        let mut rng = fastrand::Rng::with_seed(1);
        let mut digit = || char::from_digit(rng.u32(..16), 16).unwrap_or('0');
        (0..count)
            .map(|n| Machine {
                line: n + 2,
                machine_id: (0..40).map(|_| digit()).collect(),
                name: format!("ws-{:05}.example.com", n * 7),
                outcome: "accepted",
                scan: "Succeeded".to_owned(),
                verified: String::new(),
                findings: 0,
                message: String::new(),
            })
            .collect()
    }

    #[test]
    fn ids_are_whole_as_long_as_there_is_room() {
        let all = machines(1_000);
        let packed = Packed::of(&all, &Column::used(&all));
        assert_eq!(packed.short_ids, None);
    }

    #[test]
    fn ten_thousand_machines_have_room_and_are_told_apart() {
        let all = machines(10_000);
        let columns = Column::used(&all);
        let packed = Packed::of(&all, &columns);
        assert_eq!(packed.short_ids, Some(SHORT_ID));
        assert!(packed.data.len() < ROOM, "{}", packed.data.len());
    }

    #[test]
    fn ids_that_begin_alike_stay_whole_and_the_others_are_cut() {
        let mut all = machines(10_000);
        let id = all[0].machine_id.clone();
        all[1].machine_id = format!("{}x", &id[..39]);
        assert_eq!(alike(&all), [&id[..SHORT_ID]].into());
        let packed = Packed::of(&all, &Column::used(&all));
        assert!(packed.data.len() < ROOM, "{}", packed.data.len());
        assert_eq!(packed.rows, 10_000);
    }

    #[test]
    fn whatever_is_in_the_cells_has_room() {
        let mut all = machines(10_000);
        let mut rng = fastrand::Rng::with_seed(2);
        for machine in &mut all {
            machine.message = (0..200).map(|_| rng.alphanumeric()).collect();
            machine.name = (0..200).map(|_| rng.alphanumeric()).collect();
        }
        let packed = Packed::of(&all, &Column::used(&all));
        assert!(packed.data.len() <= ROOM, "{}", packed.data.len());
        assert!(packed.rows > 1_000, "{}", packed.rows);
    }

    #[test]
    fn columns_without_content_are_left_out() {
        let all = machines(2);
        let headings = Column::used(&all).into_iter().map(Column::heading);
        assert!(headings.eq(["Line", "Machine id", "Name", "Outcome", "Scan"]));
    }
}
