//! Scenario files: a tenant's settings as TOML, so that a situation has a name and can be repeated. `docs/SCENARIOS.md`
//! describes every key.
//!
//! - this file: the file as a whole. `sections`, `alerts`: its tables. `faults`: a script of faults. `text`: values
//!   that are written as text, as options have them.

mod alerts;
mod faults;
mod sections;
mod text;

use serde::Deserialize;

use self::{
    alerts::AlertsSection,
    faults::FaultSection,
    sections::{
        FleetSection, HealthSection, ListsSection, NetworkSection, QuotaSection, ScansSection,
        SignInSection,
    },
    text::OutageText,
};
use super::config::MockConfig;

/// The settings that a scenario file names. Those that it does not name stay as they are.
///
/// ```
/// use fleetsweep::mock::{MockConfig, Scenario};
///
/// let scenario = Scenario::parse("quota.other-caller = '50%'\noutages = ['10m-1h=503:120']")?;
/// let mut config = MockConfig::default();
/// scenario.apply_to(&mut config)?;
/// assert_eq!((config.quota.other_caller, config.outages.len()), (0.5, 1));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Scenario {
    /// What it is about, for people.
    #[serde(rename = "about")]
    _about: String,
    seed: Option<u64>,
    fleet: FleetSection,
    quota: QuotaSection,
    network: NetworkSection,
    scans: ScansSection,
    lists: ListsSection,
    health: HealthSection,
    alerts: AlertsSection,
    sign_in: SignInSection,
    outages: Vec<OutageText>,
    faults: Vec<FaultSection>,
}

/// What is wrong with a scenario.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// It is not TOML, or has a key or a value that scenarios do not have.
    #[error("{0}")]
    Unreadable(#[from] toml::de::Error),
    /// Two settings do not go together.
    #[error("{0}")]
    Contradiction(&'static str),
}

impl Scenario {
    /// Reads a scenario file.
    ///
    /// # Errors
    /// It is not TOML, or has a key or a value that scenarios do not have.
    pub fn parse(text: &str) -> Result<Self, ScenarioError> {
        Ok(toml::from_str(text)?)
    }

    /// Copies the settings that it names into the configuration.
    ///
    /// # Errors
    /// Two settings do not go together.
    pub fn apply_to(self, config: &mut MockConfig) -> Result<(), ScenarioError> {
        set(&mut config.seed, self.seed);
        self.fleet.apply_to(config)?;
        self.quota.apply_to(config)?;
        self.network.apply_to(config);
        self.scans.apply_to(config);
        self.lists.apply_to(config);
        self.health.apply_to(config);
        self.alerts.apply_to(config);
        self.sign_in.apply_to(config);
        let outages = self.outages.into_iter().map(|outage| outage.0);
        config.outages.extend(outages);
        for fault in self.faults {
            config.faults.push(fault.rule()?);
        }
        Ok(())
    }
}

/// Replaces a setting by what a scenario says, if it says anything.
fn set<T>(setting: &mut T, said: Option<impl Into<T>>) {
    if let Some(said) = said {
        *setting = said.into();
    }
}

#[cfg(test)]
mod tests;
