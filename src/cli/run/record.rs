//! What auditors find: who ran the campaign, where, with which words.

use std::ffi::OsString;

use crate::{campaign::brakes::Change, cli::connect::Connection, quota::Clock, store::Run};

/// This run, for the state's table of runs.
pub(super) fn of(
    connection: &Connection,
    clock: &dyn Clock,
    command: &[OsString],
    quota: String,
) -> Run {
    Run {
        // By the system, for anybody can set a variable.
        os_user: whoami::username().unwrap_or_default(),
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

/// The command line as it can be typed again, in the shell that this system has. No secret can be in it: secrets come from
/// the environment or from files.
pub(super) fn in_words(command: &[OsString]) -> String {
    let words = command.iter().map(|word| quoted(&word.to_string_lossy()));
    words.collect::<Vec<_>>().join(" ")
}

/// The command with this change: where the option stood, else behind all others.
pub(super) fn changed(command: &[OsString], change: Option<&Change>) -> Vec<OsString> {
    let Some(Change { option, value }) = change else {
        return command.to_vec();
    };
    let said = value
        .iter()
        .flat_map(|value| [OsString::from(*option), OsString::from(value)]);
    let mut words = Vec::with_capacity(command.len() + 2);
    let mut place = None;
    let mut rest = command.iter();
    while let Some(word) = rest.next() {
        if word == "--" {
            place.get_or_insert(words.len());
            words.push(word.clone());
            words.extend(rest.cloned());
            break;
        }
        let text = word.to_string_lossy();
        if *option == text {
            place = Some(words.len());
            rest.next();
        } else if text
            .strip_prefix(*option)
            .is_some_and(|rest| rest.starts_with('='))
        {
            place = Some(words.len());
        } else {
            words.push(word.clone());
        }
    }
    let place = place.unwrap_or(words.len());
    words.splice(place..place, said);
    words
}

fn quoted(word: &str) -> String {
    let plain =
        |c: char| c.is_alphanumeric() || "-_./:,@%+".contains(c) || (cfg!(windows) && c == '\\');
    // zsh reads a word that begins with `=` as a program's name; within one it is plain.
    let is_plain = word
        .char_indices()
        .all(|(at, c)| plain(c) || (c == '=' && at > 0));
    if is_plain && !word.is_empty() {
        word.to_owned()
    } else if cfg!(windows) {
        // A file's name holds no double quote there.
        format!("\"{word}\"")
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_changed_option_stands_where_it_stood() {
        let to = |value| Change::to("--max-failures", value);
        let without = Change::without("--not-after");
        for (change, typed, meant) in [
            (
                to("6"),
                "f run a --max-failures 5 -v",
                "f run a --max-failures 6 -v",
            ),
            (
                to("6%"),
                "f run --max-failures=5% a",
                "f run --max-failures 6% a",
            ),
            (to("6"), "f run a", "f run a --max-failures 6"),
            (to("6"), "f run -- a", "f run --max-failures 6 -- a"),
            (without.clone(), "f run --not-after 18:00 a", "f run a"),
            (without, "f run --not-after=18:00 a", "f run a"),
        ] {
            let words: Vec<_> = typed.split(' ').map(OsString::from).collect();
            assert_eq!(in_words(&changed(&words, Some(&change))), meant);
        }
    }

    #[test]
    fn a_shell_reads_back_the_words_that_were_typed() {
        let words = [
            "fleetsweep",
            "run",
            "",
            "my fleet.csv",
            "--where=a=b,c",
            "=x",
            "it's \"$HOME\" `id` \\ !! *?[]{}~ #;&|<>() \n end",
            "~/x",
            "größe",
        ];
        let line = in_words(&words.map(OsString::from));
        let output = std::process::Command::new("sh")
            .args(["-c", &format!("printf '%s\\0' {line}")])
            .output()
            .unwrap();
        let read = String::from_utf8(output.stdout).unwrap();
        assert_eq!(
            read.trim_end_matches('\0').split('\0').collect::<Vec<_>>(),
            words
        );
        assert_eq!(
            in_words(&["fleetsweep", "run", "a/b-1.csv", "--limit", "20/2s"].map(OsString::from)),
            "fleetsweep run a/b-1.csv --limit 20/2s"
        );
    }
}
