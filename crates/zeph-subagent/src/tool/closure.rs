//! `tool_fn`: an async closure as a tool.

use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;
use zeph_executor::{TaskContext, TaskError, TaskInput};

use super::{Tool, ToolOutput};

/// A tool from a closure. The type of its arguments gives the schema.
///
/// The type's doc comments become descriptions in the schema. Arguments that fit the schema but not the
/// type are an error with the code `invalid_arguments`, which the model sees.
///
/// # Examples
/// ```
/// use zeph_subagent::{Tool as _, tool_fn};
/// #[derive(serde::Deserialize, schemars::JsonSchema)]
/// struct Lines {
///     /// The file, relative to the project.
///     path: String,
/// }
/// let tool = tool_fn("count_lines", "Counts the lines of a file", |_cx, of: Lines| async move {
///     Ok(std::fs::read_to_string(of.path)?.lines().count().to_string())
/// });
/// let schema = tool.parameters();
/// assert_eq!(schema["properties"]["path"]["description"], "The file, relative to the project.");
/// ```
pub fn tool_fn<A, R, F, Fut>(
    name: impl Into<String>,
    description: impl Into<String>,
    body: F,
) -> Arc<dyn Tool>
where
    A: DeserializeOwned + JsonSchema + Send + 'static,
    R: Into<ToolOutput> + Send + 'static,
    F: Fn(TaskContext, A) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<R, TaskError>> + Send + 'static,
{
    let schema = schemars::generate::SchemaSettings::draft2020_12()
        .with(|settings| settings.inline_subschemas = true)
        .into_generator()
        .into_root_schema_for::<A>();
    Arc::new(Closure {
        name: name.into(),
        description: description.into(),
        parameters: schema.to_value(),
        body,
        types: PhantomData::<fn(A) -> R>,
    })
}

struct Closure<F, A, R> {
    name: String,
    description: String,
    parameters: Value,
    body: F,
    types: PhantomData<fn(A) -> R>,
}

#[async_trait]
impl<A, R, F, Fut> Tool for Closure<F, A, R>
where
    A: DeserializeOwned + JsonSchema + Send + 'static,
    R: Into<ToolOutput> + Send + 'static,
    F: Fn(TaskContext, A) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<R, TaskError>> + Send + 'static,
{
    fn name(&self) -> &str {
        &self.name
    }

    fn description(&self) -> &str {
        &self.description
    }

    fn parameters(&self) -> Value {
        self.parameters.clone()
    }

    async fn call(&self, cx: &TaskContext, arguments: Value) -> Result<ToolOutput, TaskError> {
        let arguments = TaskInput::new(arguments).params_as::<A>();
        let arguments = arguments.map_err(|error| {
            let message = error
                .message()
                .replacen("the parameters", "the arguments", 1);
            TaskError::permanent(message).with_code("invalid_arguments")
        })?;
        (self.body)(cx.clone(), arguments).await.map(Into::into)
    }
}
