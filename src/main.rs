//! The `hearth` command: see `hearth --help`. What concerns the whole process is done here and nowhere else: its allocator, its
//! environment, its signals and its exit code.

use std::process::ExitCode;

use hearth::stop::Stop;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The exit code of a program that a signal ended, by the shells' convention (128 and the number of SIGINT).
const INTERRUPTED: i32 = 130;

fn main() -> ExitCode {
    single_threaded();
    let stop = Stop::default();
    let told = stop.clone();
    let handler = move || {
        if !told.interrupt() {
            // The second time, or the command has nothing to bring to an end.
            std::process::exit(INTERRUPTED);
        }
    };
    if let Err(error) = ctrlc::set_handler(handler) {
        // Then a signal ends the program as the system has it: at once.
        eprintln!("hearth: Ctrl-C will not end a run cleanly: {error}");
    }
    hearth::cli::run(std::env::args_os(), &stop)
}

/// Keeps all tensor arithmetic of this process on the thread that asks for it: homes are trained side by side, one a thread.
///
/// Two things are needed. The matrix products of `gemm` take helpers above a threshold, which is raised out of reach.
/// And candle asks before *every* product how many threads there may be; unless `RAYON_NUM_THREADS` answers, it reads
/// `/proc/cpuinfo` for that, which takes longer than a small product. A process cannot safely change its own environment,
/// so on Unix this one starts itself again in its own place (same process id, arguments and files) with the variable set.
/// Where that is impossible the results are the same, only slower.
fn single_threaded() {
    const THREADS: &str = "RAYON_NUM_THREADS";
    gemm::set_threading_threshold(usize::MAX);
    #[cfg(unix)]
    if std::env::var_os(THREADS).is_none() {
        use std::os::unix::process::CommandExt;
        if let Ok(program) = std::env::current_exe() {
            let mut arguments = std::env::args_os();
            let name = arguments.next().unwrap_or_else(|| program.clone().into());
            // Returns only if it failed; then this process simply goes on.
            let _ = std::process::Command::new(program)
                .arg0(name)
                .args(arguments)
                .env(THREADS, "1")
                .exec();
        }
    }
}
