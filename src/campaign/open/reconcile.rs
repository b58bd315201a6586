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
enum Mention {
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
pub(crate) struct Reconciliation {
    /// By the target's number.
    mentions: Vec<Mention>,
    amendments: Vec<Amendment>,
}

impl Reconciliation {
    /// Hears a row whose machine stands in these targets.
    pub(crate) fn reconcile(&mut self, row: &Row<'_>, targets: &[Stands]) {
        for &Stands { n, is_out } in targets {
            let mention_now = match &row.fate {
                RowKind::Due => Mention::Due,
                RowKind::LeftOut => Mention::LeftOut,
                RowKind::Invalid(_) | RowKind::Duplicate { .. } => Mention::Named,
            };
            let mention = self.mention(n);
            let before = *mention;
            *mention = before.max(mention_now);
            match &row.fate {
                RowKind::Due if is_out && before != Mention::Due => {
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
        self.mention(targets);
        let unwanted = (0..).zip(&self.mentions).skip(1);
        let unwanted = unwanted.filter_map(|(n, mention)| match mention {
            Mention::Nothing => Some(Amendment::Withdraw { n, message: GONE }),
            Mention::LeftOut => Some(Amendment::LeaveOut {
                n,
                message: LEFT_OUT,
            }),
            Mention::Named | Mention::Due => None,
        });
        self.amendments.extend(unwanted);
        self.amendments
    }

    fn mention(&mut self, n: u64) -> &mut Mention {
        // Targets have numbers without gaps, and there are not more of them than fit into memory.
        let at = usize::try_from(n).unwrap_or(usize::MAX);
        if at >= self.mentions.len() {
            self.mentions.resize(at + 1, Mention::Nothing);
        }
        &mut self.mentions[at]
    }
}
