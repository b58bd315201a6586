//! The process's exit codes, and which one wins where several apply.

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
    /// Every row is `accepted`, `already_pending` or `duplicate`: each machine has its scan, whoever started it.
    Clean = 0,
    /// The run went through, but some rows ended otherwise: somebody has to look at them.
    Incomplete = 1,
    /// Wrong usage, unreadable input, or a resume refused: nothing was sent. 2 is also what clap exits with.
    Usage = 2,
    /// A brake stopped the campaign before harm, `--not-after` included. A scheduler may start it again.
    Brake = 3,
    /// The tenant will not have it: sign-in, licence, permission, feature, a request it calls malformed. Starting it
    /// again does not help before somebody has changed something in the tenant.
    Tenant = 4,
    /// Store, ledger or results cannot be read or written: what this computer knows of the campaign may be incomplete.
    /// A bug ([`bug`](super::bug)) ends with it too.
    Storage = 5,
    /// The campaign had finished before: nothing was sent. Apart from 0, so that a scheduler can tell "done now" from
    /// "was done".
    FinishedBefore = 6,
    /// Interrupted, resumable. 128 + 2, as shells report a process that SIGINT ended.
    Interrupted = 130,
}

impl ExitCode {
    /// The number that the shell sees.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// Of all that apply to one run, the one to report: 5, 4, 130, 3, 1, then the rest. [`Clean`](Self::Clean) of none.
    ///
    /// 2 and 6 end a command before it sends anything, so they meet none of the others in practice.
    #[must_use]
    pub fn gravest(codes: impl IntoIterator<Item = Self>) -> Self {
        codes
            .into_iter()
            .max_by_key(|code| code.gravity())
            .unwrap_or(Self::Clean)
    }

    const fn gravity(self) -> u8 {
        match self {
            Self::Storage => 7,
            Self::Tenant => 6,
            Self::Interrupted => 5,
            Self::Brake => 4,
            Self::Usage => 3,
            Self::Incomplete => 2,
            Self::FinishedBefore => 1,
            Self::Clean => 0,
        }
    }
}

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
        self, Brake, Clean, FinishedBefore, Incomplete, Interrupted, Storage, Tenant, Usage,
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
            Interrupted,
        ];
        assert_eq!(all.map(ExitCode::number), [0, 1, 2, 3, 4, 5, 6, 130]);
    }

    #[test]
    fn the_gravest_wins_in_the_order_of_the_documentation() {
        let falling = [Storage, Tenant, Interrupted, Brake, Incomplete, Clean];
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
