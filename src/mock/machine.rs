//! What a machine is like, and the inventory (MDE-API.md, section 4).

use std::{borrow::Cow, time::Duration};

use jiff::Timestamp;
use serde::Serialize;

use super::{
    clock::{ServerClock, stamp},
    config::{Chances, MakeUp, MockConfig},
    filter::{Row, Type, Value},
};

/// What a machine is like. This depends only on the seed and the id, so it never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Nature {
    pub(super) unknown: bool,
    /// Why it cannot be scanned, as an error code.
    pub(super) unsupported: Option<&'static str>,
    /// Whether somebody else's scan is running on it when the first start arrives.
    pub(super) busy: bool,
    /// Whether it is away, so that no scan on it begins.
    pub(super) offline: bool,
}

impl Nature {
    pub(super) fn of(machine: &str, seed: u64, chances: &Chances) -> Self {
        let mut rng = stable(seed, machine);
        let mut drawn = |chance: f64| rng.f64() < chance;
        Self {
            unknown: drawn(chances.unknown),
            busy: drawn(chances.busy),
            unsupported: drawn(chances.unsupported).then(|| {
                let old_client = drawn(0.5);
                if old_client {
                    "ClientVersionNotSupported"
                } else {
                    "OsPlatformNotSupported"
                }
            }),
            offline: drawn(chances.offline),
        }
    }
}

/// A random generator that depends only on the seed and the text.
pub(super) fn stable(seed: u64, text: &str) -> fastrand::Rng {
    // FNV-1a: it need not be strong, but it must be the same on every computer.
    let fnv = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let mixed = text
        .as_bytes()
        .iter()
        .fold(seed ^ 0xcbf2_9ce4_8422_2325, fnv);
    let mut rng = fastrand::Rng::with_seed(mixed);
    // The first numbers of similar seeds are similar.
    rng.u64(..);
    rng
}

/// Whether this can be a machine's id at all.
pub(super) fn is_well_formed(id: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !id.is_empty() && id.len() <= 128 && id.chars().all(plain)
}

/// Whether it consists of this many hex digits, in upper or lower case.
pub(super) fn is_hex(id: &str, digits: usize) -> bool {
    id.len() == digits && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// An id like the service's own.
pub(super) fn random_id(rng: &mut fastrand::Rng) -> String {
    let digits = (0..40).filter_map(|_| char::from_digit(rng.u32(..16), 16));
    digits.collect()
}

/// A machine's name. `domain` is what follows the host.
pub(super) fn dns_name(machine: &str, domain: &str) -> String {
    format!("host-{}{domain}", machine.get(..8).unwrap_or(machine))
}

impl MakeUp {
    /// Whether the machine with this number has the name of the one before.
    fn repeats_name(&self, number: usize, seed: u64) -> bool {
        self.repeated_names > 0.0
            && stable(seed, &format!("name {number}")).f64() < self.repeated_names
    }
}

/// The tag of machines on which the tenant restricts actions (MDE-API.md, section 9).
const RESTRICTED_TAG: &str = "Restricted security operations";

/// One machine of the inventory.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Machine {
    pub(super) id: String,
    merged_into_machine_id: Option<String>,
    is_potential_duplication: bool,
    is_excluded: bool,
    exclusion_reason: Option<&'static str>,
    pub(super) computer_dns_name: String,
    first_seen: String,
    pub(super) last_seen: String,
    pub(super) os_platform: &'static str,
    os_version: Option<()>,
    os_processor: &'static str,
    version: &'static str,
    pub(super) last_ip_address: String,
    os_build: u32,
    health_status: &'static str,
    device_value: &'static str,
    pub(super) rbac_group_id: u32,
    pub(super) rbac_group_name: String,
    risk_score: &'static str,
    exposure_level: &'static str,
    aad_device_id: Option<String>,
    #[serde(rename = "machineTags")]
    pub(super) tags: Vec<String>,
    onboarding_status: &'static str,
    managed_by: &'static str,
    #[serde(skip)]
    pub(super) seen: Timestamp,
}

impl Machine {
    /// The machine with this number in the inventory.
    pub(super) fn number(number: usize, config: &MockConfig, clock: &ServerClock) -> Self {
        let of = |number: usize| stable(config.seed, &format!("machine {number}"));
        let mut rng = of(number);
        let id = random_id(&mut rng);
        let mut machine = Self::drawn(id, rng, config, clock);
        let is_merged = number.checked_rem(config.departed_every) == Some(1);
        if number > 0 && (is_merged || config.make_up.repeats_name(number, config.seed)) {
            let before = random_id(&mut of(number - 1));
            machine.computer_dns_name = dns_name(&before, &config.make_up.domain);
        }
        match number.checked_rem(config.departed_every) {
            Some(1) => {
                machine.merged_into_machine_id = Some(random_id(&mut of(number - 1)));
                machine.is_potential_duplication = true;
            }
            Some(2) => {
                machine.is_excluded = true;
                machine.exclusion_reason = Some("InactiveDevice");
            }
            _ => {}
        }
        machine
    }

    /// The machine with this id.
    pub(super) fn named(id: String, config: &MockConfig, clock: &ServerClock) -> Self {
        let rng = stable(config.seed, &id);
        Self::drawn(id, rng, config, clock)
    }

    fn drawn(id: String, mut rng: fastrand::Rng, config: &MockConfig, clock: &ServerClock) -> Self {
        let make_up = &config.make_up;
        let group = rng.usize(..make_up.groups.len().max(1));
        let health_status = if rng.f64() < make_up.inactive {
            "Inactive"
        } else {
            "Active"
        };
        let tag = rng.choice(&make_up.tags).filter(|tag| !tag.is_empty());
        let restricted = config.restricted.iter();
        let restricted = restricted.filter(|restricted| restricted.eq_ignore_ascii_case(&id));
        let restricted = restricted.take(1).map(|_| RESTRICTED_TAG.to_owned());
        let tags = tag.cloned().into_iter().chain(restricted).collect();
        let mut pick = |of: &[&'static str]| of[rng.usize(..of.len())];
        let os_platform = pick(&[
            "Windows11",
            "Windows11",
            "Windows10",
            "WindowsServer2022",
            "Linux",
            "macOS",
        ]);
        let risk_score = pick(&["None", "None", "Low", "Medium", "High"]);
        let exposure_level = pick(&["Low", "Low", "Medium", "High"]);
        // Last seen within the month before the tenant was created, so that machines do not change with time.
        let today = clock.wall(Duration::ZERO);
        let ago = jiff::SignedDuration::from_secs(rng.i64(0..30 * 86_400));
        let last = today.checked_sub(ago).unwrap_or(today);
        Self {
            merged_into_machine_id: None,
            is_potential_duplication: false,
            is_excluded: false,
            exclusion_reason: None,
            computer_dns_name: dns_name(&id, &make_up.domain),
            first_seen: stamp(last),
            last_seen: stamp(last),
            os_platform,
            os_version: None,
            os_processor: "x64",
            version: "23H2",
            last_ip_address: format!("10.{}.{}.{}", rng.u8(..), rng.u8(..), rng.u8(1..)),
            os_build: 22_631,
            health_status,
            device_value: "Normal",
            rbac_group_id: u32::try_from(group + 1).unwrap_or(u32::MAX),
            rbac_group_name: make_up.groups.get(group).cloned().unwrap_or_default(),
            risk_score,
            exposure_level,
            aad_device_id: rng.bool().then(|| super::reply::guid(rng.u128(..))),
            tags,
            onboarding_status: "Onboarded",
            managed_by: "Intune",
            seen: last,
            id,
        }
    }
}

impl Row for Machine {
    const FIELDS: &'static [(&'static str, Type)] = &[
        ("id", Type::Text),
        ("computerDnsName", Type::Text),
        ("healthStatus", Type::Text),
        ("onboardingStatus", Type::Text),
        ("osPlatform", Type::Text),
        ("version", Type::Text),
        ("deviceValue", Type::Text),
        ("lastIpAddress", Type::Text),
        ("riskScore", Type::Text),
        ("exposureLevel", Type::Text),
        // Not its name, which the service refuses.
        ("rbacGroupId", Type::Number),
        ("aadDeviceId", Type::Text),
        ("lastSeen", Type::Time),
        ("machineTags", Type::Texts),
    ];

    fn value(&self, field: &str) -> Value<'_> {
        let text = |text| Value::Text(Cow::Borrowed(text));
        match field {
            "id" => text(&self.id),
            "computerDnsName" => text(&self.computer_dns_name),
            "healthStatus" => text(self.health_status),
            "onboardingStatus" => text(self.onboarding_status),
            "osPlatform" => text(self.os_platform),
            "riskScore" => text(self.risk_score),
            "exposureLevel" => text(self.exposure_level),
            "version" => text(self.version),
            "deviceValue" => text(self.device_value),
            "lastIpAddress" => text(&self.last_ip_address),
            "rbacGroupId" => Value::Number(self.rbac_group_id.into()),
            "aadDeviceId" => self.aad_device_id.as_deref().map_or(Value::Null, text),
            "lastSeen" => Value::Time(self.seen),
            "machineTags" => Value::Texts(&self.tags),
            _ => Value::Null,
        }
    }
}

impl Row for &Machine {
    const FIELDS: &'static [(&'static str, Type)] = <Machine as Row>::FIELDS;

    fn value(&self, field: &str) -> Value<'_> {
        (**self).value(field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machines_nature_is_stable_and_its_shares_are_what_was_asked_for() {
        let chances = Chances {
            busy: 0.05,
            unknown: 0.5,
            ..Chances::default()
        };
        let natures: Vec<_> = (0..10_000)
            .map(|n| Nature::of(&format!("{n:040x}"), 7, &chances))
            .collect();
        assert_eq!(
            natures[12],
            Nature::of(&format!("{:040x}", 12), 7, &chances)
        );
        let share = |is: fn(&Nature) -> bool| natures.iter().filter(|n| is(n)).count();
        assert!((400..600).contains(&share(|n| n.busy)));
        assert!((4_800..5_200).contains(&share(|n| n.unknown)));
        assert_eq!(share(|n| n.unsupported.is_some()), 0);
    }
}
