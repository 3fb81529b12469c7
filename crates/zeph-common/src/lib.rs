//! Text utilities shared by every storey: inert printing, truncation that says so.

mod inert;
mod invisible;
mod keep;
mod spell;
mod truncate;

pub use inert::{Plain, Removed, inert, inert_block, plain_block};
pub use invisible::is_invisible;
pub use keep::{Ends, HeadTail, ends, head_tail, head_tail_words, tail_words};
pub use spell::show_duration;
pub use truncate::{MAX_WORD_BYTES, Truncated, truncate, truncate_words};
