//! How the input is laid out: its delimiter, its header and the column of the ids, found in its first part.

use csv::StringRecord;

use super::{
    error::{Columns, RosterError},
    machine_id::{digest, is_id_like},
    options::{Delimiter, Options},
    records::{Broken, Records},
};

/// Names by which the ids' column is known, in any case; the first that is there counts.
const KNOWN: [&str; 5] = ["machine_id", "machineId", "id", "DeviceId", "Device ID"];
/// How many values decide whether a column without a known name holds ids.
const SAMPLE: usize = 100;

/// How the input is laid out.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) delimiter: u8,
    /// How many records come before the first row: a line `sep=X`, a header.
    pub(super) preamble: usize,
    /// The columns; a plain list has the one column `machine_id`.
    pub(super) names: Vec<String>,
    /// The place of the ids among them.
    pub(super) id: usize,
    /// The header's line, if the ids' column is known by its values alone.
    pub(super) guessed: Option<u64>,
}

impl Layout {
    /// Finds it in the head of the input, `whole` if nothing comes after it.
    pub(super) fn find(
        file: &str,
        head: &[u8],
        whole: bool,
        options: &Options,
    ) -> Result<Self, RosterError> {
        let sep = sep_line(head);
        let skipped = usize::from(sep.is_some());
        let delimiter = options
            .delimiter
            .or(sep)
            .map_or_else(|| guess(head), Delimiter::as_byte);
        let sample =
            sample(head, whole, delimiter, skipped).map_err(|broken| broken.into_error(file))?;
        let Some(((line, first), values)) = sample.split_first() else {
            return Err(RosterError::Empty {
                file: file.to_owned(),
            });
        };
        let names: Vec<_> = first.iter().map(|name| name.trim().to_owned()).collect();
        let with_header = |id, guessed| Self {
            delimiter,
            preamble: skipped + 1,
            names: names.clone(),
            id,
            guessed,
        };

        if let Some(name) = &options.id_column {
            return Ok(with_header(
                position(file, &names, "--id-column", name)?,
                None,
            ));
        }
        if let Some(id) = known(first) {
            return Ok(with_header(id, None));
        }
        if is_id_like(&names[0]) && names[1..].iter().all(String::is_empty) {
            return Ok(Self {
                delimiter,
                preamble: skipped,
                names: vec![KNOWN[0].to_owned()],
                id: 0,
                guessed: None,
            });
        }
        let file = file.to_owned();
        if names.iter().any(|name| digest(name).is_some()) {
            return Err(RosterError::NoHeader { file, line: *line });
        }
        let holds_ids = |&place: &usize| {
            !values.is_empty()
                && values.iter().all(|(_, row)| {
                    row.get(place)
                        .is_some_and(|cell| digest(cell.trim()).is_some())
                })
        };
        let found: Vec<_> = (0..names.len()).filter(holds_ids).collect();
        match found[..] {
            [id] => Ok(with_header(id, Some(*line))),
            [] => Err(RosterError::NoIdColumn {
                file,
                columns: Columns(names),
            }),
            _ => Err(RosterError::ManyIdColumns {
                file,
                columns: Columns(
                    found
                        .into_iter()
                        .map(|place| names[place].clone())
                        .collect(),
                ),
            }),
        }
    }
}

/// The place of the column that the option names: by its very name, else in any case.
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

fn known(header: &StringRecord) -> Option<usize> {
    KNOWN.iter().find_map(|known| {
        header
            .iter()
            .position(|name| name.trim().eq_ignore_ascii_case(known))
    })
}

/// The delimiter of a first line `sep=X`, with which a spreadsheet is told.
fn sep_line(head: &[u8]) -> Option<Delimiter> {
    let line = head
        .split(|&byte| byte == b'\n' || byte == b'\r')
        .find(|line| !line.trim_ascii().is_empty())?;
    let line = line
        .strip_prefix(b"\"")
        .and_then(|line| line.strip_suffix(b"\""))
        .unwrap_or(line);
    match line.split_at_checked(4)? {
        (sep, &[delimiter]) if sep.eq_ignore_ascii_case(b"sep=") => Delimiter::new(delimiter),
        _ => None,
    }
}

/// The delimiter that shows a known column in the first record, or else the most columns.
fn guess(head: &[u8]) -> u8 {
    // The last of equals wins.
    [b'\t', b';', b',']
        .into_iter()
        .max_by_key(|&delimiter| {
            let mut records = Records::new(head, delimiter);
            match records.advance() {
                Ok(true) => (known(records.record()).is_some(), records.record().len()),
                Ok(false) | Err(_) => (false, 0),
            }
        })
        .unwrap_or(b',')
}

/// The first records and their lines; one that the head may have cut off is not among them.
fn sample(
    head: &[u8],
    whole: bool,
    delimiter: u8,
    skipped: usize,
) -> Result<Vec<(u64, StringRecord)>, Broken> {
    let mut records = Records::new(head, delimiter);
    let mut sample = Vec::new();
    for _ in 0..skipped {
        records.advance()?;
    }
    while sample.len() <= SAMPLE {
        match records.advance() {
            Ok(true) => sample.push((records.line(), records.record().clone())),
            Ok(false) if whole || sample.len() < 2 => break,
            Ok(false) => {
                sample.pop();
                break;
            }
            Err(Broken::UnclosedQuote { .. }) if !whole && !sample.is_empty() => break,
            Err(broken) => return Err(broken),
        }
    }
    Ok(sample)
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
        assert_eq!((layout.id, layout.guessed), (1, Some(1)));
        assert!(matches!(
            find(&format!("name,asset\npc,{A}\npc2,\n")),
            Err(RosterError::NoIdColumn { .. })
        ));
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
            Err(RosterError::NoIdColumn { .. })
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
            refusal.contains("`Serial` as --id-column") && refusal.contains("`name`, `os`"),
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
