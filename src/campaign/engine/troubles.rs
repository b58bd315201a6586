//! What went wrong with the run's calls, grouped by what it was.

use super::verdict::{Judgement, Verdict};
use crate::{client::reply::Class, monitor::Trouble, plain_text::one_line};

/// How many kinds are told apart. More than a service has; what is beyond them is counted together.
const KINDS: usize = 50;

/// A longer error code is cut off.
const LONGEST_CODE: usize = 40;

/// The kinds of trouble, with the one that came last at the end.
#[derive(Debug, Default)]
pub(crate) struct Troubles(Vec<Trouble>);

impl Troubles {
    /// Counts a reply, if it is one that somebody wants to know of.
    pub(super) fn add(&mut self, judgement: &Judgement) {
        if let Some(what) = in_words(judgement) {
            self.count(what);
        }
    }

    fn count(&mut self, what: String) {
        let place = |what: &str| self.0.iter().position(|trouble| trouble.what == what);
        let is_new = place(&what).is_none();
        let what = if is_new && self.0.len() >= KINDS {
            "others".to_owned()
        } else {
            what
        };
        let mut trouble = match place(&what) {
            Some(at) => self.0.remove(at),
            None => Trouble { what, count: 0 },
        };
        trouble.count += 1;
        self.0.push(trouble);
    }

    /// All of them, the latest first.
    pub(crate) fn latest_first(&self) -> Vec<Trouble> {
        self.0.iter().rev().cloned().collect()
    }
}

/// Such as "403 `NotPermitted`" or "timed out"; `None` where nothing went wrong.
fn in_words(judgement: &Judgement) -> Option<String> {
    if matches!(
        judgement.verdict,
        Verdict::Accepted(_) | Verdict::AlreadyPending(_)
    ) {
        return None;
    }
    let lost = match &judgement.class {
        Class::Own(_) => "no answer",
        Class::NeverSent(_) => "no connection",
        Class::Perhaps(trouble) if trouble.gave_up_after.is_some() => "timed out",
        Class::Perhaps(_) => "connection lost",
        Class::Unsendable(_) => "id that cannot be sent",
    };
    let code: String = one_line(&judgement.error_code)
        .chars()
        .take(LONGEST_CODE)
        .collect();
    Some(match (judgement.http_status, code.as_str()) {
        (Some(status), "") => status.to_string(),
        (Some(status), code) => format!("{status} {code}"),
        (None, _) => lost.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_grouped_and_the_latest_comes_first() {
        let mut troubles = Troubles::default();
        for what in ["503", "timed out", "503"] {
            troubles.count(what.to_owned());
        }
        let told = troubles.latest_first();
        let told: Vec<_> = told.iter().map(|t| (t.what.as_str(), t.count)).collect();
        assert_eq!(told, [("503", 2), ("timed out", 1)]);
    }

    #[test]
    fn a_service_that_makes_up_codes_fills_no_memory_and_loses_no_count() {
        let mut troubles = Troubles::default();
        for n in 0..1_000 {
            troubles.count(format!("400 Code{n}"));
        }
        let told = troubles.latest_first();
        assert!(told.len() <= KINDS + 1);
        assert_eq!(told.iter().map(|trouble| trouble.count).sum::<u64>(), 1_000);
    }
}
