//! Which topics and ids a home has: any name of a home gives a topic that is one level, and an id of plain letters.

use std::fmt::Write;

/// Names by which a run's homes are told.
#[derive(Clone, Debug)]
pub(super) struct Topics {
    prefix: String,
    discovery: Option<String>,
}

impl Topics {
    /// Topics that begin so, and Home Assistant's.
    pub fn new(prefix: &str, discovery: Option<&str>) -> Self {
        Topics {
            prefix: prefix.to_owned(),
            discovery: discovery.map(str::to_owned),
        }
    }

    /// Where it stands whether Hearth is there.
    pub fn status(&self) -> String {
        format!("{}/status", self.prefix)
    }

    /// What is told of a home.
    pub fn of(&self, home: &str, what: &str) -> String {
        format!("{}/{}/{what}", self.prefix, level(home))
    }

    /// The filter of what people answer.
    pub fn answers(&self) -> String {
        format!("{}/+/alarm/fine", self.prefix)
    }

    /// The level of a home in a topic of answers.
    pub fn answered<'a>(&self, topic: &'a str) -> Option<&'a str> {
        let rest = topic.strip_prefix(&self.prefix)?.strip_prefix('/')?;
        rest.strip_suffix("/alarm/fine")
    }

    /// Where Home Assistant says that it began anew.
    pub fn birth(&self) -> Option<String> {
        Some(format!("{}/status", self.discovery.as_ref()?))
    }

    /// Where an entity of a home is declared.
    pub fn config(&self, home: &str, component: &str, entity: &str) -> Option<String> {
        let discovery = self.discovery.as_ref()?;
        let (node, object) = (slug(&self.prefix), slug(home));
        Some(format!(
            "{discovery}/{component}/{node}/{object}_{entity}/config"
        ))
    }

    /// An id of a home that stays.
    pub fn id(&self, home: &str) -> String {
        format!("{}_{}", slug(&self.prefix), slug(home))
    }
}

/// A name as one level of a topic: what has a meaning there is written as in an address.
pub(super) fn level(name: &str) -> String {
    let mut level = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '/' | '+' | '#' | '%' | '$' => drop(write!(level, "%{:02X}", c as u32)),
            c if c.is_control() => drop(write!(level, "%{:02X}", c as u32)),
            c => level.push(c),
        }
    }
    level
}

/// A name as an id: other names have other ids.
fn slug(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let slug: String = name
        .chars()
        .map(|c| if plain(c) { c } else { '_' })
        .collect();
    match slug == name {
        true => slug,
        false => format!("{slug}_{:08x}", crc32fast::hash(name.as_bytes())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_is_one_level_and_its_own_id() {
        let topics = Topics::new("hearth", Some("homeassistant"));
        let names = [
            "h-1", "a/b", "a_b", "a b", "+", "#", "<script>", "Zürich", "%2F",
        ];
        let mut ids: Vec<String> = names.iter().map(|name| topics.id(name)).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), names.len());
        for name in names {
            let topic = topics.of(name, "alarm/fine");
            assert_eq!(topic.matches('/').count(), 3, "{topic}");
            assert!(!topic.contains(['+', '#']), "{topic}");
            assert_eq!(topics.answered(&topic), Some(level(name).as_str()));
            let config = topics.config(name, "event", "alarm").unwrap();
            let odd = |c: char| !(c.is_ascii_alphanumeric() || "/_-".contains(c));
            assert!(!config.contains(odd), "{config}");
        }
    }
}
