//! The files of a finished campaign, or of a rehearsal, make room for another campaign.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::{OpenError, Places};
use crate::{
    audit::audit,
    campaign::tag::CampaignId,
    results::{self, Owner},
    store::MarkFile,
};

/// Files that were renamed: where they lay, and where they lie.
pub(crate) type Aside = Vec<(PathBuf, PathBuf)>;

/// Renames a finished campaign's files with its id, so that a new one can take their places. The state goes last: as
/// long as it is there, whoever was killed in the middle can begin again.
pub(super) fn archive(
    Places { results, state }: &Places,
    old: &CampaignId,
) -> Result<Aside, OpenError> {
    let mut files = Vec::new();
    // With --force a foreign file may lie there, which is to be overwritten and not kept under our name.
    if matches!(results::owner(results), Ok(Owner::Campaign(id)) if id == old.as_str()) {
        files.push((results.clone(), with_id(results, old.as_str())));
    }
    // A journal is there only if somebody was looking when the old one was closed.
    let aside = with_id(state, old.as_str());
    files.push((journal_of(state), journal_of(&aside)));
    files.push((MarkFile::place(state), MarkFile::place(&aside)));
    files.push((state.clone(), aside));
    let mut renamed = Vec::new();
    for (path, aside) in files {
        match std::fs::rename(&path, &aside) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(OpenError::Archive {
                    from: path,
                    to: aside,
                    source,
                });
            }
            Err(_) => {}
            Ok(()) => {
                audit!(
                    "file",
                    act = "moved aside",
                    what = "an earlier campaign's",
                    path = %path.display(),
                    to = %aside.display()
                );
                renamed.push((path, aside));
            }
        }
    }
    Ok(renamed)
}

/// Gives the files their names again, the state first.
pub(super) fn put_back(aside: Aside) -> Result<(), OpenError> {
    for (path, aside) in aside.into_iter().rev() {
        std::fs::rename(&aside, &path).map_err(|source| OpenError::PutBack {
            from: aside,
            to: path,
            source,
        })?;
    }
    Ok(())
}

/// SQLite's journal of a file.
pub(super) fn journal_of(state: &Path) -> PathBuf {
    let mut name = state.as_os_str().to_owned();
    name.push("-wal");
    PathBuf::from(name)
}

/// `fleet.results.csv` as `fleet.<id>.results.csv`.
fn with_id(path: &Path, campaign: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let (stem, ending) = [".results.csv", ".campaign.db"]
        .into_iter()
        .find_map(|ending| Some((name.strip_suffix(ending)?, ending)))
        .or_else(|| {
            name.rsplit_once('.')
                .map(|(stem, _)| (stem, &name[stem.len()..]))
        })
        .unwrap_or((&name, ""));
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
