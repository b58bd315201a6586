//! The time of events, where it is not the computer's.

use std::{fmt, sync::Arc};

use jiff::Timestamp;
use tracing_subscriber::fmt::{format, time::FormatTime};

/// The time that events are stamped with.
#[derive(Clone)]
pub struct Now(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Now {
    /// A time that this function reads.
    pub fn new(read: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }
}

impl fmt::Debug for Now {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Now").finish_non_exhaustive()
    }
}

impl FormatTime for Now {
    fn format_time(&self, writer: &mut format::Writer<'_>) -> fmt::Result {
        write!(writer, "{:.6}", (self.0)())
    }
}
