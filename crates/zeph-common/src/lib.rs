//! Utilities of all layers: terminal escaping, truncation, durations, results of conformance suites.

mod conformance;
mod duration;
mod escape_terminal;
mod head_tail_buffer;
mod invisible;
mod truncate;

pub use conformance::{Violation, Violations};
pub use duration::format_duration;
pub use escape_terminal::{PlainText, Removed, escape_terminal, escape_terminal_block, plain_text};
pub use head_tail_buffer::HeadTailBuffer;
pub use invisible::is_invisible;
pub use truncate::{Boundary, HeadTail, MAX_WORD_BYTES, Truncated, head_tail, truncate};
