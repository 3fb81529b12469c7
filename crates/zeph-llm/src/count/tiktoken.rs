//! Exact counts by a public vocabulary.

use std::fmt;

use tiktoken_rs::{CoreBPE, cl100k_base_singleton, o200k_base_singleton};

use super::TokenCounter;

/// The most bytes that are split at a time: longer runs of one kind would exceed the splitter's own limit.
const PIECE: usize = 16 << 10;

/// Counts exactly, for models whose vocabulary is public.
///
/// Texts of more than 16 KiB are cut at blanks where possible; each cut may add a token. The vocabulary
/// is loaded at the first count and stays, about 30 MB.
///
/// # Examples
/// ```
/// use zeph_llm::{TiktokenCounter, TokenCounter};
/// assert_eq!(TiktokenCounter::o200k().count("hello world"), 2);
/// assert!(TiktokenCounter::for_model("gpt-4o-mini").is_some());
/// assert!(TiktokenCounter::for_model("qwen3:8b").is_none());
/// ```
#[derive(Clone, Copy)]
pub struct TiktokenCounter {
    name: &'static str,
    vocabulary: fn() -> &'static CoreBPE,
}

impl fmt::Debug for TiktokenCounter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("TiktokenCounter");
        debug
            .field("vocabulary", &self.name)
            .finish_non_exhaustive()
    }
}

impl TiktokenCounter {
    /// The vocabulary `o200k_base`: GPT-4o and later.
    #[must_use]
    pub fn o200k() -> Self {
        Self {
            name: "o200k_base",
            vocabulary: o200k_base_singleton,
        }
    }

    /// The vocabulary `cl100k_base`: GPT-4 and GPT-3.5.
    #[must_use]
    pub fn cl100k() -> Self {
        Self {
            name: "cl100k_base",
            vocabulary: cl100k_base_singleton,
        }
    }

    /// The counter of a model, by its name; `None` if its vocabulary is not among these.
    #[must_use]
    pub fn for_model(model: &str) -> Option<Self> {
        use tiktoken_rs::tokenizer::{Tokenizer, get_tokenizer};
        let tokenizer = get_tokenizer(model)?;
        if tokenizer == Tokenizer::Cl100kBase {
            return Some(Self::cl100k());
        }
        let is_o200k = [Tokenizer::O200kBase, Tokenizer::O200kHarmony].contains(&tokenizer);
        is_o200k.then(Self::o200k)
    }
}

impl TokenCounter for TiktokenCounter {
    fn count(&self, text: &str) -> u32 {
        let vocabulary = (self.vocabulary)();
        let mut total = 0usize;
        let mut rest = text;
        while !rest.is_empty() {
            let most = rest.floor_char_boundary(PIECE);
            let blank = rest[..most]
                .rfind(char::is_whitespace)
                .filter(|at| *at > most / 2);
            let end = if most == rest.len() {
                most
            } else {
                blank.unwrap_or(most)
            };
            total += vocabulary.encode_ordinary(&rest[..end]).len();
            rest = &rest[end..];
        }
        u32::try_from(total).unwrap_or(u32::MAX)
    }
}
