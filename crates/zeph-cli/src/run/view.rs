//! The output of a run's events: lines, a live view, or JSON.

use std::io::{self, IsTerminal as _};

use serde_json::{Value, json};
use zeph_graph::{TaskId, wire};
use zeph_scheduler::Event;

use crate::context::AppContext;
use crate::out::{self, Channel};
use crate::run::event_line::Line;
use crate::run::live::Live;

/// The form in which events are shown.
#[derive(Debug)]
pub(crate) enum View {
    /// One line an event.
    Lines(Channel),
    /// A line for each running task on stderr; other lines scroll up.
    Live(Box<Live>),
    /// One JSON object a record, on stdout.
    Json(Channel),
}

impl View {
    pub(crate) fn new(cx: &AppContext, channel: Channel) -> Self {
        if cx.json() {
            Self::Json(channel)
        } else if io::stderr().is_terminal() {
            Self::Live(Box::new(Live::new(channel)))
        } else {
            Self::Lines(channel)
        }
    }

    /// A line for people.
    pub(crate) fn line(&mut self, line: &Line) {
        match self {
            Self::Lines(channel) => channel.line(line),
            Self::Live(live) => live.line(line),
            Self::Json(_) => {}
        }
    }

    /// A text of several lines for people, between two lines that are empty.
    pub(crate) fn text(&mut self, text: &str) {
        let text = format!("\n{text}\n");
        match self {
            Self::Lines(channel) => channel.line(text),
            Self::Live(live) => live.text(&text),
            Self::Json(_) => {}
        }
    }

    /// A saved record, for programs.
    pub(crate) fn event(&self, run: &str, event: &Event) {
        if let Self::Json(channel) = self {
            out::json(&channel.marked(event_json(run, event)));
        }
    }

    /// Adds a running attempt.
    pub(crate) fn started(&mut self, task: TaskId, name: &str) {
        if let Self::Live(live) = self {
            live.started(task, name);
        }
    }

    /// Removes an attempt that has ended.
    pub(crate) fn ended(&mut self, task: TaskId) {
        if let Self::Live(live) = self {
            live.ended(task);
        }
    }

    /// Shows the progress of a running task.
    pub(crate) fn says(&mut self, name: &str, text: &str) {
        if let Self::Live(live) = self {
            live.says(name, text);
        }
    }

    /// The line below the running tasks.
    pub(crate) fn status(&mut self, text: String) {
        if let Self::Live(live) = self {
            live.status(text);
        }
    }

    /// Releases the terminal for a prompt; lines wait until the prompt has ended.
    pub(crate) fn hold(&mut self) {
        if let Self::Live(live) = self {
            live.hold();
        }
    }

    /// Takes the terminal back.
    pub(crate) fn release(&mut self) {
        if let Self::Live(live) = self {
            live.release();
        }
    }

    /// Ends the live view.
    pub(crate) fn close(&mut self) {
        if let Self::Live(live) = self {
            live.close();
        }
    }
}

fn event_json(run: &str, event: &Event) -> Value {
    let record = serde_json::from_str(&wire::encode(&event.record)).unwrap_or(Value::Null);
    let mut json = json!({
        "event": event.word(),
        "run": run,
        "seq": event.seq.get(),
        "at_us": event.at.as_micros(),
        "record": record,
        "text": event.to_string(),
    });
    if let Some(name) = &event.task_name {
        json["task"] = Value::from(&**name);
    }
    if let Some(name) = &event.because {
        json["because"] = Value::from(&**name);
    }
    json
}
