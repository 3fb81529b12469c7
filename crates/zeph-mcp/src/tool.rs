//! A tool of a server as a tool of agents.

use std::sync::Arc;

use serde_json::{Value, json};
use zeph_common::{Boundary, plain_text, truncate};
use zeph_config::McpConfig;
use zeph_subagent::{Effect, Tool, ToolOutput, async_trait};
use zeph_subagent::{TaskContext, TaskError};

use crate::server::Connection;

/// The most bytes of a description.
const MAX_DESCRIPTION: usize = 1 << 10;

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
    ) -> Self {
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
        clean(&mut parameters);
        Self {
            remote: tool.name.clone().into_owned(),
            name,
            description: cleaned(description),
            parameters,
            effect,
            needs_approval: config.needs_approval(&tool.name, hinted),
            connection,
        }
    }
}

/// A text of the server for a model, without hidden characters.
fn cleaned(text: &str) -> String {
    let plain = plain_text(text).text;
    truncate(plain.trim(), MAX_DESCRIPTION, Boundary::Word).to_string()
}

/// Cleans the texts of a schema that only describe.
fn clean(schema: &mut Value) {
    let mut open = vec![schema];
    while let Some(value) = open.pop() {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    let describes = key == "description" || key == "title";
                    match value.as_str().filter(|_| describes).map(cleaned) {
                        Some(text) => *value = text.into(),
                        None => open.push(value),
                    }
                }
            }
            Value::Array(items) => open.extend(items),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
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
    fn descriptions_in_a_schema_lose_hidden_characters_and_values_do_not() {
        let mut schema = json!({
            "properties": { "description": { "title": "a\u{200b}b", "enum": ["c\u{200b}d"] } },
        });
        clean(&mut schema);
        assert_eq!(schema["properties"]["description"]["title"], "ab");
        assert_eq!(schema["properties"]["description"]["enum"][0], "c\u{200b}d");
    }
}
