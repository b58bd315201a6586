//! A row's other columns as one text: a CSV record without its line end.

use csv::StringRecord;

/// Writes the first `columns` cells, except the one at `id`, to `out`. A missing cell counts as an empty one.
pub(super) fn join_extra(record: &StringRecord, columns: usize, id: usize, out: &mut String) {
    out.clear();
    // Checking all cells at once is quicker than checking each, and hardly any row needs quotes.
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
    // So that one empty cell can be distinguished from no cell.
    if between && out.is_empty() {
        out.push_str("\"\"");
    }
}

/// Puts two cells before those that are there.
pub(super) fn put_before(cells: [&str; 2], extra: &mut String) {
    let mut before = String::new();
    for cell in cells {
        if needs_quotes(cell) {
            before.push('"');
            before.push_str(&cell.replace('"', "\"\""));
            before.push('"');
        } else {
            before.push_str(cell);
        }
        before.push(',');
    }
    if extra.is_empty() {
        before.pop();
    }
    extra.insert_str(0, &before);
}

fn needs_quotes(text: &str) -> bool {
    // Not `any`, because the compiler can vectorise a loop that does not end early.
    text.bytes().fold(false, |found, byte| {
        found | matches!(byte, b'"' | b',' | b'\r' | b'\n')
    })
}

/// The cells of [`Row::extra`](super::Row::extra), one for each of [`Roster::columns`](super::Roster::columns).
#[must_use]
pub fn split_extra(extra: &str) -> Vec<String> {
    // Creating a reader costs more than reading a row, and hardly any row has quotes.
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
        // Reading UTF-8 from memory cannot fail, so this is the empty text.
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
    fn two_cells_can_be_put_before_the_others() {
        for (cells, id) in [(&["x", "a", "b"][..], 0), (&["x"], 0), (&["x", ""], 0)] {
            let mut out = String::new();
            join_extra(
                &StringRecord::from(cells.to_vec()),
                cells.len(),
                id,
                &mut out,
            );
            put_before(["say \"x\"", "a,b"], &mut out);
            let mut all = vec!["say \"x\"", "a,b"];
            all.extend(&cells[1..]);
            assert_eq!(split_extra(&out), all);
        }
    }

    #[test]
    fn one_empty_cell_is_not_no_cell() {
        assert_eq!(round_trip(&["x", ""], 2, 0), [""]);
        assert_eq!(round_trip(&["x"], 1, 0), [""; 0]);
    }
}
