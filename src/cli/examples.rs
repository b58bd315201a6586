//! The ends of the help texts: examples, exit codes and the environment. A test parses each example.

/// The end of `fleetsweep --help`.
pub(super) const OF_FLEETSWEEP: &str = "\
Examples:
  fleetsweep run fleet.csv --mock               rehearse it: nothing leaves this computer
  fleetsweep doctor                             whether the tenant lets a campaign through
  fleetsweep plan fleet.csv                     which rows are refused, and when the last call goes
  fleetsweep run fleet.csv --canary 5           five machines first, and then a question
  fleetsweep run fleet.csv                      continue a campaign that was stopped
  fleetsweep status fleet.csv                   see how far it is
  fleetsweep findings fleet.csv                 alerts on its machines since their scans began
  fleetsweep report fleet.csv                   one page for those who were not there
  fleetsweep cancel fleet.csv                   stop it, and cancel the scans that it has started

Exit codes:
  0    each machine has a scan; or what the command is for was done
  1    some rows have other outcomes
  2    wrong usage, unreadable input, or a campaign that cannot be continued; nothing was sent
  3    a brake stopped the campaign before it did harm
  4    the tenant rejects it: sign-in, licence, permission, feature
  5    a file cannot be read or written, or fleetsweep has met a bug
  6    the campaign had finished before; nothing was sent
  7    there are findings at or above --fail-on
  130  interrupted; the same command continues

Environment:
  AZURE_TENANT_ID, AZURE_CLIENT_ID              the tenant, and the application's registration
  AZURE_CLIENT_SECRET                           its secret, or
  AZURE_CLIENT_CERTIFICATE_PATH                 its certificate and key (PEM), or
  AZURE_FEDERATED_TOKEN_FILE                    a workload identity's token
  FLEETSWEEP_TOKEN                              a token that you have already, instead of a sign-in
  FLEETSWEEP_EXCLUDE                            a list of machines that are never sent to
  FLEETSWEEP_NOTIFY                             where notices go, in place of --notify
  HTTPS_PROXY, NO_PROXY                         the way to the service
  RUST_LOG                                      what is logged, in place of -v
";

/// The end of `fleetsweep run --help`.
pub(super) const OF_RUN: &str = "\
Examples:
  fleetsweep run fleet.csv --mock --limit none
  fleetsweep run fleet.csv --canary 5 --max-failures 20
  fleetsweep run fleet.csv --on-pending retry --follow
  fleetsweep run export.csv --where 'Health status=Active' --scan-type full
  fleetsweep run fleet.csv --window 22:00-06:00@Europe/Berlin --again
  fleetsweep run fleet.csv --retry failed

Exit codes are in `fleetsweep --help`.
";

/// The end of `fleetsweep completions --help`.
pub(super) const OF_COMPLETIONS: &str = "\
Where the scripts belong:
  fleetsweep completions bash > ~/.local/share/bash-completion/completions/fleetsweep
  fleetsweep completions fish > ~/.config/fish/completions/fleetsweep.fish
  fleetsweep completions zsh > ~/.zfunc/_fleetsweep
  fleetsweep completions powershell >> $PROFILE
  fleetsweep completions elvish >> ~/.config/elvish/rc.elv

For zsh, ~/.zshrc needs `fpath+=~/.zfunc` before `compinit`.
";

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, ExitCode};

    /// The words of an example, as a shell would split it. What follows two blanks explains it.
    fn words(line: &str) -> Vec<String> {
        let command = line.trim().split("  ").next().unwrap();
        let command = command.split(" >").next().unwrap();
        let quoted: Vec<&str> = command.split('\'').collect();
        let mut words = Vec::new();
        for (n, part) in quoted.iter().enumerate() {
            if n % 2 == 1 {
                words.push((*part).to_owned());
            } else {
                words.extend(part.split_whitespace().map(str::to_owned));
            }
        }
        words
    }

    #[test]
    fn each_example_is_a_command_line() {
        let mut examples = 0;
        let texts = [OF_FLEETSWEEP, OF_RUN, OF_COMPLETIONS];
        for line in texts.iter().flat_map(|text| text.lines()) {
            if line.starts_with("  fleetsweep ") {
                let words = words(line);
                assert!(Cli::try_parse_from(&words).is_ok(), "{words:?}");
                examples += 1;
            }
        }
        assert_eq!(examples, 20);
    }

    #[test]
    fn all_exit_codes_are_named_and_no_line_is_wider_than_a_hundred_columns() {
        let codes = OF_FLEETSWEEP.split_once("Exit codes:").unwrap().1;
        for code in [
            ExitCode::Clean,
            ExitCode::Incomplete,
            ExitCode::Usage,
            ExitCode::Brake,
            ExitCode::Tenant,
            ExitCode::Storage,
            ExitCode::FinishedBefore,
            ExitCode::Findings,
            ExitCode::Interrupted,
        ] {
            let number = format!("\n  {:<3}", code.number());
            assert!(codes.contains(&number), "{code:?}");
        }
        for line in [OF_FLEETSWEEP, OF_RUN].iter().flat_map(|text| text.lines()) {
            assert!(line.len() <= 100, "{line}");
        }
    }
}
