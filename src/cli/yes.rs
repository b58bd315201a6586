//! `--yes`: the answer to every question, given beforehand; and the question that large campaigns ask.

use std::{
    ffi::OsString,
    io::{self, IsTerminal},
    time::Duration,
};

use super::Failure;
use crate::monitor::span;

/// More machines than this are not started without a yes: it is what one means to type, not a slip.
pub const ASKED_ABOVE: u64 = 500;

/// What was said: nothing, `--yes`, or `--yes=N`.
pub type Yes = Option<Option<u64>>;

/// `--yes 600` as `--yes=600`: clap, told that the number may be missing, would take the input's name for it in
/// `--yes fleet.csv`. Only a word of digits behind `--yes` is a number; a file of such a name is `./600`. It is `run` alone
/// whose `--yes` takes one.
#[must_use]
pub fn joined(args: &[OsString]) -> Vec<OsString> {
    let mut joined: Vec<OsString> = Vec::with_capacity(args.len());
    let is_run = args.get(1).is_some_and(|word| word == "run");
    let mut is_plain = is_run;
    for word in args {
        is_plain &= word != "--";
        let digits = word
            .to_str()
            .filter(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit()));
        match (joined.last_mut(), digits) {
            (Some(yes), Some(digits)) if is_plain && *yes == "--yes" => {
                *yes = format!("--yes={digits}").into();
            }
            _ => joined.push(word.clone()),
        }
    }
    joined
}

/// Whether somebody can be asked.
#[must_use]
pub fn can_ask() -> bool {
    io::stdin().is_terminal()
}

/// What is to become of a campaign that would start scans on so many `machines`.
#[derive(Debug, PartialEq, Eq)]
pub enum Permission {
    /// They may start.
    Given,
    /// A person has to be asked this.
    Ask(String),
}

/// Whether so many `machines` may be started, which take so long at least.
///
/// # Errors
/// They may not, and nobody can be asked.
pub fn permission(
    yes: Yes,
    machines: u64,
    takes: Duration,
    can_ask: bool,
) -> Result<Permission, Failure> {
    match yes {
        Some(None) => return Ok(Permission::Given),
        Some(Some(most)) if machines <= most => return Ok(Permission::Given),
        Some(Some(most)) => {
            return Err(Failure::usage(format!(
                "--yes={most} is a yes for at most {most} machines, and {machines} are still to be scanned; nothing was sent. Look \
                 at the input, or say --yes={machines}, or --yes for any number"
            )));
        }
        None => {}
    }
    if machines <= ASKED_ABOVE {
        return Ok(Permission::Given);
    }
    let takes = span::in_words(takes);
    if can_ask {
        return Ok(Permission::Ask(format!(
            "start a scan on {machines} machines? This takes {takes} at least. [y/N] "
        )));
    }
    Err(Failure::usage(format!(
        "{machines} machines are still to be scanned, which takes {takes} at least; above {ASKED_ABOVE} it is asked first, and \
         there is no terminal to ask at; nothing was sent. Say --yes, or --yes={machines} for a yes to at most so many"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn a_number_behind_yes_belongs_to_it_and_a_file_does_not() {
        for (typed, meant) in [
            ("f run --yes 600 a.csv", "f run --yes=600 a.csv"),
            ("f run a.csv --yes 600", "f run a.csv --yes=600"),
            ("f run --yes a.csv", "f run --yes a.csv"),
            ("f run --yes ./600", "f run --yes ./600"),
            ("f run --yes=5 600", "f run --yes=5 600"),
            ("f run --yes 6 7", "f run --yes=6 7"),
            ("f run -- --yes 600", "f run -- --yes 600"),
            ("f cancel --yes 600", "f cancel --yes 600"),
            ("f run --limit 600", "f run --limit 600"),
        ] {
            assert_eq!(joined(&words(typed)), words(meant), "{typed}");
        }
    }

    #[test]
    fn the_five_hundredth_machine_asks_nobody_and_the_next_one_does() {
        let hour = Duration::from_hours(1);
        for can_ask in [false, true] {
            assert_eq!(
                permission(None, 500, hour, can_ask).ok(),
                Some(Permission::Given)
            );
        }
        let Ok(Permission::Ask(question)) = permission(None, 501, hour, true) else {
            panic!("somebody is to be asked");
        };
        assert!(
            question.contains("501 machines") && question.contains("1 h"),
            "{question}"
        );
        let refused = permission(None, 501, hour, false).unwrap_err().why;
        assert!(refused.contains("--yes, or --yes=501"), "{refused}");
    }

    #[test]
    fn a_yes_holds_for_any_number_or_for_the_one_it_names() {
        let given = |yes, machines| permission(yes, machines, Duration::ZERO, true).is_ok();
        assert!(given(Some(None), 1_000_000));
        assert!(given(Some(Some(600)), 600));
        assert!(!given(Some(Some(600)), 601), "and nobody is asked instead");
        assert!(!given(Some(Some(5)), 6));
    }
}
