//! What an extended input changes about existing targets: a machine is due if one of its rows is, and is
//! withdrawn if no row names it.

use std::{borrow::Cow, collections::HashMap};

use super::create::ended_by_reading;
use crate::campaign::outcome::{EXCLUDED, GONE, LEFT_OUT, SKIPPED};
use crate::{
    roster::{Row, RowKind, ScanType},
    store::{Amendment, TargetMatch},
};

/// The strongest thing that the rows so far say about a target. One byte per target.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Mention {
    #[default]
    Nothing,
    /// A row has its id but cannot be sent.
    Named,
    LeftOut,
    /// Overrides everything before it, whichever row comes first.
    Due,
    /// All rows of the machine are excluded.
    Excluded,
}

/// The changes, gathered until the whole input has been read.
#[derive(Debug, Default)]
pub(crate) struct Reconciliation {
    /// By the target's number.
    mentions: Vec<Mention>,
    /// Why a machine is skipped, by its target's number.
    skipped: HashMap<u64, String>,
    amendments: Vec<Amendment>,
}

impl Reconciliation {
    /// Takes in a row whose machine is in these targets.
    pub(crate) fn reconcile(&mut self, row: &Row<'_>, targets: &[TargetMatch]) {
        for &TargetMatch { n, is_out } in targets {
            let mention_now = match &row.kind {
                RowKind::Due => Mention::Due,
                RowKind::Skipped(why) => {
                    self.skipped.insert(n, format!("{SKIPPED}{why}"));
                    Mention::LeftOut
                }
                RowKind::LeftOut => Mention::LeftOut,
                RowKind::Excluded => Mention::Excluded,
                RowKind::Invalid(_) | RowKind::Duplicate { .. } => Mention::Named,
            };
            let mention = self.mention(n);
            let before = *mention;
            *mention = before.max(mention_now);
            match &row.kind {
                RowKind::Due if is_out && before != Mention::Due => {
                    self.amendments.push(admitted(n, row));
                }
                // A target that is due already is left as it is. If another row admits it, that amendment
                // comes after this one.
                RowKind::Invalid(_) if is_out => self.amendments.extend(ended(n, row)),
                _ => {}
            }
        }
    }

    /// All changes, now that every row was read. `targets` is the number of targets before.
    pub(crate) fn amendments(mut self, targets: u64) -> Vec<Amendment> {
        self.mention(targets);
        let unwanted = (0..).zip(&self.mentions).skip(1);
        let unwanted = unwanted.filter_map(|(n, mention)| match mention {
            Mention::Nothing => Some(Amendment::Withdraw { n, message: GONE }),
            Mention::LeftOut => Some(Amendment::LeaveOut {
                n,
                message: self.skipped.remove(&n).map_or(LEFT_OUT.into(), Cow::Owned),
            }),
            // Where a scan of ours may be running it stays open until that is looked up, and is not sent.
            Mention::Excluded => Some(Amendment::Withdraw {
                n,
                message: EXCLUDED,
            }),
            Mention::Named | Mention::Due => None,
        });
        self.amendments.extend(unwanted);
        self.amendments
    }

    fn mention(&mut self, n: u64) -> &mut Mention {
        // Targets are numbered without gaps, and no more of them than fit into memory.
        let at = usize::try_from(n).unwrap_or(usize::MAX);
        if at >= self.mentions.len() {
            self.mentions.resize(at + 1, Mention::Nothing);
        }
        &mut self.mentions[at]
    }
}

/// Target number `n` is sent, as its row says now.
pub(super) fn admitted(n: u64, row: &Row<'_>) -> Amendment {
    Amendment::Admit {
        n,
        scan_type: row.scan_type.map(ScanType::as_str),
        comment: row.comment.as_deref().map(str::to_owned),
        priority: row.priority,
    }
}

/// Target number `n` ends as its row does that cannot be sent; `None` if it can.
pub(super) fn ended(n: u64, row: &Row<'_>) -> Option<Amendment> {
    let (outcome, message) = ended_by_reading(&row.kind)?;
    Some(Amendment::End {
        n,
        outcome: outcome.as_str(),
        error_code: row.error_code.clone().into_owned(),
        message: message.into_owned(),
    })
}
