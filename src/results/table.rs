//! Writes a list as a CSV: an inventory that a campaign can start from, or findings.

use std::{
    io::{self, BufWriter, Write},
    path::Path,
};

use csv::{Terminator, Writer, WriterBuilder};

use super::{ResultsError, guard::guarded, partial::Partial};

/// Writes the CSV. A named file appears only when it is [finished](Self::finish), because half an inventory would
/// look like a small fleet.
pub struct Table {
    /// What the rows are, for messages.
    what: &'static str,
    writer: Writer<Box<dyn Write + Send>>,
    partial: Option<Partial>,
    /// Whether the reader of the stream has closed it. That is not an error.
    closed: bool,
}

impl Table {
    /// Starts a file that will be at `path`, with these columns. `what` says what the rows are, as in "machines".
    ///
    /// # Errors
    /// `path` is a folder, or its folder cannot be written to.
    pub fn create<'a>(
        path: &Path,
        what: &'static str,
        columns: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, ResultsError> {
        let wrong = |why: io::Error| ResultsError::new(act(what), path, &why);
        let (partial, file) = Partial::create(path, "-o").map_err(wrong)?;
        let out = Box::new(BufWriter::new(file));
        Self::begin(out, Some(partial), what, columns).map_err(wrong)
    }

    /// Starts on an open stream, such as standard output; see [`create`](Self::create).
    ///
    /// # Errors
    /// It cannot be written.
    pub fn stream<'a>(
        out: Box<dyn Write + Send>,
        what: &'static str,
        columns: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, ResultsError> {
        let begun = Self::begin(out, None, what, columns);
        begun.map_err(|why| ResultsError::new(act(what), Path::new("-"), &why))
    }

    fn begin<'a>(
        out: Box<dyn Write + Send>,
        partial: Option<Partial>,
        what: &'static str,
        columns: impl IntoIterator<Item = &'a str>,
    ) -> io::Result<Self> {
        let mut writer = WriterBuilder::new()
            .terminator(Terminator::Any(b'\n'))
            .from_writer(out);
        writer.write_record(columns)?;
        Ok(Self {
            what,
            writer,
            partial,
            closed: false,
        })
    }

    /// Adds a row, with a cell for each column.
    ///
    /// # Errors
    /// The disk is full or gone, or there are more or fewer cells than columns.
    pub fn row<'a>(
        &mut self,
        cells: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), ResultsError> {
        let cells: Vec<_> = cells.into_iter().map(guarded).collect();
        let written = self
            .writer
            .write_record(cells.iter().map(|cell| cell.as_bytes()));
        self.heeded(written.map_err(io::Error::from))
    }

    /// Writes what is buffered, so that whoever reads a stream sees it now.
    ///
    /// # Errors
    /// The disk is full or gone.
    pub fn flush(&mut self) -> Result<(), ResultsError> {
        let flushed = self.writer.flush();
        self.heeded(flushed)
    }

    /// Writes what is buffered, and renames a named file to its final name.
    ///
    /// # Errors
    /// The disk is full or gone, or the old file cannot be replaced.
    pub fn finish(mut self) -> Result<(), ResultsError> {
        self.flush()?;
        let Some(partial) = self.partial.take() else {
            return Ok(());
        };
        let path = partial.path().to_owned();
        // Closed first, because of Windows.
        drop(self.writer);
        let put = partial.put(self.what);
        put.map_err(|why| ResultsError::new(act(self.what), &path, &why))
    }

    fn heeded(&mut self, written: io::Result<()>) -> Result<(), ResultsError> {
        match (written, &self.partial) {
            (Err(why), None) if self.closed || why.kind() == io::ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            (written, partial) => written.map_err(|why| {
                let path = partial.as_ref().map_or(Path::new("-"), Partial::path);
                ResultsError::new(act(self.what), path, &why)
            }),
        }
    }
}

/// The act, for error messages.
fn act(what: &str) -> String {
    format!("write the {what} to")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const COLUMNS: [&str; 3] = ["machine_id", "computer_dns_name", "rbac_group_name"];
    const ROW: [&str; 3] = ["ab", "=cmd()", "a,b"];

    #[test]
    fn a_file_appears_whole_and_runs_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fleet.csv");
        let mut table = Table::create(&path, "machines", COLUMNS).unwrap();
        table.row(ROW).unwrap();
        assert!(!path.exists());
        table.finish().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().nth(1).unwrap(), "ab,'=cmd(),\"a,b\"");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn every_row_has_all_columns() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fleet.csv");
        let create = || Table::create(&path, "machines", ["a", "b"]).unwrap();
        assert!(create().row(["x"]).is_err());
        let mut table = create();
        table.row(["x", "y"]).unwrap();
        table.finish().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "a,b\nx,y\n");
    }

    #[test]
    fn an_unfinished_inventory_leaves_the_old_file_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fleet.csv");
        fs::write(&path, "old").unwrap();
        drop(Table::create(&path, "machines", COLUMNS).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        assert!(Table::create(dir.path(), "machines", COLUMNS).is_err());
        assert!(Table::create(&path.join("no/such.csv"), "machines", COLUMNS).is_err());
    }
}
