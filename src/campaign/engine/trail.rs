//! The log's events about a campaign (`docs/LOG.md`), which say afterwards what was done, to which machine,
//! and why.

use std::time::Duration;

use super::{
    attempt::Attempt,
    lookup::{Finding, ListingError},
    pending::PendingTarget,
    verdict::Judgement,
};
use crate::{
    audit::{audit, ms},
    campaign::{journal::Ended, outcome::Tally, stop::StopReason, tag::CampaignId},
};

/// A run begins or resumes with this many rows, some of which had ended `before`.
pub fn began(
    campaign: &CampaignId,
    targets: u64,
    before: &Tally,
    [tenant, application]: [&str; 2],
) {
    audit!(
        "campaign",
        campaign = campaign.as_str(),
        targets,
        ended_before = before.total(),
        tenant,
        application
    );
    for (outcome, count) in before.iter().filter(|(_, count)| *count > 0) {
        audit!("ended_before", outcome = outcome.as_str(), count);
    }
}

/// A run is over. `reported` counts the targets that were logged one by one, `whole` counts all.
pub fn over(reported: &Tally, whole: &Tally, exit_code: u8, reason: &str) {
    for (outcome, count) in whole.iter() {
        let count = count.saturating_sub(reported.of(outcome));
        if count > 0 {
            audit!("left", outcome = outcome.as_str(), count);
        }
    }
    audit!("over", exit_code, reason);
}

/// A note about the input or the campaign that was shown to the person.
pub fn note(text: &str) {
    audit!("note", text);
}

/// A run ended before it sent anything.
pub fn refused(exit_code: u8, reason: &str) {
    audit!("over", exit_code, reason);
}

/// A target has ended, and that is on disk.
pub(in crate::campaign) fn ended(ended: &Ended) {
    audit!(
        "ended",
        line = ended.line,
        machine = ended.machine_id.as_str(),
        outcome = ended.outcome.as_str(),
        message = ended.message.as_str()
    );
}

/// A scan start is being sent. If the process dies before the answer, the log still names the machine.
pub(in crate::campaign) fn sent(attempt: &Attempt) {
    audit!(
        "sent",
        line = attempt.line,
        machine = attempt.machine.as_str(),
        "try" = attempt.number
    );
}

/// A scan start was sent, and answered or given up.
pub(in crate::campaign) fn attempt(
    attempt: &Attempt,
    judgement: &Judgement,
    took: Duration,
    waited: Duration,
) {
    audit!(
        "attempt",
        line = attempt.line,
        machine = attempt.machine.as_str(),
        "try" = attempt.number,
        class = judgement.class.as_str(),
        verdict = judgement.verdict.as_str(),
        status = judgement.http_status,
        code = judgement.error_code.as_str(),
        reason = judgement.message.as_str(),
        ms = ms(took),
        wait_ms = ms(waited),
        correlation_id = judgement.correlation_id.as_str()
    );
}

/// A target will be tried again later.
pub(in crate::campaign) fn retry(pending: &PendingTarget, delay: Duration, why: &str) {
    audit!(
        "retry",
        line = pending.target.line,
        machine = pending.target.machine_id.as_str(),
        tries = pending.target.progress.tries,
        delay_s = delay.as_secs_f64(),
        why
    );
}

/// A listing has shown what came of a target's attempts, or of the scan that kept its machine busy.
pub(in crate::campaign) fn lookup(pending: &PendingTarget, finding: &Finding) {
    let (found, scan) = match finding {
        Finding::Found(scan) => ("ours", Some(scan)),
        Finding::Busy(scan) => ("another's", Some(scan)),
        Finding::Absent => ("none", None),
    };
    audit!(
        "lookup",
        line = pending.target.line,
        machine = pending.target.machine_id.as_str(),
        found,
        action_id = scan.map(|scan| scan.id.as_str())
    );
}

/// A scan has not begun in time and does not count towards `--max-running` any more.
pub(in crate::campaign) fn overdue(
    machine: &str,
    action_id: &str,
    status: &str,
    timeout: Duration,
) {
    audit!(
        "overdue",
        machine,
        action_id,
        status,
        timeout_s = timeout.as_secs_f64()
    );
}

/// The list of scans could not be read to its end.
pub(in crate::campaign) fn no_listing(why: &ListingError) {
    let why = why.to_string();
    audit!("lookup", found = "no list", why = why.as_str());
}

/// The campaign stops.
pub fn stop(reason: &StopReason) {
    let why = reason.to_string();
    let why = why.as_str();
    match reason {
        StopReason::Brake(_) => audit!("brake", why),
        StopReason::Interrupted => audit!("stop", cause = "interrupted", why),
        StopReason::Tenant(_) => audit!("stop", cause = "tenant", why),
        StopReason::Disk(_) => audit!("stop", cause = "disk", why),
    }
}
