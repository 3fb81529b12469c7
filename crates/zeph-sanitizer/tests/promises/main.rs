//! The guarantees of the sanitizer, tested on generated text.

#[path = "../corpus/mod.rs"]
mod corpus;
mod kit;

mod any_text;
mod attacks;
mod emoji;
mod figures;
mod hidden;
