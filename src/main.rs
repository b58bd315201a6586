//! fleetsweep: parse, run, exit code.

use fleetsweep::cli::{self, ExitCode, bug};

/// Counts allocations, for `bench`.
#[cfg(feature = "count-allocations")]
#[global_allocator]
static ALLOCATOR: &stats_alloc::StatsAlloc<std::alloc::System> = &stats_alloc::INSTRUMENTED_SYSTEM;

fn main() -> ExitCode {
    bug::exit_on_panic();
    cli::main(std::env::args_os())
}
