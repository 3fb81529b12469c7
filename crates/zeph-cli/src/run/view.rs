//! The output of a run's events: lines, a live view with one line for each running task, or JSON.

use std::collections::{HashMap, VecDeque};
use std::io::{self, IsTerminal as _};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};
use zeph_common::escape_terminal;
use zeph_graph::wire;
use zeph_scheduler::Event;

use crate::context::AppContext;
use crate::out::{self, Channel};

const TICK: Duration = Duration::from_millis(100);
/// The longest name in a line.
const NAME_CHARS: usize = 32;
/// Further running tasks are only counted: the smallest terminals have 24 lines.
const MOST_BARS: usize = 16;

/// The form in which events are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// One line an event.
    Lines,
    /// A line for each running task on stderr, and one for the run; other lines scroll up above them.
    Live,
    /// One JSON object a record, on stdout.
    Json,
}

/// The output of a run's events. The bars are hidden unless the form is [`Form::Live`].
#[derive(Debug)]
pub(crate) struct View {
    form: Form,
    channel: Channel,
    bars: MultiProgress,
    status: ProgressBar,
    /// The running tasks by name.
    running: HashMap<String, ProgressBar>,
    /// Running tasks without a line, oldest first.
    unseen: VecDeque<(String, Instant)>,
    /// Lines that wait while a prompt has the terminal; `None` without a prompt.
    held: Option<Vec<String>>,
}

/// Whether the terminal can move its cursor, as the live view needs.
fn can_move_cursor() -> bool {
    std::env::var_os("TERM").is_some_and(|name| !name.is_empty() && name != "dumb")
}

impl View {
    pub(crate) fn new(cx: &AppContext, channel: Channel) -> Self {
        let (form, target) = if cx.json() {
            (Form::Json, ProgressDrawTarget::hidden())
        } else if io::stderr().is_terminal() && can_move_cursor() {
            (Form::Live, ProgressDrawTarget::stderr())
        } else {
            (Form::Lines, ProgressDrawTarget::hidden())
        };
        let bars = MultiProgress::with_draw_target(target);
        let style = style("{msg} {elapsed}", "{msg:.dim} {elapsed:.dim}");
        let status = bars.add(ProgressBar::new_spinner().with_style(style));
        if form == Form::Live {
            status.enable_steady_tick(Duration::from_secs(1));
        }
        Self {
            form,
            channel,
            bars,
            status,
            running: HashMap::new(),
            unseen: VecDeque::new(),
            held: None,
        }
    }

    pub(crate) fn is_json(&self) -> bool {
        self.form == Form::Json
    }

    /// Prints one line for people, or several.
    pub(crate) fn line(&mut self, text: &str) {
        match self.form {
            Form::Json => {}
            Form::Lines => self.channel.line(text),
            Form::Live => {
                let mut text = self.channel.labelled(text);
                if !out::has_colours() {
                    text = anstream::adapter::strip_str(&text).to_string();
                }
                match &mut self.held {
                    Some(held) => held.push(text),
                    // If stderr is closed, the error cannot be reported.
                    None => drop(self.bars.println(text)),
                }
            }
        }
    }

    /// A saved record, for programs.
    pub(crate) fn event(&self, run: &str, event: &Event) {
        if self.is_json() {
            out::json(&self.channel.marked(event_json(run, event)));
        }
    }

    /// Adds a running attempt.
    pub(crate) fn started(&mut self, task: &str) {
        if self.form == Form::Live {
            self.unseen.push_back((task.to_owned(), Instant::now()));
            self.show_unseen();
        }
    }

    /// Removes an attempt that has ended.
    pub(crate) fn ended(&mut self, task: &str) {
        if let Some(bar) = self.running.remove(task) {
            bar.finish_and_clear();
            self.bars.remove(&bar);
            self.show_unseen();
        } else {
            self.unseen.retain(|(other, _)| other != task);
        }
    }

    fn show_unseen(&mut self) {
        while self.running.len() < MOST_BARS
            && let Some((task, since)) = self.unseen.pop_front()
        {
            let style = style(
                "{spinner} {prefix} {elapsed} {wide_msg}",
                "{spinner:.cyan} {prefix:.bold} {elapsed:.dim} {wide_msg:.dim}",
            );
            let name: String = escape_terminal(&task).chars().take(NAME_CHARS).collect();
            let bar = ProgressBar::new_spinner()
                .with_style(style)
                .with_prefix(self.channel.prefixed(&name))
                .with_elapsed(since.elapsed());
            let bar = self.bars.insert_before(&self.status, bar);
            bar.enable_steady_tick(TICK);
            if let Some(old) = self.running.insert(task, bar) {
                old.finish_and_clear();
            }
        }
    }

    /// Shows the progress of a running task.
    pub(crate) fn progress(&self, task: &str, text: &str) {
        let last = text.lines().rev().find(|line| !line.trim().is_empty());
        if let (Some(bar), Some(last)) = (self.running.get(task), last) {
            bar.set_message(escape_terminal(last.trim()).into_owned());
        }
    }

    /// The line below the running tasks.
    pub(crate) fn status(&self, text: &str) {
        self.status.set_message(self.channel.prefixed(text));
    }

    /// Releases the terminal for a prompt; lines wait until the prompt has ended.
    pub(crate) fn hold(&mut self) {
        if self.held.is_none() {
            self.held = Some(Vec::new());
            // If the terminal cannot be cleared, old lines stay visible.
            let _ = self.bars.clear();
            self.bars.set_draw_target(ProgressDrawTarget::hidden());
        }
    }

    /// Takes the terminal back.
    pub(crate) fn release(&mut self) {
        if let Some(held) = self.held.take() {
            self.bars.set_draw_target(ProgressDrawTarget::stderr());
            for text in held {
                let _ = self.bars.println(text);
            }
        }
    }

    /// Ends the live view.
    pub(crate) fn close(&mut self) {
        self.release();
        self.unseen.clear();
        for (_, bar) in self.running.drain() {
            bar.finish_and_clear();
        }
        self.status.finish_and_clear();
        let _ = self.bars.clear();
    }
}

fn style(plain: &str, coloured: &str) -> ProgressStyle {
    let template = if out::has_colours() { coloured } else { plain };
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
        .tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ ")
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
    for (key, name) in [("task", &event.task_name), ("because", &event.because)] {
        if let Some(name) = name {
            json[key] = Value::from(&**name);
        }
    }
    json
}
