//! A summary of the recorder: as JSON for programs, as text for people.

use std::{collections::BTreeMap, fmt, time::Duration};

use serde::Serialize;

use super::{
    config::{Kinds, Limit, QuotaConfig},
    recorder::Recorder,
    request::Kind,
};

/// A summary of what the tenant saw.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// The calls of each kind, by the kind's name.
    pub kinds: BTreeMap<&'static str, KindSummary>,
    /// The busiest intervals over all kinds, if they share the quota.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub together: Vec<Busiest>,
    /// The scans that were started by calls.
    pub scans: ScanSummary,
    /// How many scans were cancelled that no call had started.
    pub foreign_cancels: u64,
    /// How many calls led nowhere, or had a query or a body that the API does not define.
    pub malformed: u64,
    /// How many calls had no token, or one that this tenant never issued.
    pub wrong_tokens: u64,
    /// What no client of this API may do, and this one did.
    pub faults: Vec<String>,
}

/// The calls of one kind.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KindSummary {
    /// How many were counted.
    pub calls: u64,
    /// How many of them were answered with 429.
    pub throttled: u64,
    /// How many of those were refused because of this client's own calls, whatever others did.
    pub over_limit: u64,
    /// How many arrived before a `Retry-After` had passed.
    pub early: u64,
    /// How many an outage kept from the service, so that they were not counted.
    pub turned_away: usize,
    /// The busiest interval for each configured limit. Signing in has no limit.
    pub busiest: Vec<Busiest>,
}

/// The interval of a limit's length with the most calls.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Busiest {
    /// The interval's length in seconds.
    pub window_s: f64,
    /// How many calls the limit allows.
    pub limit: u32,
    /// How many calls were counted.
    pub calls: usize,
}

/// The scans that were started by calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ScanSummary {
    /// How many.
    pub total: usize,
    /// On how many machines.
    pub machines: usize,
    /// How many of them the client was not told about.
    pub answers_lost: usize,
    /// How many machines were scanned more than once.
    pub machines_scanned_more_than_once: usize,
    /// The first 20 of them.
    pub repeated: Vec<String>,
}

/// How many machines are named. That is enough to see what is wrong.
const NAMED: usize = 20;

impl Summary {
    pub(super) fn of(recorder: &Recorder, quota: &QuotaConfig) -> Self {
        let busiest = |limits: &[Limit], calls: &dyn Fn(Duration) -> usize| -> Vec<Busiest> {
            limits
                .iter()
                .map(|limit| Busiest::of(*limit, calls(limit.window)))
                .collect()
        };
        let kind = |kind: Kind| KindSummary {
            calls: recorder.calls(kind),
            throttled: recorder.throttled(kind),
            over_limit: recorder.over_limit(kind),
            early: recorder.early(kind),
            turned_away: recorder.turned_away(kind).len(),
            busiest: busiest(quota.limits_of(kind), &|window| {
                recorder.busiest(kind, window)
            }),
        };
        let mut repeated = recorder.machines_scanned_more_than_once();
        let machines_scanned_more_than_once = repeated.len();
        repeated.truncate(NAMED);
        let (machines, answers_lost) = recorder.scanned();
        let summary = Self {
            kinds: Kind::ALL.iter().map(|k| (k.name(), kind(*k))).collect(),
            together: if quota.kinds == Kinds::Together {
                busiest(&quota.limits, &|window| recorder.busiest_together(window))
            } else {
                Vec::new()
            },
            scans: ScanSummary {
                total: recorder.scans(),
                machines,
                answers_lost,
                machines_scanned_more_than_once,
                repeated,
            },
            foreign_cancels: recorder.foreign_cancels(),
            malformed: recorder.malformed(),
            wrong_tokens: recorder.wrong_tokens(),
            faults: Vec::new(),
        };
        Self {
            faults: summary.find_faults(),
            ..summary
        }
    }

    fn find_faults(&self) -> Vec<String> {
        let of_kinds = |count: fn(&KindSummary) -> u64| self.kinds.values().map(count).sum::<u64>();
        let repeated = self.scans.machines_scanned_more_than_once as u64;
        let counts = [
            (of_kinds(|kind| kind.over_limit), "call", "over the limit"),
            (
                of_kinds(|kind| kind.early),
                "call",
                "before Retry-After had passed",
            ),
            (repeated, "machine", "scanned more than once"),
            (self.malformed, "call", "malformed"),
            (self.wrong_tokens, "call", "with a wrong token"),
            (self.foreign_cancels, "scan", "of others cancelled"),
        ];
        let faults = counts.into_iter().filter(|(count, ..)| *count > 0);
        faults
            .map(|(count, what, how)| format!("{} {how}", several(count, what)))
            .collect()
    }
}

impl Busiest {
    fn of(limit: Limit, calls: usize) -> Self {
        Self {
            window_s: limit.window.as_secs_f64(),
            limit: limit.calls,
            calls,
        }
    }
}

impl fmt::Display for Summary {
    /// A line for each kind that was called, one for the scans, and one for each thing that should not have happened.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let was_called = |kind: &KindSummary| kind.calls > 0 || kind.turned_away > 0;
        for (name, kind) in self.kinds.iter().filter(|(_, kind)| was_called(kind)) {
            let KindSummary {
                calls,
                throttled,
                over_limit: _,
                early,
                turned_away,
                busiest,
            } = kind;
            write!(
                f,
                "{name}: {}, {throttled} refused (429), {early} before Retry-After had passed",
                several(*calls, "call")
            )?;
            write_busiest(f, busiest)?;
            if *turned_away > 0 {
                write!(f, "; {turned_away} more kept away by an outage")?;
            }
            writeln!(f)?;
        }
        if !self.together.is_empty() {
            write!(f, "all kinds together")?;
            write_busiest(f, &self.together)?;
            writeln!(f)?;
        }
        let scans = &self.scans;
        writeln!(
            f,
            "scans: {} started on {}, {} of them with their answer lost, {} scanned more than once",
            scans.total,
            several(scans.machines as u64, "machine"),
            scans.answers_lost,
            several(scans.machines_scanned_more_than_once as u64, "machine")
        )?;
        if !scans.repeated.is_empty() {
            writeln!(f, "scanned more than once: {}", scans.repeated.join(", "))?;
        }
        if self.faults.is_empty() {
            writeln!(f, "verdict: nothing wrong")
        } else {
            writeln!(f, "verdict: {}", self.faults.join(", "))
        }
    }
}

/// "1 call", "2 calls". The mock shares no code with the client.
fn several(count: u64, one: &str) -> String {
    format!("{count} {one}{}", if count == 1 { "" } else { "s" })
}

fn write_busiest(f: &mut fmt::Formatter<'_>, busiest: &[Busiest]) -> fmt::Result {
    for Busiest {
        window_s,
        limit,
        calls,
    } in busiest
    {
        let window = Duration::from_secs_f64(*window_s);
        write!(f, "; at most {calls} of {limit} in any {window:?}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::mock::scan_log::ScanRecord;

    #[test]
    fn in_words_it_names_what_should_not_have_happened() {
        let recorder = Recorder::new(true, false);
        let machine: Arc<str> = "ab".into();
        for second in 0..2 {
            let at = Duration::from_secs(second);
            recorder.counted(Kind::Start, at, at);
            recorder.turn_away(Kind::Start, at);
            let scan = ScanRecord {
                comment: "c".into(),
                answer_lost: second == 0,
            };
            recorder.started(&machine, scan);
        }
        recorder.cancelled_foreign();
        let quota = QuotaConfig {
            limits: vec![Limit {
                calls: 100,
                window: Duration::from_mins(1),
            }],
            kinds: Kinds::Together,
            ..QuotaConfig::default()
        };
        let summary = Summary::of(&recorder, &quota);
        assert_eq!(
            summary.to_string(),
            "start: 2 calls, 0 refused (429), 0 before Retry-After had passed; at most 2 of 100 in any 60s; \
             2 more kept away by an outage\n\
             all kinds together; at most 2 of 100 in any 60s\n\
             scans: 2 started on 1 machine, 1 of them with their answer lost, 1 machine scanned more than once\n\
             scanned more than once: ab\n\
             verdict: 1 machine scanned more than once, 1 scan of others cancelled\n"
        );
    }
}
