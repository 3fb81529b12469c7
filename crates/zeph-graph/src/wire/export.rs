//! Export: from a `TaskGraph` to a `GraphSpec`.

use std::time::Duration;

use serde_json::Value;

use super::forms::to_micros;
use super::{
    AskDefault, GraphSpec, LaneSpec, LaneUseSpec, OnFailureSpec, QuestionDefault, QuestionSpec,
    TaskSpec, VERSION, WorkSpec,
};
use crate::{Approval, OnFailure, Params, Question, Retry, Rules, TaskGraph, TaskId, Work};

impl From<&TaskGraph> for GraphSpec {
    /// The tasks are listed in the order of their ids, so reading the result back keeps the ids.
    ///
    /// Times are rounded up to a microsecond. Parameters that are not valid JSON become a JSON text.
    fn from(graph: &TaskGraph) -> Self {
        Self {
            version: VERSION,
            metadata: graph.metadata().clone(),
            lanes: graph
                .lanes()
                .iter()
                .map(|lane| LaneSpec {
                    name: lane.name.to_string(),
                    capacity: lane.capacity,
                    shared: lane.shared,
                })
                .collect(),
            tasks: graph.ids().map(|id| TaskSpec::of(graph, id)).collect(),
            removes: Vec::new(),
        }
    }
}

impl TaskSpec {
    /// A task of a graph.
    ///
    /// # Panics
    /// If the id is not one of the graph.
    #[must_use]
    pub fn of(graph: &TaskGraph, id: TaskId) -> Self {
        task_spec(graph, id)
    }
}

fn task_spec(graph: &TaskGraph, id: TaskId) -> TaskSpec {
    let task = graph.task(id);
    // Exhaustive, so that a new rule cannot be forgotten here.
    let Rules {
        trigger,
        finally,
        foreach,
        prepare,
        retry,
        on_failure,
        attempt_timeout,
        idle_timeout,
        task_timeout,
        effect,
        lanes,
        priority,
        approve,
        hint,
        budget,
        metadata,
    } = task.rules();
    let name_of = |id: &TaskId| graph.task(*id).name().to_owned();
    TaskSpec {
        name: task.name().to_owned(),
        needs: graph.parents(id).iter().map(name_of).collect(),
        work: work_spec(task.work()),
        trigger: *trigger,
        finally: *finally,
        foreach: *foreach,
        prepare: prepare.as_ref().map(value),
        retry: Retry {
            base: rounded(retry.base),
            cap: rounded(retry.cap),
            ..*retry
        },
        on_failure: on_failure_spec(graph, on_failure),
        attempt_timeout_us: attempt_timeout.map(to_micros),
        idle_timeout_us: idle_timeout.map(to_micros),
        task_timeout_us: task_timeout.map(to_micros),
        effect: *effect,
        lanes: lanes
            .iter()
            .map(|used| LaneUseSpec {
                lane: graph.lanes()[used.lane.index()].name.to_string(),
                weight: used.weight,
            })
            .collect(),
        priority: *priority,
        approve: approve.as_ref().map(approval),
        hint_us: hint.map(to_micros),
        budget: *budget,
        metadata: metadata.clone(),
        span: None,
        needs_spans: Vec::new(),
    }
}

fn work_spec(work: &Work) -> WorkSpec {
    match work {
        Work::Milestone => WorkSpec::Milestone {},
        Work::Action { name, params } => WorkSpec::Action {
            name: name.to_string(),
            params: value(params),
        },
        Work::Question(question) => WorkSpec::Question(Box::new(question_spec(question))),
    }
}

/// The approval with its wait as it is stored.
fn approval(approve: &Approval) -> Approval {
    let fallback = approve.fallback.map(|(wait, yes)| (rounded(wait), yes));
    Approval {
        fallback,
        ..approve.clone()
    }
}

/// The duration as it is stored, so that a graph and its stored form run alike.
fn rounded(time: Duration) -> Duration {
    Duration::from_micros(to_micros(time))
}

fn question_spec(question: &Question) -> QuestionSpec {
    QuestionSpec {
        text: question.text.clone(),
        answer: question.kind.clone(),
        default: question
            .fallback
            .as_ref()
            .map(|(wait, answer)| QuestionDefault {
                after_us: to_micros(*wait),
                value: value(answer),
            }),
    }
}

fn on_failure_spec(graph: &TaskGraph, on_failure: &OnFailure) -> OnFailureSpec {
    match on_failure {
        OnFailure::Abort => OnFailureSpec::Abort {},
        OnFailure::Skip => OnFailureSpec::Skip {},
        OnFailure::Ask(ask) => OnFailureSpec::Ask {
            default: ask.fallback.map(|(wait, answer)| AskDefault {
                after_us: to_micros(wait),
                answer,
            }),
        },
        OnFailure::Value(params) => OnFailureSpec::Value {
            value: value(params),
        },
        OnFailure::Fallback(to) => OnFailureSpec::Fallback {
            task: graph.task(*to).name().to_owned(),
        },
    }
}

fn value(params: &Params) -> Value {
    params
        .to_value()
        .unwrap_or_else(|_| Value::String(params.json_text().to_owned()))
}
