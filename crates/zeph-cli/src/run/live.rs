//! The live view: one line for each running task, at a terminal.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use zeph_common::escape_terminal;
use zeph_graph::TaskId;

use crate::out::Channel;
use crate::run::event_line::Line;

const TICK: Duration = Duration::from_millis(100);
/// The longest name in a line.
const NAME_CHARS: usize = 32;
/// Further running tasks are only counted: the smallest terminals have 24 lines.
const MOST_BARS: usize = 16;

/// One line for each running task, and one for the run; other lines scroll up above them.
#[derive(Debug)]
pub(crate) struct Live {
    bars: MultiProgress,
    status: ProgressBar,
    running: HashMap<TaskId, ProgressBar>,
    /// Running tasks without a line, oldest first.
    unseen: VecDeque<(TaskId, String, Instant)>,
    by_name: HashMap<String, TaskId>,
    /// Lines that wait while a prompt has the terminal; `None` without a prompt.
    held: Option<Vec<String>>,
    has_colours: bool,
    channel: Channel,
}

impl Live {
    pub(crate) fn new(channel: Channel) -> Self {
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        let has_colours =
            anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
        let status = bars.add(ProgressBar::new_spinner().with_style(style(
            "{msg} {elapsed}",
            "{msg:.dim} {elapsed:.dim}",
            has_colours,
        )));
        status.enable_steady_tick(Duration::from_secs(1));
        Self {
            bars,
            status,
            running: HashMap::new(),
            unseen: VecDeque::new(),
            by_name: HashMap::new(),
            held: None,
            has_colours,
            channel,
        }
    }

    pub(crate) fn line(&mut self, line: &Line) {
        self.text(&line.to_string());
    }

    pub(crate) fn text(&mut self, text: &str) {
        let text = self.channel.labelled(text);
        let text = if self.has_colours {
            text
        } else {
            anstream::adapter::strip_str(&text).to_string()
        };
        match &mut self.held {
            Some(held) => held.push(text),
            // If stderr is closed, the error cannot be reported.
            None => drop(self.bars.println(text)),
        }
    }

    pub(crate) fn started(&mut self, task: TaskId, name: &str) {
        let since = Instant::now();
        self.unseen.push_back((task, name.to_owned(), since));
        self.show_unseen();
    }

    pub(crate) fn ended(&mut self, task: TaskId) {
        if let Some(bar) = self.running.remove(&task) {
            bar.finish_and_clear();
            self.bars.remove(&bar);
            self.by_name.retain(|_, other| *other != task);
            self.show_unseen();
        } else {
            self.unseen.retain(|(other, _, _)| *other != task);
        }
    }

    fn show_unseen(&mut self) {
        while self.running.len() < MOST_BARS
            && let Some((task, name, since)) = self.unseen.pop_front()
        {
            self.show(task, &name, since);
        }
    }

    fn show(&mut self, task: TaskId, name: &str, since: Instant) {
        let style = style(
            "{spinner} {prefix} {elapsed} {wide_msg}",
            "{spinner:.cyan} {prefix:.bold} {elapsed:.dim} {wide_msg:.dim}",
            self.has_colours,
        );
        let mut prefix: String = escape_terminal(name).chars().take(NAME_CHARS).collect();
        if !self.channel.label.is_empty() {
            prefix = format!("{} {prefix}", self.channel.label);
        }
        let bar = ProgressBar::new_spinner()
            .with_style(style)
            .with_prefix(prefix)
            .with_elapsed(since.elapsed());
        let bar = self.bars.insert_before(&self.status, bar);
        bar.enable_steady_tick(TICK);
        self.by_name.insert(name.to_owned(), task);
        if let Some(old) = self.running.insert(task, bar) {
            old.finish_and_clear();
        }
    }

    pub(crate) fn says(&mut self, name: &str, text: &str) {
        let bar = self
            .by_name
            .get(name)
            .and_then(|task| self.running.get(task));
        let last = text.lines().rev().find(|line| !line.trim().is_empty());
        if let (Some(bar), Some(last)) = (bar, last) {
            bar.set_message(escape_terminal(last.trim()).into_owned());
        }
    }

    pub(crate) fn status(&mut self, text: String) {
        let label = self.channel.label;
        let text = if label.is_empty() {
            text
        } else {
            format!("{label} {text}")
        };
        self.status.set_message(text);
    }

    pub(crate) fn hold(&mut self) {
        if self.held.is_none() {
            self.held = Some(Vec::new());
            // If the terminal cannot be cleared, old lines stay visible.
            let _ = self.bars.clear();
            self.bars.set_draw_target(ProgressDrawTarget::hidden());
        }
    }

    pub(crate) fn release(&mut self) {
        if let Some(held) = self.held.take() {
            self.bars.set_draw_target(ProgressDrawTarget::stderr());
            for text in held {
                let _ = self.bars.println(text);
            }
        }
    }

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

fn style(plain: &str, coloured: &str, has_colours: bool) -> ProgressStyle {
    let template = if has_colours { coloured } else { plain };
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
        .tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ ")
}
