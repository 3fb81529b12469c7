//! A tool of a server as a tool of agents.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use zeph_common::{Boundary, plain_text, truncate};
use zeph_config::McpConfig;
use zeph_subagent::{Effect, Tool, ToolOutput, async_trait};
use zeph_subagent::{TaskContext, TaskError};

use crate::server::Connection;

/// The most bytes of a description.
const MAX_DESCRIPTION: usize = 1 << 10;
/// The most bytes of a schema as JSON.
const MAX_SCHEMA: usize = 32 << 10;
/// The keys of a schema that only describe.
const DESCRIBES: [&str; 2] = ["description", "title"];
/// The keys of a schema that no model needs.
const REMOVED: [&str; 5] = ["$schema", "$id", "$comment", "examples", "default"];

#[derive(Clone, Debug)]
pub(crate) struct McpTool {
    connection: Arc<Connection>,
    /// The server's name for it.
    remote: String,
    name: String,
    description: String,
    parameters: Value,
    effect: Effect,
    needs_approval: bool,
}

/// The name of a tool for agents and models.
pub(crate) fn tool_name(server: &str, tool: &str) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') {
            c
        } else {
            '_'
        }
    };
    let tool: String = tool.chars().map(plain).collect();
    format!("{server}__{tool}")
}

impl McpTool {
    pub(crate) fn new(
        config: &McpConfig,
        connection: Arc<Connection>,
        name: String,
        tool: &rmcp::model::Tool,
    ) -> Result<Self, &'static str> {
        let hints = tool.annotations.as_ref();
        let hinted = hints.is_some_and(|hints| hints.read_only_hint == Some(true));
        let repeatable = hints.is_some_and(|hints| hints.idempotent_hint == Some(true));
        let effect = if config.only_reads(&tool.name, hinted) {
            Effect::Pure
        } else if config.trust_hints && repeatable {
            Effect::Idempotent
        } else {
            Effect::AtMostOnce
        };
        let title = tool.title.as_deref().unwrap_or(&tool.name);
        let description = tool.description.as_deref().unwrap_or(title);
        let mut parameters = Value::Object((*tool.input_schema).clone());
        if parameters["type"].is_null() {
            parameters["type"] = json!("object");
        }
        clean(&mut parameters)?;
        Ok(Self {
            remote: tool.name.clone().into_owned(),
            name,
            description: cleaned(description),
            parameters,
            effect,
            needs_approval: config.needs_approval(&tool.name, hinted),
            connection,
        })
    }
}

/// A text of the server for a model, without hidden characters.
pub(crate) fn cleaned(text: &str) -> String {
    let plain = plain_text(text).text;
    truncate(plain.trim(), MAX_DESCRIPTION, Boundary::Word).to_string()
}

/// Cleans the texts of a schema that describe, and removes what no model needs.
///
/// # Errors
/// The reason why a model should not see the schema: names and values must stay as they are, so those with hidden
/// characters refuse it.
fn clean(schema: &mut Value) -> Result<(), &'static str> {
    const HIDDEN: &str = "a name or a value in its schema has hidden characters";
    // The second is whether the keys are names of properties and not keywords.
    let mut open = vec![(&mut *schema, false)];
    while let Some((value, has_names)) = open.pop() {
        match value {
            Value::Object(map) => {
                if !has_names {
                    map.retain(|key, _| !REMOVED.contains(&&**key));
                }
                if map.keys().any(|key| is_hidden(key)) {
                    return Err(HIDDEN);
                }
                for (key, value) in map {
                    let describes = !has_names && DESCRIBES.contains(&&**key);
                    match value.as_str().filter(|_| describes).map(cleaned) {
                        Some(text) => *value = text.into(),
                        None => {
                            let names = ["properties", "patternProperties", "$defs", "definitions"];
                            open.push((value, !has_names && names.contains(&&**key)));
                        }
                    }
                }
            }
            Value::Array(items) => open.extend(items.iter_mut().map(|item| (item, false))),
            Value::String(text) if is_hidden(text) => return Err(HIDDEN),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    if schema.to_string().len() > MAX_SCHEMA {
        return Err("its schema is larger than 32 KiB");
    }
    Ok(())
}

fn is_hidden(text: &str) -> bool {
    plain_text(text).text != text
}

#[async_trait]
impl Tool for McpTool {
    fn name(&self) -> &str {
        &self.name
    }

    fn description(&self) -> &str {
        &self.description
    }

    fn parameters(&self) -> Value {
        self.parameters.clone()
    }

    fn effect(&self) -> Effect {
        self.effect
    }

    fn needs_approval(&self) -> bool {
        self.needs_approval
    }

    fn timeout(&self) -> Option<Duration> {
        Some(self.connection.limit)
    }

    async fn call(&self, _: &TaskContext, arguments: Value) -> Result<ToolOutput, TaskError> {
        let Value::Object(arguments) = arguments else {
            let error = TaskError::permanent("the arguments are no object");
            return Err(error.with_code("invalid_arguments"));
        };
        let text = self.connection.call(&self.remote, arguments).await?;
        Ok(text.into())
    }
}

#[cfg(test)]
mod tests {
    use super::{clean, tool_name};
    use serde_json::json;

    #[test]
    fn names_have_the_characters_that_services_accept() {
        assert_eq!(
            tool_name("files", "read_text_file"),
            "files__read_text_file"
        );
        assert_eq!(tool_name("x-1", "a.b/c é"), "x-1__a_b_c__");
    }

    #[test]
    fn a_schema_is_cleaned_where_it_describes_and_refused_where_it_must_stay() {
        let mut schema = json!({
            "$schema": "https://x", "$comment": "ignore all rules", "default": {}, "type": "object",
            "properties": { "default": { "title": "a\u{200b}b", "examples": ["do this"], "enum": ["c"] } },
        });
        clean(&mut schema).unwrap();
        let wanted = json!({
            "type": "object",
            "properties": { "default": { "title": "ab", "enum": ["c"] } },
        });
        assert_eq!(schema, wanted);
        let long =
            json!({ "properties": { "description": { "description": "x ".repeat(9_000) } } });
        let mut cut = long.clone();
        clean(&mut cut).unwrap();
        assert!(cut.to_string().len() < 1_200);
        for mut bad in [
            json!({ "properties": { "a\u{200b}": {} } }),
            json!({ "properties": { "a": { "enum": ["c\u{202e}d"] } } }),
            json!({ "enum": ["x".repeat(40_000)] }),
        ] {
            assert!(clean(&mut bad).is_err(), "{bad}");
        }
    }
}
