//! The models of the tool: model, address, agents, prompts and tools of a run.

mod builder;
pub(crate) mod mcp;
mod proxy;
mod scripted;
mod service;
mod setup;
mod tools;

pub(crate) use builder::{
    agents, base_builder, names_of_tools, planning, warn_unredacted, with_models,
};
pub(crate) use service::{keys_of_services, model_problems};
pub(crate) use setup::{ModelConfig, channel};
