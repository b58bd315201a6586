//! Files for their owner alone: the state, the ledger and the log name machines, and what was done to them.

use std::fs::OpenOptions;

/// Lets nobody but its owner read or write the file, where these options make one. On Windows the folder's rights are
/// inherited. A file that is there already keeps its own.
pub(crate) fn for_its_owner(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}
