//! Under which names a log has the fields of an event: `home=home_id,time=ts`.

use std::fmt;
use std::str::FromStr;

/// A field of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// The household.
    Home,
    /// When.
    Time,
    /// Of which device.
    Device,
    /// What.
    Action,
    /// What tells a repeated line from another event.
    Id,
    /// Which of several at one time comes first.
    Seq,
}

impl Key {
    /// How many there are.
    pub const COUNT: usize = 6;

    const ALL: [Key; Key::COUNT] = [
        Key::Home,
        Key::Time,
        Key::Device,
        Key::Action,
        Key::Id,
        Key::Seq,
    ];

    /// Its usual name.
    pub fn name(self) -> &'static str {
        match self {
            Key::Home => "home",
            Key::Time => "time",
            Key::Device => "device",
            Key::Action => "action",
            Key::Id => "id",
            Key::Seq => "seq",
        }
    }
}

/// The names of a log's columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    /// By [`Key`]: what its column is called, where it is not called as usual.
    other: [Option<String>; Key::COUNT],
    /// Whether it has no column of homes: each file is one.
    home_is_file: bool,
}

impl Keys {
    /// What a column's name stands for.
    pub fn find(&self, name: &str) -> Option<Key> {
        let mut keys = Key::ALL.into_iter();
        keys.find(|key| self.is(*key, name))
    }

    /// Whether a column's name stands for this.
    pub fn is(&self, key: Key, name: &str) -> bool {
        self.of(key) == name && !(key == Key::Home && self.home_is_file)
    }

    /// What the column is called.
    pub fn of(&self, key: Key) -> &str {
        let other = self.other[key as usize].as_deref();
        other.unwrap_or(key.name())
    }

    /// Whether each file is a home, named like it.
    pub fn home_is_file(&self) -> bool {
        self.home_is_file
    }

    /// Whether all are called as usual.
    pub fn usual(&self) -> bool {
        !self.home_is_file && self.other.iter().all(Option::is_none)
    }
}

impl FromStr for Keys {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let mut keys = Keys::default();
        for part in text.split(',').map(str::trim).filter(|p| !p.is_empty()) {
            let refused = || format!("`{part}` is not written FIELD=COLUMN, as in home=home_id");
            let (field, column) = part.split_once('=').ok_or_else(refused)?;
            let (field, column) = (field.trim(), column.trim());
            let key = Key::ALL.into_iter().find(|key| key.name() == field);
            let key = key.ok_or_else(|| {
                format!("`{field}` is no field; fields are home, time, device, action, id and seq")
            })?;
            match (key, column) {
                (Key::Home, "") => keys.home_is_file = true,
                (_, "") => return Err(refused()),
                _ => keys.other[key as usize] = Some(column.to_owned()),
            }
        }
        Ok(keys)
    }
}

impl fmt::Display for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before = "";
        for key in Key::ALL {
            let file = key == Key::Home && self.home_is_file;
            let column = self.other[key as usize].as_deref().filter(|_| !file);
            if column.is_some() || file {
                write!(f, "{before}{}={}", key.name(), column.unwrap_or_default())?;
                before = ",";
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_named() {
        let keys: Keys = "home=home_id, time=ts".parse().unwrap();
        assert_eq!(keys.find("ts"), Some(Key::Time));
        assert_eq!(keys.find("time"), None);
        assert_eq!(keys.find("action"), Some(Key::Action));
        assert_eq!(keys.to_string(), "home=home_id,time=ts");
        let files: Keys = "home=".parse().unwrap();
        assert_eq!((files.find("home"), files.home_is_file()), (None, true));
        assert_eq!(files.to_string(), "home=");
        assert!("".parse::<Keys>().unwrap().usual());
        for wrong in ["house=h", "home", "time="] {
            assert!(wrong.parse::<Keys>().is_err(), "{wrong}");
        }
    }
}
