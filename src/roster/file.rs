//! Opens a file: a CSV, a plain list, or a workbook.

use std::{fs::File, io::Read};

use super::{
    error::RosterError,
    note::NoteKind,
    options::{Delimiter, Options, SheetChoice},
    reader::Roster,
    workbook::{Found, recognise},
};

impl Roster<Box<dyn Read>> {
    /// Finds the layout of a file, which may be a workbook; see [`open`](Roster::open). `name` is its name in messages.
    ///
    /// # Errors
    /// The same as `open`; or the workbook is damaged, or refused because it could fill the memory, or it is not clear
    /// which of its sheets is meant.
    pub fn open_file(name: &str, file: File, options: &Options) -> Result<Self, RosterError> {
        let found = recognise(file).map_err(|why| RosterError::Workbook {
            file: name.to_owned(),
            why,
        })?;
        let mut book = match found {
            Found::Other(file) => return Self::open(name, Box::new(file), options),
            Found::Foreign(what) => {
                let file = name.to_owned();
                return Err(RosterError::Foreign { file, what });
            }
            Found::Workbook(book) => book,
        };
        if options.delimiter.is_some() {
            let file = name.to_owned();
            return Err(RosterError::Delimited { file });
        }
        let mut options = Options {
            delimiter: Some(Delimiter::OF_SHEET),
            ..options.clone()
        };
        let sheet = book.choose(name, &options)?;
        let note = book.has_choice().then(|| NoteKind::Sheet(sheet.clone()));
        options.sheet = SheetChoice::ByIds;
        let mut roster = Self::open(name, Box::new(book.read(sheet)), &options)?;
        if let Some(note) = note {
            roster.notes.add(note, 1);
        }
        Ok(roster)
    }
}
