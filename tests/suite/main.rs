//! The tests of the whole, in one binary: it links once.

/// The input's rules, on the files of `sample-inputs/` and on bytes at random.
mod roster_formats;
