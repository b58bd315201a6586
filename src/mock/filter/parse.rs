//! Parses a filter: its syntax by `winnow`, one function for each level of precedence; then its fields and literals.

use std::borrow::Cow;

use jiff::{Timestamp, civil, tz::TimeZone};
use winnow::{
    ModalResult, Parser, Stateful,
    ascii::multispace0,
    combinator::{alt, delimited, fail, preceded, repeat, separated, terminated},
    token::{none_of, take_while},
};

use super::{Comparison, Filter, Function, Row, Test, Type, Value};

impl Filter {
    /// Reads a filter over the fields of `R`. Names and operators may be in upper or lower case. The error is the text
    /// for the client.
    pub(in crate::mock) fn parse<R: Row>(text: &str) -> Result<Self, String> {
        let input = Stateful {
            input: text,
            state: 0,
        };
        let filter = preceded(multispace0, or).parse(input).map_err(|e| {
            let at = e.offset();
            format!("Syntax error at position {at} in '{text}'.")
        })?;
        filter.resolve(R::FIELDS)
    }
}

/// Deeper nesting is refused, so that a filter cannot overflow the stack.
const DEEPEST: u32 = 50;

/// The text, and how deep the parser is in it.
type Input<'a> = Stateful<&'a str, u32>;

/// A filter whose fields and literals are still words.
enum Syntax {
    Or(Vec<Self>),
    And(Vec<Self>),
    Not(Box<Self>),
    Test {
        field: String,
        is_lowered: bool,
        test: RawTest,
    },
}

enum RawTest {
    Compare(Comparison, Literal),
    In(Vec<Literal>),
    Function(Function, Literal),
    /// A test of the items of a list.
    Any(Box<Self>),
}

enum Literal {
    Quoted(String),
    /// A number, a date, a GUID, or `null`.
    Bare(String),
}

fn or(input: &mut Input<'_>) -> ModalResult<Syntax> {
    let parts = separated(1.., and, keyword("or"));
    parts.map(Syntax::Or).parse_next(input)
}

fn and(input: &mut Input<'_>) -> ModalResult<Syntax> {
    let parts = separated(1.., not, keyword("and"));
    parts.map(Syntax::And).parse_next(input)
}

fn not(input: &mut Input<'_>) -> ModalResult<Syntax> {
    if input.state == DEEPEST {
        return fail.parse_next(input);
    }
    input.state += 1;
    let parsed = alt((
        preceded(keyword("not"), not).map(|inner| Syntax::Not(Box::new(inner))),
        delimited(mark('('), or, mark(')')),
        function,
        comparison,
    ))
    .parse_next(input);
    input.state -= 1;
    parsed
}

/// `startswith(field,'part')`
fn function(input: &mut Input<'_>) -> ModalResult<Syntax> {
    let name = alt((
        keyword("startswith").value(Function::StartsWith),
        keyword("endswith").value(Function::EndsWith),
        keyword("contains").value(Function::Contains),
    ));
    let arguments = delimited(
        mark('('),
        (operand, preceded(mark(','), literal)),
        mark(')'),
    );
    let mut parts = (name, arguments).map(|(function, ((field, is_lowered), part))| Syntax::Test {
        field,
        is_lowered,
        test: RawTest::Function(function, part),
    });
    parts.parse_next(input)
}

/// `field eq 'x'`, `field in ('x','y')`, `field/any(item: item eq 'x')`
fn comparison(input: &mut Input<'_>) -> ModalResult<Syntax> {
    let parts = (operand, alt((any_item, test)));
    let mut parts = parts.map(|((field, is_lowered), test)| Syntax::Test {
        field,
        is_lowered,
        test,
    });
    parts.parse_next(input)
}

/// A field, or `tolower(field)`.
fn operand(input: &mut Input<'_>) -> ModalResult<(String, bool)> {
    let lowered = preceded(keyword("tolower"), delimited(mark('('), name, mark(')')));
    let field = alt((
        lowered.map(|field| (field, true)),
        name.map(|field| (field, false)),
    ));
    field
        .map(|(field, is_lowered)| (field.to_owned(), is_lowered))
        .parse_next(input)
}

fn test(input: &mut Input<'_>) -> ModalResult<RawTest> {
    let literals = delimited(mark('('), separated(1.., literal, mark(',')), mark(')'));
    alt((
        preceded(keyword("in"), literals).map(RawTest::In),
        (operator, literal).map(|(operator, literal)| RawTest::Compare(operator, literal)),
    ))
    .parse_next(input)
}

fn any_item(input: &mut Input<'_>) -> ModalResult<RawTest> {
    (mark('/'), keyword("any"), mark('(')).parse_next(input)?;
    let variable = terminated(name, mark(':')).parse_next(input)?;
    let test = delimited(keyword(variable), test, mark(')')).parse_next(input)?;
    Ok(RawTest::Any(Box::new(test)))
}

fn operator(input: &mut Input<'_>) -> ModalResult<Comparison> {
    alt((
        keyword("eq").value(Comparison::Eq),
        keyword("ne").value(Comparison::Ne),
        keyword("gt").value(Comparison::Gt),
        keyword("ge").value(Comparison::Ge),
        keyword("lt").value(Comparison::Lt),
        keyword("le").value(Comparison::Le),
    ))
    .parse_next(input)
}

fn literal(input: &mut Input<'_>) -> ModalResult<Literal> {
    // A quote within the quotes is doubled.
    let text = repeat(0.., alt((none_of('\''), "''".value('\''))));
    let quoted = delimited('\'', text, '\'').map(Literal::Quoted);
    let bare = take_while(1.., |c: char| {
        c.is_ascii_alphanumeric() || "-+:.".contains(c)
    });
    let bare = bare.map(|word: &str| Literal::Bare(word.to_owned()));
    terminated(alt((quoted, bare)), multispace0).parse_next(input)
}

fn name<'a>(input: &mut Input<'a>) -> ModalResult<&'a str> {
    let word = take_while(1.., |c: char| c.is_ascii_alphanumeric() || c == '_');
    terminated(word, multispace0).parse_next(input)
}

fn keyword<'a, 'b>(
    expected: &'b str,
) -> impl FnMut(&mut Input<'a>) -> ModalResult<()> + use<'a, 'b> {
    move |input| {
        let is_expected = |word: &&str| word.eq_ignore_ascii_case(expected);
        name.verify(is_expected).void().parse_next(input)
    }
}

fn mark<'a>(expected: char) -> impl FnMut(&mut Input<'a>) -> ModalResult<()> {
    move |input| terminated(expected, multispace0).void().parse_next(input)
}

impl Syntax {
    fn resolve(self, fields: &'static [(&'static str, Type)]) -> Result<Filter, String> {
        let all = |parts: Vec<Self>| -> Result<Vec<Filter>, String> {
            parts.into_iter().map(|part| part.resolve(fields)).collect()
        };
        Ok(match self {
            Self::Or(parts) => Filter::Or(all(parts)?),
            Self::And(parts) => Filter::And(all(parts)?),
            Self::Not(inner) => Filter::Not(Box::new(inner.resolve(fields)?)),
            Self::Test {
                field,
                is_lowered,
                test,
            } => {
                let found = fields
                    .iter()
                    .find(|(name, _)| name.eq_ignore_ascii_case(&field));
                let &(field, kind) = found.ok_or_else(|| {
                    format!(
                        "Could not find a property named '{field}', or it cannot be filtered by."
                    )
                })?;
                if is_lowered && kind != Type::Text {
                    return Err(format!("tolower does not apply to '{field}'."));
                }
                let test = match (kind, test) {
                    (Type::Texts, RawTest::Any(test)) => test.resolve(Type::Text, field)?,
                    (Type::Texts, _) | (_, RawTest::Any(_)) => {
                        return Err(format!("'{field}' cannot be compared in this way."));
                    }
                    (kind, test) => test.resolve(kind, field)?,
                };
                Filter::Test {
                    field,
                    is_lowered,
                    test,
                }
            }
        })
    }
}

impl RawTest {
    fn resolve(self, kind: Type, field: &str) -> Result<Test, String> {
        Ok(match self {
            Self::Compare(comparison, literal) => Test::Compare(comparison, literal.resolve(kind)?),
            Self::In(literals) => {
                let literals = literals.into_iter().map(|literal| literal.resolve(kind));
                Test::In(literals.collect::<Result<_, _>>()?)
            }
            Self::Function(function, Literal::Quoted(part)) if kind == Type::Text => {
                Test::Function(function, part)
            }
            Self::Function(..) | Self::Any(_) => {
                return Err(format!("The function does not apply to '{field}'."));
            }
        })
    }
}

impl Literal {
    fn resolve(self, kind: Type) -> Result<Value<'static>, String> {
        match (kind, self) {
            (_, Self::Bare(word)) if word.eq_ignore_ascii_case("null") => Ok(Value::Null),
            (Type::Time, Self::Quoted(text) | Self::Bare(text)) => {
                let time = read_time(&text).ok_or(format!("'{text}' is not a date and time."))?;
                Ok(Value::Time(time))
            }
            (Type::Number, Self::Bare(word)) => match word.parse() {
                Ok(number) => Ok(Value::Number(number)),
                Err(_) => Err(format!("'{word}' is not a number.")),
            },
            (Type::Text | Type::Texts, Self::Quoted(text)) => Ok(Value::Text(Cow::Owned(text))),
            // Microsoft's samples write GUIDs without quotes.
            (Type::Text | Type::Texts, Self::Bare(word)) if is_guid(&word) => {
                Ok(Value::Text(Cow::Owned(word)))
            }
            (_, Self::Quoted(text) | Self::Bare(text)) => {
                Err(format!("'{text}' is no literal of this property's type."))
            }
        }
    }
}

fn is_guid(word: &str) -> bool {
    let groups: Vec<_> = word.split('-').map(str::len).collect();
    groups == [8, 4, 4, 4, 12]
        && word
            .bytes()
            .all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

/// Reads a time in RFC 3339, or a date with or without a Z, which stands for its midnight in UTC.
fn read_time(text: &str) -> Option<Timestamp> {
    let date = text.strip_suffix(['Z', 'z']).unwrap_or(text);
    let date = date
        .parse::<civil::Date>()
        .ok()
        .filter(|_| date.len() == 10);
    let midnight = date.and_then(|date| Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp()));
    text.parse().ok().or(midnight)
}

#[cfg(test)]
mod tests;
