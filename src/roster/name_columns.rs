//! Finds the column of the names (`--resolve`): by its values if they are machine ids, else by its name.

use csv::StringRecord;

use super::{
    bare::trim,
    columns::{Chosen, holding_ids, no_header},
    error::RosterError,
    headings::{of_ids, of_names},
    id_rule::IdRule,
    named::Columns,
    note::NoteKind,
    sheet::Sheet,
    slip::is_row_rather_than_heading,
};

/// Finds the column.
///
/// # Errors
/// None of the columns is known to tell a machine.
pub(super) fn choose(
    file: &str,
    sheet: &Sheet,
    header: &StringRecord,
) -> Result<Chosen, RosterError> {
    let chosen = |id: usize, has_header| {
        Ok(Chosen {
            id,
            has_header,
            rule: IdRule::Named,
            note: has_header.then(|| NoteKind::NamesColumn(trim(&header[id]).to_owned())),
        })
    };
    let by_heading = of_names(header).or_else(|| of_ids(header).next());
    // A plain list. Its first line may be a heading that is not known, which then is an unknown name; no machine is
    // passed over.
    if header.iter().skip(1).all(|cell| cell.trim().is_empty()) {
        return chosen(0, by_heading.is_some());
    }
    if let Some(id) = holding_ids(sheet, header) {
        if is_row_rather_than_heading(trim(&header[id])) {
            return Err(no_header(file, sheet));
        }
        return chosen(id, true);
    }
    if let Some(id) = by_heading {
        return chosen(id, true);
    }
    Err(RosterError::NoNameColumn {
        file: file.to_owned(),
        columns: Columns(header.iter().map(|name| trim(name).to_owned()).collect()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roster::{Names, Options, layout::Layout};

    const A: &str = "1e5bc9d7e413ddd7902c2932e418702b84d0cc07";

    /// Records before the first row, and the place of the column.
    fn found(text: &str) -> Result<(usize, usize), RosterError> {
        let options = Options {
            names: Some(std::sync::Arc::new(Names::default())),
            ..Options::default()
        };
        let layout = Layout::find("in.csv", text.as_bytes(), true, &options)?;
        Ok((layout.preamble, layout.id))
    }

    #[test]
    fn a_column_is_found_by_ids_or_by_its_name() {
        for (text, expected) in [
            (format!("name,asset\npc,{A}\n"), (1, 1)),
            ("Computer Name;os\npc;win\n".to_owned(), (1, 0)),
            ("site,azureADDeviceId,hostname\nx,y,z\n".to_owned(), (1, 1)),
            ("site,id\nx,17\n".to_owned(), (1, 1)),
        ] {
            assert_eq!(found(&text).unwrap(), expected, "{text}");
        }
        assert!(matches!(
            found("a,b\npc,x\n"),
            Err(RosterError::NoNameColumn { .. })
        ));
    }

    #[test]
    fn the_first_line_is_a_heading_only_where_that_is_certain() {
        for (text, preamble) in [
            ("pc-1\npc-2\n".to_owned(), 0),
            ("web\ndb\n".to_owned(), 0),
            (format!("{A}\n{A}\n"), 0),
            ("Host Name\npc-1\n".to_owned(), 1),
            (format!("pc-1\n{A}\n"), 0),
        ] {
            assert_eq!(found(&text).unwrap(), (preamble, 0), "{text}");
        }
        let refused = found(&format!("{A},x\n{A},y\n"));
        assert!(matches!(refused, Err(RosterError::NoHeader { .. })));
    }
}
