//! Schemas of answers: from a Rust type or a value, rewritten for a service, held to its limits before the call.
//!
//! [`rewrite`] turns a JSON Schema into the part of it that a [`Dialect`] accepts. The result asks for
//! nothing that the original forbids in *structure*: a value that it describes, with the nulls taken out
//! that stand for absence, fits the original, bounds apart. Bounds that the service does not know
//! (`minimum`, `pattern`, …) are told in the description instead; the answer is validated against the
//! original, whatever the service promises, so they hold nevertheless.
//!
//! # The dialects
//!
//! | | OpenAI strict | Anthropic | Gemini | Grammar |
//! |---|---|---|---|---|
//! | references | kept | kept | inlined | inlined |
//! | recursion | yes | no | no | no |
//! | optional properties | required and nullable | at most 24 | yes | yes |
//! | unions | yes, not at the root | at most 16 | yes | yes |
//! | maps, free objects, any value | no | no | no | yes |
//! | tuples | no | no | no | yes |
//! | bounds | numbers, items, `pattern`, known formats | known formats | numbers, items | integers, items, lengths |
//! | sizes | 10 levels of objects, 5000 properties, 1000 enum values, 120,000 characters of names | | | |
//!
//! Sources, as of early 2026: the vendors' pages on structured outputs
//! (`developers.openai.com/api/docs/guides/structured-outputs`, section *Supported schemas*;
//! `platform.claude.com/docs/en/build-with-claude/structured-outputs`, *JSON Schema limitations*;
//! `ai.google.dev/gemini-api/docs/structured-output`, and the field `responseJsonSchema` of the
//! generation config), and `grammars/README.md` of llama.cpp. For Gemini this takes the part that both
//! its schema fields accept. How OpenAI counts levels is not said; counted here are objects within
//! objects, the root being the first.

mod absent;
mod measure;
mod merge;
mod object;
mod problem;
mod refs;
mod rewrite;
mod rules;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::Dialect;

pub use problem::{SchemaProblem, SchemaProblemKind, SchemaProblems};

pub(crate) use absent::drop_nulls;

/// The JSON Schema (2020-12) of a type, as it reads JSON. Properties stand in the order of the fields.
///
/// # Examples
/// ```
/// #[derive(schemars::JsonSchema, serde::Deserialize)]
/// struct Answer { reasoning: String, score: Option<u8> }
///
/// let schema = zeph_llm::schema_of::<Answer>();
/// assert_eq!(schema["required"], serde_json::json!(["reasoning"]));
/// ```
#[must_use]
pub fn schema_of<T: JsonSchema + ?Sized>() -> Value {
    let settings = SchemaSettings::draft2020_12().for_deserialize();
    settings
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value()
}

/// The schema in the part of JSON Schema that a family of services accepts.
///
/// What is in the dialect already comes out as it went in. The work is linear in the schema that
/// comes out, which has at most 20,000 nodes.
///
/// # Errors
/// All that the dialect cannot express, and all limits that are exceeded, at once.
///
/// # Examples
/// ```
/// use serde_json::json;
/// use zeph_llm::{Dialect, SchemaProblemKind, rewrite};
///
/// let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}});
/// let strict = rewrite(&schema, Dialect::OpenAiStrict)?;
/// assert_eq!(strict, json!({
///     "type": "object",
///     "properties": {"n": {"type": ["integer", "null"]}},
///     "required": ["n"],
///     "additionalProperties": false,
/// }));
///
/// let agents: Vec<String> = (0..1_200).map(|n| format!("agent-{n}")).collect();
/// let schema = json!({
///     "type": "object",
///     "properties": {"agent": {"enum": agents}},
///     "required": ["agent"],
/// });
/// let problems = rewrite(&schema, Dialect::OpenAiStrict).unwrap_err();
/// let long = &problems.0[0];
/// assert_eq!(long.kind, SchemaProblemKind::EnumTooLong);
/// assert_eq!(long.pointer, "/properties/agent");
/// assert_eq!((long.limit, long.found), (Some(1_000), Some(1_200)));
/// # Ok::<(), zeph_llm::SchemaProblems>(())
/// ```
pub fn rewrite(schema: &Value, dialect: Dialect) -> Result<Value, SchemaProblems> {
    let rules = rules::of(dialect);
    let (rewritten, mut problems) = rewrite::run(schema, rules);
    measure::limits(&rewritten, rules, &mut problems);
    if problems.is_empty() {
        Ok(rewritten)
    } else {
        Err(SchemaProblems(problems))
    }
}

#[cfg(test)]
mod tests;
