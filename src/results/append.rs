//! Appends lines to the results file, each with a single write: a line is in the file completely or not at all.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::{Layout, ResultsError, Row, line::RowWriter};

/// A results file that grows by a line for each target that ends.
pub struct ResultsFile {
    row_writer: RowWriter,
    line: Vec<u8>,
    lines: Lines<Growing>,
}

impl ResultsFile {
    /// Opens a file that a [`Rewrite`](super::Rewrite) has just installed.
    pub(super) fn open(path: &Path, layout: &Layout) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).open(path)?;
        let whole = file.metadata()?.len();
        Ok(Self {
            row_writer: RowWriter::new(layout),
            line: Vec::with_capacity(1024),
            lines: Lines::new(
                Growing {
                    path: path.to_owned(),
                    file,
                },
                whole,
            ),
        })
    }

    /// Appends a line. Once this has returned, the line survives a crash of this process. A power cut may lose it;
    /// the next run then rewrites the file from the store.
    ///
    /// # Errors
    /// The disk is full or gone. Then the file ends with the line before.
    pub fn append(&mut self, row: &Row<'_>) -> Result<(), ResultsError> {
        self.line.clear();
        self.row_writer
            .row(row, &mut self.line)
            .and_then(|()| self.lines.append(&self.line))
            .map_err(|why| ResultsError::new("add a line to the results file", self.path(), &why))
    }

    /// The file's path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.lines.sink.path
    }
}

/// A file that is open for appending.
struct Growing {
    path: PathBuf,
    file: File,
}

impl Write for Growing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// What lines are written to: a file, or a bad disk in a test.
trait Sink: Write {
    /// Cuts the sink back to its first `len` bytes.
    fn cut(&mut self, len: u64) -> io::Result<()>;
}

impl Sink for Growing {
    fn cut(&mut self, len: u64) -> io::Result<()> {
        // On Windows a handle that may only append may not shorten the file.
        if cfg!(windows) {
            let file = OpenOptions::new().write(true).open(&self.path)?;
            return file.set_len(len);
        }
        self.file.set_len(len)
    }
}

/// A sink that contains only complete lines.
struct Lines<S> {
    sink: S,
    /// The length of the complete lines, in bytes.
    whole: u64,
    /// Whether part of a line may follow them, because it could not be cut off yet.
    torn: bool,
}

impl<S: Sink> Lines<S> {
    const fn new(sink: S, whole: u64) -> Self {
        Self {
            sink,
            whole,
            torn: false,
        }
    }

    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        if self.torn {
            self.sink.cut(self.whole)?;
            self.torn = false;
        }
        // Usually this is a single write. `write_all` continues if a signal or a disk quota has cut it short.
        match self.sink.write_all(line) {
            Ok(()) => {
                self.whole += line.len() as u64;
                Ok(())
            }
            Err(why) => {
                self.torn = self.sink.cut(self.whole).is_err();
                Err(why)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk with little room left that takes a few bytes at a time.
    struct Disk {
        bytes: Vec<u8>,
        room: usize,
        at_a_time: usize,
        writes: u32,
        cuts_fail: bool,
    }

    impl Disk {
        fn with(room: usize, at_a_time: usize) -> Lines<Self> {
            let disk = Self {
                bytes: b"head\n".to_vec(),
                room,
                at_a_time,
                writes: 0,
                cuts_fail: false,
            };
            Lines::new(disk, 5)
        }
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.writes += 1;
            let n = bytes.len().min(self.at_a_time).min(self.room);
            if n == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.room -= n;
            self.bytes.extend_from_slice(&bytes[..n]);
            Ok(n)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Sink for Disk {
        fn cut(&mut self, len: u64) -> io::Result<()> {
            if self.cuts_fail {
                return Err(io::ErrorKind::Other.into());
            }
            let len = usize::try_from(len).unwrap();
            assert!(len <= self.bytes.len(), "a cut never makes a file longer");
            self.bytes.truncate(len);
            Ok(())
        }
    }

    #[test]
    fn a_line_is_one_write() {
        let mut lines = Disk::with(100, 100);
        lines.append(b"one\n").unwrap();
        lines.append(b"two\n").unwrap();
        assert_eq!(lines.sink.writes, 2);
        assert_eq!(lines.sink.bytes, b"head\none\ntwo\n");
    }

    #[test]
    fn a_line_that_does_not_fit_is_cut_off_again() {
        for at_a_time in [1, 2, 100] {
            let mut lines = Disk::with(6, at_a_time);
            lines.append(b"one\n").unwrap();
            let told = lines.append(b"two\n").unwrap_err();
            assert_eq!(told.kind(), io::ErrorKind::StorageFull);
            assert_eq!(lines.sink.bytes, b"head\none\n");
            // Now there is room again.
            lines.sink.room = 4;
            lines.append(b"six\n").unwrap();
            assert_eq!(lines.sink.bytes, b"head\none\nsix\n");
        }
    }

    #[test]
    fn what_could_not_be_cut_off_is_cut_before_the_next_line() {
        let mut lines = Disk::with(2, 100);
        lines.sink.cuts_fail = true;
        lines.append(b"one\n").unwrap_err();
        assert_eq!(lines.sink.bytes, b"head\non");
        lines.sink.room = 100;
        lines.append(b"two\n").unwrap_err();
        assert_eq!(lines.sink.bytes, b"head\non", "nothing behind half a line");
        lines.sink.cuts_fail = false;
        lines.append(b"two\n").unwrap();
        assert_eq!(lines.sink.bytes, b"head\ntwo\n");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_reported_at_the_line_that_does_not_fit() {
        let layout = Layout::new(&[], false);
        let mut file = ResultsFile::open(Path::new("/dev/full"), &layout).unwrap();
        let told = file.append(&Row::default()).unwrap_err().to_string();
        assert!(told.contains("/dev/full"), "{told}");
        assert!(told.to_lowercase().contains("no space"), "{told}");
    }
}
