//! Pictures of a graph for people: a text tree, Mermaid and DOT, with states as an overlay.
//!
//! Names are untrusted. Each format has its own escaping, so that no name can end its label, start a
//! directive or move a cursor.

mod escape;
mod style;

mod dot;
mod mermaid;
mod summary;
mod tree;

pub use dot::dot;
pub(crate) use escape::is_invisible;
pub use mermaid::mermaid;
pub use tree::{painted_tree, tree};
