//! The input as classified rows, and the refusal of an input that must be a mistake.

use std::{
    borrow::Cow,
    fmt,
    io::{self, Chain, Cursor, Read},
    sync::Arc,
};

use super::{
    around::Around,
    bare::identify,
    counts::Counts,
    decode::Decoded,
    error::RosterError,
    extra::{join_extra, put_before},
    foreign::Foreign,
    headings::RESOLVED,
    id_rule::IdRule,
    layout::{Layout, position},
    machine_id::digest,
    names::{Names, Resolved},
    note::{Note, NoteKind, Notes},
    options::{Options, SheetChoice},
    records::Records,
    row::{Row, RowKind},
    row_checker::{Meant, RowChecker},
    row_error::RowError,
    row_fields::FieldColumns,
    slip,
    where_clause::Where,
};

/// How much of the input is examined to find its layout: a thousand rows, even if they are long.
pub(super) const HEAD: u64 = 1024 * 1024;

/// An input that is read row by row. Memory holds only a buffer and the set of ids.
///
/// ```
/// use fleetsweep::roster::{Options, Roster, RowKind};
///
/// let export = "Device name;Device ID\n\
///               web-1;1e5bc9d7e413ddd7902c2932e418702b84d0cc07\n\
///               web-2;1E+39\n\
///               web-1;1e5bc9d7e413ddd7902c2932e418702b84d0cc07\n";
/// let mut roster = Roster::open("export.csv", export.as_bytes(), &Options::default())?;
/// assert_eq!(roster.id_column(), "Device ID");
///
/// let mut due = Vec::new();
/// while let Some(row) = roster.next_row()? {
///     match row.kind {
///         RowKind::Due => due.push(row.machine_id.to_owned()),
///         RowKind::Invalid(why) => println!("line {}: {why}", row.line),
///         RowKind::Duplicate { first_line } => println!("line {}: as line {first_line}", row.line),
///         RowKind::LeftOut | RowKind::Excluded | RowKind::Skipped(_) => {}
///     }
/// }
/// assert_eq!(due, ["1e5bc9d7e413ddd7902c2932e418702b84d0cc07"]);
/// # Ok::<_, fleetsweep::roster::RosterError>(())
/// ```
pub struct Roster<R> {
    file: String,
    records: Records<Chain<Cursor<Vec<u8>>, Decoded<R>>>,
    id: usize,
    id_column: String,
    /// How many columns the input has, including that of the ids.
    width: usize,
    columns: Vec<String>,
    rule: IdRule,
    around: Around,
    checker: RowChecker,
    any_id: bool,
    names: Option<Arc<Names>>,
    /// The id that the row's name stands for.
    resolved: String,
    extra: String,
    pub(super) notes: Notes,
    counts: Counts,
    first_error: Option<(u64, RowError)>,
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
    /// Finds the layout of the input. `file` is its name in messages.
    ///
    /// # Errors
    /// The input cannot be read, is empty, or has no id column; or an option names a column that does not exist.
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
        if let SheetChoice::Named(_) = options.sheet {
            let file = file.to_owned();
            return Err(RosterError::NoSheets { file });
        }
        let layout = Layout::find(file, &head, whole, options)?;
        let place = |clause: &Where| {
            let column = position(file, &layout.names, "--where", clause.column())?;
            Ok((column, clause.clone()))
        };
        let wheres: Result<_, RosterError> = options.wheres.iter().map(place).collect();
        let wheres = wheres?;

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
        let fields = FieldColumns::new(&layout.names, options.tenant.as_deref());
        let place = |name: &str| layout.names.iter().position(|column| column == name);
        let results = place("outcome").zip(place("message"));
        let width = layout.names.len();
        let mut columns = layout.names;
        let id_column = columns.remove(layout.id);
        let names = options.names.clone().filter(|_| options.are_names());
        if names.is_some() {
            columns.splice(0..0, [format!("input_{id_column}"), RESOLVED.to_owned()]);
        }
        Ok(Self {
            file: file.to_owned(),
            records,
            id: layout.id,
            id_column,
            width,
            columns,
            rule: layout.rule,
            around: Around::new(
                layout.header,
                layout.id,
                matches!(layout.rule, IdRule::Any | IdRule::Named),
            ),
            checker: RowChecker::new(
                (layout.rule, width),
                (wheres, options.excluded.clone(), Arc::clone(&options.skips)),
                results.filter(|_| options.of_results),
                fields,
                options.one_tenant,
            ),
            any_id: options.any_id,
            names,
            resolved: String::new(),
            extra: String::new(),
            notes,
            counts: Counts::default(),
            first_error: None,
        })
    }

    /// The name of the id column; `machine_id` for a plain list.
    #[must_use]
    pub fn id_column(&self) -> &str {
        &self.id_column
    }

    /// The names of the other columns, which are copied to the results. They include those with a meaning for the scan.
    #[must_use]
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The rule by which cells are accepted as machine ids.
    #[must_use]
    pub const fn rule(&self) -> IdRule {
        self.rule
    }

    /// The columns with a meaning for the scan, out of `scan_type`, `comment`, `priority` and `tenant_id`.
    #[must_use]
    pub fn recognised(&self) -> Vec<&'static str> {
        self.checker.recognised()
    }

    /// The notes about the input so far. They are complete after the last row.
    #[must_use]
    pub fn notes(&self) -> &[Note] {
        self.notes.as_slice()
    }

    /// How many rows of each kind there were so far.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// The next row; `None` after the last one, if the input as a whole is acceptable. Nothing may be sent before
    /// this has returned `None`.
    ///
    /// # Errors
    /// The input cannot be read further, its ids are GUIDs, its rows are of several tenants, or it has ended and
    /// nothing is left to send.
    pub fn next_row(&mut self) -> Result<Option<Row<'_>>, RosterError> {
        if !self.advance()? {
            self.check_whole()?;
            return Ok(None);
        }
        let line = self.records.line();
        let record = self.records.record();
        self.notes.add_shape(record, self.width, line);
        if !self.records.is_utf8() {
            self.notes.add(NoteKind::Windows1252, line);
        }
        join_extra(record, self.width, self.id, &mut self.extra);

        let cell = record.get(self.id).unwrap_or_default();
        let (typed, digest, is_unwrapped) = identify(cell, self.rule);
        if is_unwrapped {
            self.notes.add(NoteKind::Unwrapped, line);
        }
        let (mut error_code, mut is_new_name) = (Cow::Borrowed(""), false);
        let meant = match &self.names {
            None => Meant::id(typed, digest),
            Some(names) => {
                let (how, flaw) = look_up(names, typed, &mut self.resolved);
                put_before([cell, &how], &mut self.extra);
                if let Some(flaw) = &flaw {
                    error_code = flaw.code().to_owned().into();
                }
                is_new_name = flaw.is_none() && names.known(typed).is_none();
                Meant::named(typed, &self.resolved, flaw)
            }
        };
        let machine_id = meant.id;
        let (kind, said) = self.checker.classify(record, meant, line, &mut self.notes);
        if self.checker.guids().are_all() && !self.any_id {
            return Err(self.checker.guids().refusal(&self.file));
        }
        if let Some(tenants) = self.checker.tenants() {
            return Err(tenants.refusal(&self.file));
        }
        if let RowKind::Invalid(error) = &kind {
            self.first_error
                .get_or_insert_with(|| (line, error.clone()));
        }
        self.counts.add(&kind);
        Ok(Some(Row {
            n: self.counts.rows(),
            line,
            machine_id,
            scan_type: said.scan_type,
            comment: said.comment,
            priority: said.priority,
            kind,
            error_code,
            is_new_name,
            extra: &self.extra,
        }))
    }

    /// Goes to the next record that is a row. Returns false if there is none.
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

    /// Whether the input as a whole is acceptable.
    fn check_whole(&self) -> Result<(), RosterError> {
        let file = self.file.clone();
        if self.checker.guids().are_most() && !self.any_id {
            return Err(self.checker.guids().refusal(&file));
        }
        if self.counts.rows() == 0 {
            return Err(RosterError::NoRows { file });
        }
        if self.counts.due == 0 && self.counts.skipped == 0 {
            return Err(RosterError::NothingLeft {
                file,
                invalid: self.counts.invalid,
                left_out: self.counts.left_out,
                first: self.first_error.clone(),
            });
        }
        Ok(())
    }
}

/// Looks up a trimmed cell. Puts the id of its machine, or the cell if there is none, into `id`. Returns how the
/// machine was found, or else why not.
fn look_up(names: &Names, typed: &str, id: &mut String) -> (String, Option<RowError>) {
    let resolved = match slip::check(typed, IdRule::Named) {
        Ok(()) => names.look_up(typed, digest(typed).is_some()),
        Err(slip) => Resolved::Flaw(slip),
    };
    id.clear();
    match resolved {
        Resolved::Machine { id: found, how } => {
            id.push_str(&found);
            (how, None)
        }
        Resolved::Flaw(flaw) => {
            id.push_str(typed);
            (String::new(), Some(flaw))
        }
    }
}
