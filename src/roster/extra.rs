//! A row's other columns as one text: a CSV record without its line end.

use csv::StringRecord;

/// Writes the first `columns` cells but the one at `id` to `out`; a missing cell is an empty one.
pub(super) fn join_extra(record: &StringRecord, columns: usize, id: usize, out: &mut String) {
    out.clear();
    // A look at all cells at once is quicker than one at each: nearly no row needs quotes.
    let quotes = needs_quotes(record.as_slice());
    let mut between = false;
    for place in (0..columns).filter(|&place| place != id) {
        if between {
            out.push(',');
        }
        between = true;
        let cell = record.get(place).unwrap_or_default();
        if quotes && needs_quotes(cell) {
            out.push('"');
            out.push_str(&cell.replace('"', "\"\""));
            out.push('"');
        } else {
            out.push_str(cell);
        }
    }
    // One empty cell is told from no cell at all.
    if between && out.is_empty() {
        out.push_str("\"\"");
    }
}

fn needs_quotes(text: &str) -> bool {
    // Not `any`: a loop without an early end is one that the compiler turns into vector instructions.
    text.bytes().fold(false, |found, byte| {
        found | matches!(byte, b'"' | b',' | b'\r' | b'\n')
    })
}

/// The cells of [`Row::extra`](super::Row::extra), one for each of [`Roster::columns`](super::Roster::columns).
#[must_use]
pub fn split_extra(extra: &str) -> Vec<String> {
    // Making a reader costs more than reading a row, and nearly no row has quotes.
    if !extra.contains('"') {
        let cells = extra.split(',').map(str::to_owned);
        return if extra.is_empty() {
            Vec::new()
        } else {
            cells.collect()
        };
    }
    let mut record = StringRecord::new();
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .buffer_capacity(extra.len().max(1))
        .from_reader(extra.as_bytes());
    match reader.read_record(&mut record) {
        Ok(true) => record.iter().map(str::to_owned).collect(),
        // Text in memory cannot fail to be read, and is UTF-8: what is left is the empty one.
        Ok(false) | Err(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(cells: &[&str], columns: usize, id: usize) -> Vec<String> {
        let mut out = "left over".to_owned();
        join_extra(&StringRecord::from(cells.to_vec()), columns, id, &mut out);
        assert!(!out.ends_with('\n'));
        split_extra(&out)
    }

    #[test]
    fn cells_come_back_as_they_were() {
        assert_eq!(round_trip(&["x", "a", "b"], 3, 0), ["a", "b"]);
        assert_eq!(
            round_trip(&["a,b", "x", "say \"hi\"\r\nthere", "", " é "], 5, 1),
            ["a,b", "say \"hi\"\r\nthere", "", " é "]
        );
    }

    #[test]
    fn a_short_row_is_filled_up_and_a_long_one_cut() {
        assert_eq!(round_trip(&["x"], 3, 0), ["", ""]);
        assert_eq!(round_trip(&["x", "a", "b", "c"], 2, 0), ["a"]);
    }

    #[test]
    fn one_empty_cell_is_not_no_cell() {
        assert_eq!(round_trip(&["x", ""], 2, 0), [""]);
        assert_eq!(round_trip(&["x"], 1, 0), [""; 0]);
    }
}
