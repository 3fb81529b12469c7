//! What can be wrong with a setting, and where it came from.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

/// Where a setting comes from, the weakest first.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// A value that a program made by hand.
    Code,
    /// The user's file.
    UserFile(Place),
    /// The project's file.
    ProjectFile(Place),
    /// An environment variable.
    Env {
        /// Its name.
        name: String,
    },
    /// A flag of the command line.
    Flag {
        /// Its name, without dashes in front.
        name: String,
    },
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, as it was named to [`Layers`](crate::Layers).
    pub path: PathBuf,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Code => f.write_str("program"),
            Self::UserFile(place) | Self::ProjectFile(place) => {
                write!(
                    f,
                    "{}:{}:{}",
                    place.path.display(),
                    place.line,
                    place.column
                )
            }
            Self::Env { name } => write!(f, "environment variable {name}"),
            Self::Flag { name } => write!(f, "flag --{name}"),
        }
    }
}

/// What is wrong with a setting.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// No setting has this name.
    #[error("there is no such setting{}", hint(.suggestion.as_deref()))]
    Unknown {
        /// The name that was probably meant.
        suggestion: Option<String>,
    },
    /// The value is not of the setting's kind.
    #[error("{found} is not {wanted}")]
    Kind {
        /// What stands there.
        found: String,
        /// What should.
        wanted: &'static str,
    },
    /// The value is below or above what the setting allows.
    #[error("{found} is out of range; use {wanted}")]
    Range {
        /// What stands there.
        found: String,
        /// What may.
        wanted: String,
    },
    /// The value contradicts another one.
    #[error("{found} is above {other}, which is {limit}; lower it or raise {other}")]
    AboveOther {
        /// This setting's value.
        found: String,
        /// The other setting.
        other: &'static str,
        /// Its value.
        limit: String,
    },
    /// The value says nothing without another one.
    #[error("this is given without {other}; give both, or none")]
    Alone {
        /// The other setting.
        other: &'static str,
    },
    /// Something is missing.
    #[error("{what} is missing; add it, as in {example}")]
    Missing {
        /// What.
        what: &'static str,
        /// How it is written.
        example: &'static str,
    },
    /// A place in a command line names an argument that is not described.
    #[error(
        "{{{name}}} is not described; add `{name} = {{ about = \"…\", text = 200 }}` to its args"
    )]
    Undescribed {
        /// The argument.
        name: String,
    },
    /// An argument has no place in the command line, or several.
    #[error("the argument has {found} in `run`; let one element end in {{{name}}}")]
    Places {
        /// The argument.
        name: String,
        /// How many places it has.
        found: &'static str,
    },
    /// The file is not TOML here.
    #[error("this is not TOML: {message}")]
    Syntax {
        /// What the parser says.
        message: String,
    },
}

fn hint(suggestion: Option<&str>) -> String {
    suggestion
        .map(|name| format!("; did you mean {name:?}?"))
        .unwrap_or_default()
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{origin}: {}{problem}", prefix(.key))]
pub struct ConfigError {
    /// The setting, such as `retry.base`; empty when the file could not be read that far.
    pub key: String,
    /// Where the value stands.
    pub origin: Origin,
    /// What is wrong with it.
    pub problem: Problem,
    /// The bytes of the file in question, for a caret under them.
    pub span: Option<Range<usize>>,
}

fn prefix(key: &str) -> String {
    if key.is_empty() {
        String::new()
    } else {
        format!("{key}: ")
    }
}

/// Everything that is wrong, in the order of the sources and of the lines in each.
///
/// Never empty. Displayed as one line each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(Vec<ConfigError>);

impl ConfigErrors {
    /// The single errors.
    #[must_use]
    pub fn errors(&self) -> &[ConfigError] {
        &self.0
    }

    /// `Ok` when there is none.
    pub(crate) fn from_all(errors: Vec<ConfigError>) -> Result<(), Self> {
        if errors.is_empty() {
            Ok(())
        } else {
            Err(Self(errors))
        }
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            let line_break = if index == 0 { "" } else { "\n" };
            write!(f, "{line_break}{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}
