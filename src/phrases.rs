//! How names and sentences are read: `AirConditioner`, `air_conditioner` and `air conditioner` are the same words.
//!
//! Catalogs come from many systems and people write as they like, so knowledge is stated in phrases of plain words,
//! and a phrase is found wherever its words stand together, however they are glued.

use std::ops::Range;

/// Lower-case words of a name or sentence; words end at capitals inside a name, at digits, at anything else.
pub fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let characters: Vec<char> = text.chars().collect();
    for (i, &c) in characters.iter().enumerate() {
        let before = i.checked_sub(1).map(|i| characters[i]);
        let after = characters.get(i + 1);
        // `moonLight` and `HVACMode` break before the capital that begins a word.
        let begins = c.is_uppercase()
            && (before.is_some_and(char::is_lowercase)
                || before.is_some_and(char::is_uppercase)
                    && after.is_some_and(|&c| c.is_lowercase()));
        let digit = before.is_some_and(|b| b.is_numeric() != c.is_numeric());
        if begins || digit || !c.is_alphanumeric() {
            words.push(String::new());
        }
        if let (true, Some(word)) = (c.is_alphanumeric(), words.last_mut()) {
            word.extend(c.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Words that have to stand together, such as `air conditioner`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Phrase {
    /// The words without what parts them.
    joined: String,
}

impl Phrase {
    /// The phrase that a text states, or `None` if there is no word in it.
    pub fn new(text: &str) -> Option<Self> {
        let joined = words(text).concat();
        (!joined.is_empty()).then_some(Phrase { joined })
    }

    /// Length in bytes: of two phrases that fit, the longer one says more.
    pub fn len(&self) -> usize {
        self.joined.len()
    }

    /// Where the phrase ends that begins with `words[start]`: whole words that spell it, a plural `s` allowed.
    pub fn at(&self, words: &[String], start: usize) -> Option<usize> {
        let mut rest = self.joined.as_str();
        for (i, word) in words.iter().enumerate().skip(start) {
            if word.strip_suffix('s') == Some(rest) {
                return Some(i + 1);
            }
            rest = rest.strip_prefix(word.as_str())?;
            if rest.is_empty() {
                return Some(i + 1);
            }
        }
        None
    }

    /// Where the phrase stands first among `words`.
    pub fn find(&self, words: &[String]) -> Option<Range<usize>> {
        (0..words.len()).find_map(|start| Some(start..self.at(words, start)?))
    }

    /// Where the phrase begins that ends before `words[end]`.
    pub fn ending(&self, words: &[String], end: usize) -> Option<usize> {
        (0..end).find(|&start| self.at(words, start) == Some(end))
    }

    /// Whether the phrase stands among `words`.
    pub fn within(&self, words: &[String]) -> bool {
        self.find(words).is_some()
    }

    /// Whether `text` says this phrase and nothing else.
    pub fn is(&self, text: &str) -> bool {
        Phrase::new(text).as_ref() == Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_many_systems_are_the_same_words() {
        for name in [
            "AirConditioner",
            "climate.air_conditioner",
            "Air Conditioner 2",
            "airconditioner",
            "AIRConditioners",
        ] {
            let phrase = Phrase::new("air conditioner").unwrap();
            assert!(phrase.within(&words(name)), "{name}");
        }
        assert_eq!(words("HVACMode2 on"), ["hvac", "mode", "2", "on"]);
        assert_eq!(words("Wäschetrockner"), ["wäschetrockner"]);
    }

    #[test]
    fn a_phrase_is_whole_words() {
        let fan = Phrase::new("fan").unwrap();
        assert!(!fan.within(&words("infant monitor")));
        assert!(!fan.within(&words("fantasy light")));
        assert_eq!(fan.find(&words("the ceiling fans")), Some(2..3));
        assert_eq!(Phrase::new(" -- "), None);
    }
}
