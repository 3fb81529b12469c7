//! Text utilities shared by every storey: inert printing, truncation that says so.

mod inert;
mod invisible;
mod keep;
mod spell;
mod truncate;

pub use inert::{inert, inert_block};
pub use keep::{HeadTail, head_tail};
pub use spell::show_duration;
pub use truncate::{Truncated, truncate};
