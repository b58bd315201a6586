//! fleetsweep: parse, run, exit code.

use fleetsweep::cli::{self, ExitCode, bug};

fn main() -> ExitCode {
    bug::exit_on_panic();
    cli::main(std::env::args_os())
}
