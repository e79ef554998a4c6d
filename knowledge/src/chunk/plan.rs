//! How long passages are, and where they are cut.

/// Characters that count as one token: what English text has on average with the tokenizers of embedding models. An
/// approximation, so that a text is cut alike whichever model reads it.
pub const CHARACTERS_PER_TOKEN: usize = 4;

/// Where a text may be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Strategy {
    /// Between paragraphs, and within a long one between sentences.
    Semantic,
    /// Between words, at full length.
    Fixed,
    /// Between lines: what one speaker says.
    Turns,
}

/// How a text is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Plan {
    /// Where.
    pub strategy: Strategy,
    /// The most tokens of a passage, overlap included, headings not.
    pub size: usize,
    /// The most tokens that a passage repeats of the one before; less than `size`.
    pub overlap: usize,
}

impl Plan {
    /// The shortest passages that a plan can ask for, in tokens.
    pub const SHORTEST: usize = 32;

    /// A plan within bounds: at least [`Plan::SHORTEST`] tokens, and no more than half of them repeated.
    #[must_use]
    pub fn new(strategy: Strategy, size: usize, overlap: usize) -> Self {
        let size = size.max(Self::SHORTEST);
        Self { strategy, size, overlap: overlap.min(size / 2) }
    }

    /// What names the plan in hashes of content.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{:?}-{}-{}", self.strategy, self.size, self.overlap)
    }
}

/// The tokens of a text, by approximation.
#[must_use]
pub fn tokens(text: &str) -> usize {
    text.chars().count().div_ceil(CHARACTERS_PER_TOKEN)
}
