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

/// The further columns of an inventory with what the devices report of their antivirus.
pub const HEALTH_COLUMNS: [&str; 8] = [
    "av_mode",
    "av_signature_up_to_date",
    "av_engine_up_to_date",
    "quick_scan_utc",
    "quick_scan_result",
    "full_scan_utc",
    "full_scan_result",
    "av_report_utc",
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
    /// Starts a file that will be at `path`, with the columns for what the devices report if they are wanted.
    ///
    /// # Errors
    /// `path` is a folder, or its folder cannot be written to.
    pub fn create(path: &Path, with_health: bool) -> Result<Self, ResultsError> {
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
        let out = Box::new(BufWriter::new(file));
        Self::begin(out, Some(place), with_health).map_err(wrong)
    }

    /// Starts on an open stream, such as standard output; see [`create`](Self::create).
    ///
    /// # Errors
    /// It cannot be written.
    pub fn stream(out: Box<dyn Write + Send>, with_health: bool) -> Result<Self, ResultsError> {
        let begun = Self::begin(out, None, with_health);
        begun.map_err(|why| ResultsError::new(WRITE, Path::new("-"), &why))
    }

    fn begin(
        out: Box<dyn Write + Send>,
        place: Option<Place>,
        with_health: bool,
    ) -> io::Result<Self> {
        let mut writer = WriterBuilder::new()
            .terminator(Terminator::Any(b'\n'))
            .from_writer(out);
        let more: &[&str] = if with_health { &HEALTH_COLUMNS } else { &[] };
        writer.write_record(COLUMNS.iter().chain(more))?;
        Ok(Self {
            writer,
            place,
            closed: false,
        })
    }

    /// Adds a machine, with its cells in the order of [`COLUMNS`], and then of [`HEALTH_COLUMNS`] if they are there.
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
        let mut machines = Machines::create(&path, false).unwrap();
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
    fn the_columns_of_the_report_come_last_and_every_row_has_all_of_them() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fleet.csv");
        assert!(Machines::create(&path, true).unwrap().row(ROW).is_err());
        let mut machines = Machines::create(&path, true).unwrap();
        machines.row(ROW.into_iter().chain(["x"; 8])).unwrap();
        machines.finish().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let header = text.lines().next().unwrap();
        assert!(header.starts_with("machine_id,computer_dns_name,"));
        assert!(header.ends_with("merged_into,av_mode,av_signature_up_to_date,av_engine_up_to_date,\
                                  quick_scan_utc,quick_scan_result,full_scan_utc,full_scan_result,av_report_utc"));
        assert!(text.ends_with(",,x,x,x,x,x,x,x,x\n"), "{text}");
    }

    #[test]
    fn an_unfinished_inventory_leaves_the_old_file_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fleet.csv");
        fs::write(&path, "old").unwrap();
        drop(Machines::create(&path, false).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        assert!(Machines::create(dir.path(), false).is_err());
        assert!(Machines::create(&path.join("no/such.csv"), false).is_err());
    }
}
