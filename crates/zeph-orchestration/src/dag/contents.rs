//! Contents: the values and errors of a run, which its journal refers to by number.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use zeph_graph::{
    ContentId, CutWhy, Entry, Fault, OnFailure, Output, Params, Record, TaskGraph, TaskId,
    TaskState, Work,
};

/// Values and texts in memory, append-only.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    kept: Vec<Content>,
    // What a definition gives instead of a result, parsed once.
    given: BTreeMap<TaskId, Arc<Value>>,
    errors: BTreeMap<TaskId, String>,
}

#[derive(Debug)]
enum Content {
    Value(Arc<Value>),
    Text(String),
}

impl Contents {
    /// Keeps a value; `null` is no value.
    pub(crate) fn keep_value(&mut self, value: Value) -> Option<ContentId> {
        match value {
            Value::Null => None,
            Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)
            | Value::Object(_) => self.keep(Content::Value(Arc::new(value))),
        }
    }

    pub(crate) fn keep_text(&mut self, text: String) -> Option<ContentId> {
        self.keep(Content::Text(text))
    }

    fn keep(&mut self, content: Content) -> Option<ContentId> {
        self.kept.push(content);
        u32::try_from(self.kept.len()).ok().and_then(ContentId::new)
    }

    /// Forgets the content that was kept last: nobody refers to it.
    pub(crate) fn forget(&mut self, id: Option<ContentId>) {
        if id.is_some() {
            self.kept.pop();
        }
    }

    /// Takes note of what a saved record means for outputs and errors.
    pub(crate) fn note(&mut self, entry: &Entry, graph: &TaskGraph) {
        if let Record::AttemptFailed {
            task, fault, error, ..
        } = entry.record
        {
            let text = match error.and_then(|id| self.get(id)) {
                Some(Content::Text(text)) => text.clone(),
                Some(Content::Value(_)) | None => fault.to_string(),
            };
            self.errors.insert(task, text);
        }
        if let Record::CancelRequested {
            task,
            why: CutWhy::AttemptTimeout,
            ..
        } = entry.record
            && let Some(limit) = graph.task(task).rules().attempt_timeout
        {
            let text = format!("the attempt took longer than {limit:?}");
            self.errors.insert(task, text);
        }
        if let Record::CancelRequested {
            task,
            why: CutWhy::TaskTimeout,
            ..
        }
        | Record::Failed {
            task,
            why: Fault::TaskTimeout,
        } = entry.record
        {
            self.out_of_time(task, graph);
        }
        if let Record::Completed {
            task,
            output: Output::Definition,
            ..
        } = entry.record
        {
            let value = given(graph, task).map_or(Value::Null, parsed);
            self.given.insert(task, Arc::new(value));
        }
    }

    fn out_of_time(&mut self, task: TaskId, graph: &TaskGraph) {
        let Some(limit) = graph.task(task).rules().task_timeout else {
            return;
        };
        let text = format!("all attempts together took longer than {limit:?}");
        let error = self.errors.entry(task).or_default();
        if error.is_empty() {
            *error = text;
        } else if !error.starts_with(&text) {
            *error = format!("{text}; before that: {error}");
        }
    }

    /// The value that a task in that state has.
    pub(crate) fn output(&self, task: TaskId, state: TaskState) -> Option<&Arc<Value>> {
        let TaskState::Completed { output } = state else {
            return None;
        };
        match output {
            Output::None => None,
            Output::Definition => self.given.get(&task),
            Output::Content(id) => match self.get(id)? {
                Content::Value(value) => Some(value),
                Content::Text(_) => None,
            },
        }
    }

    pub(crate) fn error(&self, task: TaskId) -> Option<&str> {
        self.errors.get(&task).map(String::as_str)
    }

    fn get(&self, id: ContentId) -> Option<&Content> {
        self.kept.get(id.get() as usize - 1)
    }
}

/// What the definition gives instead of a result.
fn given(graph: &TaskGraph, task: TaskId) -> Option<&Params> {
    let task = graph.task(task);
    if let Work::Question(question) = task.work() {
        return question.fallback.as_ref().map(|(_, value)| value);
    }
    if let OnFailure::Value(value) = &task.rules().on_failure {
        return Some(value);
    }
    None
}

/// A text that spells no JSON value, which only code can write, stands for itself.
fn parsed(params: &Params) -> Value {
    params
        .to_value()
        .unwrap_or_else(|_| Value::from(params.json_text()))
}
