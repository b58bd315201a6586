//! A file that fails once.

use std::io::{self, Seek, SeekFrom, Write};

/// Writes to a file until that fails, and from then on pretends to. An archive that is dropped tries to complete
/// itself, and would print to the terminal that the disk is still full. Whoever writes it has the first error.
pub(super) struct Output<W> {
    file: W,
    /// Where the next byte goes, and where the last one ends.
    position: u64,
    end: u64,
    has_failed: bool,
}

impl<W: Write + Seek> Output<W> {
    /// An output whose file is empty.
    pub(super) const fn new(file: W) -> Self {
        Self {
            file,
            position: 0,
            end: 0,
            has_failed: false,
        }
    }

    /// The file.
    pub(super) fn into_inner(self) -> W {
        self.file
    }

    fn once<T>(&mut self, done: io::Result<T>) -> io::Result<T> {
        self.has_failed |= done.is_err();
        done
    }
}

impl<W: Write + Seek> Write for Output<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = if self.has_failed {
            bytes.len()
        } else {
            let written = self.file.write(bytes);
            self.once(written)?
        };
        self.position += written as u64;
        self.end = self.end.max(self.position);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.has_failed {
            return Ok(());
        }
        let flushed = self.file.flush();
        self.once(flushed)
    }
}

impl<W: Write + Seek> Seek for Output<W> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.position = if self.has_failed {
            match to {
                SeekFrom::Start(at) => at,
                SeekFrom::End(by) => self.end.saturating_add_signed(by),
                SeekFrom::Current(by) => self.position.saturating_add_signed(by),
            }
        } else {
            let position = self.file.seek(to);
            self.once(position)?
        };
        Ok(self.position)
    }
}

#[cfg(test)]
mod tests {
    use zip::{ZipWriter, write::SimpleFileOptions};

    use super::*;

    /// A disk with room for so many bytes.
    struct Full(usize, io::Cursor<Vec<u8>>, u32);

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.1.get_ref().len() + bytes.len() > self.0 {
                self.2 += 1;
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.1.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Seek for Full {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            self.1.seek(to)
        }
    }

    #[test]
    fn an_archive_on_a_full_disk_fails_once_wherever_that_is() {
        let write = |room| {
            let mut disk = Full(room, io::Cursor::default(), 0);
            let mut archive = ZipWriter::new(Output::new(&mut disk));
            let written = archive
                .start_file("a", SimpleFileOptions::default())
                .map_err(io::Error::from)
                .and_then(|()| archive.write_all(&[b'x'; 1000]))
                .and_then(|()| archive.finish().map(|_| ()).map_err(io::Error::from));
            (written, disk.2)
        };
        write(100_000).0.unwrap();
        for room in 0..100 {
            let (written, failures) = write(room);
            assert!(
                written.is_err() && failures == 1,
                "{room}: {written:?}, {failures}"
            );
        }
    }
}
