//! The first part of the input, as records of one delimiter.

use csv::StringRecord;

use super::{
    around::is_rule,
    records::{Broken, Records},
};

/// The head of the input, read with one delimiter.
#[derive(Debug)]
pub(super) struct Sheet {
    pub(super) delimiter: u8,
    /// The delimiter within the first cell, if that holds the whole line.
    pub(super) inner: Option<u8>,
    /// How many records come before the first of `records`.
    pub(super) skipped: usize,
    pub(super) records: Vec<(u64, StringRecord)>,
    /// How many cells the first record had, before its only cell was split.
    width: usize,
    /// Whether the first record was a single cell that was split.
    pub(super) is_unfolded: bool,
    /// Why there are no further records, if that is an error.
    pub(super) broken: Option<Broken>,
}

impl Sheet {
    /// The first record, which may be a header.
    pub(super) fn header(&self) -> Option<&StringRecord> {
        self.records.first().map(|(_, record)| record)
    }

    pub(super) fn first_line(&self) -> u64 {
        self.records.first().map_or(1, |(line, _)| *line)
    }

    /// How many cells the first record has with the outer delimiter.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// The records after the first one.
    pub(super) fn values(&self) -> impl Iterator<Item = &StringRecord> {
        self.records.iter().skip(1).map(|(_, record)| record)
    }

    /// Reads the first records, except one that may be cut off at the end of the head.
    pub(super) fn read(
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
