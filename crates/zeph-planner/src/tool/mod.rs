//! Tools: what an agent may do besides writing.

mod closure;
pub mod conformance;
mod registry;

pub use closure::tool_fn;
pub(crate) use registry::{Known, is_name};
pub use registry::{ToolFault, Tools};

use std::sync::Arc;

use async_trait::async_trait;
use serde::Serialize;
use serde_json::Value;
use zeph_executor::{TaskContext, TaskError};
use zeph_llm::ToolSpec;

/// Something that an agent may have done.
///
/// The contract:
///
/// - The arguments fit the schema in `spec`; everything else about them is a model's wish, and the
///   model may have been talked into it. A tool checks them as it would a stranger's.
/// - Calls may come side by side, also with the same arguments, and again after a crash.
/// - A dropped call leaves nothing running behind. The caller drops it when the attempt is to stop.
/// - An error of class `Cancelled` or `OverBudget` ends the attempt. Any other is told to the model,
///   which may try something else: its text, codes and causes must not hold secrets.
/// - What it gives back is untrusted: it is cleaned and wrapped before the model sees it.
///
/// [`tool_fn`] makes one from a closure; [`conformance::check`] tries one.
#[async_trait]
pub trait Tool: Send + Sync {
    /// What the model is told of it. The same at every call.
    fn spec(&self) -> ToolSpec;

    /// Does it.
    ///
    /// # Errors
    /// Whatever went wrong; see above for what the class means.
    async fn call(&self, cx: &TaskContext, arguments: Value) -> Result<ToolOutput, TaskError>;
}

#[async_trait]
impl<T: Tool + ?Sized> Tool for Arc<T> {
    fn spec(&self) -> ToolSpec {
        (**self).spec()
    }

    async fn call(&self, cx: &TaskContext, arguments: Value) -> Result<ToolOutput, TaskError> {
        (**self).call(cx, arguments).await
    }
}

/// What a tool gave back, as text for the model.
///
/// # Examples
/// ```
/// use zeph_planner::ToolOutput;
/// assert_eq!(ToolOutput::from("done").text, "done");
/// assert_eq!(ToolOutput::json(&[1, 2])?.text, "[1,2]");
/// # Ok::<(), zeph_executor::TaskError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolOutput {
    /// The text; cut to what the conversation has room for before the model sees it.
    pub text: String,
}

impl ToolOutput {
    /// The JSON form of a value; the text itself if it is a text.
    ///
    /// # Errors
    /// Permanent, with the code `unserializable_output`, if the value has no JSON form.
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<Self, TaskError> {
        match serde_json::to_value(value) {
            Ok(Value::String(text)) => Ok(Self { text }),
            Ok(value) => Ok(Self {
                text: value.to_string(),
            }),
            Err(error) => Err(
                TaskError::permanent("the result of a tool has no JSON form")
                    .with_code("unserializable_output")
                    .with_source(error),
            ),
        }
    }
}

impl<T: Into<String>> From<T> for ToolOutput {
    fn from(text: T) -> Self {
        Self { text: text.into() }
    }
}
