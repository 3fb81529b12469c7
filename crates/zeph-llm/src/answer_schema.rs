//! Answers that follow a JSON Schema: asks for them, and validates them whatever the service promised.

mod error;
mod optional;
mod validate;

use std::fmt;

use serde_json::Value;

use crate::json::read_json;
use crate::strict_schema::strict_form;
use crate::{
    ErrorKind, JsonError, LlmError, LlmRequest, LlmResponse, Message, OutputFormat, OutputSchema,
    SchemaSupport, StopReason, Tolerated,
};

use validate::Validator;

pub use error::{AnswerError, Problem, SchemaError};

/// The most bytes of an answer.
const MAX_BYTES: usize = 1 << 20;

/// A value that follows a schema.
#[derive(Clone, Debug, PartialEq)]
pub struct SchemaAnswer {
    /// The value.
    pub value: Value,
    /// The parts of the text that were skipped or repaired; empty if the text is the value.
    pub repairs: Vec<Tolerated>,
}

/// A schema of answers, compiled once for any number of calls.
///
/// # Examples
/// ```
/// use serde_json::json;
/// use zeph_llm::{AnswerSchema, LlmRequest, LlmResponse, OutputFormat, SchemaSupport};
///
/// let schema = AnswerSchema::new("verdict", json!({
///     "type": "object",
///     "properties": {"ok": {"type": "boolean"}, "why": {"type": "string"}},
///     "required": ["ok"],
/// }))?;
/// let request = LlmRequest::new("Is it?");
/// let asked = schema.ask(&request, SchemaSupport::Json, "local")?;
/// assert_eq!(asked.output, OutputFormat::Json);
/// let answer = schema.read(&LlmResponse::text(r#"{"ok": true, "why": null}"#))?;
/// assert_eq!(answer.value, json!({"ok": true}));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct AnswerSchema {
    name: String,
    schema: Value,
    validator: Validator,
}

impl fmt::Debug for AnswerSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("AnswerSchema");
        debug
            .field("name", &self.name)
            .field("schema", &self.schema);
        debug.finish_non_exhaustive()
    }
}

impl AnswerSchema {
    /// Compiles a schema of the draft 2020-12.
    ///
    /// The name is for the service: characters other than letters, digits, `_` and `-` become `_`, it is
    /// cut at 64 characters, and an empty one becomes `answer`. Formats are annotations; patterns are
    /// those of the crate `regex`, without look-around and back-references.
    ///
    /// # Errors
    /// If the value is no valid schema, or refers to another document.
    pub fn new(name: &str, schema: Value) -> Result<Self, SchemaError> {
        let clean = |c: char| match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '-' => c,
            _ => '_',
        };
        let mut name: String = name.chars().map(clean).take(64).collect();
        if name.is_empty() {
            "answer".clone_into(&mut name);
        }
        let validator = validate::compile(&schema)?;
        Ok(Self {
            name,
            schema,
            validator,
        })
    }

    /// The original schema.
    #[must_use]
    pub fn schema(&self) -> &Value {
        &self.schema
    }

    /// The request for an answer by this schema, for a provider with that support.
    ///
    /// The schema is sent in its strict form if the service supports that and the schema has one, else it
    /// is added to the system message. A service may reject a schema that is sent
    /// ([`OutputFormat::Schema`]), with an error of kind `SchemaRejected`: then ask again with
    /// [`SchemaSupport::Prompt`].
    ///
    /// # Errors
    /// `Unsupported` if the provider supports text only.
    pub fn ask(
        &self,
        request: &LlmRequest,
        support: SchemaSupport,
        provider: &str,
    ) -> Result<LlmRequest, LlmError> {
        let output = match support {
            SchemaSupport::Schema => match strict_form(&self.schema) {
                Some(schema) => {
                    let name = self.name.clone();
                    let output = OutputFormat::Schema(OutputSchema { name, schema });
                    return Ok(request.clone().output(output));
                }
                None => OutputFormat::Text,
            },
            SchemaSupport::Json => OutputFormat::Json,
            SchemaSupport::Prompt => OutputFormat::Text,
            SchemaSupport::Never => {
                let message = "the provider supports text only";
                return Err(LlmError::new(ErrorKind::Unsupported, provider, message));
            }
        };
        Ok(self.in_prompt(request).output(output))
    }

    /// The request with the schema at the end of its system message.
    fn in_prompt(&self, request: &LlmRequest) -> LlmRequest {
        let instruction = format!(
            "Answer with one JSON value and nothing else: no prose, no code fence. \
             Its JSON Schema is:\n{}",
            self.schema
        );
        let mut request = request.clone();
        if let Some(Message::System { text }) = request.messages.first_mut() {
            text.push_str("\n\n");
            text.push_str(&instruction);
            request
        } else {
            request.system(instruction)
        }
    }

    /// The violations of a value, at most 50; empty if it is valid.
    #[must_use]
    pub fn problems(&self, value: &Value) -> Vec<Problem> {
        validate::problems(&self.validator, value)
    }

    /// Reads the value from a response.
    ///
    /// # Errors
    /// Each kind of [`AnswerError`] suggests another remedy.
    pub fn read(&self, response: &LlmResponse) -> Result<SchemaAnswer, AnswerError> {
        let text = &response.text;
        let is_at_limit = response.stop == StopReason::MaxTokens;
        let truncated = || AnswerError::Truncated { text: text.clone() };
        if response.stop == StopReason::Refusal {
            return Err(AnswerError::Refusal { text: text.clone() });
        }
        if text.trim().is_empty() {
            if let Some(answer) = self.in_reasoning(response) {
                return Ok(answer);
            }
            let calls = response.tool_calls.clone();
            return Err(if is_at_limit {
                truncated()
            } else if calls.is_empty() {
                let reasoning_bytes = response.reasoning.text.len();
                AnswerError::Empty { reasoning_bytes }
            } else {
                AnswerError::ToolCalls { calls }
            });
        }
        let usable = |value: &Value| {
            let mut value = value.clone();
            validate::drop_nulls(&self.validator, &self.schema, &mut value);
            self.validator.is_valid(&value)
        };
        let (mut value, mut repairs) = match read_json(text, MAX_BYTES, usable) {
            // White space up to the limit may follow a whole value. Anything less is cut off.
            Ok(read) if !is_at_limit || read.tolerated.is_empty() => (read.value, read.tolerated),
            Ok(_) => return Err(truncated()),
            Err(error) if is_at_limit || error.is_cut_off() => return Err(truncated()),
            Err(JsonError::Empty) => {
                let reasoning_bytes = response.reasoning.text.len();
                return Err(AnswerError::Empty { reasoning_bytes });
            }
            Err(why) => {
                let text = text.clone();
                return Err(AnswerError::NotJson { text, why });
            }
        };
        let dropped = validate::drop_nulls(&self.validator, &self.schema, &mut value).into_iter();
        repairs.extend(dropped.map(|pointer| Tolerated::Null { pointer }));
        let problems = self.problems(&value);
        if !problems.is_empty() {
            return Err(AnswerError::Invalid { problems, value });
        }
        Ok(SchemaAnswer { value, repairs })
    }

    /// The valid value in the reasoning of a response without text. Some servers put the whole answer there.
    fn in_reasoning(&self, response: &LlmResponse) -> Option<SchemaAnswer> {
        let is_whole = response.stop != StopReason::MaxTokens && response.tool_calls.is_empty();
        if response.reasoning.text.trim().is_empty() || !is_whole {
            return None;
        }
        let mut moved = response.clone();
        moved.text = std::mem::take(&mut moved.reasoning.text);
        self.read(&moved).ok()
    }
}

#[cfg(test)]
mod tests;
