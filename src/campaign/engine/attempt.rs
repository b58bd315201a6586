//! One attempt: what is to be sent, and what came of it.

use jiff::Timestamp;

use crate::{campaign::engine::verdict::Judgement, quota::Moment};

/// An attempt that the dispatcher wants to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The target.
    pub n: u64,
    /// Its line in the input.
    pub line: u64,
    /// The attempt's number, from 1.
    pub number: u32,
    /// The machine, in lower case.
    pub machine: String,
    /// `Quick` or `Full`.
    pub scan_type: &'static str,
    /// The whole comment.
    pub comment: String,
    /// It must not be sent after this moment.
    pub send_by: Option<Moment>,
}

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The target.
    pub n: u64,
    /// What happened.
    pub event: Sending,
}

/// What a worker did with an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sending {
    /// It was too late to send it; the permit went back unspent.
    Unsent,
    /// There was no token; the text says why.
    NoToken(String),
    /// It was sent, and answered or given up.
    Replied {
        /// What the reply means.
        judgement: Box<Judgement>,
        /// When it was sent.
        sent: Moment,
        /// When it was answered or given up.
        ended: Moment,
        /// The answer's `Date`.
        date: Option<Timestamp>,
        /// The serial number of the token that it carried.
        token: u64,
    },
}
