//! The tools that a host has, each under a name of its own.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::sync::Arc;

use serde_json::Value;
use zeph_llm::{AnswerSchema, ToolSpec};

use super::Tool;

/// The most tools of a host. Services refuse requests with more.
const MAX_TOOLS: usize = 128;
/// The most characters of a name, as all services accept.
const MAX_NAME: usize = 64;

/// The tools that agents of this host may use, if their definitions and tasks allow it.
///
/// # Examples
/// ```
/// use zeph_planner::{Tools, tool_fn};
/// #[derive(serde::Deserialize, schemars::JsonSchema)]
/// struct Add { a: i64, b: i64 }
///
/// let mut tools = Tools::new();
/// tools.add(tool_fn("add", "Adds two numbers", |_cx, add: Add| async move {
///     Ok((add.a + add.b).to_string())
/// }))?;
/// assert_eq!(tools.names().collect::<Vec<_>>(), ["add"]);
/// # Ok::<(), zeph_planner::ToolFault>(())
/// ```
#[derive(Clone, Default)]
pub struct Tools(BTreeMap<String, Known>);

/// A tool with what is known of it.
#[derive(Clone)]
pub(crate) struct Known {
    pub(crate) tool: Arc<dyn Tool>,
    pub(crate) spec: ToolSpec,
    schema: Arc<AnswerSchema>,
}

/// Why a tool cannot be taken in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ToolFault {
    /// Its name has a form that not all services accept.
    #[error(
        "the tool name {name:?} is not 1 to 64 characters of `a-z`, `A-Z`, `0-9`, `_` and `-`; rename the tool"
    )]
    BadName {
        /// The name.
        name: String,
    },
    /// Another tool has its name.
    #[error("there is a tool {name:?} already; give the second one another name")]
    Duplicate {
        /// The name.
        name: String,
    },
    /// The schema of its arguments is not the schema of an object, or none at all.
    #[error("the arguments of tool {name:?} have no usable schema: {problem}")]
    BadSchema {
        /// The name.
        name: String,
        /// What is wrong.
        problem: String,
    },
    /// There are as many tools as services take.
    #[error("{name:?} would be tool number 129, and services take 128; leave one out")]
    TooMany {
        /// The name of the one that is too many.
        name: String,
    },
}

impl Tools {
    /// No tools.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in a tool.
    ///
    /// # Errors
    /// What is wrong with its name or its schema; the tools are then as before.
    pub fn add(&mut self, tool: impl Tool + 'static) -> Result<(), ToolFault> {
        let spec = tool.spec();
        let name = spec.name.clone();
        if !is_name(&name) {
            return Err(ToolFault::BadName { name });
        }
        let schema = match compile(&spec) {
            Ok(schema) => Arc::new(schema),
            Err(problem) => return Err(ToolFault::BadSchema { name, problem }),
        };
        let count = self.0.len();
        match self.0.entry(name.clone()) {
            Entry::Occupied(_) => Err(ToolFault::Duplicate { name }),
            Entry::Vacant(_) if count >= MAX_TOOLS => Err(ToolFault::TooMany { name }),
            Entry::Vacant(free) => {
                free.insert(Known {
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

    /// Whether there is a tool of that name.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Known> {
        self.0.get(name)
    }
}

impl fmt::Debug for Tools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

impl Known {
    /// What is wrong with arguments, for the model: at most eight problems, each with its place.
    pub(crate) fn misfits(&self, arguments: &Value) -> Vec<String> {
        const TOLD: usize = 8;
        let problems = self.schema.problems(arguments).into_iter().take(TOLD);
        problems.map(|problem| problem.to_string()).collect()
    }
}

/// Whether all services accept it as the name of a tool.
pub(crate) fn is_name(name: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(fits)
}

fn compile(spec: &ToolSpec) -> Result<AnswerSchema, String> {
    let of_object = spec
        .parameters
        .get("type")
        .is_some_and(|kind| kind == "object");
    if !of_object {
        return Err("it does not say `\"type\": \"object\"`".to_owned());
    }
    AnswerSchema::new(&spec.name, spec.parameters.clone()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use zeph_executor::{TaskContext, TaskError};
    use zeph_llm::ToolSpec;

    use super::{ToolFault, Tools};
    use crate::{Tool, ToolOutput};

    struct Fixed(&'static str, serde_json::Value);

    #[zeph_executor::async_trait]
    impl Tool for Fixed {
        fn spec(&self) -> ToolSpec {
            ToolSpec {
                name: self.0.to_owned(),
                description: String::new(),
                parameters: self.1.clone(),
            }
        }

        async fn call(
            &self,
            _: &TaskContext,
            _: serde_json::Value,
        ) -> Result<ToolOutput, TaskError> {
            Ok("done".into())
        }
    }

    #[test]
    fn only_tools_that_services_take_come_in() {
        let mut tools = Tools::new();
        let object = json!({ "type": "object" });
        assert_eq!(tools.add(Fixed("read_file", object.clone())), Ok(()));
        let fault = |tools: &mut Tools, name, schema| {
            let fault = tools.add(Fixed(name, schema)).expect_err("it is faulty");
            std::mem::discriminant(&fault)
        };
        let like = |fault: ToolFault| std::mem::discriminant(&fault);
        let name = String::new;
        assert_eq!(
            fault(&mut tools, "read file", object.clone()),
            like(ToolFault::BadName { name: name() })
        );
        assert_eq!(
            fault(&mut tools, "read_file", object),
            like(ToolFault::Duplicate { name: name() })
        );
        for schema in [json!(true), json!({ "type": "object", "properties": 7 })] {
            let bad = ToolFault::BadSchema {
                name: name(),
                problem: name(),
            };
            assert_eq!(fault(&mut tools, "other", schema), like(bad));
        }
        assert_eq!(tools.names().collect::<Vec<_>>(), ["read_file"]);
    }

    #[test]
    fn arguments_are_held_to_the_schema_with_places() {
        let schema = json!({
            "type": "object",
            "properties": { "path": { "type": "string" }, "lines": { "type": "array", "items": { "type": "integer" } } },
            "required": ["path"],
            "additionalProperties": false,
        });
        let mut tools = Tools::new();
        assert_eq!(tools.add(Fixed("read", schema)), Ok(()));
        let misfits = |arguments| tools.get("read").map(|known| known.misfits(&arguments));
        assert_eq!(misfits(json!({ "path": "a" })), Some(Vec::new()));
        let told = misfits(json!({ "lines": [1, "x\u{1b}[31m"], "pth": "a" })).unwrap_or_default();
        assert_eq!(told.len(), 3);
        assert!(told.iter().any(|one| one.starts_with("at \"/lines/1\": ")));
        assert!(told.iter().all(|one| !one.contains('\u{1b}')));
    }
}
