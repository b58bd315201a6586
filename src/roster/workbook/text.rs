//! A sheet as a stream of text. A thread of its own reads the workbook, never further ahead than a few buffers.

use std::{
    io::{self, Read},
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
};

use super::{counted::Book, error::WorkbookError, rows::Rows};

/// How much text is handed over at once, in bytes.
const CHUNK: usize = 64 * 1024;
/// How many chunks may wait for whoever reads them.
const AHEAD: usize = 4;

/// Some text; an empty one is the end.
type Chunk = Result<Vec<u8>, WorkbookError>;

/// The text of a sheet. Dropping it ends the thread that reads the workbook.
pub(super) struct SheetText {
    chunks: Receiver<Chunk>,
    chunk: io::Cursor<Vec<u8>>,
    is_over: bool,
}

impl SheetText {
    /// Begins to read this sheet, which may have up to `most` bytes of text.
    pub(super) fn begin(mut book: Book, sheet: String, most: u64) -> Self {
        let (sender, chunks) = sync_channel(AHEAD);
        thread::spawn(move || {
            if let Err(why) = send(&mut book, (&sheet, most), &sender) {
                // If nobody reads any more, nobody wants to know.
                let _ = sender.send(Err(why));
            }
        });
        Self {
            chunks,
            chunk: io::Cursor::default(),
            is_over: false,
        }
    }
}

/// Sends the sheet's text, for as long as somebody reads it.
fn send(
    book: &mut Book,
    (sheet, most): (&str, u64),
    sender: &SyncSender<Chunk>,
) -> Result<(), WorkbookError> {
    let mut rows = Rows::of(book, sheet, most)?;
    let mut chunk = Vec::with_capacity(CHUNK + CHUNK / 4);
    while rows.next_row(&mut chunk)? {
        if chunk.len() >= CHUNK {
            let full = std::mem::replace(&mut chunk, Vec::with_capacity(CHUNK + CHUNK / 4));
            if sender.send(Ok(full)).is_err() {
                return Ok(());
            }
        }
    }
    if !chunk.is_empty() {
        let _ = sender.send(Ok(chunk));
    }
    let _ = sender.send(Ok(Vec::new()));
    Ok(())
}

impl Read for SheetText {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.chunk.read(buf)?;
            if read > 0 || buf.is_empty() || self.is_over {
                return Ok(read);
            }
            let chunk = self.chunks.recv().map_err(io::Error::other)?;
            let chunk = chunk.map_err(io::Error::other)?;
            self.is_over = chunk.is_empty();
            self.chunk = io::Cursor::new(chunk);
        }
    }
}
