//! Tools: functions that an agent may have called.

#[cfg(feature = "tool-fn")]
mod closure;
pub mod conformance;

#[cfg(feature = "tool-fn")]
pub use closure::tool_fn;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;
use serde_json::Value;
use zeph_executor::{TaskContext, TaskError};
use zeph_graph::Effect;

/// The most characters of a tool's name that all model services accept.
const MAX_NAME: usize = 64;

/// A function that an agent may have called.
///
/// The contract:
///
/// - The arguments fit the schema in `parameters`. Otherwise they are untrusted: a model chose them, and
///   injected text may have influenced it.
/// - Calls may run in parallel, also with the same arguments, and again after a crash, unless their
///   [effect](Self::effect) is `at_most_once`.
/// - After a call is dropped, nothing of it still runs. The caller drops it when the attempt is stopped.
/// - An error of class `Cancelled` or `OverBudget` ends the attempt. The model sees every other error and
///   may try something else, so messages, codes and causes must not contain secrets.
/// - The output is untrusted: it is sanitized before the model sees it.
///
/// `tool_fn` makes one from a closure; [`conformance::check`] tests one.
#[async_trait]
pub trait Tool: Send + Sync {
    /// The name: 1 to 64 characters of `a-z`, `A-Z`, `0-9`, `_` and `-`. Always the same.
    fn name(&self) -> &str;

    /// The description, for the model. Always the same.
    fn description(&self) -> &str;

    /// The JSON Schema of the arguments, an object. Always the same.
    fn parameters(&self) -> Value;

    /// What a call does outside its attempt, and so whether an interrupted one may be repeated. Always the
    /// same.
    ///
    /// Default: [`Effect::Idempotent`], as for tasks. A tool that only reads says [`Effect::Pure`]; one whose
    /// second call would do the same again says [`Effect::AtMostOnce`].
    fn effect(&self) -> Effect {
        Effect::Idempotent
    }

    /// Whether only a task that a person approved may call it. Always the same. Default: no.
    fn needs_approval(&self) -> bool {
        false
    }

    /// The longest time that a call may take. Always the same. Default: what the agent's host allows.
    fn timeout(&self) -> Option<Duration> {
        None
    }

    /// Calls it.
    ///
    /// # Errors
    /// The failure; see above for the meaning of its class. With the code of [`end_is_unknown`], a call that is
    /// made at most once may have taken effect.
    async fn call(&self, cx: &TaskContext, arguments: Value) -> Result<ToolOutput, TaskError>;
}

#[async_trait]
impl<T: Tool + ?Sized> Tool for Arc<T> {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn description(&self) -> &str {
        (**self).description()
    }

    fn parameters(&self) -> Value {
        (**self).parameters()
    }

    fn effect(&self) -> Effect {
        (**self).effect()
    }

    fn needs_approval(&self) -> bool {
        (**self).needs_approval()
    }

    fn timeout(&self) -> Option<Duration> {
        (**self).timeout()
    }

    async fn call(&self, cx: &TaskContext, arguments: Value) -> Result<ToolOutput, TaskError> {
        (**self).call(cx, arguments).await
    }
}

/// A tool with another [effect](Tool::effect), such as that of a closure which only reads.
///
/// # Examples
/// ```
/// # #[cfg(feature = "tool-fn")] {
/// use zeph_subagent::{Effect, Tool as _, tool_fn, with_effect};
/// #[derive(serde::Deserialize, schemars::JsonSchema)]
/// struct Nothing {}
/// let now = tool_fn("now", "The time", |_cx, _: Nothing| async move { Ok("noon") });
/// assert_eq!(with_effect(Effect::Pure, now).effect(), Effect::Pure);
/// # }
/// ```
pub fn with_effect(effect: Effect, tool: impl Tool + 'static) -> Arc<dyn Tool> {
    Arc::new(WithEffect { effect, tool })
}

struct WithEffect<T> {
    effect: Effect,
    tool: T,
}

#[async_trait]
impl<T: Tool> Tool for WithEffect<T> {
    fn name(&self) -> &str {
        self.tool.name()
    }

    fn description(&self) -> &str {
        self.tool.description()
    }

    fn parameters(&self) -> Value {
        self.tool.parameters()
    }

    fn effect(&self) -> Effect {
        self.effect
    }

    fn needs_approval(&self) -> bool {
        self.tool.needs_approval()
    }

    fn timeout(&self) -> Option<Duration> {
        self.tool.timeout()
    }

    async fn call(&self, cx: &TaskContext, arguments: Value) -> Result<ToolOutput, TaskError> {
        self.tool.call(cx, arguments).await
    }
}

/// Whether an error leaves open if the call took effect: the tool did not answer in time (`tool_timeout`), or ended
/// while it was called (`server_gone`).
#[must_use]
pub fn end_is_unknown(error: &TaskError) -> bool {
    matches!(error.code(), "tool_timeout" | "server_gone")
}

/// Whether a text can be the name of a tool: see [`Tool::name`].
#[must_use]
pub fn is_tool_name(name: &str) -> bool {
    let is_allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(is_allowed)
}

/// The output of a tool, as text for the model.
///
/// # Examples
/// ```
/// use zeph_subagent::ToolOutput;
/// assert_eq!(ToolOutput::from("done").text, "done");
/// assert_eq!(ToolOutput::json(&[1, 2])?.text, "[1,2]");
/// # Ok::<(), zeph_executor::TaskError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolOutput {
    /// The text. The model sees at most what its token budget allows.
    pub text: String,
}

impl ToolOutput {
    /// The JSON form of a value; a string becomes the text itself.
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
                TaskError::permanent("the output of a tool has no JSON form")
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
