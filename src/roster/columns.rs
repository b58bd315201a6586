//! Finds the column of the machine ids, by its values and by its name.

use csv::StringRecord;

use super::{
    around::Around,
    bare::{trim, unwrap},
    error::RosterError,
    headings::{of_ids, of_names},
    id_rule::{IdRule, Values},
    machine_id::digest,
    named::Columns,
    note::NoteKind,
    sheet::Sheet,
    slip::{is_long_with_digits, is_row_rather_than_heading, looks_like_name},
};

/// Parts of the names of columns whose values look like ids but are hashes.
const HASHES: [&str; 5] = ["sha1", "md5", "hash", "thumbprint", "fingerprint"];
/// How many values of each column are examined.
const SAMPLE: u64 = 1000;
/// What the id column of a plain list is called, since such a list has no header.
pub(super) const NAME: &str = "machine_id";

/// The column of the ids.
#[derive(Debug)]
pub(super) struct Chosen {
    pub(super) id: usize,
    pub(super) has_header: bool,
    pub(super) rule: IdRule,
    /// What to tell the user about the choice.
    pub(super) note: Option<NoteKind>,
}

/// How well a delimiter explains the input; higher is better. The first number says whether there is a column of ids,
/// the others count columns.
pub(super) fn score(sheet: &Sheet, wanted: Option<&str>) -> (u8, usize, usize) {
    let Some(header) = sheet.header() else {
        return (0, 0, 0);
    };
    let is_wanted =
        |name: &str| wanted.is_some_and(|wanted| trim(name).eq_ignore_ascii_case(wanted.trim()));
    let is_named =
        |&place: &usize| of_ids(header).any(|known| known == place) || is_wanted(&header[place]);
    let named: Vec<_> = (0..header.len()).filter(is_named).collect();
    let holds_ids = named.iter().any(|&place| values(sheet, place).ids() > 0);
    // If rows have more cells than the header, the delimiter is probably part of a cell's text.
    let fits = |record: &StringRecord| {
        record
            .iter()
            .skip(header.len())
            .all(|cell| cell.trim().is_empty())
    };
    let misfits = sheet.values().filter(|record| !fits(record)).count();
    let by_content = (misfits == 0 || misfits * 2 < sheet.values().count())
        && (0..header.len()).any(|place| values(sheet, place).are_ids())
        || header.iter().any(|cell| is_id(trim(cell)));
    let sense = match (holds_ids, by_content, named.is_empty()) {
        (true, ..) => 3,
        (false, true, _) => 2,
        (false, false, false) => 1,
        (false, false, true) => 0,
    };
    (sense, header.len(), sheet.width())
}

/// Whether the possible id columns have too few values among these records for a decision.
pub(super) fn is_thin(sheet: &Sheet) -> bool {
    let Some(header) = sheet.header() else {
        return false;
    };
    let is_clear = (0..header.len()).any(|place| values(sheet, place).are_ids());
    !is_clear || of_ids(header).any(|place| values(sheet, place).filled < SAMPLE)
}

/// Finds the column.
pub(super) fn choose(
    file: &str,
    sheet: &Sheet,
    header: &StringRecord,
    rule: Option<IdRule>,
) -> Result<Chosen, RosterError> {
    let names: Vec<_> = header.iter().map(trim).collect();
    // A campaign that is older than the id rules keeps the rows and the column that it had.
    let is_old = rule == Some(IdRule::AsTyped);
    if is_old && let Some(id) = of_ids(header).next() {
        return Ok(Chosen {
            id,
            has_header: true,
            rule: IdRule::AsTyped,
            note: None,
        });
    }
    if let Some(list) = plain_list(sheet, header, &names, is_old) {
        return Ok(list);
    }
    match names.iter().filter(|name| is_id(name)).count() {
        0 => by_columns(file, sheet, header, &names, is_old),
        1 => Err(no_header(file, sheet)),
        _ => Err(RosterError::SideBySide {
            file: file.to_owned(),
            line: sheet.first_line(),
        }),
    }
}

/// A plain list: one column without a header.
fn plain_list(
    sheet: &Sheet,
    header: &StringRecord,
    names: &[&str],
    is_old: bool,
) -> Option<Chosen> {
    let is_list = names[1..].iter().all(|name| name.is_empty());
    let is_row = if is_old {
        is_long_with_digits(names[0])
    } else {
        is_row_rather_than_heading(names[0])
    };
    if !is_list || of_ids(header).next().is_some() || !is_row {
        return None;
    }
    let mut all = values(sheet, 0);
    all.add(unwrap(names[0], IdRule::Any).unwrap_or(names[0]));
    Some(Chosen {
        id: 0,
        has_header: false,
        rule: all.rule(),
        note: None,
    })
}

/// The column of a table with a header.
fn by_columns(
    file: &str,
    sheet: &Sheet,
    header: &StringRecord,
    names: &[&str],
    is_old: bool,
) -> Result<Chosen, RosterError> {
    let columns: Vec<_> = (0..names.len()).map(|place| values(sheet, place)).collect();
    let by_name: Vec<_> = of_ids(header).collect();
    let chosen = |id: usize, note| {
        Ok(Chosen {
            id,
            has_header: true,
            rule: columns[id].rule(),
            note,
        })
    };
    // 40 digits are tried first, because 32 digits may also be a GUID without hyphens.
    let hold = |place: usize, rule| columns[place].are_ids() && columns[place].rule() == rule;
    let rules = [IdRule::Hex40, IdRule::Hex32];
    let of_a_known_name = |rule| by_name.iter().find(move |&&place| hold(place, rule));
    if let Some(&id) = rules.into_iter().find_map(of_a_known_name) {
        return chosen(id, None);
    }
    let holding = |rule| {
        let places = (0..names.len()).filter(|&place| hold(place, rule) && !is_hash(names[place]));
        places.collect::<Vec<_>>()
    };
    let hold_ids = rules
        .map(holding)
        .into_iter()
        .find(|places| !places.is_empty());
    let hold_ids = hold_ids.unwrap_or_default();
    // A column with a known name that has some ids may be the right one too.
    let rival = by_name
        .iter()
        .copied()
        .find(|&place| columns[place].ids() > 0);
    match (&hold_ids[..], rival.or_else(|| by_name.first().copied())) {
        (&[id], _) if rival.is_none() => {
            if !is_old && is_row_rather_than_heading(names[id]) {
                return Err(no_header(file, sheet));
            }
            chosen(id, Some(NoteKind::GuessedColumn(names[id].to_owned())))
        }
        ([], Some(id)) => chosen(id, name_note(names[id], columns[id])),
        ([], None) => Err(nothing_found(file, sheet, names)),
        (several, _) => {
            let places = rival.into_iter().chain(several.iter().copied());
            Err(RosterError::ManyIdColumns {
                file: file.to_owned(),
                columns: Columns(places.map(|place| names[place].to_owned()).collect()),
            })
        }
    }
}

/// The id rule that a column's values suggest.
pub(super) fn rule_of(sheet: &Sheet, place: usize) -> IdRule {
    values(sheet, place).rule()
}

/// What to tell the user about a column that is chosen for its name, although not all of its values are ids.
fn name_note(name: &str, values: Values) -> Option<NoteKind> {
    (values.ids() < values.filled).then(|| NoteKind::NamedColumn {
        name: name.to_owned(),
        ids: values.ids(),
        values: values.filled,
    })
}

pub(super) fn no_header(file: &str, sheet: &Sheet) -> RosterError {
    RosterError::NoHeader {
        file: file.to_owned(),
        line: sheet.first_line(),
    }
}

/// The error that says what the input has instead of ids.
fn nothing_found(file: &str, sheet: &Sheet, names: &[&str]) -> RosterError {
    let file = file.to_owned();
    let cells = || sheet.values().filter_map(|record| record.get(0)).map(trim);
    let all = cells().count();
    let mut like_names = cells().filter(|cell| looks_like_name(cell));
    let first = like_names.next().or_else(|| {
        names
            .first()
            .copied()
            .filter(|name| all == 0 && looks_like_name(name))
    });
    let are_most = all == 0 || (like_names.count() + 1) * 2 > all;
    if let Some(first) = first.filter(|_| names.len() == 1 && are_most) {
        let first = first.to_owned();
        return RosterError::Names { file, first };
    }
    let columns = Columns(names.iter().map(|&name| name.to_owned()).collect());
    let header = StringRecord::from(names.to_vec());
    match of_names(&header) {
        Some(place) => RosterError::NameColumn {
            file,
            name: names[place].to_owned(),
            columns,
        },
        None => RosterError::NoIdColumn { file, columns },
    }
}

/// The column whose values are machine ids beyond doubt, if there is exactly one, or one with a known name.
pub(super) fn holding_ids(sheet: &Sheet, header: &StringRecord) -> Option<usize> {
    let holds = |place: usize| {
        let values = values(sheet, place);
        values.are_ids() && values.rule() == IdRule::Hex40 && !is_hash(&header[place])
    };
    let mut places = (0..header.len()).filter(|&place| holds(place));
    let of_a_known_name = of_ids(header).find(|&place| holds(place));
    match (of_a_known_name, places.next(), places.next()) {
        (Some(place), ..) | (None, Some(place), None) => Some(place),
        _ => None,
    }
}

fn is_hash(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    HASHES.iter().any(|hash| name.contains(hash))
}

fn is_id(cell: &str) -> bool {
    let id = unwrap(cell, IdRule::Any).unwrap_or(cell);
    digest(id).is_some()
}

/// What a column's values are, not counting lines that are not rows.
fn values(sheet: &Sheet, place: usize) -> Values {
    let mut values = Values::default();
    let mut around = Around::new(sheet.header().cloned(), place, false);
    for record in sheet.values() {
        let cell = trim(record.get(place).unwrap_or_default());
        if cell.is_empty() || around.passes(record).is_some() {
            continue;
        }
        values.add(unwrap(cell, IdRule::Any).unwrap_or(cell));
        if values.filled == SAMPLE {
            break;
        }
    }
    values
}
