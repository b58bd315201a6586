//! fleetsweep starts antivirus scans on whole fleets through Microsoft Defender for Endpoint, at exactly the speed that
//! the API allows.
//!
//! The map, from the outside in:
//!
//! - [`cli`]: a file a command: arguments and wiring, nothing else.
//! - [`report`]: what came of a campaign, as a page.
//! - [`campaign`]: one roster to be drained: opened, driven, kept on disk, braked, followed, cancelled.
//! - [`client`]: one way to make a call that is not a scan start.
//! - [`schedule`]: when calls may go out by the clock on the wall.
//! - [`quota`]: how many calls may go out, and when.
//! - [`defender`]: the API as a client sees it.
//! - [`roster`]: the input CSV, as targets.
//! - [`results`]: the results CSV.
//! - [`store`]: the campaign's durable state.
//! - [`monitor`]: progress, for people and for tests.
//! - `audit`: the events of the log.
//! - [`plain_text`]: text of others, made fit for a terminal. `private_file`: files for their owner alone.
//! - [`mock`]: a tenant in a box, with a quota of its own and a record of what it saw.
//!
//! Who may import whom: each only what stands below it in this list; `quota`, `defender`, `roster`, `results`, `store`
//! and `monitor` none of each other; `mock` only the wire types of `defender`. No folder imports another one in a
//! circle. A test (`tests/suite/architecture.rs`) reads the sources and keeps it so.

mod audit;
pub mod campaign;
pub mod cli;
pub mod client;
pub mod defender;
pub mod mock;
pub mod monitor;
pub mod plain_text;
mod private_file;
pub mod quota;
pub mod report;
pub mod results;
pub mod roster;
pub mod schedule;
pub mod store;
