//! The models of the tool: model, address, agents, prompts and tools of a run.

mod builder;
mod proxy;
mod scripted;
mod service;
mod setup;
pub(crate) mod tools;

pub(crate) use builder::{agents, base_builder, warn_unredacted, with_models};
pub(crate) use service::{keys_of_services, model_problems};
pub(crate) use setup::{ModelConfig, channel};
