//! The model side of the tool: which model, whose agents, which tools, and the roles that work with them.

mod commands;
mod compiler;
mod roles;
mod scripted;
mod secrets;
mod service;
mod setup;
pub(crate) mod tools;

pub(crate) use compiler::{Compiler, compile};
pub(crate) use roles::{Roles, agents, commands};
pub(crate) use secrets::{Redacting, redactor};
pub(crate) use service::Service;
pub(crate) use setup::{Models, PLAYED, Setup, channel, needs_model};
