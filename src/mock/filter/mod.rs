//! `OData` filters: comparisons, `in`, `any`, text functions, `and`, `or`, `not` and parentheses.
//!
//! This file has what a filter means, `parse` how it is read.
//!
//! A text that cannot be read is an error, never a filter that admits everything.

use std::borrow::Cow;

use jiff::Timestamp;

mod parse;

/// Something that can be filtered.
pub(super) trait Row {
    /// The fields that a filter may name.
    const FIELDS: &'static [(&'static str, Type)];

    /// The value of one of them.
    fn value(&self, field: &str) -> Value<'_>;
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Text,
    Time,
    Number,
    /// A list of texts, for `any`.
    Texts,
}

/// A field's value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Value<'a> {
    Text(Cow<'a, str>),
    Time(Timestamp),
    Number(i64),
    Texts(&'a [String]),
    Null,
}

/// A filter that was read.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Filter {
    Or(Vec<Self>),
    And(Vec<Self>),
    Not(Box<Self>),
    Test {
        field: &'static str,
        /// Whether the field's text is taken in lower case.
        is_lowered: bool,
        test: Test,
    },
}

/// A test of a field's value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Test {
    Compare(Comparison, Value<'static>),
    In(Vec<Value<'static>>),
    Function(Function, String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Eq,
    Ne,
    Gt,
    Ge,
    Lt,
    Le,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    StartsWith,
    EndsWith,
    Contains,
}

impl Filter {
    /// Whether the row passes.
    pub(super) fn admits(&self, row: &impl Row) -> bool {
        match self {
            Self::Or(parts) => parts.iter().any(|part| part.admits(row)),
            Self::And(parts) => parts.iter().all(|part| part.admits(row)),
            Self::Not(inner) => !inner.admits(row),
            Self::Test {
                field,
                is_lowered,
                test,
            } => match row.value(field) {
                Value::Texts(items) => items
                    .iter()
                    .any(|item| test.holds(&Value::Text(Cow::Borrowed(item.as_str())))),
                Value::Text(text) if *is_lowered => {
                    test.holds(&Value::Text(text.to_lowercase().into()))
                }
                value => test.holds(&value),
            },
        }
    }
}

impl Test {
    fn holds(&self, value: &Value<'_>) -> bool {
        match self {
            Self::Compare(comparison, literal) => comparison.holds(value, literal),
            Self::In(literals) => literals.iter().any(|literal| value == literal),
            Self::Function(function, part) => match value {
                Value::Text(text) => match function {
                    Function::StartsWith => text.starts_with(part),
                    Function::EndsWith => text.ends_with(part),
                    Function::Contains => text.contains(part),
                },
                _ => false,
            },
        }
    }
}

impl Comparison {
    /// Null equals only null, and is neither less nor greater than anything.
    fn holds(self, value: &Value<'_>, literal: &Value<'_>) -> bool {
        let order = match (value, literal) {
            (Value::Text(a), Value::Text(b)) => Some(a.cmp(b)),
            (Value::Time(a), Value::Time(b)) => Some(a.cmp(b)),
            (Value::Number(a), Value::Number(b)) => Some(a.cmp(b)),
            _ => None,
        };
        match self {
            Self::Eq => value == literal,
            Self::Ne => value != literal,
            Self::Gt => order.is_some_and(std::cmp::Ordering::is_gt),
            Self::Ge => order.is_some_and(std::cmp::Ordering::is_ge),
            Self::Lt => order.is_some_and(std::cmp::Ordering::is_lt),
            Self::Le => order.is_some_and(std::cmp::Ordering::is_le),
        }
    }
}
