//! The tests of the whole, in one binary: it links once.

/// Every file of `sample-inputs/`, and what the roster makes of it.
mod roster_formats;
/// The roster on inputs that nobody thought of.
mod roster_random;
/// What the options and a row's own columns change.
mod roster_rules;
/// Each way to sign in, and campaigns that outlive their tokens.
mod sign_in;
