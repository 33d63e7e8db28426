//! The `hearth` command: see `hearth --help`.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    hearth::models::single_threaded();
    hearth::cli::run(std::env::args_os())
}
