//! The exit codes, and which one wins if several apply.

use std::process::Termination;

use super::Failure;
use crate::{
    campaign::{open::OpenError, recover::witness::WitnessError},
    store::{LockError, StoreError},
};

/// How a command ended, for scripts and schedulers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ExitCode {
    /// Every row is `accepted`, `already_pending` or `duplicate`: each machine has a scan, whoever started it.
    Clean = 0,
    /// The run went through, but some rows have other outcomes, which somebody has to look at.
    Incomplete = 1,
    /// Wrong usage, unreadable input, or a campaign that cannot be resumed. Nothing was sent. clap uses 2 as well.
    Usage = 2,
    /// A brake stopped the campaign before it could do harm; `--not-after` is one. A scheduler may start it again.
    Brake = 3,
    /// The tenant rejects the requests: sign-in, licence, permission, feature, or a request that it calls malformed.
    /// Starting it again does not help until somebody has changed something in the tenant.
    Tenant = 4,
    /// State, ledger or results cannot be read or written, so what this computer knows of the campaign may be
    /// incomplete. A panic ([`bug`](super::bug)) ends with this code too.
    Storage = 5,
    /// The campaign had finished before. Nothing was sent. It differs from 0 so that a scheduler can tell "done now"
    /// from "was done".
    FinishedBefore = 6,
    /// There are findings at or above `--fail-on`.
    Findings = 7,
    /// Interrupted, and can be resumed: 128 + 2, as shells report a process that SIGINT ended.
    Interrupted = 130,
}

impl ExitCode {
    /// The number that the shell sees.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The code to report if all of these apply: the first of 5, 4, 130, 3, 7, 1 and then the rest. Without any it is
    /// [`Clean`](Self::Clean).
    ///
    /// 2 and 6 end a command before it sends anything, so in practice they do not meet any other code.
    #[must_use]
    pub fn gravest(codes: impl IntoIterator<Item = Self>) -> Self {
        let rank = |code: &Self| BY_GRAVITY.iter().position(|other| other == code);
        codes.into_iter().min_by_key(rank).unwrap_or(Self::Clean)
    }
}

/// All codes, the gravest one first.
const BY_GRAVITY: [ExitCode; 9] = [
    ExitCode::Storage,
    ExitCode::Tenant,
    ExitCode::Interrupted,
    ExitCode::Brake,
    ExitCode::Usage,
    ExitCode::Findings,
    ExitCode::Incomplete,
    ExitCode::FinishedBefore,
    ExitCode::Clean,
];

impl Termination for ExitCode {
    fn report(self) -> std::process::ExitCode {
        std::process::ExitCode::from(self.number())
    }
}

impl From<StoreError> for Failure {
    fn from(e: StoreError) -> Self {
        Self::storage(e)
    }
}

impl From<WitnessError> for Failure {
    fn from(e: WitnessError) -> Self {
        Self::storage(e)
    }
}

impl From<OpenError> for Failure {
    fn from(e: OpenError) -> Self {
        let code = match &e {
            OpenError::FinishedBefore { .. } => ExitCode::FinishedBefore,
            OpenError::Store(_)
            | OpenError::Place(_)
            | OpenError::Ledger(_)
            | OpenError::Results(_)
            | OpenError::Journal(_)
            | OpenError::Lock(LockError::File { .. })
            | OpenError::Witness(_)
            | OpenError::Thread(_)
            | OpenError::IdRule(_)
            | OpenError::Archive { .. }
            | OpenError::PutBack { .. }
            | OpenError::Remove { .. }
            | OpenError::Unknown(_) => ExitCode::Storage,
            // What is asked for cannot be done with what is there, or the campaign is at work: nothing is broken.
            _ => ExitCode::Usage,
        };
        Self::new(code, e)
    }
}

#[cfg(test)]
mod tests {
    use super::ExitCode::{
        self, Brake, Clean, Findings, FinishedBefore, Incomplete, Interrupted, Storage, Tenant,
        Usage,
    };

    #[test]
    fn the_numbers_are_those_of_the_documentation() {
        let all = [
            Clean,
            Incomplete,
            Usage,
            Brake,
            Tenant,
            Storage,
            FinishedBefore,
            Findings,
            Interrupted,
        ];
        assert_eq!(all.map(ExitCode::number), [0, 1, 2, 3, 4, 5, 6, 7, 130]);
    }

    #[test]
    fn the_gravest_wins_in_the_order_of_the_documentation() {
        let falling = [
            Storage,
            Tenant,
            Interrupted,
            Brake,
            Findings,
            Incomplete,
            Clean,
        ];
        for (at, grave) in falling.iter().enumerate() {
            for light in &falling[at..] {
                assert_eq!(ExitCode::gravest([*light, *grave]), *grave);
                assert_eq!(ExitCode::gravest([*grave, *light]), *grave);
            }
        }
    }

    #[test]
    fn nothing_to_report_is_clean() {
        assert_eq!(ExitCode::gravest([]), Clean);
    }
}
