//! A file a command: arguments and wiring, nothing else.
//!
//! - [`exit`]: the exit codes, and which one wins.

pub mod exit;

pub use exit::ExitCode;
