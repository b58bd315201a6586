//! The binary, as a person starts it: its own process, its own environment, real time.

use std::{path::Path, process::Command};

/// What a command left.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs `fleetsweep` in this folder, with these variables and hardly any others, until it ends.
pub(crate) async fn fleetsweep(folder: &Path, args: &str, variables: &[(&str, String)]) -> Done {
    // The ledger of each command is its own: what others spent is not the test.
    let state = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_fleetsweep"));
    command
        .current_dir(folder)
        .args(args.split_whitespace())
        .env_clear()
        .env("HOME", folder)
        .env("XDG_STATE_HOME", state.path())
        .env("PATH", folder)
        .envs(variables.iter().map(|(name, value)| (name, value)));
    let done = tokio::task::spawn_blocking(move || command.output().unwrap());
    let done = done.await.unwrap();
    Done {
        code: done.status.code().unwrap_or(-1),
        out: String::from_utf8(done.stdout).unwrap(),
        err: String::from_utf8(done.stderr).unwrap(),
    }
}

/// The mock as it is given on the command line.
pub(crate) fn at(base: &str) -> String {
    format!("--api-url {base} --authority-url {base}")
}
