//! The pronouncing dictionary, from which each grammar takes the few words it needs.

use std::{collections::BTreeSet, path::Path};

use crate::providers::{ProviderError, Result};

/// CMUdict in the recogniser's format: `word PH PH …` per line, further pronunciations as `word(2)`.
pub(super) struct Dictionary {
    text: String,
    phones: Vec<String>,
}

impl Dictionary {
    /// Reads the dictionary.
    pub(super) fn load(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| ProviderError::unavailable(path.display().to_string(), error))?;
        let dictionary = Self::parse(text);
        if dictionary.phones.is_empty() {
            return Err(ProviderError::protocol(format!("{} has no words", path.display())));
        }
        Ok(dictionary)
    }

    pub(super) fn parse(text: String) -> Self {
        let phones: BTreeSet<&str> = text.lines().flat_map(|line| line.split_whitespace().skip(1)).collect();
        let phones = phones.into_iter().map(str::to_owned).collect();
        Self { text, phones }
    }

    /// Every phone in use, sorted.
    pub(super) fn phones(&self) -> &[String] {
        &self.phones
    }

    /// All pronunciations of the wanted words, in the dictionary's order and spelling of variants. One pass over the
    /// text: grammars are compiled rarely and an index would cost more memory than the recogniser itself.
    pub(super) fn pronunciations(&self, wanted: &BTreeSet<&str>) -> Vec<(String, String)> {
        self.text
            .lines()
            .filter_map(|line| line.split_once(' '))
            .filter(|(word, _)| wanted.contains(word.split_once('(').map_or(*word, |(base, _)| base)))
            .map(|(word, phones)| (word.to_owned(), phones.trim().to_owned()))
            .collect()
    }
}
