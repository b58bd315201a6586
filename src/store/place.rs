//! Whether a campaign's state can be kept in a folder. Locks and memory maps are not reliable on network file systems.

use std::path::{Path, PathBuf};

/// The state would be on another computer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the campaign's state would lie on a network file system ({kind}): {}, where neither locks nor a crash are safe; \
     put it on this computer with --state", path.display()
)]
pub struct NetworkPlace {
    path: PathBuf,
    kind: &'static str,
}

/// Refuses a place for the state that is known to be on a network file system. A place that cannot be examined is
/// allowed.
///
/// # Errors
/// The place is on a network file system.
pub fn check_place(path: &Path) -> Result<(), NetworkPlace> {
    match network(path) {
        None => Ok(()),
        Some(kind) => Err(NetworkPlace {
            path: path.to_owned(),
            kind,
        }),
    }
}

#[cfg(target_os = "linux")]
fn network(path: &Path) -> Option<&'static str> {
    // The file itself if it exists, since it may be a link into another file system; otherwise its folder.
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let about = rustix::fs::statfs(path)
        .or_else(|_| rustix::fs::statfs(folder))
        .ok()?;
    // The kernel's numbers have 32 bits. Whether the field is signed and how wide it is depends on the architecture.
    kind_of(u64::try_from(i128::from(about.f_type) & 0xffff_ffff).ok()?)
}

#[cfg(windows)]
fn network(path: &Path) -> Option<&'static str> {
    use std::path::{Component, Prefix, absolute};

    let whole = absolute(path).ok()?;
    let Some(Component::Prefix(prefix)) = whole.components().next() else {
        return None;
    };
    matches!(prefix.kind(), Prefix::UNC(..) | Prefix::VerbatimUNC(..)).then_some("a UNC path")
}

#[cfg(not(any(target_os = "linux", windows)))]
fn network(_: &Path) -> Option<&'static str> {
    None
}

/// The network file system with this magic number (see statfs(2) and `linux/magic.h`), if it is one.
#[cfg(any(target_os = "linux", test))]
const fn kind_of(magic: u64) -> Option<&'static str> {
    match magic {
        0x6969 => Some("NFS"),
        0x517b => Some("SMB"),
        0xff53_4d42 => Some("CIFS"),
        0xfe53_4d42 => Some("SMB2"),
        0x0102_1997 => Some("9p"),
        0x00c3_6400 => Some("Ceph"),
        0x5346_414f | 0x6b41_4653 => Some("AFS"),
        0x564c => Some("NCP"),
        0x7375_7245 => Some("Coda"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_systems_are_known_by_their_numbers_and_unknown_ones_are_allowed() {
        for (magic, kind) in [
            (0x6969, Some("NFS")),
            (0x517b, Some("SMB")),
            (0xff53_4d42, Some("CIFS")),
            (0xfe53_4d42, Some("SMB2")),
            (0x0102_1997, Some("9p")),
            // ext4, xfs, btrfs, tmpfs, overlayfs, zfs, FUSE (which may be anything), and nothing at all.
            (0xef53, None),
            (0x5846_5342, None),
            (0x9123_683e, None),
            (0x0102_1994, None),
            (0x794c_7630, None),
            (0x2fc1_2fc1, None),
            (0x6573_5546, None),
            (0, None),
        ] {
            assert_eq!(kind_of(magic), kind, "{magic:#x}");
        }
    }

    #[test]
    fn the_refusal_names_the_place_its_kind_and_the_way_out() {
        let refusal = NetworkPlace {
            path: "/net/a.campaign.db".into(),
            kind: "NFS",
        };
        let said = refusal.to_string();
        for word in ["/net/a.campaign.db", "NFS", "--state"] {
            assert!(said.contains(word), "{said}");
        }
    }

    #[test]
    fn a_folder_of_this_computer_is_a_good_place() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(check_place(&folder.path().join("a.campaign.db")), Ok(()));
        assert_eq!(check_place(Path::new("a.campaign.db")), Ok(()));
        assert_eq!(
            check_place(Path::new("no/such/folder/a.campaign.db")),
            Ok(())
        );
    }
}
