//! What the list of scans shows of a campaign that is being recovered.

use std::collections::{HashMap, HashSet};

use crate::{
    campaign::{
        engine::verdict::Scan,
        tag::{CampaignId, MARK},
    },
    defender::wire::MachineAction,
    store::OpenTarget,
};

/// The campaign's targets, and what the list shows about them.
pub(super) struct ListedScans<'a> {
    campaign: CampaignId,
    machines: HashSet<&'a str>,
    numbers: HashMap<u64, &'a str>,
    pub(super) ours: HashMap<&'a str, Scan>,
    /// Machines with a scan whose comment does not tell whose it is.
    pub(super) untold: HashSet<&'a str>,
    /// Machines with a scan of ours that are not among these targets.
    pub(super) others: HashSet<String>,
}

impl<'a> ListedScans<'a> {
    pub(super) fn new(open: &'a [OpenTarget], campaign: &str) -> Self {
        Self {
            campaign: CampaignId::known(campaign),
            machines: open.iter().map(|target| target.machine.as_str()).collect(),
            numbers: open
                .iter()
                .map(|target| (target.n, target.machine.as_str()))
                .collect(),
            ours: HashMap::new(),
            untold: HashSet::new(),
            others: HashSet::new(),
        }
    }

    /// Takes in an action. If it names a machine, the machine decides: a state that was rebuilt may number
    /// its targets differently.
    pub(super) fn see(&mut self, action: &MachineAction) {
        let comment = action.requestor_comment.as_deref();
        let number = comment.and_then(|comment| self.campaign.target_of(comment));
        let machine = match &action.machine_id {
            Some(machine) => self.machines.get(machine.to_lowercase().as_str()),
            None => number.and_then(|n| self.numbers.get(&n)),
        };
        let Some(&machine) = machine else {
            let other = action.machine_id.as_ref().filter(|_| number.is_some());
            self.others
                .extend(other.map(|machine| machine.to_lowercase()));
            return;
        };
        if number.is_some() {
            self.ours.insert(machine, action.into());
        } else if comment.is_none_or(|comment| is_cut_off(comment, self.campaign.as_str())) {
            self.untold.insert(machine);
        }
    }
}

/// Whether a comment may be what is left of one of ours.
fn is_cut_off(comment: &str, campaign: &str) -> bool {
    let tag = format!("{MARK}{campaign}:");
    comment.len() < tag.len() + 20 && (tag.starts_with(comment) || comment.starts_with(&tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scan_of_ours_on_a_machine_that_is_no_target_is_not_passed_over() {
        let open = [OpenTarget {
            n: 2,
            machine: "known".to_owned(),
            reopened: false,
        }];
        let mut listed = ListedScans::new(&open, "abcdefghij");
        let action = |machine: &str, comment: &str| -> MachineAction {
            serde_json::from_value(serde_json::json!({
                "id": machine, "machineId": machine, "requestorComment": comment,
            }))
            .unwrap()
        };
        let ours = CampaignId::known("abcdefghij").tag(2);
        listed.see(&action("Known", &ours));
        listed.see(&action("Renamed", &ours));
        listed.see(&action("of-others", "nightly"));
        assert!(listed.ours.contains_key("known"));
        let others: Vec<_> = listed.others.iter().map(String::as_str).collect();
        assert_eq!(others, ["renamed"]);
    }
}
