//! Text utilities shared by every storey: inert printing, truncation that says so.
