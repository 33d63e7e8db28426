//! The `hearth` command: see `hearth --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    hearth::cli::run(std::env::args_os())
}
