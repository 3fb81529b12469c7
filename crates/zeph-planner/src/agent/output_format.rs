//! The output format of an agent: asks for it, and reads the result from an answer.

use serde_json::{Value, json};
use zeph_common::{Boundary, escape_terminal, truncate};
use zeph_executor::TaskError;
use zeph_llm::{
    AnswerError, AnswerSchema, LlmProvider, LlmRequest, LlmResponse, SchemaSupport, StopReason,
};
use zeph_subagent::AgentOutput;

use super::errors;
use crate::call::task_error;

/// The output format of an attempt, with its schema compiled.
pub(super) enum OutputFormat {
    Text,
    /// Any JSON value: the empty schema.
    Json(AnswerSchema),
    Schema(AnswerSchema),
}

/// The error of an answer without a result.
pub(super) enum ReadError {
    /// The model may correct these problems.
    WrongFormat(Vec<String>),
    /// Asking again cannot help.
    Final(TaskError),
}

impl OutputFormat {
    /// # Errors
    /// `bad_schema` if the schema is invalid.
    pub(super) fn new(output: &AgentOutput) -> Result<Self, TaskError> {
        let compiled = |schema| AnswerSchema::new("result", schema);
        let format = match output {
            AgentOutput::Text => return Ok(Self::Text),
            AgentOutput::Json => compiled(json!({})).map(Self::Json),
            AgentOutput::Schema(schema) => compiled(schema.clone()).map(Self::Schema),
        };
        format.map_err(|problems| {
            let message = format!("the output schema is invalid: {problems}; correct the schema");
            TaskError::permanent(escape_terminal(&message)).with_code("bad_schema")
        })
    }

    /// The tokens that asking for the format may add to a request.
    pub(super) fn tokens(&self, count: &dyn Fn(&str) -> u64) -> u64 {
        /// The instruction beside a schema.
        const INSTRUCTION: u64 = 64;
        match self {
            Self::Text => 0,
            Self::Json(schema) | Self::Schema(schema) => {
                INSTRUCTION + count(&schema.schema().to_string())
            }
        }
    }

    /// Adds the format to a request: natively if the service can and `native` allows it, else in the
    /// prompt. Some services cannot combine tools with a native format.
    ///
    /// # Errors
    /// If the provider supports text only.
    pub(super) fn ask(
        &self,
        request: LlmRequest,
        provider: &dyn LlmProvider,
        native: bool,
    ) -> Result<LlmRequest, TaskError> {
        let can = provider.capabilities().schema;
        let support = if !native && matches!(can, SchemaSupport::Schema | SchemaSupport::Json) {
            SchemaSupport::Prompt
        } else {
            can
        };
        match self {
            Self::Text => Ok(request),
            Self::Json(_) => {
                let json = matches!(support, SchemaSupport::Schema | SchemaSupport::Json);
                let output = if json {
                    zeph_llm::OutputFormat::Json
                } else {
                    zeph_llm::OutputFormat::Text
                };
                Ok(request.output(output))
            }
            Self::Schema(schema) => {
                let asked = schema.ask(&request, support, provider.name());
                asked.map_err(|error| task_error(&error))
            }
        }
    }

    /// Reads the result.
    pub(super) fn read(&self, reply: &LlmResponse, max_output: u32) -> Result<Value, ReadError> {
        let schema = match self {
            Self::Text => return text(reply, max_output).map_err(ReadError::Final),
            Self::Json(schema) | Self::Schema(schema) => schema,
        };
        match schema.read(reply) {
            Ok(answer) => Ok(answer.value),
            Err(AnswerError::Invalid { problems, .. }) => {
                const MAX_PROBLEMS: usize = 10;
                let problems = problems.iter().take(MAX_PROBLEMS).map(ToString::to_string);
                Err(ReadError::WrongFormat(problems.collect()))
            }
            Err(AnswerError::NotJson { why, .. }) => {
                // The message may quote a duplicate key of any length.
                const MAX_BYTES: usize = 300;
                let why = why.to_string();
                let why = truncate(&escape_terminal(&why), MAX_BYTES, Boundary::Char).to_string();
                Err(ReadError::WrongFormat(vec![why]))
            }
            Err(AnswerError::Truncated { text, .. }) => Err(ReadError::Final(errors::answer_cut(
                &text,
                Some(max_output),
            ))),
            Err(error) => Err(ReadError::Final(answer_error(&error))),
        }
    }
}

fn text(reply: &LlmResponse, max_output: u32) -> Result<Value, TaskError> {
    if reply.stop == StopReason::Refusal {
        return Err(errors::model_refused(&reply.text));
    }
    if reply.stop == StopReason::MaxTokens {
        return Err(errors::answer_cut(&reply.text, Some(max_output)));
    }
    if reply.text.trim().is_empty() {
        return Err(errors::empty_answer());
    }
    Ok(reply.text.clone().into())
}

/// The error of an answer as the error of the attempt.
fn answer_error(error: &AnswerError) -> TaskError {
    match error {
        AnswerError::Refusal { text, .. } => errors::model_refused(text),
        AnswerError::Truncated { text, .. } => errors::answer_cut(text, None),
        AnswerError::Empty => errors::empty_answer(),
        AnswerError::ToolCalls { .. }
        | AnswerError::NotJson { .. }
        | AnswerError::Invalid { .. } => {
            errors::bad_answer(&[escape_terminal(&error.to_string()).into_owned()], "")
        }
    }
}
