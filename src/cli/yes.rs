//! `--yes`, which answers every question beforehand, and the question that is asked before a large campaign.

use std::{
    ffi::OsString,
    fmt,
    io::{self, IsTerminal},
};

use super::{Failure, screen};
use crate::monitor::count;

/// More machines than this are not started without a yes, in case the wrong file was named.
pub const ASKED_ABOVE: u64 = 500;

/// The option: not given, `--yes`, or `--yes=N`.
pub type Yes = Option<Option<u64>>;

/// Turns `--yes 600` into `--yes=600`. Clap cannot do it: with an optional value, it would take the file name in `--yes
/// fleet.csv` for the number. Only a word of digits is taken for a number, and a file with such a name can be given as
/// `./600`. Only `run`, `plan` and `simulate` have a `--yes` that takes a number.
#[must_use]
pub fn joined(args: &[OsString]) -> Vec<OsString> {
    let mut joined: Vec<OsString> = Vec::with_capacity(args.len());
    let mut is_plain = args
        .get(1)
        .is_some_and(|word| word == "run" || word == "plan" || word == "simulate");
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
    // Among events nobody reads a question.
    io::stdin().is_terminal() && !screen::is_in_json()
}

/// Whether the scans of a campaign may start.
#[derive(Debug, PartialEq, Eq)]
pub enum Permission {
    /// They may start.
    Given,
    /// A person has to be asked this question.
    Ask(String),
}

/// What a person is asked to say yes to.
#[derive(Debug, Clone)]
pub struct Proposal {
    /// How many machines.
    pub machines: u64,
    /// The scan types: `quick`, `full`, or both with their numbers.
    pub scans: String,
    /// The tenant.
    pub tenant: String,
    /// The application that starts the scans.
    pub application: String,
    /// The API's address.
    pub host: String,
    /// When the last call goes out, and how many machines are left over then: a sentence without its full stop.
    pub last_call: String,
}

impl fmt::Display for Proposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let machines = count::of(self.machines, "machine");
        let Self {
            scans,
            tenant,
            application,
            host,
            ..
        } = self;
        write!(
            f,
            "{scans} scans on {machines} of tenant {tenant}, by application {application} at {host}"
        )
    }
}

/// Why a `--yes=N` does not cover this many machines, if it does not.
#[must_use]
pub fn why_not_covered(yes: Yes, machines: u64) -> Option<String> {
    let most = yes.flatten().filter(|most| *most < machines)?;
    let verb = count::word(machines, "is", "are");
    Some(format!(
        "--yes={most} is a yes for at most {}, and {machines} {verb} still to be scanned",
        count::of(most, "machine")
    ))
}

/// The failure of a run whose `--yes=N` does not cover this many machines.
#[must_use]
pub fn refused(yes: Yes, machines: u64) -> Option<Failure> {
    let why = why_not_covered(yes, machines)?;
    Some(Failure::usage(format!(
        "{why}; nothing was sent. Look at the input, or say --yes={machines}, or --yes for any number"
    )))
}

/// Decides whether scans on this many machines may start, or a person has to be asked. Only a question, and what is
/// said where nobody can be asked, needs the `proposal`: its forecast takes a while for a million machines.
///
/// # Errors
/// They may not start, nobody can be asked, or there is no proposal.
pub fn permission(
    yes: Yes,
    machines: u64,
    can_ask: bool,
    proposal: impl FnOnce() -> Result<Proposal, Failure>,
) -> Result<Permission, Failure> {
    if let Some(refused) = refused(yes, machines) {
        return Err(refused);
    }
    if yes.is_some() || machines <= ASKED_ABOVE {
        return Ok(Permission::Given);
    }
    let proposal = proposal()?;
    let last_call = &proposal.last_call;
    if can_ask {
        return Ok(Permission::Ask(format!(
            "start {proposal}? {last_call}. [y/N] "
        )));
    }
    Err(Failure::usage(format!(
        "{machines} machines are still to be scanned: {proposal}. {last_call}. Above {ASKED_ABOVE} a run asks first, \
         and there is no terminal to ask at; nothing was sent. Say --yes, or --yes={machines} for a yes to at most so \
         many"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proposal(machines: u64) -> Proposal {
        Proposal {
            machines,
            scans: "full".into(),
            tenant: "t1".into(),
            application: "a1".into(),
            host: "https://api.example".into(),
            last_call: "The last call goes out about 14:00, in 1 h".into(),
        }
    }

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
            ("f plan --yes 600 a.csv", "f plan --yes=600 a.csv"),
            ("f cancel --yes 600", "f cancel --yes 600"),
            ("f run --limit 600", "f run --limit 600"),
        ] {
            assert_eq!(joined(&words(typed)), words(meant), "{typed}");
        }
    }

    #[test]
    fn the_five_hundredth_machine_asks_nobody_and_the_next_one_does() {
        for can_ask in [false, true] {
            assert_eq!(
                permission(None, 500, can_ask, || Ok(proposal(500))).ok(),
                Some(Permission::Given)
            );
        }
        let Ok(Permission::Ask(question)) = permission(None, 501, true, || Ok(proposal(501)))
        else {
            panic!("somebody is to be asked");
        };
        assert_eq!(
            question,
            "start full scans on 501 machines of tenant t1, by application a1 at https://api.example? The last call \
             goes out about 14:00, in 1 h. [y/N] "
        );
        let refused = permission(None, 501, false, || Ok(proposal(501)))
            .unwrap_err()
            .why;
        assert!(refused.contains("--yes, or --yes=501"), "{refused}");
    }

    #[test]
    fn a_yes_holds_for_any_number_or_for_the_one_it_names() {
        let given =
            |yes, machines| permission(yes, machines, true, || Ok(proposal(machines))).is_ok();
        assert!(given(Some(None), 1_000_000));
        assert!(given(Some(Some(600)), 600));
        assert!(!given(Some(Some(600)), 601), "and nobody is asked instead");
        assert!(!given(Some(Some(5)), 6));
    }
}
