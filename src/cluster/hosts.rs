//! The hosts file: an address a process.

use std::path::Path;

use crate::config::UsageError;

/// More processes than anybody would start: each has a link to each other.
const MOST: usize = 256;

/// The addresses of a cluster's processes, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hosts(Vec<String>);

impl Hosts {
    /// These addresses.
    pub fn new(addresses: Vec<String>) -> Self {
        Hosts(addresses)
    }

    /// Reads a hosts file: a line a process, `host:port`; what follows a `#` is a comment.
    ///
    /// # Errors
    /// It cannot be read, or a line is no address or stands twice.
    pub fn read(file: &Path) -> Result<Self, UsageError> {
        let refuse = |problem: String| UsageError(format!("{}{problem} (--hosts)", file.display()));
        let text = std::fs::read_to_string(file).map_err(|error| {
            UsageError(format!("cannot read the hosts {}: {error}", file.display()))
        })?;
        let mut addresses: Vec<String> = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let address = line.split('#').next().unwrap_or_default().trim();
            if address.is_empty() {
                continue;
            }
            let at = |problem: &str| refuse(format!(":{}: `{address}` {problem}", number + 1));
            let port = address
                .rsplit_once(':')
                .filter(|(host, _)| !host.is_empty());
            if port.is_none_or(|(_, port)| {
                port.parse::<u16>().is_ok_and(|p| p == 0) || port.parse::<u16>().is_err()
            }) {
                return Err(at("is no address; write host:port, such as 10.0.0.1:7700"));
            }
            if addresses.iter().any(|known| known == address) {
                return Err(at("stands twice; each process has an address of its own"));
            }
            addresses.push(address.to_owned());
        }
        match addresses.len() {
            0 => Err(refuse(
                " names no process; write a line host:port for each".to_owned(),
            )),
            1..=MOST => Ok(Hosts(addresses)),
            many => Err(refuse(format!(
                " names {many} processes; at most {MOST} make sense"
            ))),
        }
    }

    /// How many processes there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The address of a process.
    pub fn address(&self, process: usize) -> &str {
        &self.0[process]
    }

    /// How a person is told which process it is.
    pub fn name(&self, process: usize) -> String {
        format!("process {process} ({})", self.0[process])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Hosts, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Hosts::read(file.path()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_line_is_a_process() {
        let hosts = read("# three\n10.0.0.1:7700\n\n h.example:7701 # here\n[::1]:7702").unwrap();
        let all: Vec<&str> = (0..hosts.len())
            .map(|process| hosts.address(process))
            .collect();
        assert_eq!(all, ["10.0.0.1:7700", "h.example:7701", "[::1]:7702"]);
        assert_eq!(hosts.name(1), "process 1 (h.example:7701)");
    }

    #[test]
    fn what_is_no_address_is_refused_with_its_line() {
        for (text, word) in [
            ("a:1\nb", ":2: `b` is no address"),
            ("a:0", "no address"),
            ("a:70000", "no address"),
            (":7700", "no address"),
            ("a:1\na:1", ":2: `a:1` stands twice"),
            ("# nobody\n", "names no process"),
        ] {
            let refused = read(text).unwrap_err();
            assert!(refused.contains(word), "{refused}");
        }
    }
}
