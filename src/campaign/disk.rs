//! Where a campaign's work on the disk is done.

use tokio::task::JoinHandle;

/// Where work on the disk is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DiskWork {
    /// On a thread that may block, while calls go on.
    #[default]
    Aside,
    /// Between calls, on the thread that makes them: in a simulation, whose course must not depend on how long a disk
    /// takes.
    Between,
}

impl DiskWork {
    /// Begins some work. Virtual time stands still until it is done.
    pub(super) fn begin<T: Send + 'static>(
        self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        match self {
            Self::Aside => tokio::task::spawn_blocking(work),
            Self::Between => tokio::spawn(async { work() }),
        }
    }
}
