//! Readers: a text of some format becomes a tree of nodes, or problems with their places.

#[cfg(any(feature = "json", feature = "toml", feature = "yaml"))]
mod build;
#[cfg(feature = "json")]
pub(crate) mod json;
#[cfg(feature = "yaml")]
mod scalar;
#[cfg(feature = "toml")]
pub(crate) mod toml;
#[cfg(feature = "yaml")]
pub(crate) mod yaml;

/// How deep lists and tables may be nested.
#[cfg(any(feature = "json", feature = "toml", feature = "yaml"))]
const MAX_DEPTH: usize = 64;
