//! Diagnostics: located documents, the problems found in them, suggestions, and the renderer.
//!
//! Every crate that checks input from outside reports its problems with these types: a [`Diagnostic`]
//! has a stable [`Code`], a message, a place and a help text; [`Diagnostics`] collects them, with a
//! limit, and is the error type of a check. [`suggest`] finds the known name that a misspelt one is
//! close to.
//!
//! With the feature `documents`, [`Node`] is a tree of values with their spans. Its typed access reports
//! values of a wrong type. `read_toml`, `read_json` and `read_yaml` return one, each behind the feature of
//! its name. The feature `render` adds `render`, which shows each problem with its line.
//!
//! # Examples
//! A check of names that were given in code:
//! ```
//! use zeph_diagnostics::{Diagnostic, Diagnostics, quote};
//!
//! /// The codes of this check.
//! mod code {
//!     zeph_diagnostics::codes! {
//!         /// No tool has that name.
//!         UNKNOWN_TOOL = "unknown_tool",
//!     }
//! }
//!
//! fn check(tools: &[&str], known: &[&str]) -> Result<(), Diagnostics> {
//!     let mut problems = Diagnostics::new();
//!     for tool in tools.iter().filter(|tool| !known.contains(tool)) {
//!         let message = format!("there is no tool {}", quote(tool));
//!         let near = problems.suggest(tool, known.iter().copied());
//!         problems.push(Diagnostic::new(code::UNKNOWN_TOOL, message).suggest(near));
//!     }
//!     problems.into_result()
//! }
//!
//! let problems = check(&["serch"], &["read_file", "search"]).unwrap_err();
//! assert_eq!(problems.as_slice()[0].code, code::UNKNOWN_TOOL);
//! assert_eq!(
//!     problems.to_string(),
//!     r#"[unknown_tool] there is no tool "serch" (did you mean "search"?)"#,
//! );
//! ```
//!
//! A document, with the features `toml` and `render`:
//! ```
//! # #[cfg(all(feature = "toml", feature = "render"))]
//! # fn main() {
//! use zeph_diagnostics::{Diagnostics, Source, Style, read_toml, render};
//!
//! let source = Source::new("zeph.toml", "retries = 'many'\ntimout = '5m'\n");
//! let mut problems = Diagnostics::in_source(&source);
//! let root = read_toml(&source, &mut problems).expect("it is TOML");
//! let table = root.table("the file", &["retries", "timeout"], &mut problems).expect("it is a table");
//! let retries = table.get("retries").and_then(|node| node.integer("`retries`", 0..=9, &mut problems));
//! assert_eq!(retries, None);
//! assert_eq!(
//!     render(&problems.sorted(), Style::Plain),
//!     "\
//! error[wrong_type]: `retries` must be an integer, not a string
//!  --> zeph.toml:1:11
//!   |
//! 1 | retries = 'many'
//!   |           ^^^^^^
//!
//! error[unknown_key]: the file has no key \"timout\"
//!  --> zeph.toml:2:1
//!   |
//! 2 | timout = '5m'
//!   | ^^^^^^
//!   |
//!   = help: did you mean \"timeout\"?
//! ",
//! );
//! # }
//! # #[cfg(not(all(feature = "toml", feature = "render")))]
//! # fn main() {}
//! ```

pub mod code;
mod collection;
mod diagnostic;
mod source;
mod suggest;

#[cfg(feature = "documents")]
mod access;
#[cfg(feature = "documents")]
mod node;
#[cfg(feature = "documents")]
mod read;
#[cfg(feature = "render")]
mod render;

#[cfg(feature = "documents")]
pub use access::Table;
pub use code::Code;
pub use collection::{Diagnostics, MAX_DIAGNOSTICS};
pub use diagnostic::{Diagnostic, Severity};
#[cfg(feature = "documents")]
pub use node::{Entry, Node, Value};
#[cfg(feature = "json")]
pub use read::json::read_json;
#[cfg(feature = "toml")]
pub use read::toml::read_toml;
#[cfg(feature = "yaml")]
pub use read::yaml::read_yaml;
#[cfg(feature = "render")]
pub use render::{Style, render};
pub use source::{Source, Span};
pub use suggest::{list, quote, suggest};
