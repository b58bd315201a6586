//! A run as `fleetsweep simulate` has it: against the mock, with no files but those that it is asked for.

use super::{RunArgs, Scratch, args::ResumeArgs, output_args::OutputArgs};
use crate::{
    cli::{Failure, watch::WatchArgs},
    mock::{MockConfig, QuotaConfig},
    monitor::logs::Now,
};

impl RunArgs {
    /// The tenant that the options ask for: one with the documented limits, whatever `--limit` says of the client's,
    /// unless the scenario has others.
    ///
    /// # Errors
    /// The scenario cannot be read.
    pub(in crate::cli) fn mock_config(&self) -> Result<MockConfig, Failure> {
        self.connect.mock_config(QuotaConfig::default())
    }

    /// Whether somebody wants the results.
    pub(in crate::cli) fn names_results(&self) -> bool {
        self.output.results.is_some()
    }

    /// Whether only results are printed.
    pub(in crate::cli) fn is_quiet(&self) -> bool {
        self.progress.quiet
    }

    /// Refuses a file that is named for two purposes, and an option that has no effect.
    ///
    /// # Errors
    /// There is one.
    pub(in crate::cli) fn validate_simulated(&self) -> Result<(), Failure> {
        self.simulated().validate()
    }

    /// Starts to log, with this time in place of the computer's.
    ///
    /// # Errors
    /// The log cannot be written.
    pub(in crate::cli) fn log_in_virtual_time(&self, now: Now) -> Result<(), Failure> {
        self.progress.log(now)
    }

    /// Whether the summary goes to standard output.
    pub(in crate::cli) fn summary_to_stdout(&self) -> bool {
        let summary = self.output.summary.as_deref();
        summary.is_some_and(|path| path.as_os_str() == "-")
    }

    /// Refuses what several variants of a run cannot share.
    ///
    /// # Errors
    /// There is such a thing.
    pub(in crate::cli) fn refuse_for_variants(&self) -> Result<(), Failure> {
        let OutputArgs {
            results,
            summary,
            report,
            xlsx,
            ..
        } = &self.output;
        let shared = if results.is_some() {
            "--results"
        } else if summary.is_some() {
            "--summary"
        } else if report.is_some() {
            "--report"
        } else if xlsx.is_some() {
            "--xlsx"
        } else if self.targets.as_os_str() == "-" {
            return Err(Failure::usage(
                "--what-if reads the input once for each variant, so it cannot come from standard input",
            ));
        } else {
            return Ok(());
        };
        Err(Failure::usage(format!(
            "{shared} names one file, and --what-if simulates several campaigns: leave one of them out; --json has all \
             their summaries"
        )))
    }

    /// The same run against the mock. It begins anew, and has no state or ledger of its own.
    fn simulated(&self) -> Self {
        Self {
            connect: self.connect.simulated(),
            resume: ResumeArgs {
                only_status: self.resume.only_status.clone(),
                ..ResumeArgs::default()
            },
            output: OutputArgs {
                state: None,
                ..self.output.clone()
            },
            watch: WatchArgs::off(),
            ..self.clone()
        }
        .without_ledger()
    }

    fn without_ledger(mut self) -> Self {
        self.pace.quota_file = None;
        self
    }

    /// The same run as a simulation. Results that are not asked for go to the temporary folder, as the state does.
    pub(in crate::cli) fn for_simulation(&self, scratch: &Scratch) -> Self {
        let mut run = self.simulated();
        let results = run.output.results.take();
        run.output.results = Some(results.unwrap_or_else(|| scratch.file("results.csv")));
        run
    }
}
