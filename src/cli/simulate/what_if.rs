//! The variants of a run that are simulated.

use std::{ffi::OsString, str::FromStr};

use super::SimulateArgs;
use crate::cli::{Failure, parse_simulation, run::RunArgs, shell_words::put};

/// An option of `run`, and the values that it is to have one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WhatIf {
    option: String,
    values: Vec<String>,
}

impl FromStr for WhatIf {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "expected an option and its values, as in pace=burst,even";
        let (option, values) = text.split_once('=').ok_or(EXPECTED)?;
        let option = option.trim_start_matches('-');
        let values: Vec<_> = values
            .split(',')
            .map(|value| value.trim().to_owned())
            .collect();
        if option.is_empty() || values.iter().any(String::is_empty) {
            return Err(EXPECTED);
        }
        let fixed = [
            "what-if", "json", "seed", "starts", "results", "summary", "report", "log-file",
            "state",
        ];
        if fixed.contains(&option) {
            return Err("only options that change the course of the campaign can be varied");
        }
        Ok(Self {
            option: option.to_owned(),
            values,
        })
    }
}

/// One combination of values, and the run with them.
pub(super) struct Variant {
    pub(super) values: Vec<(String, String)>,
    pub(super) run: RunArgs,
}

/// The most variants of one command. More than that nobody reads.
const MOST: usize = 1000;

/// Every combination, in the order in which a person would write them down: the last option varies fastest.
///
/// # Errors
/// A value is not one that the option can have, or there are too many combinations.
pub(super) fn variants(what_if: &[WhatIf], command: &[OsString]) -> Result<Vec<Variant>, Failure> {
    if what_if.is_empty() {
        return Ok(Vec::new());
    }
    let mut combinations = vec![Vec::new()];
    for WhatIf { option, values } in what_if {
        let longer = combinations.iter().flat_map(|combination: &Vec<_>| {
            values.iter().map(move |value| {
                let one_more = [(option.clone(), value.clone())];
                combination.iter().cloned().chain(one_more).collect()
            })
        });
        combinations = longer.take(MOST + 1).collect();
    }
    if combinations.len() > MOST {
        return Err(Failure::usage(format!(
            "these --what-if make more than {MOST} combinations; leave some values out"
        )));
    }
    let variant = |values: Vec<_>| {
        let run = parsed(command, &values)?;
        Ok(Variant { values, run })
    };
    combinations.into_iter().map(variant).collect()
}

/// The run of this command with these values.
fn parsed(command: &[OsString], values: &[(String, String)]) -> Result<RunArgs, Failure> {
    let mut words = without_what_if(command);
    for (option, value) in values {
        words = put(&words, &format!("--{option}"), true, Some(value));
    }
    let SimulateArgs { run, .. } = parse_simulation(&words).map_err(|why| {
        let text = why.to_string();
        let first = text.split("\n\n").next().unwrap_or_default();
        Failure::usage(format!(
            "--what-if: {}",
            first.trim_start_matches("error: ")
        ))
    })?;
    Ok(run)
}

fn without_what_if(command: &[OsString]) -> Vec<OsString> {
    let mut words = Vec::with_capacity(command.len());
    let mut rest = command.iter();
    while let Some(word) = rest.next() {
        if word == "--" {
            words.push(word.clone());
            words.extend(rest.cloned());
            break;
        }
        let text = word.to_string_lossy();
        if text == "--what-if" {
            rest.next();
        } else if !text.starts_with("--what-if=") {
            words.push(word.clone());
        }
    }
    words
}
