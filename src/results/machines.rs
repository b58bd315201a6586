//! Writes an inventory as a CSV file that a campaign can start from.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use csv::{Terminator, Writer, WriterBuilder};

use super::{ResultsError, guard::guarded};
use crate::audit::audit;

/// The file's columns. A campaign needs the first; the others are for `--where`.
pub const COLUMNS: [&str; 14] = [
    "machine_id",
    "computer_dns_name",
    "os_platform",
    "health_status",
    "onboarding_status",
    "risk_score",
    "exposure_level",
    "rbac_group_name",
    "machine_tags",
    "last_seen",
    "aad_device_id",
    "excluded",
    "exclusion_reason",
    "merged_into",
];

/// The act, for error messages.
const WRITE: &str = "write the machines to";

/// Writes the CSV. A named file appears only when it is [finished](Self::finish), because half an inventory would
/// look like a small fleet.
pub struct Machines {
    writer: Writer<Box<dyn Write + Send>>,
    place: Option<Place>,
    /// Whether the reader of the stream has closed it. That is not an error.
    closed: bool,
}

struct Place {
    path: PathBuf,
    partial: PathBuf,
    /// Whether it was renamed to `path`. Otherwise it is removed on drop.
    keep: bool,
}

impl Machines {
    /// Starts a file that will be at `path`.
    ///
    /// # Errors
    /// `path` is a folder, or its folder cannot be written to.
    pub fn create(path: &Path) -> Result<Self, ResultsError> {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".partial");
        let partial = path.with_file_name(name);
        let wrong = |why: io::Error| ResultsError::new(WRITE, path, &why);
        if path.is_dir() {
            return Err(wrong(io::Error::other(
                "it is a folder; name a file with -o",
            )));
        }
        let file = File::create(&partial).map_err(wrong)?;
        let place = Place {
            path: path.to_owned(),
            partial,
            keep: false,
        };
        Self::begin(Box::new(BufWriter::new(file)), Some(place)).map_err(wrong)
    }

    /// Starts on an open stream, such as standard output.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn stream(out: Box<dyn Write + Send>) -> Result<Self, ResultsError> {
        Self::begin(out, None).map_err(|why| ResultsError::new(WRITE, Path::new("-"), &why))
    }

    fn begin(out: Box<dyn Write + Send>, place: Option<Place>) -> io::Result<Self> {
        let mut writer = WriterBuilder::new()
            .terminator(Terminator::Any(b'\n'))
            .from_writer(out);
        writer.write_record(COLUMNS)?;
        Ok(Self {
            writer,
            place,
            closed: false,
        })
    }

    /// Adds a machine, with its cells in the order of [`COLUMNS`].
    ///
    /// # Errors
    /// The disk is full or gone.
    pub fn row(&mut self, cells: [&str; COLUMNS.len()]) -> Result<(), ResultsError> {
        let cells = cells.map(guarded);
        let written = self
            .writer
            .write_record(cells.iter().map(|cell| cell.as_bytes()));
        self.heeded(written.map_err(io::Error::from))
    }

    /// Writes what is buffered, and renames a named file to its final name.
    ///
    /// # Errors
    /// The disk is full or gone, or the old file cannot be replaced.
    pub fn finish(mut self) -> Result<(), ResultsError> {
        let flushed = self.writer.flush();
        self.heeded(flushed)?;
        if let Some(place) = &mut self.place {
            fs::rename(&place.partial, &place.path)
                .map_err(|why| ResultsError::new(WRITE, &place.path, &why))?;
            place.keep = true;
            audit!("file", act = "written", what = "machines", path = %place.path.display());
        }
        Ok(())
    }

    fn heeded(&mut self, written: io::Result<()>) -> Result<(), ResultsError> {
        match (written, &self.place) {
            (Err(why), None) if self.closed || why.kind() == io::ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            (written, place) => written.map_err(|why| {
                let path = place.as_ref().map_or(Path::new("-"), |place| &place.path);
                ResultsError::new(WRITE, path, &why)
            }),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.keep {
            // If half an inventory cannot be removed, its name still says what it is.
            let _ = fs::remove_file(&self.partial);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: [&str; 14] = [
        "ab",
        "=cmd()",
        "Windows11",
        "",
        "",
        "",
        "",
        "a,b",
        "",
        "",
        "",
        "",
        "",
        "",
    ];

    #[test]
    fn a_file_appears_whole_and_runs_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fleet.csv");
        let mut machines = Machines::create(&path).unwrap();
        machines.row(ROW).unwrap();
        assert!(!path.exists());
        machines.finish().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(
            text.lines().nth(1).unwrap(),
            "ab,'=cmd(),Windows11,,,,,\"a,b\",,,,,,"
        );
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn an_unfinished_inventory_leaves_the_old_file_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fleet.csv");
        fs::write(&path, "old").unwrap();
        drop(Machines::create(&path).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        assert!(Machines::create(dir.path()).is_err());
        assert!(Machines::create(&path.join("no/such.csv")).is_err());
    }
}
