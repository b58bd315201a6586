//! fleetsweep: parse, run, exit code.

use fleetsweep::cli::{self, ExitCode, bug};

/// Counts allocations, for `bench`.
#[cfg(feature = "count-allocations")]
#[global_allocator]
static ALLOCATOR: &stats_alloc::StatsAlloc<std::alloc::System> = &stats_alloc::INSTRUMENTED_SYSTEM;

/// The releases for Linux are linked with musl, whose own allocator is slow: with it a million rows take a quarter
/// longer to read.
#[cfg(all(target_env = "musl", not(feature = "count-allocations")))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    bug::exit_on_panic();
    cli::main(std::env::args_os())
}
