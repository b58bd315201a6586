//! What the rows of an extended input say about targets that were there before: a machine is due if one of its rows is.

use super::outcome::Outcome;
use crate::{
    roster::{Fate, Row, ScanType},
    store::{Amendment, Stands},
};

/// What was said of a target so far. One byte a target.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Said {
    #[default]
    Nothing,
    LeftOut,
    /// Outweighs everything else, whichever row comes first.
    Due,
}

/// What changes, gathered until the whole input has been read.
#[derive(Debug, Default)]
pub(super) struct Revision {
    /// By the target's number.
    said: Vec<Said>,
    amendments: Vec<Amendment>,
}

impl Revision {
    /// Hears a row whose machine stands in these targets.
    pub(super) fn hear(&mut self, row: &Row<'_>, targets: &[Stands]) {
        for &Stands { n, left_out } in targets {
            match &row.fate {
                Fate::Due => {
                    let before = std::mem::replace(self.said(n), Said::Due);
                    if left_out && before != Said::Due {
                        self.amendments.push(Amendment::Admit {
                            n,
                            scan_type: row.scan_type.map(ScanType::as_str),
                            comment: row.comment.as_deref().map(str::to_owned),
                            priority: row.priority,
                        });
                    }
                }
                Fate::LeftOut => {
                    let said = self.said(n);
                    if !left_out && *said == Said::Nothing {
                        *said = Said::LeftOut;
                    }
                }
                // One that is due already goes on as it was taken in. Admitting, if another row is due, comes after this.
                Fate::Invalid(flaw) if left_out => self.amendments.push(Amendment::End {
                    n,
                    outcome: Outcome::Invalid.as_str(),
                    message: flaw.to_string(),
                }),
                // Of a row that is due.
                Fate::Invalid(_) | Fate::Duplicate { .. } => {}
            }
        }
    }

    /// What changes now that every row was heard.
    pub(super) fn amendments(mut self) -> Vec<Amendment> {
        let left_out = (0..)
            .zip(&self.said)
            .filter(|(_, said)| **said == Said::LeftOut)
            .map(|(n, _)| Amendment::LeaveOut { n });
        self.amendments.extend(left_out);
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
