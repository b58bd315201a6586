//! `fleetsweep completions`: the script by which a shell completes fleetsweep's command line.

use clap::{Args, CommandFactory as _};
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
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), PROGRAM, &mut script);
    screen::report(&String::from_utf8_lossy(&script), "the completions")?;
    Ok(ExitCode::Clean)
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;

    #[test]
    fn each_shell_has_a_script_with_the_commands_and_without_what_is_hidden() {
        for shell in Shell::value_variants() {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), PROGRAM, &mut script);
            let script = String::from_utf8(script).unwrap();
            assert!(script.contains("cancel"), "{shell}");
            assert!(script.contains("--on-pending"), "{shell}");
        }
    }
}
