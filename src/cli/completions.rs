//! `fleetsweep completions`: the script by which a shell completes fleetsweep's command line.

use clap::{Args, Command, CommandFactory as _};
use clap_complete::Shell;

use super::{Cli, ExitCode, Failure, PROGRAM, examples, screen};

/// Print the script by which a shell completes commands and options.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = examples::OF_COMPLETIONS)]
pub struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// Prints the script.
///
/// # Errors
/// stdout cannot be written.
pub fn run(args: &CompletionsArgs) -> Result<ExitCode, Failure> {
    screen::report(&script(args.shell), "the completions")?;
    Ok(ExitCode::Clean)
}

fn script(shell: Shell) -> String {
    let program = Cli::command();
    // clap_complete would offer the hidden command too.
    let commands = program
        .get_subcommands()
        .filter(|command| !command.is_hide_set());
    let mut visible = Command::new(PROGRAM)
        .version(env!("CARGO_PKG_VERSION"))
        .subcommands(commands.cloned());
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut visible, PROGRAM, &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;
    use crate::plain_text;

    #[test]
    fn each_shell_has_a_script_with_the_commands_and_without_what_is_hidden() {
        for shell in Shell::value_variants() {
            let script = script(*shell);
            assert!(script.contains("cancel"), "{shell}");
            // fish names long options without their dashes.
            assert!(script.contains("on-pending"), "{shell}");
            let hidden = ["bench-round", "bench__round", "bench;round"];
            assert!(!hidden.iter().any(|name| script.contains(name)), "{shell}");
            for line in script.lines() {
                assert_eq!(plain_text::one_line(line), line, "{shell}");
            }
        }
    }
}
