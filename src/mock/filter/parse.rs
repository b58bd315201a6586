//! Parses a filter, with one function for each level of precedence.

use std::borrow::Cow;

use jiff::{Timestamp, civil, tz::TimeZone};

use super::{
    Comparison, Filter, Function, Row, Test, Type, Value,
    tokens::{Token, tokens},
};

impl Filter {
    /// Reads a filter over the fields of `R`. The error is the text for the client.
    pub(in crate::mock) fn parse<R: Row>(text: &str) -> Result<Self, String> {
        let mut parser = Parser {
            tokens: tokens(text)?,
            next: 0,
            depth: 0,
            fields: R::FIELDS,
        };
        let filter = parser.or()?;
        match parser.tokens.get(parser.next) {
            None => Ok(filter),
            Some(token) => Err(format!("Syntax error: unexpected {token:?}")),
        }
    }
}

impl Comparison {
    fn read(word: &str) -> Option<Self> {
        Some(match word {
            "eq" => Self::Eq,
            "ne" => Self::Ne,
            "gt" => Self::Gt,
            "ge" => Self::Ge,
            "lt" => Self::Lt,
            "le" => Self::Le,
            _ => return None,
        })
    }
}

/// Deeper nesting is refused, so that a filter cannot overflow the stack.
const DEEPEST: u32 = 50;

struct Parser {
    tokens: Vec<Token>,
    next: usize,
    depth: u32,
    fields: &'static [(&'static str, Type)],
}

impl Parser {
    fn or(&mut self) -> Result<Filter, String> {
        let mut parts = vec![self.and()?];
        while self.take_word("or") {
            parts.push(self.and()?);
        }
        Ok(Filter::Or(parts))
    }

    fn and(&mut self) -> Result<Filter, String> {
        let mut parts = vec![self.not()?];
        while self.take_word("and") {
            parts.push(self.not()?);
        }
        Ok(Filter::And(parts))
    }

    fn not(&mut self) -> Result<Filter, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err("The filter is nested too deeply".to_owned());
        }
        let filter = if self.take_word("not") {
            Filter::Not(Box::new(self.not()?))
        } else if self.take(&Token::Mark('(')) {
            let inner = self.or()?;
            self.expect(')')?;
            inner
        } else {
            self.test()?
        };
        self.depth -= 1;
        Ok(filter)
    }

    fn test(&mut self) -> Result<Filter, String> {
        let name = self.word()?;
        let function = match name.as_str() {
            "startswith" => Some(Function::StartsWith),
            "endswith" => Some(Function::EndsWith),
            "contains" => Some(Function::Contains),
            _ => None,
        };
        if let Some(function) = function {
            return self.function(function);
        }
        let (field, kind) = self.field(&name)?;
        if kind == Type::Texts {
            return self.any(field);
        }
        Ok(Filter::Test(field, self.comparison(kind)?))
    }

    /// `(field,'part')`
    fn function(&mut self, function: Function) -> Result<Filter, String> {
        self.expect('(')?;
        let name = self.word()?;
        let (field, kind) = self.field(&name)?;
        self.expect(',')?;
        let part = self.literal(Type::Text)?;
        self.expect(')')?;
        match part {
            Value::Text(part) if kind == Type::Text => Ok(Filter::Test(
                field,
                Test::Function(function, part.into_owned()),
            )),
            _ => Err(format!("{function:?} does not apply to '{field}'")),
        }
    }

    /// `/any(t: t eq 'x')`
    fn any(&mut self, field: &'static str) -> Result<Filter, String> {
        self.expect('/')?;
        if !self.take_word("any") {
            return Err(format!("Only any() applies to '{field}'"));
        }
        self.expect('(')?;
        let variable = self.word()?;
        self.expect(':')?;
        if self.word()? != variable {
            return Err(format!("'{variable}' is not used"));
        }
        let test = self.comparison(Type::Text)?;
        self.expect(')')?;
        Ok(Filter::Test(field, test))
    }

    fn comparison(&mut self, kind: Type) -> Result<Test, String> {
        let operator = self.word()?;
        if operator != "in" {
            let comparison =
                Comparison::read(&operator).ok_or(format!("Unknown operator '{operator}'"))?;
            return Ok(Test::Compare(comparison, self.literal(kind)?));
        }
        self.expect('(')?;
        let mut literals = vec![self.literal(kind)?];
        while self.take(&Token::Mark(',')) {
            literals.push(self.literal(kind)?);
        }
        self.expect(')')?;
        Ok(Test::In(literals))
    }

    fn literal(&mut self, kind: Type) -> Result<Value<'static>, String> {
        let token = self.tokens.get(self.next).cloned();
        self.next += 1;
        match (token, kind) {
            (Some(Token::Word(word)), _) if word == "null" => Ok(Value::Null),
            (Some(Token::Word(text) | Token::Text(text)), Type::Time) => {
                let time = read_time(&text).ok_or(format!("'{text}' is not a date and time"))?;
                Ok(Value::Time(time))
            }
            (Some(Token::Text(text)), _) => Ok(Value::Text(Cow::Owned(text))),
            (Some(token), _) => Err(format!(
                "Syntax error: unexpected {token:?}, a literal was expected"
            )),
            (None, _) => {
                Err("Syntax error: the filter ends where a literal was expected".to_owned())
            }
        }
    }

    fn field(&self, name: &str) -> Result<(&'static str, Type), String> {
        let field = self.fields.iter().find(|(field, _)| *field == name);
        field
            .copied()
            .ok_or(format!("Could not find a property named '{name}'"))
    }

    fn word(&mut self) -> Result<String, String> {
        match self.tokens.get(self.next) {
            Some(Token::Word(word)) => {
                self.next += 1;
                Ok(word.clone())
            }
            Some(token) => Err(format!("Syntax error: unexpected {token:?}")),
            None => Err("Syntax error: the filter ends too early".to_owned()),
        }
    }

    fn take_word(&mut self, word: &str) -> bool {
        self.take(&Token::Word(word.to_owned()))
    }

    fn take(&mut self, token: &Token) -> bool {
        let is_next = self.tokens.get(self.next) == Some(token);
        self.next += usize::from(is_next);
        is_next
    }

    fn expect(&mut self, mark: char) -> Result<(), String> {
        let taken = self.take(&Token::Mark(mark));
        taken
            .then_some(())
            .ok_or(format!("Syntax error: '{mark}' expected"))
    }
}

/// Reads a time in RFC 3339, or a date, which stands for its midnight in UTC.
fn read_time(text: &str) -> Option<Timestamp> {
    let midnight = |date: civil::Date| Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp());
    let date = || {
        text.parse::<civil::Date>()
            .ok()
            .filter(|_| text.len() == 10)
    };
    text.parse().ok().or_else(|| date().and_then(midnight))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sample;

    impl Row for Sample {
        const FIELDS: &'static [(&'static str, Type)] = &[
            ("id", Type::Text),
            ("status", Type::Text),
            ("requestor", Type::Text),
            ("creationDateTimeUtc", Type::Time),
            ("machineTags", Type::Texts),
        ];

        fn value(&self, field: &str) -> Value<'_> {
            match field {
                "id" => Value::Text("ab".into()),
                "status" => Value::Text("Pending".into()),
                "creationDateTimeUtc" => {
                    Value::Time("2024-10-21T11:26:49.6894208Z".parse().unwrap())
                }
                "machineTags" => Value::Texts(&["pilot", "kiosk"]),
                _ => Value::Null,
            }
        }
    }

    #[test]
    fn filters_mean_what_odata_says() {
        let table = [
            ("id eq 'ab'", true),
            ("id ne 'ab'", false),
            ("id in ('x','ab')", true),
            ("id in ('x')", false),
            ("id gt 'aa' and id lt 'ac'", true),
            ("requestor eq null", true),
            ("requestor ne 'it''s me'", true),
            ("requestor gt 'a'", false),
            ("creationDateTimeUtc ge 2024-10-21T11:26:49.6894208Z", true),
            ("creationDateTimeUtc gt 2024-10-21T11:26:49.6894208Z", false),
            (
                "creationDateTimeUtc eq '2024-10-21T13:26:49.6894208+02:00'",
                true,
            ),
            ("creationDateTimeUtc lt 2024-10-22", true),
            ("creationDateTimeUtc le 2024-10-21", false),
            // `and` binds tighter than `or`, `not` tighter than both.
            ("id eq 'ab' or id eq 'x' and status eq 'x'", true),
            ("(id eq 'ab' or id eq 'x') and status eq 'x'", false),
            ("not id eq 'x' and status eq 'Pending'", true),
            ("not (id eq 'ab' or status eq 'x')", false),
            ("  ( ( not(id eq 'x') ) )  ", true),
            (
                "startswith(id,'a') and endswith(id,'b') and contains(status,'end')",
                true,
            ),
            ("machineTags/any(tag: tag eq 'kiosk')", true),
            ("machineTags/any(t:t in ('x','y'))", false),
        ];
        for (text, admitted) in table {
            let filter =
                Filter::parse::<Sample>(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(filter.admits(&Sample), admitted, "{text}");
        }
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_an_error() {
        let deep = format!("{}id eq 'x'", "(".repeat(100_000));
        let table = [
            "",
            "id",
            "id eq",
            "id eq ab",
            "id eq 'ab",
            "id like 'ab'",
            "id eq 'ab' and",
            "id eq 'ab' id eq 'x'",
            "(id eq 'ab'",
            "id in ()",
            "id in ('a'",
            "color eq 'red'",
            "creationDateTimeUtc ge 'yesterday'",
            "creationDateTimeUtc ge 2024-13-21T11:26:49Z",
            "startswith(creationDateTimeUtc,'2')",
            "machineTags eq 'x'",
            "machineTags/all(t: t eq 'x')",
            "id eq 'a' ; drop",
            &deep,
        ];
        for text in table {
            assert!(Filter::parse::<Sample>(text).is_err(), "{text}");
        }
    }
}
