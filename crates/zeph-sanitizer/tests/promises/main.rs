//! What the sanitizer promises, held against generated text.

#[path = "../corpus/mod.rs"]
mod corpus;
mod kit;

mod any_text;
mod attacks;
mod emoji;
mod figures;
