//! A file that counts what is read of it: how much of a workbook has been inflated, up to a factor.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use calamine::Xlsx;

/// A workbook whose file is counted.
pub(super) type Book = Xlsx<BufReader<Counted>>;

/// A file, and how many bytes have been read of it.
pub(super) struct Counted {
    file: File,
    bytes: Arc<AtomicU64>,
}

impl Counted {
    /// Counts from here on. The number goes to the second of these.
    pub(super) fn new(file: File) -> (Self, Arc<AtomicU64>) {
        let bytes = Arc::<AtomicU64>::default();
        let count = Arc::clone(&bytes);
        (Self { file, bytes }, count)
    }
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.bytes.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

impl Seek for Counted {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}
