//! What the rows of an extended input say about targets that were there before: a machine is due if one of its rows is,
//! and gone if none names it.

use super::create::{GONE, LEFT_OUT};
use crate::campaign::outcome::Outcome;
use crate::{
    roster::{Row, RowKind, ScanType},
    store::{Amendment, Stands},
};

/// What was said of a target so far, the weightiest. One byte a target.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Said {
    #[default]
    Nothing,
    /// A row has its id, and cannot be sent.
    Named,
    LeftOut,
    /// Outweighs everything else, whichever row comes first.
    Due,
}

/// What changes, gathered until the whole input has been read.
#[derive(Debug, Default)]
pub(crate) struct Reconcile {
    /// By the target's number.
    said: Vec<Said>,
    amendments: Vec<Amendment>,
}

impl Reconcile {
    /// Hears a row whose machine stands in these targets.
    pub(crate) fn hear(&mut self, row: &Row<'_>, targets: &[Stands]) {
        for &Stands { n, is_out } in targets {
            let says = match &row.fate {
                RowKind::Due => Said::Due,
                RowKind::LeftOut => Said::LeftOut,
                RowKind::Invalid(_) | RowKind::Duplicate { .. } => Said::Named,
            };
            let said = self.said(n);
            let before = *said;
            *said = before.max(says);
            match &row.fate {
                RowKind::Due if is_out && before != Said::Due => {
                    self.amendments.push(Amendment::Admit {
                        n,
                        scan_type: row.scan_type.map(ScanType::as_str),
                        comment: row.comment.as_deref().map(str::to_owned),
                        priority: row.priority,
                    });
                }
                // One that is due already goes on as it was taken in. Admitting, if another row is due, comes after this.
                RowKind::Invalid(flaw) if is_out => self.amendments.push(Amendment::End {
                    n,
                    outcome: Outcome::Invalid.as_str(),
                    message: flaw.to_string(),
                }),
                _ => {}
            }
        }
    }

    /// What changes now that every row was heard, where there were so many targets before.
    pub(crate) fn amendments(mut self, targets: u64) -> Vec<Amendment> {
        self.said(targets);
        let unwanted = (0..).zip(&self.said).skip(1);
        let unwanted = unwanted.filter_map(|(n, said)| match said {
            Said::Nothing => Some(Amendment::Withdraw { n, message: GONE }),
            Said::LeftOut => Some(Amendment::LeaveOut {
                n,
                message: LEFT_OUT,
            }),
            Said::Named | Said::Due => None,
        });
        self.amendments.extend(unwanted);
        self.amendments
    }

    fn said(&mut self, n: u64) -> &mut Said {
        // Targets have numbers without gaps, and there are not more of them than fit into memory.
        let at = usize::try_from(n).unwrap_or(usize::MAX);
        if at >= self.said.len() {
            self.said.resize(at + 1, Said::Nothing);
        }
        &mut self.said[at]
    }
}
