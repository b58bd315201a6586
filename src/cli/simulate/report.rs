//! What is printed about simulations: a table, or JSON.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    campaign::{outcome::Outcome, summary::Summary},
    cli::{ExitCode, Failure, run::Finished, screen},
    mock::{self, Tenant},
    monitor::span,
};

/// What came of one simulation.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Simulation {
    /// The values that distinguish it from the others.
    what_if: BTreeMap<String, String>,
    #[serde(skip)]
    label: String,
    /// What the run said, as `--summary` writes it.
    run: Summary,
    /// How many machines had been accepted at the end of each hour.
    accepted_by_hour: Vec<u64>,
    /// What the tenant saw, and its verdict.
    mock: mock::Summary,
}

/// Several simulations.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) simulations: Vec<Simulation>,
}

/// The hours that a table shows, as far as the longest campaign goes.
const SHOWN: [usize; 8] = [1, 2, 4, 8, 24, 48, 168, 672];

/// The values that distinguish a simulation from others, as a person reads them.
pub(super) fn label(values: &[(String, String)]) -> String {
    let words = values
        .iter()
        .map(|(option, value)| format!("{option}={value}"));
    words.collect::<Vec<_>>().join(" ")
}

impl Simulation {
    pub(super) fn new(
        values: Vec<(String, String)>,
        finished: &Finished,
        accepted_by_hour: Vec<u64>,
        tenant: &Tenant,
    ) -> Self {
        Self {
            label: label(&values),
            what_if: values.into_iter().collect(),
            run: finished.summary.clone(),
            accepted_by_hour,
            mock: tenant.summary(),
        }
    }

    /// The exit code of what the mock has to say about the client.
    pub(super) fn verdict(&self) -> ExitCode {
        if self.mock.faults.is_empty() {
            ExitCode::Clean
        } else {
            ExitCode::Incomplete
        }
    }

    /// Prints how many machines there were after some hours, and what the mock thinks of the client.
    pub(super) fn print_hours(&self) {
        let last = self.accepted_by_hour.len();
        let shown = SHOWN.iter().filter(|hour| **hour < last).chain([&last]);
        let shown: Vec<_> = shown
            .map(|hour| format!("{hour} h: {}", self.accepted_after(*hour)))
            .collect();
        if last > 0 {
            screen::say(&format!("accepted after {}", shown.join(", ")));
        }
        if !self.mock.faults.is_empty() {
            let faults = self.mock.faults.join(", ");
            screen::say(&format!(
                "the mock's verdict: {faults}; this is a bug in fleetsweep, or the scenario goes beyond what the API \
                 is known to do (docs/SCENARIOS.md)"
            ));
        }
    }

    /// How many machines had been accepted after this many hours.
    fn accepted_after(&self, hours: usize) -> u64 {
        let known = self.accepted_by_hour.len().min(hours);
        known
            .checked_sub(1)
            .map_or(0, |last| self.accepted_by_hour[last])
    }
}

impl Report {
    /// Incomplete if a client did what none may do, which would be a bug.
    pub(super) fn exit_code(&self) -> ExitCode {
        ExitCode::gravest(self.simulations.iter().map(Simulation::verdict))
    }

    /// Prints a table, or JSON.
    ///
    /// # Errors
    /// stdout is gone.
    pub(super) fn print(&self, json: bool) -> Result<(), Failure> {
        if json {
            return screen::json(self, "the simulations");
        }
        screen::report(&self.table().join("\n"), "the simulations")
    }

    /// The lines of the table.
    fn table(&self) -> Vec<String> {
        let longest = self
            .simulations
            .iter()
            .map(|s| s.accepted_by_hour.len())
            .max();
        let hours: Vec<_> = SHOWN
            .into_iter()
            .filter(|hour| *hour <= longest.unwrap_or(0))
            .collect();
        let mut rows = vec![vec![
            "what if", "length", "accepted", "others", "calls", "429",
        ]];
        let after: Vec<_> = hours.iter().map(|hour| format!("after {hour} h")).collect();
        rows[0].extend(after.iter().map(String::as_str));
        let cells: Vec<Vec<String>> = self.simulations.iter().map(|s| s.cells(&hours)).collect();
        rows.extend(
            cells
                .iter()
                .map(|cells| cells.iter().map(String::as_str).collect()),
        );
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
        let widths: Vec<_> = (0..rows[0].len()).map(|c| width(c).unwrap_or(0)).collect();
        let line = |row: &Vec<&str>| {
            let cells = row
                .iter()
                .zip(&widths)
                .enumerate()
                .map(|(column, (cell, &width))| {
                    if column == 0 {
                        format!("{cell:<width$}")
                    } else {
                        format!("{cell:>width$}")
                    }
                });
            cells.collect::<Vec<_>>().join("  ")
        };
        let mut lines: Vec<_> = rows.iter().map(line).collect();
        let stopped = self.simulations.iter().filter_map(|simulation| {
            let why = simulation.run.stopped.as_ref()?;
            Some(format!("{} stopped: {why}", simulation.label))
        });
        lines.extend(stopped);
        let faulty = self
            .simulations
            .iter()
            .filter(|s| !s.mock.faults.is_empty());
        lines.extend(faulty.map(|s| format!("{}: {}", s.label, s.mock.faults.join(", "))));
        lines
    }
}

impl Simulation {
    fn cells(&self, hours: &[usize]) -> Vec<String> {
        let run = &self.run;
        let accepted = run.outcomes.of(Outcome::Accepted);
        let numbers = [accepted, run.targets - accepted, run.calls, run.throttled];
        let mut cells = vec![self.label.clone(), span::in_words(run.elapsed)];
        cells.extend(numbers.map(|number| number.to_string()));
        cells.extend(
            hours
                .iter()
                .map(|hour| self.accepted_after(*hour).to_string()),
        );
        cells
    }
}
