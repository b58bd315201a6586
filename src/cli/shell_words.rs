//! Command lines in words: as the state keeps them, as this system's shell takes them, and changed.

use std::ffi::OsString;

/// The command line as it can be typed again in this system's shell. Secrets come from the environment or from files;
/// where one may be in the command line, that option has to be taken out before.
pub(super) fn shell_line(command: &[OsString]) -> String {
    let words = command.iter().map(|word| quoted(&word.to_string_lossy()));
    words.collect::<Vec<_>>().join(" ")
}

/// The words of a command line as a state keeps it, quoted for this system's shell.
pub(super) fn words_of(line: &str) -> Vec<OsString> {
    let words = if cfg!(windows) {
        // A quote cannot be in a word there.
        let parts = line.split('"').enumerate();
        let marked = parts.map(|(at, part)| match at % 2 {
            0 => part.replace(' ', "\n"),
            _ => part.to_owned(),
        });
        let marked = marked.collect::<Vec<_>>().concat();
        marked
            .split('\n')
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect()
    } else {
        shlex::split(line).unwrap_or_default()
    };
    words.into_iter().map(OsString::from).collect()
}

/// The command with this value for the option, or without the option. It keeps its place, and a new one goes to the
/// end.
pub(super) fn put(
    command: &[OsString],
    option: &str,
    has_value: bool,
    value: Option<&str>,
) -> Vec<OsString> {
    let option_words = value
        .iter()
        .flat_map(|value| [OsString::from(option), OsString::from(value)]);
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
        if option == text {
            place = Some(words.len());
            if has_value {
                rest.next();
            }
        } else if text
            .strip_prefix(option)
            .is_some_and(|rest| rest.starts_with('='))
        {
            place = Some(words.len());
        } else {
            words.push(word.clone());
        }
    }
    let place = place.unwrap_or(words.len());
    words.splice(place..place, option_words);
    words
}

fn quoted(word: &str) -> String {
    let plain =
        |c: char| c.is_alphanumeric() || "-_./:,@%+".contains(c) || (cfg!(windows) && c == '\\');
    // zsh takes a word that begins with `=` for the name of a program.
    let is_plain = word
        .char_indices()
        .all(|(at, c)| plain(c) || (c == '=' && at > 0));
    if is_plain && !word.is_empty() {
        word.to_owned()
    } else if cfg!(windows) {
        // On Windows a file name cannot contain a double quote.
        format!("\"{word}\"")
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

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
        let line = shell_line(&words.map(OsString::from));
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
            shell_line(&["fleetsweep", "run", "a/b-1.csv", "--limit", "20/2s"].map(OsString::from)),
            "fleetsweep run a/b-1.csv --limit 20/2s"
        );
    }
}
