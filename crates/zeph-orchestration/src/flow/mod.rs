//! Flow: a graph of typed async closures. Dependencies are inferred from arguments.

mod body;
mod build;
mod inputs;
mod keep;
mod report;

pub use build::Flow;
pub use inputs::{After, Handle, Inputs, Optional, Reader};
pub use keep::{Durable, InMemory, Keep};
pub use report::{FlowError, FlowReport};
