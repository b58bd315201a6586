//! fleetsweep: parse, run, exit code.

use fleetsweep::cli::{self, ExitCode};

fn main() -> ExitCode {
    cli::main(std::env::args_os())
}
