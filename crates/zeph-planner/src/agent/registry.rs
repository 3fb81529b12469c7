//! The tools of a host, by name, with their compiled schemas.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::sync::Arc;

use serde_json::Value;
use zeph_llm::{AnswerSchema, ToolSpec};
use zeph_subagent::{Tool, is_tool_name};

/// The most tools of a host. Services reject requests with more.
const MAX_TOOLS: usize = 128;

/// The tools that agents of a host may use, if their definitions and tasks allow it.
///
/// # Examples
/// ```
/// use zeph_planner::agent::Tools;
/// use zeph_subagent::tool_fn;
/// #[derive(serde::Deserialize, schemars::JsonSchema)]
/// struct Add { a: i64, b: i64 }
///
/// let mut tools = Tools::new();
/// tools.add(tool_fn("add", "Adds two numbers", |_cx, add: Add| async move {
///     Ok((add.a + add.b).to_string())
/// }))?;
/// assert_eq!(tools.names().collect::<Vec<_>>(), ["add"]);
/// # Ok::<(), zeph_planner::agent::ToolError>(())
/// ```
#[derive(Clone, Default)]
pub struct Tools(BTreeMap<String, RegisteredTool>);

/// A tool with its description for models and its compiled schema.
#[derive(Clone)]
pub(crate) struct RegisteredTool {
    pub(crate) tool: Arc<dyn Tool>,
    pub(crate) spec: ToolSpec,
    schema: Arc<AnswerSchema>,
}

/// The error of adding a tool.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ToolError {
    /// Services do not accept the name.
    #[error(
        "expected a tool name of 1 to 64 characters `a-z`, `A-Z`, `0-9`, `_` and `-`, found {name:?}; rename the tool"
    )]
    BadName {
        /// The name.
        name: String,
    },
    /// Another tool has the same name.
    #[error("there is already a tool {name:?}; rename one of the two")]
    Duplicate {
        /// The name.
        name: String,
    },
    /// The schema of the arguments is invalid, or not that of an object.
    #[error("the arguments of tool {name:?} have no usable schema: {problem}")]
    BadSchema {
        /// The name.
        name: String,
        /// The problem.
        problem: String,
    },
    /// The host has as many tools as services accept.
    #[error("tool {name:?} is number 129, and services accept 128; remove one")]
    TooMany {
        /// The name of the tool above the limit.
        name: String,
    },
}

impl Tools {
    /// No tools.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a tool.
    ///
    /// # Errors
    /// If its name or its schema is unusable; the other tools remain.
    pub fn add(&mut self, tool: impl Tool + 'static) -> Result<(), ToolError> {
        let spec = ToolSpec {
            name: tool.name().to_owned(),
            description: tool.description().to_owned(),
            parameters: plain_schema(tool.parameters()),
        };
        let name = spec.name.clone();
        if !is_tool_name(&name) {
            return Err(ToolError::BadName { name });
        }
        let schema = match compile(&spec) {
            Ok(schema) => Arc::new(schema),
            Err(problem) => return Err(ToolError::BadSchema { name, problem }),
        };
        let count = self.0.len();
        match self.0.entry(name.clone()) {
            Entry::Occupied(_) => Err(ToolError::Duplicate { name }),
            Entry::Vacant(_) if count >= MAX_TOOLS => Err(ToolError::TooMany { name }),
            Entry::Vacant(free) => {
                free.insert(RegisteredTool {
                    tool: Arc::new(tool),
                    spec,
                    schema,
                });
                Ok(())
            }
        }
    }

    /// The names, in order.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        self.0.keys().map(String::as_str)
    }

    /// The names of the tools that only approved tasks may call, in order.
    pub fn needing_approval(&self) -> impl Iterator<Item = &str> {
        let needing = self
            .0
            .iter()
            .filter(|(_, known)| known.tool.needs_approval());
        needing.map(|(name, _)| name.as_str())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&RegisteredTool> {
        self.0.get(name)
    }

    /// The same tools to a model, with other implementations.
    pub(crate) fn replace<T: Tool + 'static>(&self, tool: impl Fn(&RegisteredTool) -> T) -> Self {
        let replaced = self.0.iter().map(|(name, known)| {
            let tool: Arc<dyn Tool> = Arc::new(tool(known));
            (
                name.clone(),
                RegisteredTool {
                    tool,
                    ..known.clone()
                },
            )
        });
        Self(replaced.collect())
    }
}

impl fmt::Debug for Tools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

impl RegisteredTool {
    /// The problems of arguments, for the model: at most eight, each with its place.
    pub(crate) fn problems(&self, arguments: &Value) -> Vec<String> {
        const MAX_PROBLEMS: usize = 8;
        let problems = self.schema.problems(arguments).into_iter();
        let problems = problems.take(MAX_PROBLEMS);
        problems.map(|problem| problem.to_string()).collect()
    }
}

/// A schema without what generators add and no model needs: `$schema`, `title`, and the formats of numbers of
/// programming languages. Not recursive, since a foreign tool may nest its schema deeply.
fn plain_schema(mut schema: Value) -> Value {
    const NUMBERS: [&str; 12] = [
        "int8", "int16", "int32", "int64", "int", "uint8", "uint16", "uint32", "uint64", "uint",
        "float", "double",
    ];
    // The values of these keys are objects whose keys are names.
    const NAMES: [&str; 4] = ["properties", "patternProperties", "$defs", "definitions"];
    // The values of these keys are data.
    const DATA: [&str; 4] = ["default", "const", "enum", "examples"];
    let mut open = vec![(&mut schema, false)];
    while let Some((value, has_names)) = open.pop() {
        match value {
            Value::Object(fields) => {
                if !has_names {
                    fields.remove("$schema");
                    fields.remove("title");
                    let format = fields.get("format").and_then(Value::as_str);
                    if format.is_some_and(|format| NUMBERS.contains(&format)) {
                        fields.remove("format");
                    }
                }
                for (key, value) in fields {
                    if has_names || !DATA.contains(&key.as_str()) {
                        open.push((value, !has_names && NAMES.contains(&key.as_str())));
                    }
                }
            }
            Value::Array(items) => open.extend(items.iter_mut().map(|item| (item, false))),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    schema
}

fn compile(spec: &ToolSpec) -> Result<AnswerSchema, String> {
    let kind = spec.parameters.get("type");
    if kind.is_none_or(|kind| kind != "object") {
        return Err("expected `\"type\": \"object\"` at its root".to_owned());
    }
    AnswerSchema::new(&spec.name, spec.parameters.clone()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use zeph_executor::{TaskContext, TaskError};
    use zeph_subagent::{Tool, ToolOutput};

    use super::{ToolError, Tools};

    struct Fixed(&'static str, Value);

    #[zeph_executor::async_trait]
    impl Tool for Fixed {
        fn name(&self) -> &str {
            self.0
        }

        fn description(&self) -> &str {
            ""
        }

        fn parameters(&self) -> Value {
            self.1.clone()
        }

        async fn call(&self, _: &TaskContext, _: Value) -> Result<ToolOutput, TaskError> {
            Ok("done".into())
        }
    }

    #[test]
    fn only_tools_that_services_accept_are_added() {
        let mut tools = Tools::new();
        let object = json!({ "type": "object" });
        assert_eq!(tools.add(Fixed("read_file", object.clone())), Ok(()));
        let error = |tools: &mut Tools, name, schema| {
            let error = tools
                .add(Fixed(name, schema))
                .expect_err("it is not usable");
            std::mem::discriminant(&error)
        };
        let like = |error: ToolError| std::mem::discriminant(&error);
        let name = String::new;
        assert_eq!(
            error(&mut tools, "read file", object.clone()),
            like(ToolError::BadName { name: name() })
        );
        assert_eq!(
            error(&mut tools, "read_file", object),
            like(ToolError::Duplicate { name: name() })
        );
        for schema in [json!(true), json!({ "type": "object", "properties": 7 })] {
            let bad = ToolError::BadSchema {
                name: name(),
                problem: name(),
            };
            assert_eq!(error(&mut tools, "other", schema), like(bad));
        }
        assert_eq!(tools.names().collect::<Vec<_>>(), ["read_file"]);
    }

    #[test]
    fn a_model_sees_a_schema_without_noise() {
        let schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "Read",
            "type": "object",
            "properties": {
                "title": { "type": "string", "title": "Title", "format": "date" },
                "lines": { "type": ["integer", "null"], "format": "uint32", "minimum": 0 },
                "any": { "anyOf": [{ "title": "A", "const": { "title": "kept" } }] },
            },
            "required": ["title"],
        });
        let wanted = json!({
            "type": "object",
            "properties": {
                "title": { "type": "string", "format": "date" },
                "lines": { "type": ["integer", "null"], "minimum": 0 },
                "any": { "anyOf": [{ "const": { "title": "kept" } }] },
            },
            "required": ["title"],
        });
        let mut tools = Tools::new();
        assert_eq!(tools.add(Fixed("read", schema)), Ok(()));
        let shown = tools.get("read").map(|known| &known.spec.parameters);
        assert_eq!(shown, Some(&wanted));
    }

    #[test]
    fn problems_of_arguments_have_places() {
        let schema = json!({
            "type": "object",
            "properties": { "path": { "type": "string" }, "lines": { "type": "array", "items": { "type": "integer" } } },
            "required": ["path"],
            "additionalProperties": false,
        });
        let mut tools = Tools::new();
        assert_eq!(tools.add(Fixed("read", schema)), Ok(()));
        let problems = |arguments| tools.get("read").map(|known| known.problems(&arguments));
        assert_eq!(problems(json!({ "path": "a" })), Some(Vec::new()));
        let found = problems(json!({ "lines": [1, "x\u{1b}[31m"], "pth": "a" }));
        let found = found.unwrap_or_default();
        assert_eq!(found.len(), 3);
        assert!(found.iter().any(|one| one.starts_with("at \"/lines/1\": ")));
        assert!(found.iter().all(|one| !one.contains('\u{1b}')));
    }
}
