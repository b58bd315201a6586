//! `--scenario FILE`: the mock's settings from a file. It is read here for all commands that have the option.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::mock::{MockConfig, Scenario};

/// Which scenario the mock plays.
#[derive(Debug, Clone, Default, Args)]
pub struct ScenarioArgs {
    /// A scenario for the mock: its settings as TOML (docs/SCENARIOS.md; examples in sample-inputs/scenarios)
    #[arg(long, value_name = "FILE.toml", hide_short_help = true)]
    pub scenario: Option<PathBuf>,
}

/// Why a scenario cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("--scenario {}: {why}", path.display())]
pub struct ScenarioFault {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub why: String,
}

impl ScenarioArgs {
    /// Whether a scenario is named.
    #[must_use]
    pub fn is_given(&self) -> bool {
        self.scenario.is_some()
    }

    /// The scenario, if one is named.
    ///
    /// # Errors
    /// The file cannot be read, or is no scenario.
    pub fn read(&self) -> Result<Option<Scenario>, ScenarioFault> {
        let Some(path) = &self.scenario else {
            return Ok(None);
        };
        let wrong = |why: &dyn ToString| fault(path, why);
        let text = std::fs::read_to_string(path).map_err(|why| wrong(&why))?;
        Scenario::parse(&text).map(Some).map_err(|why| wrong(&why))
    }

    /// Copies the scenario's settings into the mock's configuration.
    ///
    /// # Errors
    /// The file cannot be read, or is no scenario.
    pub fn apply_to(&self, config: &mut MockConfig) -> Result<(), ScenarioFault> {
        match (self.read()?, &self.scenario) {
            (Some(scenario), Some(path)) => {
                scenario.apply_to(config).map_err(|why| fault(path, &why))
            }
            _ => Ok(()),
        }
    }
}

fn fault(path: &Path, why: &dyn ToString) -> ScenarioFault {
    ScenarioFault {
        path: path.to_owned(),
        why: why.to_string().trim_end().to_owned(),
    }
}
