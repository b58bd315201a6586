//! What auditors find: who ran the campaign, where, with which words.

use std::ffi::OsString;

use crate::{cli::connect::Connection, quota::Clock, store::Run};

/// This run, for the state's table of runs.
pub(super) fn of(
    connection: &Connection,
    clock: &dyn Clock,
    command: &[OsString],
    quota: String,
) -> Run {
    let variable = |names: [&str; 2]| {
        names
            .into_iter()
            .find_map(|name| std::env::var(name).ok())
            .unwrap_or_default()
    };
    Run {
        os_user: variable(["USER", "USERNAME"]),
        host: host(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        command: in_words(command),
        tenant: connection.tenant.clone(),
        application: connection.application.clone(),
        quota,
        started: clock.wall(),
    }
}

/// The computer's name, as far as it can be found without asking the network.
fn host() -> String {
    let from_file = || std::fs::read_to_string("/etc/hostname").ok();
    let name = std::env::var("COMPUTERNAME")
        .ok()
        .or_else(from_file)
        .or_else(|| std::env::var("HOSTNAME").ok());
    name.unwrap_or_default().trim().to_owned()
}

/// The command line as it can be typed again. No secret can be in it: secrets come from the environment or from files.
pub(super) fn in_words(command: &[OsString]) -> String {
    let quoted = command.iter().map(|word| {
        let word = word.to_string_lossy();
        let plain = |c: char| c.is_alphanumeric() || "-_./:=,@%+\\".contains(c);
        if !word.is_empty() && word.chars().all(plain) {
            word.into_owned()
        } else {
            format!("\"{word}\"")
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}
