//! What command and input of today change about the campaign that is there, if they mean it.

use super::{
    OpenError, OpenRequest,
    resume::{Rejoined, check_identity, extend, put_off, rejoin},
};
use crate::{campaign::tag::CampaignId, quota::MarkRow, roster::IdRule, store::Store};

impl OpenRequest {
    /// Compares command and input with the campaign that is there, and makes what they change about it.
    pub(super) fn join(
        &self,
        store: &mut Store,
        campaign: &CampaignId,
        marks: &[MarkRow],
    ) -> Result<Rejoined, OpenError> {
        let mut meant = self.meant.clone();
        // Whoever comes every night brings another comment every night.
        let is_nightly = self.again && self.extend;
        let put_off = is_nightly
            .then(|| put_off(store.identity(), &mut meant))
            .flatten();
        check_identity(store.identity(), &meant)?;
        self.check_results(campaign, marks)?;
        let rule = store.identity().id_rule.parse()?;
        let roster = self.roster_by(Some(rule))?;
        // First, so that the input has the last word about what is tried again.
        for outcome in &self.retry {
            store.reopen(outcome.as_str())?;
        }
        let joined = if self.extend {
            extend(roster, store)
        } else {
            rejoin(roster, store, &self.file())
        };
        let mut joined = joined?;
        joined.remarks.extend(put_off);
        if self.options.any_id && rule != IdRule::Any {
            joined.remarks.push(format!(
                "--any-id has no effect on campaign {campaign}, which began without it: rows that are invalid there \
                 stay so. Another campaign takes such ids: give it files of its own with -o and --state"
            ));
        }
        Ok(joined)
    }
}
