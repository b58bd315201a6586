//! Finds the machine id in a cell, without what surrounds it: quotes, brackets, invisible characters, a link to the
//! portal.

use std::collections::HashSet;

use super::{
    id_rule::IdRule,
    machine_id::{Digest, digest},
};
use crate::plain_text;

/// The length of the shortest ids.
const SHORTEST: usize = 32;

/// The machine id in a cell: without what surrounds it, if the rest is certainly an id; otherwise the trimmed cell.
/// Also its digest, and whether something around it was removed.
pub(super) fn identify(cell: &str, rule: IdRule) -> (&str, Option<Digest>, bool) {
    let trimmed = if rule == IdRule::AsTyped {
        cell.trim()
    } else {
        trim(cell)
    };
    let found = digest(trimmed);
    if found.is_some() {
        return (trimmed, found, false);
    }
    match unwrap(trimmed, rule) {
        Some(id) => (id, digest(id), id != trimmed),
        None => (trimmed, None, false),
    }
}

/// The cell without white space and invisible characters at its ends.
pub(super) fn trim(cell: &str) -> &str {
    // Nearly every cell has visible ASCII characters at both ends.
    match cell.as_bytes() {
        [first, .., last] if first.is_ascii_graphic() && last.is_ascii_graphic() => cell,
        _ => cell.trim_matches(|c: char| c.is_whitespace() || is_invisible(c)),
    }
}

/// Whether the character takes no space on a screen, such as control characters, byte order marks, zero-width
/// characters, direction marks and soft hyphens.
pub(super) fn is_invisible(c: char) -> bool {
    !plain_text::is_plain(c)
}

/// The id that is left after removing what surrounds it in the cell. `None` if what is left is not certainly an id.
pub(super) fn unwrap(cell: &str, rule: IdRule) -> Option<&str> {
    if rule == IdRule::AsTyped || cell.len() < SHORTEST {
        return None;
    }
    // With several ids in one cell, we cannot know which one is meant.
    if cell.len() > 2 * SHORTEST && count_ids(cell) > 1 {
        return None;
    }
    let bare = trim_wrapping(cell);
    if rule.is_certain(bare) {
        return Some(bare);
    }
    in_link(bare).filter(|id| rule.is_certain(id))
}

/// Removes quotes of every kind, brackets, `="…"`, an apostrophe before and a full stop after the id.
fn trim_wrapping(cell: &str) -> &str {
    let is_quote = |c: char| {
        matches!(
            c,
            '"' | '\''
                | '`'
                | '´'
                | '‘'
                | '’'
                | '‚'
                | '‛'
                | '“'
                | '”'
                | '„'
                | '‟'
                | '‹'
                | '›'
                | '«'
                | '»'
        )
    };
    let is_blank = |c: char| c.is_whitespace() || is_invisible(c);
    cell.trim_start_matches(|c: char| is_quote(c) || is_blank(c) || "{[(<=".contains(c))
        .trim_end_matches(|c: char| is_quote(c) || is_blank(c) || "}])>.".contains(c))
}

/// The id in a link to the portal: the path segment after `machines/` or `machines/v2/`.
fn in_link(cell: &str) -> Option<&str> {
    let (_, path) = cell.split_once("://")?;
    let path = path.split(['?', '#']).next()?;
    let mut steps = path
        .split('/')
        .skip_while(|step| !step.eq_ignore_ascii_case("machines"));
    steps.next()?;
    let step = steps.next()?;
    if step.eq_ignore_ascii_case("v2") {
        steps.next()
    } else {
        Some(step)
    }
}

/// How many different ids of 40 or 32 hex digits the cell contains.
pub(super) fn count_ids(cell: &str) -> usize {
    let words = cell
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| IdRule::Any.is_certain(word));
    let ids: HashSet<_> = words.map(str::to_ascii_lowercase).collect();
    ids.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "1e5bc9d7e413ddd7902c2932e418702b84d0cc07";

    #[test]
    fn what_people_and_programs_put_around_an_id_is_taken_off() {
        for (before, after) in [
            ("{", "}"),
            ("'", "'"),
            ("\u{2019}", "\u{201d}"),
            ("`", "`"),
            ("<", ">"),
            ("", "."),
            ("=\"", "\""),
            ("'", ""),
            ("[\"", "\"]"),
            ("« ", " »"),
            ("\u{feff}", "\u{ad}"),
            ("\u{202a}", "\u{202c}"),
            (
                "https://security.microsoft.com/machines/",
                "/overview?tid=x",
            ),
            ("https://security.microsoft.com/machines/v2/", ""),
            ("<https://security.microsoft.us/Machines/", "#timeline>"),
        ] {
            let cell = format!("{before}{ID}{after}");
            assert_eq!(unwrap(trim(&cell), IdRule::Hex40), Some(ID), "{cell}");
            assert_eq!(unwrap(trim(&cell), IdRule::AsTyped), None, "{cell}");
        }
    }

    #[test]
    fn what_is_no_id_beyond_doubt_stays_as_it_is() {
        let other = "https://security.microsoft.com/machines/";
        for cell in [
            "{pc-1}".to_owned(),
            format!("{ID},{ID}"),
            format!("{ID}0"),
            format!("{{{}}}", &ID[1..]),
            format!("{other}pc-1/{ID}"),
            format!("https://example.com/{ID}"),
            format!("{{{}}}", &ID[..32]),
        ] {
            assert_eq!(unwrap(&cell, IdRule::Hex40), None, "{cell}");
        }
        assert_eq!(unwrap(&ID[..32], IdRule::Hex32), Some(&ID[..32]));
    }

    #[test]
    fn ids_in_one_cell_are_counted() {
        let other = ID.replace('1', "2");
        assert_eq!(count_ids(&format!("{ID};{other}")), 2);
        assert_eq!(count_ids(&format!("{ID};{}", ID.to_uppercase())), 1);
        assert_eq!(count_ids(&format!("[\"{ID}\",\"{other}\",\"pc\"]")), 2);
        assert_eq!(count_ids(ID), 1);
        assert_eq!(count_ids(&format!("{ID}{ID}")), 0);
    }
}
