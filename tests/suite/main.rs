//! The tests of the whole, in one binary: it links once.

/// `fleetsweep doctor`: each step, and the cure for what failed.
mod doctor;
/// `fleetsweep machines`: the inventory, as a CSV that a campaign takes.
mod machines;
/// Every file of `sample-inputs/`, and what the roster makes of it.
mod roster_formats;
/// The roster on inputs that nobody thought of.
mod roster_random;
/// What the options and a row's own columns change.
mod roster_rules;
/// Nothing that is written holds a secret.
mod secrets;
/// The binary, as a person starts it.
mod shell;
/// Each way to sign in.
mod sign_in;
/// Campaigns that outlive their tokens.
mod token_life;
