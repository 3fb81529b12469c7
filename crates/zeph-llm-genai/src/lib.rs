//! Model services behind the port, through the genai crate.
