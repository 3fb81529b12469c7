//! The form of a result: how it is asked for, and how it is read out of an answer.

use serde_json::{Value, json};
use zeph_common::{Boundary, escape_terminal, truncate};
use zeph_executor::TaskError;
use zeph_llm::{
    AnswerSchema, Fallback, LlmProvider, LlmRequest, LlmResponse, OutputFormat, SchemaMode,
    SchemaSupport, StopReason, TypedError,
};
use zeph_subagent::AgentOutput;

use super::fault;
use crate::task_error;

/// The form of a result, ready to ask with and to read with.
pub(super) enum Form {
    Text,
    /// Any JSON: the schema that everything fits.
    Json(AnswerSchema),
    Schema(AnswerSchema),
}

/// Why an answer is no result.
pub(super) enum Unread {
    /// Told the problems, the model may correct it.
    Misfit(Vec<String>),
    /// Asking for the same again would not help.
    Fault(TaskError),
}

/// A request, and how it asks for the form.
pub(super) struct Asked {
    pub(super) request: LlmRequest,
    pub(super) mode: SchemaMode,
}

impl Form {
    /// # Errors
    /// `bad_schema` if the schema is none.
    pub(super) fn new(output: &AgentOutput) -> Result<Self, TaskError> {
        let compiled = |schema| AnswerSchema::new("result", schema);
        let form = match output {
            AgentOutput::Text => return Ok(Self::Text),
            AgentOutput::Json => compiled(json!({})).map(Self::Json),
            AgentOutput::Schema(schema) => compiled(schema.clone()).map(Self::Schema),
        };
        form.map_err(|problems| {
            let told = format!("the schema of the result is none: {problems}; correct it");
            TaskError::permanent(escape_terminal(&told)).with_code("bad_schema")
        })
    }

    /// The tokens that asking for the form may add to a request, by that counter.
    pub(super) fn tokens(&self, count: &dyn Fn(&str) -> u64) -> u64 {
        match self {
            Self::Text => 0,
            Self::Json(schema) | Self::Schema(schema) => {
                // The order beside it is a short paragraph.
                64 + count(&schema.schema().to_string())
            }
        }
    }

    /// The request with the form asked for: by the service if it can, else in the prompt.
    ///
    /// With tools it is the prompt, since not every service takes tools and a form at the same time.
    ///
    /// # Errors
    /// If the provider must not be asked for anything but text.
    pub(super) fn ask(
        &self,
        request: LlmRequest,
        provider: &dyn LlmProvider,
        native: bool,
    ) -> Result<Asked, TaskError> {
        let can = provider.capabilities().schema;
        let support = match can {
            SchemaSupport::Schema(_) | SchemaSupport::Json if !native => SchemaSupport::Prompt,
            SchemaSupport::Schema(_)
            | SchemaSupport::Json
            | SchemaSupport::Prompt
            | SchemaSupport::Never => can,
        };
        match self {
            Self::Text => Ok(Asked {
                request,
                mode: SchemaMode::Prompt,
            }),
            Self::Json(_) => {
                let json = matches!(support, SchemaSupport::Schema(_) | SchemaSupport::Json);
                let (output, mode) = if json {
                    (OutputFormat::Json, SchemaMode::Json)
                } else {
                    (OutputFormat::Text, SchemaMode::Prompt)
                };
                let request = request.output(output);
                Ok(Asked { request, mode })
            }
            Self::Schema(schema) => {
                let asked = schema.ask(&request, support, Fallback::Prompt, provider.name());
                let (request, mode) = asked.map_err(|error| typed_error(&error))?;
                Ok(Asked { request, mode })
            }
        }
    }

    /// Reads the result.
    pub(super) fn read(
        &self,
        reply: LlmResponse,
        mode: SchemaMode,
        max_output: u32,
    ) -> Result<Value, Unread> {
        let schema = match self {
            Self::Text => return text(reply, max_output).map_err(Unread::Fault),
            Self::Json(schema) | Self::Schema(schema) => schema,
        };
        match schema.read(reply, mode) {
            Ok(answer) => Ok(answer.value),
            Err(TypedError::Invalid { problems, .. }) => {
                const TOLD: usize = 10;
                let told = problems.iter().take(TOLD).map(ToString::to_string);
                Err(Unread::Misfit(told.collect()))
            }
            Err(TypedError::NotJson { why, .. }) => {
                // A key that is there twice stands in it, however long it is.
                const TOLD_BYTES: usize = 300;
                let told = why.to_string();
                let told =
                    truncate(&escape_terminal(&told), TOLD_BYTES, Boundary::Char).to_string();
                Err(Unread::Misfit(vec![told]))
            }
            Err(TypedError::Truncated { text, .. }) => {
                Err(Unread::Fault(fault::answer_cut(&text, Some(max_output))))
            }
            Err(error) => Err(Unread::Fault(typed_error(&error))),
        }
    }
}

fn text(reply: LlmResponse, max_output: u32) -> Result<Value, TaskError> {
    if reply.stop == StopReason::Refusal {
        return Err(fault::model_refused(&reply.text));
    }
    if reply.stop == StopReason::MaxTokens {
        return Err(fault::answer_cut(&reply.text, Some(max_output)));
    }
    if reply.text.trim().is_empty() {
        return Err(fault::empty_answer());
    }
    Ok(reply.text.into())
}

/// The error of a typed answer as the error of the attempt.
fn typed_error(error: &TypedError) -> TaskError {
    match error {
        TypedError::Llm(error) => task_error(error),
        TypedError::Refusal { text, .. } => fault::model_refused(text),
        TypedError::Truncated { text, .. } => fault::answer_cut(text, None),
        TypedError::Empty { .. } => fault::empty_answer(),
        TypedError::Schema(_)
        | TypedError::ToolCalls { .. }
        | TypedError::NotJson { .. }
        | TypedError::Invalid { .. }
        | _ => fault::bad_answer(&[escape_terminal(&error.to_string()).into_owned()], ""),
    }
}
