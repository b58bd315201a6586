//! `fleetsweep man`: the manual pages, made from the same texts as `--help`.

use std::{fs, path::PathBuf};

use clap::{Args, Command, CommandFactory as _};
use clap_mangen::Man;

use super::{Cli, ExitCode, Failure, PROGRAM, screen};

/// Print a manual page, or write all of them.
///
/// To read one without installing it: `fleetsweep man run | man -l -`.
#[derive(Debug, Clone, Args)]
pub struct ManArgs {
    /// The command whose page is printed [default: the page of fleetsweep itself]
    #[arg(value_name = "COMMAND", conflicts_with = "folder")]
    command: Option<String>,
    /// Write all pages into this folder, as fleetsweep.1, fleetsweep-run.1 and so on
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

/// Prints a page, or writes all of them.
///
/// # Errors
/// There is no such command, or a file or stdout cannot be written.
pub fn run(args: &ManArgs) -> Result<ExitCode, Failure> {
    if let Some(folder) = &args.folder {
        let failed = |e| Failure::storage(format!("cannot write {}: {e}", folder.display()));
        fs::create_dir_all(folder).map_err(failed)?;
        for page in pages() {
            Man::new(page).generate_to(folder).map_err(failed)?;
        }
        return Ok(ExitCode::Clean);
    }
    let wanted = match &args.command {
        Some(name) => format!("{PROGRAM}-{name}"),
        None => PROGRAM.to_owned(),
    };
    let Some(page) = pages().find(|page| title(page) == wanted) else {
        let known: Vec<String> = pages()
            .skip(1)
            .map(|page| page.get_name().to_owned())
            .collect();
        return Err(Failure::usage(format!(
            "there is no such command; there are {}",
            known.join(", ")
        )));
    };
    let mut text = Vec::new();
    Man::new(page).render(&mut text).map_err(Failure::storage)?;
    screen::report(&String::from_utf8_lossy(&text), "the manual page")?;
    Ok(ExitCode::Clean)
}

/// The program itself, and each of its commands.
fn pages() -> impl Iterator<Item = Command> {
    let mut program = Cli::command().disable_help_subcommand(true);
    // Commands get their display names by this.
    program.build();
    let commands: Vec<Command> = program
        .get_subcommands()
        .filter(|command| !command.is_hide_set())
        .cloned()
        .collect();
    std::iter::once(program).chain(commands)
}

/// The name of a page, such as `fleetsweep-run`.
fn title(page: &Command) -> &str {
    page.get_display_name().unwrap_or(page.get_name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_has_a_page_and_the_hidden_one_has_none() {
        let names: Vec<_> = pages().map(|page| title(&page).to_owned()).collect();
        assert_eq!(names[..2], ["fleetsweep", "fleetsweep-run"]);
        assert!(names.contains(&"fleetsweep-cancel".to_owned()), "{names:?}");
        assert!(
            !names.contains(&"fleetsweep-bench-round".to_owned()),
            "{names:?}"
        );
    }
}
