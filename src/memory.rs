//! The memory of this process, as the system tells it.

/// The most memory that this process has held, in bytes; `None` where the system does not tell.
pub fn peak_rss() -> Option<u64> {
    status("VmHWM:")
}

/// The memory that this process holds, in bytes; `None` where the system does not tell.
pub fn rss() -> Option<u64> {
    status("VmRSS:")
}

fn status(key: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn linux_tells_the_peak() {
        assert!(peak_rss().is_some_and(|bytes| bytes > 1 << 20));
    }
}
