//! Renames files that are in the way of a new campaign: those of a campaign that has finished or is given up, those
//! of a rehearsal, and a damaged state. They are put back if the new campaign does not begin after all.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::{OpenError, Places, places::split_name};
use crate::{
    audit::audit,
    campaign::tag::CampaignId,
    results::{self, Owner},
    store::{MarkFile, beside},
};

/// What SQLite's journal of a file is called besides the file's name.
const JOURNAL: &str = "-wal";

/// A file that makes room, and its other name.
#[derive(Debug)]
pub(crate) struct Renaming {
    from: PathBuf,
    to: PathBuf,
}

impl Renaming {
    fn new(from: &Path, to: PathBuf) -> Self {
        let from = from.to_owned();
        Self { from, to }
    }
}

/// A campaign's files, to be named by its id. The state comes last: if the process is killed in the middle, the same
/// command can be given again as long as the state is there.
///
/// # Errors
/// The results cannot be read.
pub(super) fn files_of(places: &Places, campaign: &CampaignId) -> Result<Vec<Renaming>, OpenError> {
    let (Places { results, state }, id) = (places, campaign.as_str());
    let mut files = Vec::new();
    // With --force a foreign file may be there, which is overwritten and not kept under our name.
    if results::owner(results)? == Owner::Campaign(id.to_owned()) {
        files.push(Renaming::new(results, with_id(results, id)));
    }
    let archived = with_id(state, id);
    // There is a journal only if another process was reading when the state was closed.
    files.push(Renaming::new(
        &beside(state, JOURNAL),
        beside(&archived, JOURNAL),
    ));
    let mark = MarkFile::place(&archived);
    files.push(Renaming::new(&MarkFile::place(state), mark));
    files.push(Renaming::new(state, archived));
    Ok(files)
}

/// A damaged state, to be kept under the name that is returned too. Its journal comes first, because what is in it
/// belongs to the file, wherever that is.
pub(super) fn damaged_files(state: &Path) -> (Vec<Renaming>, PathBuf) {
    let damaged = free_name(state);
    let journal = Renaming::new(&beside(state, JOURNAL), beside(&damaged, JOURNAL));
    let file = Renaming::new(state, damaged.clone());
    (vec![journal, file], damaged)
}

/// Renames those of the files that exist, and adds them to `archived`.
///
/// # Errors
/// One of them cannot be renamed.
pub(super) fn archive(files: Vec<Renaming>, archived: &mut Vec<Renaming>) -> Result<(), OpenError> {
    for Renaming { from, to } in files {
        match std::fs::rename(&from, &to) {
            Ok(()) => {
                audit!(
                    "file",
                    act = "moved aside",
                    what = "what was in the way",
                    path = %from.display(),
                    to = %to.display()
                );
                archived.push(Renaming { from, to });
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(OpenError::Archive { from, to, source }),
        }
    }
    Ok(())
}

/// Gives archived files their names again, the last one first.
///
/// # Errors
/// One of them cannot be renamed.
pub(super) fn put_back(archived: Vec<Renaming>) -> Result<(), OpenError> {
    for Renaming { from, to } in archived.into_iter().rev() {
        if let Err(source) = std::fs::rename(&to, &from) {
            return Err(OpenError::PutBack {
                from: to,
                to: from,
                source,
            });
        }
        audit!(
            "file",
            act = "put back",
            what = "what was in the way",
            path = %to.display(),
            to = %from.display()
        );
    }
    Ok(())
}

/// A name for a damaged file that no other file has.
fn free_name(state: &Path) -> PathBuf {
    let numbered = |number: u32| match number {
        0 => beside(state, ".damaged"),
        number => beside(state, &format!(".damaged-{number}")),
    };
    let free = (0..1000).map(numbered).find(|path| !path.exists());
    free.unwrap_or_else(|| numbered(0))
}

/// `fleet.results.csv` as `fleet.<id>.results.csv`.
pub(crate) fn with_id(path: &Path, campaign: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let (stem, ending) = split_name(&name, &[".results.csv", ".campaign.db"]);
    path.with_file_name(format!("{stem}.{campaign}{ending}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finished_campaigns_files_are_named_by_its_id() {
        let named = |name: &str| with_id(Path::new(name), "ab12").display().to_string();
        assert_eq!(named("x/fleet.results.csv"), "x/fleet.ab12.results.csv");
        assert_eq!(named("fleet.campaign.db"), "fleet.ab12.campaign.db");
        assert_eq!(named("out.csv"), "out.ab12.csv");
        assert_eq!(named("out"), "out.ab12");
    }
}
