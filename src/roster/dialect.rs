//! Finds the delimiter that explains the input best.

use super::{
    columns::{is_thin, score},
    options::{Delimiter, Options},
    records::Broken,
    sheet::Sheet,
};

/// How many records are examined to find the delimiter, and the id column if it has enough values among them.
const RECORDS: usize = 1000;
/// The possible delimiters, the likeliest last, because the last one of equals wins.
const DELIMITERS: [u8; 4] = [b'|', b'\t', b';', b','];

/// The sheet with the delimiter that explains the input best.
pub(super) fn best_sheet(head: &[u8], whole: bool, options: &Options) -> Result<Sheet, Broken> {
    let leading = Leading::of(head);
    let told = options.delimiter.or(leading.told).map(Delimiter::as_byte);
    let delimiters = told.map_or(DELIMITERS.to_vec(), |told| vec![told]);
    let wanted = options.id_column.as_deref();
    let read = |cut, most| Sheet::read(head, whole, cut, leading.lines, most);
    let best_with = |inner: &[Option<u8>]| {
        let cuts = inner
            .iter()
            .flat_map(|&inner| delimiters.iter().map(move |&outer| (outer, inner)));
        // The last one of equals.
        cuts.map(|cut| read(cut, RECORDS))
            .map(|sheet| (score(&sheet, wanted), sheet))
            .max_by_key(|(score, _)| *score)
    };
    let mut best = best_with(&[None]);
    // Cells within a quoted cell are tried only if nothing else makes sense.
    if leading.is_quoted && best.as_ref().is_none_or(|((sense, ..), _)| *sense == 0) {
        let nested = best_with(&DELIMITERS.map(Some));
        best = nested.filter(|(_, sheet)| sheet.is_unfolded).or(best);
    }
    let mut best = best.map_or_else(|| read((b',', None), RECORDS), |(_, sheet)| sheet);
    if let Some(broken) = best.broken.take() {
        return Err(broken);
    }
    if best.records.len() > RECORDS && is_thin(&best) {
        best = read((best.delimiter, best.inner), usize::MAX);
    }
    Ok(best)
}

/// Lines above the table that are meant for programs.
struct Leading {
    /// How many lines there are.
    lines: usize,
    /// The delimiter that one of them states.
    told: Option<Delimiter>,
    /// Whether the table's first line begins with a quote.
    is_quoted: bool,
}

impl Leading {
    /// Skips `sep=X`, which tells a spreadsheet the delimiter, and `#TYPE …`, which PowerShell writes.
    fn of(head: &[u8]) -> Self {
        let mut leading = Self {
            lines: 0,
            told: None,
            is_quoted: false,
        };
        let lines = head
            .split(|&byte| byte == b'\n' || byte == b'\r')
            .filter(|line| !line.trim_ascii().is_empty());
        for line in lines {
            if let Some(delimiter) = sep_line(line) {
                leading.told = Some(delimiter);
            } else if !line.trim_ascii_start().starts_with(b"#TYPE ")
                && !line.starts_with(b"\"#TYPE ")
            {
                leading.is_quoted = line.starts_with(b"\"");
                break;
            }
            leading.lines += 1;
        }
        leading
    }
}

fn sep_line(line: &[u8]) -> Option<Delimiter> {
    let line = line
        .strip_prefix(b"\"")
        .and_then(|line| line.strip_suffix(b"\""))
        .unwrap_or(line);
    match line.split_at_checked(4)? {
        (sep, &[delimiter]) if sep.eq_ignore_ascii_case(b"sep=") => Delimiter::new(delimiter),
        _ => None,
    }
}
