//! Enums whose values have a stable name: one list of words each for JSON, the database, files and flags.

/// A text that names no value of an enum of words.
///
/// # Examples
/// ```
/// use zeph_graph::OverBudget;
/// let error = "abort".parse::<OverBudget>().unwrap_err();
/// assert_eq!(error.to_string(), r#""abort" is not one of ask, partial"#);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} is not one of {}", .expected.join(", "))]
pub struct UnknownWord {
    /// The given text, cut after 80 characters.
    pub word: String,
    /// The accepted words, in the order of the enum.
    pub expected: &'static [&'static str],
}

/// Declares an enum of words: `ALL`, `WORDS`, `word`, `FromStr` of the word, `Display`, and the word in JSON.
///
/// `Display` writes the word, or the text behind `=>` where each variant gives one.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)* }) => {
        $crate::words::words! {
            $(#[$doc])* $name { $($(#[$vdoc])* $variant = $word => $word,)* }
        }
    };
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal => $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[derive(::serde::Serialize, ::serde::Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $word)] $variant,)* }

        impl $name {
            /// Every value, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The words of [`ALL`](Self::ALL), in the same order.
            pub const WORDS: &'static [&'static str] = &[$($word,)*];

            /// The name in JSON, in the database, in plan files and in flags.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::UnknownWord;

            fn from_str(word: &str) -> Result<Self, $crate::UnknownWord> {
                match word {
                    $($word => Ok(Self::$variant),)*
                    _ => Err($crate::UnknownWord {
                        word: word.chars().take(80).collect(),
                        expected: Self::WORDS,
                    }),
                }
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(match self { $(Self::$variant => $text,)* })
            }
        }
    };
}
pub(crate) use words;
