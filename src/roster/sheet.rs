//! The first part of the input as records: by the delimiter that explains it best.

use csv::StringRecord;

use super::{
    around::is_rule,
    columns::{is_thin, score},
    options::{Delimiter, Options},
    records::{Broken, Records},
};

/// So many records are looked at to find the delimiter, and the column where that is full enough.
const RECORDS: usize = 1000;
/// What stands between cells, the likeliest last: the last of equals wins.
const DELIMITERS: [u8; 4] = [b'|', b'\t', b';', b','];

/// The head of the input as one delimiter makes it.
#[derive(Debug)]
pub(super) struct Sheet {
    pub(super) delimiter: u8,
    /// What separates the cells within the first one, if that holds the whole line.
    pub(super) inner: Option<u8>,
    /// Records before the first of `records`.
    pub(super) skipped: usize,
    records: Vec<(u64, StringRecord)>,
    /// Cells of the first record, before the only one was found to hold the cells.
    width: usize,
    /// The first record was one cell that held the cells.
    is_unfolded: bool,
    /// Why there are no further records, if that is a fault.
    broken: Option<Broken>,
}

impl Sheet {
    /// The first record, which may be a header.
    pub(super) fn header(&self) -> Option<&StringRecord> {
        self.records.first().map(|(_, record)| record)
    }

    pub(super) fn first_line(&self) -> u64 {
        self.records.first().map_or(1, |(line, _)| *line)
    }

    /// Cells between the outer delimiters.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// The records after the first one.
    pub(super) fn values(&self) -> impl Iterator<Item = &StringRecord> {
        self.records.iter().skip(1).map(|(_, record)| record)
    }

    /// The sheet of the delimiter that explains the input best.
    pub(super) fn best(head: &[u8], whole: bool, options: &Options) -> Result<Self, Broken> {
        let leading = Leading::of(head);
        let told = options.delimiter.or(leading.told).map(Delimiter::as_byte);
        let delimiters = told.map_or(DELIMITERS.to_vec(), |told| vec![told]);
        let wanted = options.id_column.as_deref();
        let read = |cut, most| Self::read(head, whole, cut, leading.lines, most);
        let best_with = |inner: &[Option<u8>]| {
            let cuts = inner
                .iter()
                .flat_map(|&inner| delimiters.iter().map(move |&outer| (outer, inner)));
            // The last of equals.
            cuts.map(|cut| read(cut, RECORDS))
                .map(|sheet| (score(&sheet, wanted), sheet))
                .max_by_key(|(score, _)| *score)
        };
        let mut best = best_with(&[None]);
        // Cells within a quoted cell are looked for only where nothing else makes sense.
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

    /// The first records; one that the head may have cut off is not among them.
    fn read(
        head: &[u8],
        whole: bool,
        (delimiter, inner): (u8, Option<u8>),
        leading: usize,
        most: usize,
    ) -> Self {
        let mut source = Records::new(head, delimiter).within(inner);
        let mut sheet = Self {
            delimiter,
            inner,
            skipped: leading,
            records: Vec::new(),
            width: 0,
            is_unfolded: false,
            broken: None,
        };
        if let Err(broken) = sheet.fill(&mut source, whole, most) {
            sheet.broken = Some(broken);
        }
        sheet
    }

    fn fill(
        &mut self,
        source: &mut Records<&[u8]>,
        whole: bool,
        most: usize,
    ) -> Result<(), Broken> {
        for _ in 0..self.skipped {
            source.advance()?;
        }
        while self.records.len() <= most {
            match source.advance() {
                // A border above the header.
                Ok(true) if self.records.is_empty() && is_rule(source.record()) => {
                    self.skipped += 1;
                }
                Ok(true) => {
                    if self.records.is_empty() {
                        self.width = source.width();
                        self.is_unfolded = source.is_unfolded();
                    }
                    let record = source.record().clone();
                    self.records.push((source.line(), record));
                }
                Ok(false) if whole || self.records.len() < 2 => break,
                Ok(false) => {
                    self.records.pop();
                    break;
                }
                Err(Broken::UnclosedQuote { .. }) if !whole && !self.records.is_empty() => break,
                Err(broken) => return Err(broken),
            }
        }
        Ok(())
    }
}

/// What stands above the table for programs to read.
struct Leading {
    /// How many lines.
    lines: usize,
    /// The delimiter that one of them tells.
    told: Option<Delimiter>,
    /// The table's first line begins with a quote.
    is_quoted: bool,
}

impl Leading {
    /// Passes over `sep=X`, with which a spreadsheet is told, and `#TYPE …`, which PowerShell writes.
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
