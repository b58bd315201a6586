//! `--where`: which rows are sent. A condition is a column, an operator and values:
//!
//! ```text
//! Group=Servers,DMZ        the cell is one of these
//! Group!=Servers,DMZ       the cell is none of these
//! Tags~kiosk,lab           the cell contains one of these
//! Owner is empty           the cell is blank; `Owner=` is the same
//! Owner is not empty       the cell is not blank; `Owner!=` is the same
//! Site="Paris, Nord"       a value with a comma stands between quotes, and "" is a quote in it
//! ```
//!
//! Letters are compared in any case, and space around columns and values does not count. `docs/REFERENCE.md` documents
//! it.

use std::str::FromStr;

use winnow::{
    ModalResult, Parser,
    ascii::{Caseless, multispace0, multispace1},
    combinator::{alt, delimited, eof, fail, opt, preceded, repeat, separated, terminated},
    token::{none_of, take_till, take_while},
};

/// One `--where`: the rows whose cell in this column passes a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Where {
    column: String,
    operator: Operator,
    values: Vec<String>,
}

/// How a cell is compared with the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    /// It is one of them.
    Is,
    /// It is none of them.
    IsNot,
    /// It contains one of them.
    Contains,
}

impl Where {
    /// The column's name as typed. It is matched in any case.
    #[must_use]
    pub fn column(&self) -> &str {
        &self.column
    }

    /// Whether the cell passes.
    #[must_use]
    pub fn admits(&self, cell: &str) -> bool {
        let cell = cell.trim();
        let mut values = self.values.iter();
        match self.operator {
            Operator::Is => values.any(|value| is_same(value, cell)),
            Operator::IsNot => !values.any(|value| is_same(value, cell)),
            Operator::Contains => {
                let cell = cell.to_lowercase();
                values.any(|value| cell.contains(&value.to_lowercase()))
            }
        }
    }
}

fn is_same(value: &str, cell: &str) -> bool {
    value.eq_ignore_ascii_case(cell)
        || (!cell.is_ascii() && value.to_lowercase() == cell.to_lowercase())
}

/// A text that is no condition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no condition: write COLUMN=VALUE or COLUMN=VALUE,VALUE; != for none of the values, ~ for a part of the \
     cell, `COLUMN is empty` or `COLUMN is not empty`; a value with a comma between double quotes"
)]
pub struct WhereError(String);

impl FromStr for Where {
    type Err = WhereError;

    fn from_str(text: &str) -> Result<Self, WhereError> {
        condition
            .parse(text)
            .map_err(|_| WhereError(text.to_owned()))
    }
}

fn condition(input: &mut &str) -> ModalResult<Where> {
    alt((emptiness, comparison)).parse_next(input)
}

/// `COLUMN is empty`, `COLUMN is not empty`.
fn emptiness(input: &mut &str) -> ModalResult<Where> {
    let text = *input;
    for (at, _) in text.match_indices(char::is_whitespace) {
        let (column, mut rest) = (text[..at].trim(), &text[at..]);
        let read = is_not_empty(&mut rest);
        let is_name = !column.is_empty() && !column.contains(['=', '~']);
        if let (Ok(is_not), true) = (read, is_name) {
            *input = rest;
            return Ok(Where {
                column: column.to_owned(),
                operator: if is_not {
                    Operator::IsNot
                } else {
                    Operator::Is
                },
                values: vec![String::new()],
            });
        }
    }
    fail.parse_next(input)
}

/// `is empty` or `is not empty`, and which of them.
fn is_not_empty(input: &mut &str) -> ModalResult<bool> {
    fn word<'a>(input: &mut &'a str, word: &'static str) -> ModalResult<&'a str> {
        preceded(multispace1, Caseless(word)).parse_next(input)
    }
    word(input, "is")?;
    let is_not = opt(|input: &mut _| word(input, "not"))
        .parse_next(input)?
        .is_some();
    word(input, "empty")?;
    (multispace0, eof).parse_next(input)?;
    Ok(is_not)
}

/// `COLUMN=VALUE,VALUE`, and the other operators.
fn comparison(input: &mut &str) -> ModalResult<Where> {
    let column = take_till(1.., ['=', '~']);
    let (column, operator) = (column, alt(('=', '~'))).parse_next(input)?;
    let (column, operator) = match (operator, column.strip_suffix('!')) {
        ('~', _) => (column, Operator::Contains),
        (_, Some(column)) => (column, Operator::IsNot),
        (_, None) => (column, Operator::Is),
    };
    let values: Vec<String> = separated(1.., value, ',').parse_next(input)?;
    let column = column.trim();
    // A part that is empty is in every cell.
    let is_vague = operator == Operator::Contains && values.iter().any(String::is_empty);
    if column.is_empty() || is_vague {
        return fail.parse_next(input);
    }
    Ok(Where {
        column: column.to_owned(),
        operator,
        values,
    })
}

/// A value; empty where there is nothing.
fn value(input: &mut &str) -> ModalResult<String> {
    let plain = take_while(0.., |c| c != ',').map(|text: &str| text.trim().to_owned());
    alt((quoted, plain)).parse_next(input)
}

fn quoted(input: &mut &str) -> ModalResult<String> {
    let letter = alt(("\"\"".value('"'), none_of('"')));
    let between = delimited('"', repeat(0.., letter), '"');
    let whole = delimited(multispace0, between, multispace0);
    // Behind it comes the next value, or nothing.
    terminated(whole, winnow::combinator::peek(alt((eof, ",")))).parse_next(input)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn where_clause(text: &str) -> Where {
        text.parse().unwrap()
    }

    #[test]
    fn a_condition_admits_any_of_its_values_in_any_case() {
        let servers = where_clause("Group = Servers, DMZ");
        assert_eq!(servers.column(), "Group");
        assert!(servers.admits(" servers ") && servers.admits("dmz"));
        assert!(!servers.admits("server") && !servers.admits(""));
    }

    #[test]
    fn none_of_its_values_is_the_contrary() {
        let others = where_clause("Group != Servers, DMZ");
        assert_eq!(others.column(), "Group");
        for cell in ["servers", " DMZ", "server", ""] {
            assert_eq!(
                others.admits(cell),
                !where_clause("Group=Servers,DMZ").admits(cell)
            );
        }
    }

    #[test]
    fn a_part_of_the_cell_is_enough_such_as_one_of_several_tags() {
        let tagged = where_clause("Tags~kiosk,LAB");
        assert!(tagged.admits("lobby;Kiosk") && tagged.admits("lab") && tagged.admits("Labor"));
        assert!(!tagged.admits("lobby") && !tagged.admits(""));
        let sharp = where_clause("site~ZÜRICH");
        assert!(sharp.admits("Zürich-Nord"));
    }

    #[test]
    fn a_blank_cell_can_be_meant_and_excluded() {
        for text in ["owner=", "owner is empty", " Owner  IS Empty "] {
            let none = where_clause(text);
            assert!(none.column().eq_ignore_ascii_case("owner"), "{text}");
            assert!(none.admits("  ") && !none.admits("x"), "{text}");
        }
        for text in ["owner!=", "owner is not empty"] {
            let some = where_clause(text);
            assert!(!some.admits("  ") && some.admits("x"), "{text}");
        }
    }

    #[test]
    fn columns_and_values_may_have_blanks_quotes_and_operators() {
        let status = where_clause("Health Status=Active");
        assert_eq!(status.column(), "Health Status");
        let site = where_clause("Site = \"Paris, Nord\" , Lyon");
        assert!(site.admits("paris, nord") && site.admits("Lyon") && !site.admits("Paris"));
        assert!(where_clause("size=\"3.5\"\" disk\"").admits("3.5\" disk"));
        // What only begins like a quoted value is itself.
        assert!(where_clause("a=\"b\"c").admits("\"b\"c"));
        assert!(where_clause("a=x=y").admits("x=y"));
        assert!(where_clause("this is empty=no").admits("no"));
        assert!(where_clause("a~=").admits("x=y"));
    }

    #[test]
    fn a_condition_compares_letters_beyond_ascii_in_any_case_too() {
        assert!(where_clause("site=Zürich").admits("ZÜRICH"));
    }

    #[test]
    fn what_is_no_condition_is_refused() {
        for text in [
            "=x", "servers", "", "!=x", "~x", "a~", "a~b,", "is empty", " ",
        ] {
            assert!(text.parse::<Where>().is_err(), "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_typed_is_read_or_refused(text in "\\PC{0,20}|[a=!~, \"]{0,12}") {
            let _ = text.parse::<Where>();
        }

        #[test]
        fn any_value_can_be_quoted(value in "\\PC{1,20}") {
            let text = format!("c=\"{}\"", value.replace('"', "\"\""));
            let read = text.parse::<Where>().unwrap();
            proptest::prop_assert!(read.admits(&value) || value != value.trim());
        }
    }
}
