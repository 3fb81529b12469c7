//! The output format of an agent: asks for it, and reads the result from an answer.

use serde_json::{Value, json};
use zeph_common::{Boundary, escape_terminal, truncate};
use zeph_executor::TaskError;
use zeph_llm::{
    AnswerError, AnswerSchema, LlmProvider, LlmRequest, LlmResponse, SchemaSupport, StopReason,
};
use zeph_subagent::AgentOutput;

use super::ask_again::Defect;
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
    /// There is no whole result, and the model may give one if it is asked again.
    Incomplete(Defect),
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
            Self::Json(_) if matches!(support, SchemaSupport::Schema | SchemaSupport::Json) => {
                Ok(request.output(zeph_llm::OutputFormat::Json))
            }
            Self::Json(_) => Ok(request),
            Self::Schema(schema) => {
                let asked = schema.ask(&request, support, provider.name());
                asked.map_err(|error| task_error(&error))
            }
        }
    }

    /// Reads the result.
    pub(super) fn read(&self, reply: &LlmResponse) -> Result<Value, ReadError> {
        let schema = match self {
            Self::Text => return text(reply).map_err(ReadError::Incomplete),
            Self::Json(schema) | Self::Schema(schema) => schema,
        };
        const MAX_PROBLEMS: usize = 10;
        // A message may quote a duplicate key of any length.
        const MAX_BYTES: usize = 300;
        let answer = schema.read(reply).map_err(|error| match &error {
            AnswerError::Invalid { problems, .. } => {
                let problems = problems.iter().take(MAX_PROBLEMS).map(ToString::to_string);
                ReadError::WrongFormat(problems.collect())
            }
            AnswerError::NotJson { why, .. } => {
                let why = why.to_string();
                let why = truncate(&escape_terminal(&why), MAX_BYTES, Boundary::Char).to_string();
                ReadError::WrongFormat(vec![why])
            }
            AnswerError::Truncated { .. } => ReadError::Incomplete(Defect::Cut),
            AnswerError::Refusal { .. } => ReadError::Incomplete(Defect::Refused),
            AnswerError::Empty { .. } => ReadError::Incomplete(Defect::Empty),
            AnswerError::ToolCalls { .. } => {
                ReadError::Final(errors::bad_answer(&[error.to_string()], ""))
            }
        })?;
        Ok(answer.value)
    }
}

fn text(reply: &LlmResponse) -> Result<Value, Defect> {
    if reply.stop == StopReason::Refusal {
        return Err(Defect::Refused);
    }
    if reply.text.trim().is_empty() {
        return Err(Defect::Empty);
    }
    if reply.stop == StopReason::MaxTokens {
        return Err(Defect::Cut);
    }
    Ok(reply.text.clone().into())
}
