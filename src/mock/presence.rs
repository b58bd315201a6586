//! Machines that come and go: when each of them is away, by the seed.

use std::{ops::RangeInclusive, time::Duration};

use jiff::{SignedDuration, Timestamp};

use super::{
    clock::{ServerClock, stamp},
    config::{Coming, MockConfig, within},
    machine::{Machine, Nature, stable},
    scans::{Action, Status},
    tenant::Tenant,
};

/// A machine that is away when the tenant starts was seen last so long before.
const UNSEEN: RangeInclusive<i64> = 25 * 3600..=30 * 86_400;

/// A span for which a machine is away, in time since the tenant's start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Absence {
    /// From when on. At zero, it was away before the start already.
    pub from: Duration,
    /// Until when.
    pub until: Duration,
}

/// The spans for which a machine is away that comes and goes, without end if it leaves again and again.
fn absences(machine: &str, coming: &Coming, seed: u64) -> impl Iterator<Item = Absence> + use<> {
    let mut rng = stable(seed, &format!("away {machine}"));
    let coming = coming.clone();
    let mut from = Some(Duration::ZERO);
    std::iter::from_fn(move || {
        let away = within(&mut rng, &coming.away_for);
        let absence = Absence {
            from: from?,
            until: from?.saturating_add(away),
        };
        // Of whatever length it is, time goes on.
        let here = coming.here_for.as_ref();
        let here = here.map(|here| within(&mut rng, here).max(Duration::from_secs(1)));
        from = here.map(|here| absence.until.saturating_add(here));
        Some(absence)
    })
}

impl Tenant {
    /// The span for which this machine is away now, if it is.
    pub(super) fn absence(&self, machine: &str, now: Duration) -> Option<Absence> {
        let begun = self
            .absences(machine)
            .take_while(|absence| absence.from <= now);
        begun.last().filter(|absence| now < absence.until)
    }

    /// The spans for which a machine is away, in their order, without end if it leaves again and again. For tests.
    pub fn absences(&self, machine: &str) -> impl Iterator<Item = Absence> + use<> {
        let MockConfig {
            seed,
            chances,
            coming,
            ..
        } = &self.config;
        let machine = machine.to_ascii_lowercase();
        let comes = Nature::of(&machine, *seed, chances).offline;
        let coming = coming.as_ref().filter(|_| comes);
        coming
            .map(|coming| absences(&machine, coming, *seed))
            .into_iter()
            .flatten()
    }

    /// Keeps a scan on a machine that is away from beginning before the machine is back, or for good.
    pub(super) fn hold_up(&self, scan: &mut Action, now: Duration) {
        let times_out = now.saturating_add(self.config.offline_time_out);
        let absence = self.absence(&scan.machine, now);
        match absence.map(|absence| absence.until) {
            None if self.config.coming.is_some() => {}
            Some(back) if back < times_out => {
                let wait = back.saturating_sub(now);
                scan.begins = scan.begins.saturating_add(wait);
                scan.ends = scan.ends.saturating_add(wait);
            }
            None | Some(_) => {
                (scan.begins, scan.ends, scan.end) = (times_out, times_out, Status::TimeOut);
            }
        }
    }

    /// The machine as the inventory shows it now: where machines come and go, those that are here were seen just now.
    pub(super) fn as_seen(&self, machine: &Machine, now: Duration) -> Machine {
        let mut machine = machine.clone();
        let last = match self.absence(&machine.id, now) {
            None => self.clock.wall(now),
            Some(absence) if absence.from.is_zero() => {
                unseen(&machine.id, self.config.seed, &self.clock)
            }
            Some(absence) => self.clock.wall(absence.from),
        };
        machine.last_seen = stamp(last);
        machine.seen = last;
        machine
    }
}

/// When a machine was seen last that is away when the tenant starts.
fn unseen(machine: &str, seed: u64, clock: &ServerClock) -> Timestamp {
    let mut rng = stable(seed, &format!("unseen {machine}"));
    let start = clock.wall(Duration::ZERO);
    let ago = SignedDuration::from_secs(rng.i64(UNSEEN));
    start.checked_sub(ago).unwrap_or(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    #[test]
    fn absences_follow_each_other_and_are_the_same_each_time() {
        let coming = Coming {
            away_for: HOUR..=5 * HOUR,
            here_for: Some(HOUR..=3 * HOUR),
        };
        let first: Vec<_> = absences("a", &coming, 7).take(50).collect();
        assert_eq!(
            first,
            absences("a", &coming, 7).take(50).collect::<Vec<_>>()
        );
        assert_ne!(
            first,
            absences("b", &coming, 7).take(50).collect::<Vec<_>>()
        );
        assert_eq!(first[0].from, Duration::ZERO);
        for pair in first.windows(2) {
            let here = pair[1].from.saturating_sub(pair[0].until);
            assert!((HOUR..=3 * HOUR).contains(&here), "{here:?}");
            let away = pair[0].until.saturating_sub(pair[0].from);
            assert!((HOUR..=5 * HOUR).contains(&away), "{away:?}");
        }
        let once = Coming {
            here_for: None,
            ..coming
        };
        assert_eq!(absences("a", &once, 7).count(), 1, "it stays");
    }
}
