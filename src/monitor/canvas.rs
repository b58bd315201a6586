//! The place on a terminal where the bar is drawn.
//!
//! `indicatif` composes the lines, and this draws them. Its own drawing leaves stale lines behind when the window is
//! made narrower, for it goes up by as many rows as it has written lines, while the terminal has broken these lines
//! in two; and it fills every line up to the last column, which a terminal that is resized takes for one long line. So
//! this goes up by the rows that the last drawing has *now*, erases what is below, and writes shorter lines. What a
//! much smaller window pushes out at its top is history for the terminal, and cannot be erased any more.

use std::{
    fmt,
    io::{self, Write},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use indicatif::TermLike;

/// The size of a terminal: rows and columns.
pub(super) type Size = fn() -> (u16, u16);

/// What is drawn on a terminal, below everything that is printed.
#[derive(Clone)]
pub(super) struct Canvas(Arc<Inner>);

struct Inner {
    size: Size,
    is_hushed: AtomicBool,
    sheet: Mutex<Sheet>,
}

struct Sheet {
    out: Box<dyn Write + Send>,
    /// The lines of the next drawing, as far as they have come.
    coming: Vec<String>,
    /// The lines that are on the terminal; the cursor is at the end of the last one.
    drawn: Vec<String>,
}

impl Canvas {
    /// A canvas on a terminal of this size, which is asked for before each drawing.
    pub(super) fn new(out: Box<dyn Write + Send>, size: Size) -> Self {
        Self(Arc::new(Inner {
            size,
            is_hushed: AtomicBool::new(false),
            sheet: Mutex::new(Sheet {
                out,
                coming: Vec::new(),
                drawn: Vec::new(),
            }),
        }))
    }

    /// The number of columns that a line may have: one less than the terminal, so that no line is ever full.
    pub(super) fn columns(&self) -> usize {
        usize::from((self.0.size)().1).saturating_sub(1).max(1)
    }

    /// Draws nothing from now on, and takes away what is drawn; or draws again.
    pub(super) fn hush(&self, is_hushed: bool) {
        self.0.is_hushed.store(is_hushed, Ordering::Relaxed);
        if is_hushed {
            self.sheet().coming.clear();
            // An error means that the terminal is gone, which is no reason to stop a campaign.
            let _ = self.flush();
        }
    }

    fn sheet(&self) -> std::sync::MutexGuard<'_, Sheet> {
        self.0.sheet.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sheet {
    /// Erases the last drawing, on a terminal that has this many columns now.
    fn erased(&self, columns: usize) -> String {
        let rows = |line: &String| console::measure_text_width(line).div_ceil(columns).max(1);
        let rows: usize = self.drawn.iter().map(rows).sum();
        match rows {
            0 => String::new(),
            1 => "\r\u{1b}[J".to_owned(),
            rows => format!("\r\u{1b}[{}A\u{1b}[J", rows - 1),
        }
    }
}

impl fmt::Debug for Canvas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Canvas")
    }
}

impl TermLike for Canvas {
    fn width(&self) -> u16 {
        u16::try_from(self.columns()).unwrap_or(u16::MAX)
    }

    fn height(&self) -> u16 {
        (self.0.size)().0
    }

    // Where the cursor has to go is known here.
    fn move_cursor_up(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_down(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_right(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_left(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        Ok(())
    }

    fn write_line(&self, line: &str) -> io::Result<()> {
        self.write_str(line)
    }

    /// Takes a line. What is blank only fills one up.
    fn write_str(&self, line: &str) -> io::Result<()> {
        let line = line.trim_end();
        if !line.is_empty() {
            self.sheet().coming.push(line.to_owned());
        }
        Ok(())
    }

    /// Draws the lines that have come, in one piece.
    fn flush(&self) -> io::Result<()> {
        let (rows, columns) = (self.0.size)();
        let mut sheet = self.sheet();
        let mut lines = std::mem::take(&mut sheet.coming);
        if self.0.is_hushed.load(Ordering::Relaxed) {
            lines.clear();
        }
        // The top of a drawing that is higher than the terminal could not be erased any more.
        lines.truncate(usize::from(rows).saturating_sub(1).max(1));
        let cut = |line: String| console::truncate_str(&line, self.columns(), "").into_owned();
        let lines: Vec<String> = lines.into_iter().map(cut).collect();
        let drawing = sheet.erased(usize::from(columns).max(1)) + &lines.join("\r\n");
        sheet.drawn = lines;
        sheet.out.write_all(drawing.as_bytes())?;
        sheet.out.flush()
    }
}
