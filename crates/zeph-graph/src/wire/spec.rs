//! `GraphSpec`: a graph as it is stored, sent and written, before validation.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::forms::{is_default, present};
use super::{LaneUseSpec, OnFailureSpec, WorkSpec};
use crate::{Approval, Budget, Effect, Foreach, Retry, Trigger};

/// The version of the wire format that this crate writes, and the only one it reads.
pub const VERSION: u32 = 1;

/// A graph by names, as it comes from a file, a model or a store. It is not validated.
///
/// Tasks may be listed in any order. `TaskGraph::try_from` validates it; `GraphSpec::from` exports a graph.
/// A field with its default value is not written; an unknown field is an error.
///
/// # Examples
/// ```
/// use zeph_graph::{TaskGraph, wire::GraphSpec};
/// let spec = GraphSpec::from_json(r#"{"version":1,"tasks":[
///     {"name":"save","needs":["fetch"]},
///     {"name":"fetch","work":{"kind":"action","name":"http_get"}}
/// ]}"#)?;
/// let graph = TaskGraph::try_from(spec)?;
/// assert_eq!(graph.parents(graph.find("save").expect("it is there")).len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GraphSpec {
    /// The version of the format.
    pub version: u32,
    /// Free text about the graph.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// The lanes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lanes: Vec<LaneSpec>,
    /// The tasks, in any order.
    #[serde(default)]
    pub tasks: Vec<TaskSpec>,
    /// Of a patch: the names of the tasks of the graph that it takes out. Tasks of the patch may have these names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removes: Vec<String>,
}

/// A named limit that tasks share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaneSpec {
    /// The name.
    pub name: String,
    /// The capacity in units.
    pub capacity: u32,
    /// Whether it counts the attempts of all runs of the store.
    #[serde(default, skip_serializing_if = "is_default")]
    pub shared: bool,
}

/// A task by names. Times are in microseconds; an absent one is no limit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskSpec {
    /// The name, unique in the graph.
    pub name: String,
    /// The names of the tasks that it depends on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<String>,
    /// Its work.
    #[serde(default, skip_serializing_if = "is_default")]
    pub work: WorkSpec,
    /// When it may start, depending on its parents.
    #[serde(default, skip_serializing_if = "is_default")]
    pub trigger: Trigger,
    /// Whether it starts when every other task has ended, whatever the reason.
    #[serde(default, skip_serializing_if = "is_default")]
    pub finally: bool,
    /// Whether it runs once for each item of a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub foreach: Option<Foreach>,
    /// Parameters of its preparation: once its trigger has fired, the driver is asked whether it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(deserialize_with = "present")]
    pub prepare: Option<Value>,
    /// How often and how soon a failed attempt is repeated.
    #[serde(default, skip_serializing_if = "is_default")]
    pub retry: Retry,
    /// The failure strategy.
    #[serde(default, skip_serializing_if = "is_default")]
    pub on_failure: OnFailureSpec,
    /// The longest that one attempt may run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt_timeout_us: Option<u64>,
    /// The longest that an attempt may run without output, heartbeat or progress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_timeout_us: Option<u64>,
    /// The longest that all attempts and back-offs together may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_timeout_us: Option<u64>,
    /// The effect class.
    #[serde(default, skip_serializing_if = "is_default")]
    pub effect: Effect,
    /// The lanes that an attempt occupies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lanes: Vec<LaneUseSpec>,
    /// Higher starts first.
    #[serde(default, skip_serializing_if = "is_default")]
    pub priority: i32,
    /// An approval before the first attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approve: Option<Approval>,
    /// How long an attempt is expected to take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint_us: Option<u64>,
    /// The most that all attempts together may cost.
    #[serde(default, skip_serializing_if = "is_default")]
    pub budget: Budget,
    /// Free text for people and tools.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// The byte range of the task in its source. Only diagnostics use it.
    #[serde(skip)]
    pub span: Option<Range<usize>>,
    /// The byte range of each of `needs`; may be shorter than `needs`.
    #[serde(skip)]
    pub needs_spans: Vec<Range<usize>>,
}

/// A text that is not a graph.
#[derive(Debug, thiserror::Error)]
pub enum BadSpec {
    /// It has another version.
    #[error("the graph has version {found}; this program reads version {VERSION} only")]
    Version {
        /// Its version.
        found: u64,
    },
    /// It is not JSON, or not of this shape.
    #[error("the text is not a graph: {cause}")]
    Json {
        /// The error of the JSON reader, with line and column.
        #[source]
        cause: serde_json::Error,
    },
}

impl Default for GraphSpec {
    fn default() -> Self {
        Self {
            version: VERSION,
            metadata: BTreeMap::new(),
            lanes: Vec::new(),
            tasks: Vec::new(),
            removes: Vec::new(),
        }
    }
}

impl GraphSpec {
    /// Reads the JSON form.
    ///
    /// # Errors
    /// If the text is not JSON, has an unknown field or a wrong type, or is of another version.
    pub fn from_json(text: &str) -> Result<Self, BadSpec> {
        match serde_json::from_str(text) {
            Ok(spec) => Ok(spec),
            Err(cause) => Err(match other_version(text) {
                Some(found) => BadSpec::Version { found },
                None => BadSpec::Json { cause },
            }),
        }
    }

    /// Writes the JSON form, on one line.
    #[must_use]
    pub fn to_json(&self) -> String {
        to_json(self)
    }
}

/// The version of a text, if it is one that this crate cannot read.
///
/// Used only for texts that cannot be read, to distinguish a newer format from a damaged text.
pub(crate) fn other_version(text: &str) -> Option<u64> {
    #[derive(Deserialize)]
    struct Probe {
        version: u64,
    }
    let probe: Probe = serde_json::from_str(text).ok()?;
    (probe.version != u64::from(VERSION)).then_some(probe.version)
}

/// The JSON text of a wire type.
pub(crate) fn to_json<T: Serialize>(value: &T) -> String {
    match serde_json::to_string(value) {
        Ok(text) => text,
        // Wire types are maps with text keys, which always have a JSON form.
        Err(error) => unreachable!("a wire type has no JSON form: {error}"),
    }
}
