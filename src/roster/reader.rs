//! The input as judged rows, and the refusal of one that cannot be meant.

use std::{
    fmt,
    io::{self, Chain, Cursor, Read},
};

use super::{
    around::Around,
    bare::{trim, unwrap},
    counts::Counts,
    decode::Decoded,
    error::RosterError,
    extra::join_extra,
    foreign::Foreign,
    id_rule::IdRule,
    judge::Judge,
    layout::{Layout, position},
    machine_id::{Digest, digest},
    note::{Note, NoteKind, Notes},
    options::Options,
    records::Records,
    row::{Row, RowKind},
    row_error::RowError,
    row_fields::RowFields,
};

/// How much of the input is looked at to find its layout: a thousand rows of ample length.
const HEAD: u64 = 1024 * 1024;

/// An input, read row by row in bounded memory: a buffer, and the set of ids.
pub struct Roster<R> {
    file: String,
    records: Records<Chain<Cursor<Vec<u8>>, Decoded<R>>>,
    id: usize,
    id_column: String,
    /// Columns of the input, that of the ids included.
    width: usize,
    columns: Vec<String>,
    rule: IdRule,
    around: Around,
    judge: Judge,
    any_id: bool,
    extra: String,
    notes: Notes,
    counts: Counts,
    first_flaw: Option<(u64, RowError)>,
}

impl<R> fmt::Debug for Roster<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Roster")
            .field("file", &self.file)
            .field("id_column", &self.id_column)
            .field("columns", &self.columns)
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}

impl<R: Read> Roster<R> {
    /// Finds out how the input is laid out. `file` is its name in messages.
    ///
    /// # Errors
    /// The input cannot be read, is empty, or has no column of ids; an option names a column that is not there.
    pub fn open(file: &str, input: R, options: &Options) -> Result<Self, RosterError> {
        let unreadable = |source: io::Error| RosterError::Read {
            file: file.to_owned(),
            source,
        };
        let mut input = Decoded::new(input).map_err(unreadable)?;
        let mut head = Vec::new();
        input
            .by_ref()
            .take(HEAD)
            .read_to_end(&mut head)
            .map_err(unreadable)?;
        let whole = (head.len() as u64) < HEAD;
        if let Some(what) = Foreign::of(&head) {
            let file = file.to_owned();
            return Err(RosterError::Foreign { file, what });
        }
        let layout = Layout::find(file, &head, whole, options)?;
        let wheres = options
            .wheres
            .iter()
            .map(|clause| {
                Ok((
                    position(file, &layout.names, "--where", clause.column())?,
                    clause.clone(),
                ))
            })
            .collect::<Result<_, RosterError>>()?;

        let mut notes = Notes::default();
        for (note, line) in layout.notes {
            notes.add(note, line);
        }
        let mut records =
            Records::new(Cursor::new(head).chain(input), layout.delimiter).within(layout.inner);
        for _ in 0..layout.preamble {
            records
                .advance()
                .map_err(|broken| broken.into_error(file))?;
            if !records.is_utf8() {
                notes.add(NoteKind::Windows1252, records.line());
            }
        }
        let fields = RowFields::new(&layout.names, options.tenant.as_deref());
        let width = layout.names.len();
        let mut columns = layout.names;
        let id_column = columns.remove(layout.id);
        Ok(Self {
            file: file.to_owned(),
            records,
            id: layout.id,
            id_column,
            width,
            columns,
            rule: layout.rule,
            around: Around::new(layout.header, layout.id, layout.rule == IdRule::Any),
            judge: Judge::new((layout.rule, width), wheres, fields, options.one_tenant),
            any_id: options.any_id,
            extra: String::new(),
            notes,
            counts: Counts::default(),
            first_flaw: None,
        })
    }

    /// The column of the ids, as the input names it; `machine_id` for a plain list.
    #[must_use]
    pub fn id_column(&self) -> &str {
        &self.id_column
    }

    /// The input's other columns, which are carried through: those with a meaning for the scan are among them.
    #[must_use]
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// By which rule machine ids are told from slips.
    #[must_use]
    pub const fn rule(&self) -> IdRule {
        self.rule
    }

    /// Those of the columns that have a meaning for the scan: `scan_type`, `comment`, `priority`, `tenant_id`.
    #[must_use]
    pub fn recognised(&self) -> Vec<&'static str> {
        self.judge.recognised()
    }

    /// What is to be said once, so far: complete after the last row.
    #[must_use]
    pub fn notes(&self) -> &[Note] {
        self.notes.as_slice()
    }

    /// How many rows there were so far, by fate.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// The next row; `None` after the last one, if the input as a whole can be meant.
    ///
    /// # Errors
    /// The input cannot be read further, its ids are GUIDs, or it has ended and nothing is left to send. Nothing may be
    /// sent until `None` has come.
    pub fn next_row(&mut self) -> Result<Option<Row<'_>>, RosterError> {
        if !self.advance()? {
            self.conclude()?;
            return Ok(None);
        }
        let line = self.records.line();
        let record = self.records.record();
        self.notes.look(record, self.width, line);
        if !self.records.is_utf8() {
            self.notes.add(NoteKind::Windows1252, line);
        }
        join_extra(record, self.width, self.id, &mut self.extra);

        let cell = record.get(self.id).unwrap_or_default();
        let (machine_id, digest, is_unwrapped) = identify(cell, self.rule);
        if is_unwrapped {
            self.notes.add(NoteKind::Unwrapped, line);
        }
        let (fate, said) = self
            .judge
            .judge(record, (machine_id, digest), line, &mut self.notes);
        if self.judge.guids().are_all() && !self.any_id {
            return Err(self.judge.guids().refusal(&self.file));
        }
        if let Some(tenants) = self.judge.tenants() {
            return Err(tenants.refusal(&self.file));
        }
        if let RowKind::Invalid(flaw) = &fate {
            self.first_flaw.get_or_insert_with(|| (line, flaw.clone()));
        }
        self.counts.add(&fate);
        Ok(Some(Row {
            n: self.counts.rows(),
            line,
            machine_id,
            scan_type: said.scan_type,
            comment: said.comment,
            priority: said.priority,
            fate,
            extra: &self.extra,
        }))
    }

    /// Goes to the next record that is a row; false if there is none.
    fn advance(&mut self) -> Result<bool, RosterError> {
        loop {
            let more = self.records.advance();
            if !more.map_err(|broken| broken.into_error(&self.file))? {
                return Ok(false);
            }
            let passed = self.around.passes(self.records.record());
            match passed.filter(|_| self.rule != IdRule::AsTyped) {
                Some(what) => self
                    .notes
                    .add(NoteKind::PassedOver(what), self.records.line()),
                None => return Ok(true),
            }
        }
    }

    /// Whether the input as a whole can be meant.
    fn conclude(&self) -> Result<(), RosterError> {
        let file = self.file.clone();
        if self.judge.guids().are_most() && !self.any_id {
            return Err(self.judge.guids().refusal(&file));
        }
        if self.counts.rows() == 0 {
            return Err(RosterError::NoRows { file });
        }
        if self.counts.due == 0 {
            return Err(RosterError::NothingLeft {
                file,
                invalid: self.counts.invalid,
                left_out: self.counts.left_out,
                first: self.first_flaw.clone(),
            });
        }
        Ok(())
    }
}

/// The machine id in a cell: what stands in its wrapping where that is an id beyond doubt, else the trimmed cell. With its
/// digest, and whether there was a wrapping.
fn identify(cell: &str, rule: IdRule) -> (&str, Option<Digest>, bool) {
    let trimmed = if rule == IdRule::AsTyped {
        cell.trim()
    } else {
        trim(cell)
    };
    let found = digest(trimmed);
    if found.is_some() {
        return (trimmed, found, false);
    }
    match unwrap(trimmed, rule) {
        Some(id) => (id, digest(id), id != trimmed),
        None => (trimmed, None, false),
    }
}
