//! Origins: where the value of a setting comes from.

use std::fmt;
use std::path::PathBuf;

/// Where a setting comes from, lowest precedence first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// No source sets it.
    Default,
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
            Self::UserFile(Place { path, line, column })
            | Self::ProjectFile(Place { path, line, column }) => {
                write!(f, "{}:{line}:{column}", path.display())
            }
            Self::Env { name } => write!(f, "environment variable {name}"),
            Self::Flag { name } => write!(f, "flag --{name}"),
        }
    }
}
