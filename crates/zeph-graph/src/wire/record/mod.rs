//! Records as JSON: one short object each, `{"type":"started","task":3,"attempt":1}`.

mod decode;
mod encode;

pub use decode::{BadRecord, decode};
pub use encode::{encode, encode_into};
