//! The plan document: what a model fills in, and its JSON Schema for a host.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Argument, PlanOnFailure, PlanRequest, PlanTrigger};

/// A plan as a model writes it: flat, every field there, null where it does not apply.
///
/// `reasoning` stands before `tasks`, also in the schema: a model thinks first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanDocument {
    /// How the goal falls into parts, in two or three sentences.
    pub reasoning: String,
    /// The tasks, each behind those that it needs.
    pub tasks: Vec<TaskDocument>,
}

/// A task as a model writes it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TaskDocument {
    /// Short and unique.
    pub name: String,
    /// Names of tasks further up that must be done first.
    pub needs: Vec<String>,
    /// Who does it.
    pub kind: TaskKind,
    /// What to do, or what to ask.
    pub prompt: Option<String>,
    /// The agent, or null to let the host choose.
    pub agent: Option<String>,
    /// The tools that the agent needs, or null for all of its own.
    pub tools: Option<Vec<String>>,
    /// The command to run.
    pub command: Option<String>,
    /// The arguments of the command.
    pub arguments: Option<Vec<ArgumentDocument>>,
    /// When to start.
    pub trigger: Option<PlanTrigger>,
    /// What a failure means.
    pub on_failure: Option<PlanOnFailure>,
    /// How many tokens the answer may have.
    pub expected_tokens: Option<u32>,
}

/// An argument of a command as a model writes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ArgumentDocument {
    /// The argument.
    pub name: String,
    /// Its value, a fixed text.
    pub value: String,
}

/// The kinds of tasks that a plan may have.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum TaskKind {
    /// An agent works on a prompt.
    #[default]
    Agent,
    /// A command of the host runs.
    Command,
    /// A person is asked.
    Question,
}

impl TaskKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Agent, Self::Command, Self::Question];

    /// The word in the document.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Command => "command",
            Self::Question => "question",
        }
    }

    /// Whether the host lets a plan have such tasks.
    pub(super) fn is_allowed(self, request: &PlanRequest) -> bool {
        match self {
            Self::Agent => !request.catalog.is_empty() || request.rights.routed,
            Self::Command => !request.commands.is_empty(),
            Self::Question => request.rights.questions,
        }
    }
}

/// The fields of a task, whether or not a host has a use for them.
pub(super) const TASK_FIELDS: [&str; 11] = [
    "name",
    "needs",
    "kind",
    "prompt",
    "agent",
    "tools",
    "command",
    "arguments",
    "trigger",
    "on_failure",
    "expected_tokens",
];

/// The JSON Schema of the plans that a host accepts: names of agents, tools and commands as enums,
/// fields that nothing could stand in left out, every other one required.
///
/// Before it goes to a provider it is written in the provider's dialect, which may find that an enum
/// is too long.
///
/// # Examples
/// ```
/// use zeph_planner::{PlanRequest, plan_schema};
/// use zeph_subagent::{AgentCatalog, SubAgentDef};
/// let mut catalog = AgentCatalog::new();
/// catalog.add(SubAgentDef::new("analyst", "Groups things", "You group."))?;
/// let schema = plan_schema(&PlanRequest::new("Weekly report", catalog));
/// let task = &schema["properties"]["tasks"]["items"];
/// assert_eq!(task["properties"]["agent"]["enum"], serde_json::json!(["analyst", null]));
/// assert!(task["properties"].get("command").is_none());
/// # Ok::<(), zeph_subagent::Diagnostics>(())
/// ```
#[must_use]
pub fn plan_schema(request: &PlanRequest) -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema: Value = settings
        .into_generator()
        .into_root_schema_for::<PlanDocument>()
        .into();
    if let Some(root) = schema.as_object_mut() {
        // What it says is in the prompt.
        root.remove("title");
        root.remove("description");
        if let Some(tasks) = property(root, "tasks") {
            tasks.insert("minItems".to_owned(), json!(1));
            tasks.insert("maxItems".to_owned(), json!(request.limits.max_tasks));
            if let Some(Value::Object(task)) = tasks.get_mut("items") {
                fill_task(task, request);
                require_all(task);
            }
        }
        require_all(root);
    }
    schema
}

fn property<'a>(
    schema: &'a mut Map<String, Value>,
    name: &str,
) -> Option<&'a mut Map<String, Value>> {
    schema.get_mut("properties")?.get_mut(name)?.as_object_mut()
}

fn fill_task(task: &mut Map<String, Value>, request: &PlanRequest) {
    let kinds = TaskKind::ALL
        .into_iter()
        .filter(|kind| kind.is_allowed(request));
    let kinds: Vec<&str> = kinds.map(TaskKind::word).collect();
    set(task, "kind", &json!({ "type": "string", "enum": kinds }));
    let agents: Vec<&str> = request.catalog.names().collect();
    set_names(task, "agent", &agents);
    let tools: Vec<&str> = request.rights.tools.iter().map(String::as_str).collect();
    if tools.is_empty() || agents.is_empty() {
        remove(task, "tools");
    } else if let Some(list) = property(task, "tools") {
        list.insert(
            "items".to_owned(),
            json!({ "type": "string", "enum": tools }),
        );
    }
    let commands: Vec<&str> = request.commands.names().collect();
    set_names(task, "command", &commands);
    let mut places: Vec<&str> = request
        .commands
        .iter()
        .flat_map(|command| command.arguments().map(Argument::name))
        .collect();
    places.sort_unstable();
    places.dedup();
    if places.is_empty() {
        remove(task, "arguments");
    } else if let Some(list) = property(task, "arguments")
        && let Some(Value::Object(item)) = list.get_mut("items")
    {
        set(item, "name", &json!({ "type": "string", "enum": places }));
        require_all(item);
    }
    set(task, "trigger", &words(&["all_success", "all_done"]));
    set(task, "on_failure", &words(&["abort", "skip", "ask"]));
    set(
        task,
        "expected_tokens",
        &json!({ "type": ["integer", "null"], "minimum": 0 }),
    );
}

/// A field that is one of some words, or null.
fn words(words: &[&str]) -> Value {
    let mut all: Vec<Value> = words.iter().copied().map(Value::from).collect();
    all.push(Value::Null);
    json!({ "type": ["string", "null"], "enum": all })
}

/// A field that names something of the host. Null stays possible, for only one kind of task has it.
fn set_names(task: &mut Map<String, Value>, field: &str, names: &[&str]) {
    if names.is_empty() {
        remove(task, field);
    } else {
        set(task, field, &words(names));
    }
}

/// Replaces what a property may be; its description stays.
fn set(schema: &mut Map<String, Value>, name: &str, to: &Value) {
    if let (Some(property), Value::Object(to)) = (property(schema, name), to) {
        property.retain(|key, _| key == "description");
        property.extend(to.clone());
    }
}

fn remove(schema: &mut Map<String, Value>, name: &str) {
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        properties.remove(name);
    }
}

fn require_all(schema: &mut Map<String, Value>) {
    if let Some(Value::Object(properties)) = schema.get("properties") {
        let names: Vec<Value> = properties.keys().map(|name| name.as_str().into()).collect();
        schema.insert("required".to_owned(), names.into());
        schema.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
}
