//! Typed async closures as a graph: the arguments of a closure are its dependencies.

mod ask;
mod body;
mod build;
mod inputs;
mod map;
mod report;
mod value_store;
mod when;

pub use build::Flow;
pub use inputs::{After, Handle, Inputs, Optional, Reader};
pub use report::{FlowError, FlowReport, FlowRun};
pub use value_store::{Durable, InMemory, ValueStore};
pub use when::When;
