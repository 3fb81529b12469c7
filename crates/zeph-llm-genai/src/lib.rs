//! Model services behind the port, through the genai crate.

mod address;
mod answer;
mod ask;
mod builder;
mod client;
mod fault;
mod provider;
mod said;
mod service;
mod stream;
mod wait;

pub use builder::{BuildError, GenaiProviderBuilder, Timeouts};
pub use provider::GenaiProvider;
pub use service::{Service, Wire, services, usual_key_variable};
