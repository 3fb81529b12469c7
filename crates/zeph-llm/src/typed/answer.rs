//! A compiled schema: what is asked with it, and how an answer is read by it.

use std::fmt;

use jsonschema::Validator;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Fallback, Problem, SchemaMode, Typed, TypedError, prompt, validate};
use crate::schema::drop_nulls;
use crate::{
    ErrorKind, JsonError, JsonLimits, LlmError, LlmRequest, LlmResponse, OutputFormat,
    OutputSchema, SchemaProblems, SchemaSupport, StopReason, Tolerated, read_json, read_json_where,
    rewrite, schema_of,
};
use zeph_common::Boundary;

/// A schema of answers, compiled once for any number of calls.
///
/// # Examples
/// ```
/// use serde_json::json;
/// use zeph_llm::{AnswerSchema, Fallback, LlmRequest, LlmResponse, SchemaMode, SchemaSupport};
///
/// let schema = AnswerSchema::new("verdict", json!({
///     "type": "object",
///     "properties": {"ok": {"type": "boolean"}, "why": {"type": "string"}},
///     "required": ["ok"],
/// }))?;
/// let request = LlmRequest::new("Is it?");
/// let (asked, mode) = schema.ask(&request, SchemaSupport::Json, Fallback::Error, "local")?;
/// assert_eq!(mode, SchemaMode::Json);
/// let answer = schema.read(LlmResponse::text(r#"{"ok": true, "why": null}"#), mode)?;
/// assert_eq!(answer.value, json!({"ok": true}));
/// # Ok::<(), zeph_llm::TypedError>(())
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
    /// The schema of a type, named after it.
    ///
    /// # Errors
    /// If the type describes itself by something that is no JSON Schema 2020-12.
    pub fn of<T: JsonSchema + ?Sized>() -> Result<Self, SchemaProblems> {
        Self::new(&T::schema_name(), schema_of::<T>())
    }

    /// A schema that is a value, in the draft 2020-12. What is no letter, digit, `_` or `-` in its name
    /// becomes `_`, and it is cut at 64 characters; an empty one becomes `answer`.
    ///
    /// Formats are annotations, as the draft says; patterns are those of the crate `regex`, without
    /// look-around and back-references.
    ///
    /// # Errors
    /// If it is no schema, or refers to something outside of itself.
    pub fn new(name: &str, schema: Value) -> Result<Self, SchemaProblems> {
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

    /// The schema as it was given.
    #[must_use]
    pub fn schema(&self) -> &Value {
        &self.schema
    }

    /// The request that asks a provider with this support for such an answer, and how.
    ///
    /// # Errors
    /// [`Schema`](TypedError::Schema) if the provider's dialect cannot express it and there is no
    /// fallback; an [`Llm`](TypedError::Llm) error of kind `Unsupported` if the provider must not be
    /// asked for anything but text.
    pub fn ask(
        &self,
        request: &LlmRequest,
        support: SchemaSupport,
        fallback: Fallback,
        provider: &str,
    ) -> Result<(LlmRequest, SchemaMode), TypedError> {
        let mode = match support {
            SchemaSupport::Schema(dialect) => match (rewrite(&self.schema, dialect), fallback) {
                (Ok(schema), _) => {
                    let name = self.name.clone();
                    let output = OutputFormat::Schema(OutputSchema { name, schema });
                    let mode = SchemaMode::Native(dialect);
                    return Ok((request.clone().output(output), mode));
                }
                (Err(problems), Fallback::Error) => return Err(problems.into()),
                (Err(_), Fallback::Prompt) => SchemaMode::Prompt,
            },
            SchemaSupport::Json => SchemaMode::Json,
            SchemaSupport::Prompt => SchemaMode::Prompt,
            SchemaSupport::Never => {
                let message = "answers with text only, not by a schema";
                return Err(LlmError::new(ErrorKind::Unsupported, provider, message).into());
            }
        };
        Ok((self.in_prompt(request, mode), mode))
    }

    pub(super) fn in_prompt(&self, request: &LlmRequest, mode: SchemaMode) -> LlmRequest {
        let output = match mode {
            SchemaMode::Native(_) | SchemaMode::Prompt => OutputFormat::Text,
            SchemaMode::Json => OutputFormat::Json,
        };
        prompt::with_schema(request, &self.schema).output(output)
    }

    /// All that is wrong with a value, up to 50 problems; empty if it fits.
    #[must_use]
    pub fn problems(&self, value: &Value) -> Vec<Problem> {
        validate::problems(&self.validator, value)
    }

    /// Reads the value out of an answer.
    ///
    /// # Errors
    /// All kinds of [`TypedError`] but `Llm` and `Schema`.
    pub fn read(
        &self,
        response: LlmResponse,
        mode: SchemaMode,
    ) -> Result<Typed<Value>, TypedError> {
        let usage = response.usage;
        if response.stop == StopReason::Refusal {
            let text = response.text;
            return Err(TypedError::Refusal { text, usage });
        }
        if response.text.trim().is_empty() {
            return Err(match (response.stop, response.tool_calls) {
                (StopReason::MaxTokens, _) => TypedError::Truncated {
                    text: response.text,
                    usage,
                },
                (_, calls) if calls.is_empty() => TypedError::Empty { usage },
                (_, calls) => TypedError::ToolCalls { calls, usage },
            });
        }
        let usable = |value: &Value| {
            let mut value = value.clone();
            drop_nulls(&self.schema, &mut value);
            self.validator.is_valid(&value)
        };
        let read = if response.stop == StopReason::MaxTokens {
            // A whole value may have been followed by blanks up to the limit. Anything less is cut off.
            match read_json(&response.text) {
                Ok(read) if read.tolerated.is_empty() => Ok(read),
                _ => Err(JsonError::CutOff { at: 0 }),
            }
        } else {
            read_json_where(&response.text, JsonLimits::default(), usable)
        };
        let (mut value, mut repairs) = match read {
            Ok(read) => (read.value, read.tolerated),
            Err(JsonError::CutOff { .. }) => {
                let text = response.text;
                return Err(TypedError::Truncated { text, usage });
            }
            Err(JsonError::Empty) => return Err(TypedError::Empty { usage }),
            Err(why) => {
                let text = response.text;
                return Err(TypedError::NotJson { text, why, usage });
            }
        };
        let dropped = drop_nulls(&self.schema, &mut value);
        repairs.extend(
            dropped
                .into_iter()
                .map(|pointer| Tolerated::Null { pointer }),
        );
        let problems = self.problems(&value);
        if !problems.is_empty() {
            return Err(TypedError::Invalid {
                problems,
                value,
                usage,
            });
        }
        Ok(Typed {
            value,
            response,
            mode,
            repairs,
        })
    }

    /// A value that fits as a value of its type.
    ///
    /// # Errors
    /// [`Invalid`](TypedError::Invalid) if the type asks for more than its schema says.
    pub fn typed<T: DeserializeOwned>(&self, answer: Typed<Value>) -> Result<Typed<T>, TypedError> {
        match serde_path_to_error::deserialize(&answer.value) {
            Ok(value) => Ok(Typed {
                value,
                response: answer.response,
                mode: answer.mode,
                repairs: answer.repairs,
            }),
            Err(error) => Err(TypedError::Invalid {
                problems: vec![Problem::of(&error)],
                usage: answer.response.usage,
                value: answer.value,
            }),
        }
    }
}

impl Problem {
    fn of(error: &serde_path_to_error::Error<serde_json::Error>) -> Self {
        use serde_path_to_error::Segment;
        let mut pointer = String::new();
        for segment in error.path() {
            let name = match segment {
                Segment::Seq { index } => index.to_string(),
                Segment::Map { key } => key.replace('~', "~0").replace('/', "~1"),
                // The variant of an enum is no place in the value.
                Segment::Enum { .. } | Segment::Unknown => continue,
            };
            pointer.push('/');
            pointer.push_str(&name);
        }
        let text = error.inner().to_string();
        let message =
            zeph_common::truncate(&zeph_common::escape_terminal(&text), 276, Boundary::Char)
                .to_string();
        Self { pointer, message }
    }
}
