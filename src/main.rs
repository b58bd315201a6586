//! fleetsweep: parse, run, exit code.

use fleetsweep::cli::{self, ExitCode, bug};

fn main() -> ExitCode {
    bug::ends_the_process();
    cli::main(std::env::args_os())
}
