//! Finds the layout of an input from its first part: the delimiter, the header and the id column.

use csv::StringRecord;

use super::{
    bare::trim,
    columns::{self, Chosen, choose},
    dialect::best_sheet,
    error::RosterError,
    id_rule::IdRule,
    name_columns,
    named::Columns,
    note::NoteKind,
    options::Options,
    records::Broken,
};

/// A file with all of these columns is a results file.
const RESULTS: [&str; 4] = ["outcome", "action_id", "action_status", "attempts"];

/// How the input is laid out.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) delimiter: u8,
    /// The delimiter within the first cell, if that holds the whole line.
    pub(super) inner: Option<u8>,
    /// How many records come before the first row: `sep=X`, `#TYPE …`, a header.
    pub(super) preamble: usize,
    pub(super) header: Option<StringRecord>,
    /// The columns' names. A plain list has a single column `machine_id`.
    pub(super) names: Vec<String>,
    /// The index of the id column.
    pub(super) id: usize,
    /// The rule for ids.
    pub(super) rule: IdRule,
    /// What to tell the user about the layout, with the header's line.
    pub(super) notes: Vec<(NoteKind, u64)>,
}

impl Layout {
    /// Finds the layout from the head of the input, which is `whole` if nothing comes after it.
    pub(super) fn find(
        file: &str,
        head: &[u8],
        whole: bool,
        options: &Options,
    ) -> Result<Self, RosterError> {
        let sheet = best_sheet(head, whole, options).map_err(|broken| broken.into_error(file))?;
        let Some(header) = sheet.header() else {
            return Err(RosterError::Empty {
                file: file.to_owned(),
            });
        };
        let names: Vec<_> = header.iter().map(|name| trim(name).to_owned()).collect();
        if !options.of_results && is_results(&names) {
            return Err(RosterError::Results {
                file: file.to_owned(),
            });
        }
        let chosen = match &options.id_column {
            Some(name) => {
                let id = position(file, &names, "--id-column", name)?;
                Chosen {
                    id,
                    has_header: true,
                    rule: columns::rule_of(&sheet, id),
                    note: None,
                }
            }
            None if options.are_names() => name_columns::choose(file, &sheet, header)?,
            None => choose(file, &sheet, header, options.rule)?,
        };
        let nested = sheet.inner.map(|_| NoteKind::LinesInCells);
        // With --any-id the user knows that the ids are unusual.
        let notes = chosen.note.filter(|_| !options.any_id);
        let notes = notes.into_iter().chain(nested);
        let found = match chosen.rule {
            _ if options.are_names() => IdRule::Named,
            _ if options.any_id => IdRule::Any,
            rule => rule,
        };
        Ok(Self {
            delimiter: sheet.delimiter,
            inner: sheet.inner,
            preamble: sheet.skipped + usize::from(chosen.has_header),
            header: chosen.has_header.then(|| header.clone()),
            id: chosen.id,
            rule: options.rule.unwrap_or(found),
            notes: notes.map(|note| (note, sheet.first_line())).collect(),
            names: if chosen.has_header {
                names
            } else {
                vec![columns::NAME.to_owned()]
            },
        })
    }
}

/// The index of the column that an option names: first by the exact name, then ignoring case.
pub(super) fn position(
    file: &str,
    names: &[String],
    option: &'static str,
    name: &str,
) -> Result<usize, RosterError> {
    let wanted = name.trim();
    let lower = wanted.to_lowercase();
    names
        .iter()
        .position(|name| name == wanted)
        .or_else(|| names.iter().position(|name| name.to_lowercase() == lower))
        .ok_or_else(|| RosterError::NoSuchColumn {
            file: file.to_owned(),
            option,
            name: wanted.to_owned(),
            columns: Columns(names.to_vec()),
        })
}

impl Broken {
    pub(super) fn into_error(self, file: &str) -> RosterError {
        let file = file.to_owned();
        match self {
            Self::Read(source) => RosterError::Read { file, source },
            Self::UnclosedQuote { line } => RosterError::UnclosedQuote { file, line },
        }
    }
}

/// Whether these are the columns of a results file.
fn is_results(names: &[String]) -> bool {
    RESULTS
        .iter()
        .all(|known| names.iter().any(|name| name == known))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "1e5bc9d7e413ddd7902c2932e418702b84d0cc07";
    const B: &str = "2e5bc9d7e413ddd7902c2932e418702b84d0cc07";

    fn find(text: &str) -> Result<Layout, RosterError> {
        Layout::find("in.csv", text.as_bytes(), true, &Options::default())
    }

    /// Delimiter, records before the first row, place of the ids.
    fn found(text: &str) -> (char, usize, usize) {
        let layout = find(text).unwrap();
        (layout.delimiter.into(), layout.preamble, layout.id)
    }

    #[test]
    fn the_delimiter_is_the_one_that_shows_the_most_or_a_known_column() {
        assert_eq!(found("name,ID\n"), (',', 1, 1));
        assert_eq!(found("name;machineId;os\n"), (';', 1, 1));
        assert_eq!(found("name\tDevice ID\n"), ('\t', 1, 1));
        assert_eq!(found("machine_id;note, or two, or three\n"), (';', 1, 0));
        assert_eq!(found("\"a;b;c;d\",id\n"), (',', 1, 1));
    }

    #[test]
    fn a_sep_line_gives_the_delimiter_and_is_no_header() {
        assert_eq!(found("sep=;\nname;id\n"), (';', 2, 1));
        assert_eq!(found("\r\n\"SEP=|\"\r\nname|id\r\n"), ('|', 2, 1));
        assert_eq!(found("sep=\t\nname\tid\n"), ('\t', 2, 1));
    }

    #[test]
    fn known_names_are_preferred_in_their_order() {
        assert_eq!(found("Device ID, id ,MACHINE_ID\n"), (',', 1, 2));
        assert_eq!(found("Device ID,deviceid,id\n"), (',', 1, 2));
    }

    #[test]
    fn a_column_without_a_known_name_is_found_by_its_values() {
        let layout = find(&format!("name,asset\npc,{A}\npc2, {B} \n")).unwrap();
        let guessed = (NoteKind::GuessedColumn("asset".into()), 1);
        assert_eq!((layout.id, layout.notes), (1, vec![guessed]));
        assert_eq!(found(&format!("name,asset\npc,{A}\npc2,\n")), (',', 1, 1));
        assert!(matches!(
            find(&format!("x,y\n{A},{B}\n")),
            Err(RosterError::ManyIdColumns { .. })
        ));
    }

    #[test]
    fn a_plain_list_has_no_header_and_a_heading_is_one() {
        assert_eq!(found(&format!("{A}\n{B}\n")), (',', 0, 0));
        assert_eq!(found(&format!("\"{A}\",\n\"{B}\",\n")), (',', 0, 0));
        assert_eq!(found(&format!("Machines\n{A}\n{B}\n")), (',', 1, 0));
        assert!(matches!(
            find("PC-1\nPC-2\n"),
            Err(RosterError::Names { .. })
        ));
    }

    #[test]
    fn a_first_row_is_not_taken_for_a_header() {
        assert!(matches!(
            find(&format!("{A},pc\n{B},pc2\n")),
            Err(RosterError::NoHeader { line: 1, .. })
        ));
    }

    #[test]
    fn a_refusal_names_the_columns_and_the_option() {
        let refusal = find("name,os\npc,win\n").unwrap_err().to_string();
        assert!(
            refusal.contains("`name`, `os`") && refusal.contains("--id-column"),
            "{refusal}"
        );
        let options = Options {
            id_column: Some("Serial".into()),
            ..Options::default()
        };
        let refusal = Layout::find("in.csv", b"name,os\n", true, &options)
            .unwrap_err()
            .to_string();
        assert!(
            refusal.contains("`Serial`, which --id-column names")
                && refusal.contains("`name`, `os`"),
            "{refusal}"
        );
    }

    #[test]
    fn a_row_that_the_head_cuts_off_does_not_decide() {
        let head = format!("name,asset\npc,{A}\npc2,{}", &B[..9]);
        let layout = Layout::find("in.csv", head.as_bytes(), false, &Options::default()).unwrap();
        assert_eq!(layout.id, 1);
    }
}
