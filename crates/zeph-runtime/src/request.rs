//! Requests: cancel, pause, answer and so on, in the form that handle, socket and inbox share.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeph_graph::Budget;
use zeph_memory::RequestId;

use crate::actor::Actor;

/// A request to a run, by a person or a program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Answer a question.
    Answer {
        /// Its number.
        question: u32,
        /// The text of the answer.
        text: String,
    },
    /// Give an unfinished task its result. A running attempt is stopped first.
    Complete {
        /// The task's name.
        task: String,
        /// The result.
        output: Value,
        /// Why, in the words of who decides it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// Skip an unfinished task. A running attempt is stopped first.
    Skip {
        /// The task's name.
        task: String,
        /// Why, in the words of who decides it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// Change the graph of the run.
    Amend {
        /// The patch, as the JSON form of a [`GraphSpec`](zeph_graph::wire::GraphSpec).
        patch: Value,
        /// The number of amendments of the run for which the patch was made.
        after: u32,
        /// Why, in the words of who decides it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// Cancel a task, a task with its dependants, or the run.
    Cancel {
        /// The task's name; none for the run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        task: Option<String>,
        /// Whether every unfinished task that depends on it is canceled too.
        #[serde(default)]
        downstream: bool,
    },
    /// Start nothing new.
    Pause,
    /// End a pause.
    Unpause,
    /// Suspend the run.
    Suspend,
    /// Set the run's budget. An absent number is not changed.
    Budget {
        /// Tokens in all; `u64::MAX` is no limit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tokens: Option<u64>,
        /// Millionths of a dollar in all; `u64::MAX` is no limit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        micro_usd: Option<u64>,
    },
}

impl fmt::Display for Request {
    /// `answer to question 1: "yes"`. Names and texts in it are untrusted.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer { question, text } => {
                write!(f, "answer to question {question}: {text:?}")
            }
            Self::Complete { task, output, .. } => write!(f, "result of task {task}: {output}"),
            Self::Skip { task, .. } => write!(f, "skip of task {task}"),
            Self::Amend { patch, .. } => {
                let list = |key: &str| patch[key].as_array().map_or(&[][..], Vec::as_slice);
                let removed = list("removes").iter().filter_map(Value::as_str);
                let removed: Vec<&str> = removed.collect();
                let tasks = list("tasks").iter();
                let (replaced, new): (Vec<&str>, Vec<&str>) = tasks
                    .filter_map(|task| task["name"].as_str())
                    .partition(|name| removed.contains(name));
                let gone = removed.iter().copied();
                let gone = gone.filter(|name| !replaced.contains(name)).collect();
                let parts = [
                    ("new tasks", new),
                    ("replaced", replaced.clone()),
                    ("removed", gone),
                ];
                let parts = parts.iter().filter(|(_, names)| !names.is_empty());
                let parts = parts.map(|(what, names)| format!("{what}: {}", names.join(", ")));
                f.write_str(&parts.collect::<Vec<_>>().join("; "))
            }
            Self::Cancel { task: None, .. } => f.write_str("cancel of the run"),
            Self::Cancel {
                task: Some(task),
                downstream,
            } => {
                let more = if *downstream {
                    ", with what depends on it"
                } else {
                    ""
                };
                write!(f, "cancel of task {task}{more}")
            }
            Self::Pause => f.write_str("pause"),
            Self::Unpause => f.write_str("end of the pause"),
            Self::Suspend => f.write_str("suspension"),
            Self::Budget { tokens, micro_usd } => {
                write!(f, "budget: {}", Budget::new(*tokens, *micro_usd))
            }
        }
    }
}

impl Request {
    /// The task that a person ends by hand.
    #[must_use]
    pub fn ends_task(&self) -> Option<&str> {
        match self {
            Self::Complete { task, .. } | Self::Skip { task, .. } => Some(task),
            Self::Answer { .. }
            | Self::Amend { .. }
            | Self::Cancel { .. }
            | Self::Pause
            | Self::Unpause
            | Self::Suspend
            | Self::Budget { .. } => None,
        }
    }
}

/// A budget with some of its numbers replaced.
pub(crate) fn changed(old: Budget, tokens: Option<u64>, micro_usd: Option<u64>) -> Budget {
    Budget::new(tokens.or(old.tokens()), micro_usd.or(old.micro_usd()))
}

/// A request with its sender, if that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttributedRequest {
    /// The request.
    pub request: Request,
    /// The process that sent it.
    pub by: Option<Actor>,
    /// The earlier request in the inbox of the run that it takes the place of.
    pub replaces: Option<RequestId>,
}

impl AttributedRequest {
    /// The form in the inbox: the object of the request with the sender as `by`, and with the number of the
    /// request that it replaces.
    pub(crate) fn to_json(&self) -> Result<String, serde_json::Error> {
        let mut body = serde_json::to_value(&self.request)?;
        if let Some(by) = &self.by {
            body["by"] = serde_json::to_value(by)?;
        }
        if let Some(replaces) = self.replaces {
            body["replaces"] = replaces.get().into();
        }
        Ok(body.to_string())
    }

    pub(crate) fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        let mut body: Value = serde_json::from_str(text)?;
        let mut part = |name| body.as_object_mut().and_then(|body| body.remove(name));
        let (by, replaces) = (part("by"), part("replaces"));
        let by = by.map(serde_json::from_value).transpose()?;
        let replaces = replaces.map(serde_json::from_value).transpose()?;
        Ok(Self {
            request: serde_json::from_value(body)?,
            by,
            replaces: replaces.map(RequestId::new),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{AttributedRequest, Request};
    use crate::actor::Actor;
    use zeph_memory::RequestId;

    #[test]
    fn a_request_is_read_with_and_without_its_sender() {
        for by in [None, Some(Actor::this_process())] {
            let signed = AttributedRequest {
                request: Request::Pause,
                replaces: by.as_ref().map(|_| RequestId::new(3)),
                by,
            };
            let text = signed.to_json().expect("plain data");
            assert_eq!(
                AttributedRequest::from_json(&text).expect("was written"),
                signed
            );
        }
        assert!(AttributedRequest::from_json(r#"{"op":"rewind"}"#).is_err());
    }
}
