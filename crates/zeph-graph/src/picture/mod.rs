//! Pictures of a graph for people: a text tree, Mermaid and DOT, with states as an overlay.
//!
//! Names come from anywhere. Each format has its own escaping, so that no name can break out of its
//! label, start a directive or move a cursor.

mod inert;

mod dot;
mod mermaid;
mod summary;
mod tree;

pub use dot::dot;
pub(crate) use inert::is_unseen;
pub use mermaid::mermaid;
pub use tree::tree;
