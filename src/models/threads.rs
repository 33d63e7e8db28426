//! Tensor arithmetic on the calling thread alone: homes are trained side by side, one a thread.

/// Keeps all tensor arithmetic of this process on the thread that asks for it. Call it first in `main`.
///
/// Two things are needed. The matrix products of `gemm` take helpers above a threshold, which is raised out of reach.
/// And candle asks before *every* product how many threads there may be; unless `RAYON_NUM_THREADS` answers, it reads
/// `/proc/cpuinfo` for that, which takes longer than a small product. A process cannot safely change its own environment, so on Unix this one
/// starts itself again in its own place (same process id, arguments and files) with the variable set. Where that is
/// impossible the results are the same, only slower.
pub fn single_threaded() {
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
