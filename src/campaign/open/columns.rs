//! Fits the cells of an extended input into the campaign's columns, by the columns' names.

use std::collections::HashMap;

use crate::roster::split_extra;

/// Where each of the campaign's columns is in the input.
#[derive(Debug)]
pub(crate) struct ColumnMap {
    /// The place in the input for each of the campaign's columns; `None` if the columns are the same in the
    /// same order.
    places: Option<Vec<Option<usize>>>,
    /// Columns of the input that the campaign does not have.
    dropped: Vec<String>,
    reordered: String,
}

impl ColumnMap {
    /// A map from the columns `found` in the input to those `known` to the campaign. Names are compared
    /// without case and surrounding blanks. Of several columns with one name, the first matches the first.
    pub(crate) fn between(found: &[String], known: &[String]) -> Self {
        let mut places = HashMap::<_, Vec<usize>>::new();
        for (at, name) in found.iter().enumerate().rev() {
            places.entry(as_read(name)).or_default().push(at);
        }
        let mut place = |name: &String| places.get_mut(&as_read(name)).and_then(Vec::pop);
        let order = known.iter().map(&mut place).collect();
        let mut dropped: Vec<_> = places.into_values().flatten().collect();
        dropped.sort_unstable();
        Self {
            places: (found != known).then_some(order),
            dropped: dropped.into_iter().map(|at| found[at].clone()).collect(),
            reordered: String::new(),
        }
    }

    /// A row's other cells as one CSV record, in the order of the campaign's columns. A cell that the input
    /// does not have is empty.
    pub(crate) fn reorder<'a>(&'a mut self, extra: &'a str) -> &'a str {
        let Some(places) = &self.places else {
            return extra;
        };
        let cells = split_extra(extra);
        let cell = |place: &Option<usize>| place.and_then(|at| cells.get(at)).map_or("", |c| c);
        let quoted: Vec<_> = places.iter().map(|place| quoted(cell(place))).collect();
        self.reordered = quoted.join(",");
        &self.reordered
    }

    /// A note for the person, if columns are dropped.
    pub(crate) fn note(&self) -> Option<String> {
        let names: Vec<_> = self
            .dropped
            .iter()
            .map(|name| format!("`{name}`"))
            .collect();
        let (column, are) = match names.len() {
            0 => return None,
            1 => ("column", "is"),
            _ => ("columns", "are"),
        };
        Some(format!(
            "the {column} {} {are} not in this campaign's results, which keep the columns that it began with",
            names.join(", ")
        ))
    }
}

fn as_read(name: &str) -> String {
    name.trim().to_lowercase()
}

/// A cell of a CSV record. An empty cell is quoted too, to distinguish one empty cell from no cell at all.
fn quoted(cell: &str) -> String {
    if cell.is_empty() || cell.contains(['"', ',', '\r', '\n']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    fn reordered(found: &[&str], known: &[&str], extra: &str) -> Vec<String> {
        let mut columns = ColumnMap::between(&names(found), &names(known));
        split_extra(columns.reorder(extra))
    }

    #[test]
    fn cells_go_to_the_columns_of_their_names_whatever_the_order() {
        assert_eq!(
            reordered(&["os", "site"], &["Site ", "os"], "w,\"a,b\""),
            ["a,b", "w"]
        );
        assert_eq!(
            reordered(&["x", "os"], &["os"], "1,\"say \"\"hi\"\"\""),
            ["say \"hi\""]
        );
        assert_eq!(
            reordered(&["a", "a"], &["a", "b", "a"], "1,2"),
            ["1", "", "2"]
        );
    }

    #[test]
    fn a_column_that_is_missing_is_empty_and_not_away() {
        assert_eq!(reordered(&[], &["os"], ""), [""]);
        assert_eq!(reordered(&["site"], &["os", "site"], "x"), ["", "x"]);
        assert_eq!(reordered(&["site"], &[], "x"), [""; 0]);
    }

    #[test]
    fn columns_that_are_not_carried_are_named_once() {
        let note = |found: &[&str], known: &[&str]| {
            ColumnMap::between(&names(found), &names(known)).note()
        };
        assert_eq!(note(&["b", "a"], &["a", "b"]), None);
        let told = note(&["c", "a", "a"], &["a"]).unwrap();
        assert!(told.starts_with("the columns `c`, `a` are not"), "{told}");
    }
}
