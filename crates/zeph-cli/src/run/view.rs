//! The output of a run's events: lines, a live view with one line for each running task, or JSON.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::signal::unix::Signal;
use zeph_common::{escape_terminal, format_duration};
use zeph_graph::{Record, Timestamp, wire};
use zeph_memory::RequestId;
use zeph_scheduler::Event;

use crate::context::{self, AppContext};
use crate::out::{self, Channel, Tone};
use crate::read::outside::waits_words;
use crate::run::dialog::{Dialog, Reaction};
use crate::run::event_line::About;
use crate::run::footer::{Drawing, Footer, Size, fit};
use crate::run::keys::{Key, KeyMode, Typing};
use crate::run::signals::{stop_key, stop_process};

/// The time between two pictures of the live view.
const TICK: Duration = Duration::from_millis(100);
const SPINNER: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
/// The longest name in a line.
const NAME_WIDTH: usize = 32;
/// Further running tasks are only counted.
const MOST_TASKS: usize = 16;
/// The lines of the terminal that are left for events.
const EVENT_LINES: usize = 4;

/// The form in which events are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// One line an event.
    Lines,
    /// An open question, a line for each running task and one for the run at the bottom of the terminal;
    /// other lines scroll up above them.
    Live,
    /// One JSON object a record, on stdout.
    Json,
}

/// The output of a run's events, and the question that is on the screen.
#[derive(Debug)]
pub(crate) struct View {
    form: Form,
    channel: Channel,
    has_colours: bool,
    mode: KeyMode,
    /// Ctrl-Z, in the live view and while a hidden value is typed.
    stop_key: Option<Signal>,
    footer: Footer,
    /// What the footer shows, at that width.
    drawn: (Drawing, usize),
    drawn_at: Instant,
    dialog: Option<Dialog>,
    /// The running tasks, oldest first.
    running: Vec<Running>,
    status: String,
    began: Instant,
    /// Lines that wait while an editor has the terminal; `None` without an editor.
    held: Option<Vec<String>>,
}

#[derive(Debug)]
struct Running {
    task: String,
    since: Instant,
    progress: String,
}

/// Whether the terminal at stderr can move its cursor, as the live view needs.
fn can_move_cursor() -> bool {
    let is_kind = |name: std::ffi::OsString| !name.is_empty() && name != "dumb";
    io::stderr().is_terminal() && std::env::var_os("TERM").is_some_and(is_kind)
}

impl View {
    pub(crate) fn new(cx: &AppContext, channel: Channel) -> Self {
        Self::of(cx.json().then_some(Form::Json), channel)
    }

    /// A view for questions only.
    pub(crate) fn without_events(channel: Channel) -> Self {
        Self::of(None, channel)
    }

    fn of(form: Option<Form>, channel: Channel) -> Self {
        let form = form.unwrap_or(if can_move_cursor() {
            Form::Live
        } else {
            Form::Lines
        });
        let now = Instant::now();
        Self {
            form,
            channel,
            has_colours: out::has_colours(),
            mode: KeyMode::default(),
            stop_key: (form == Form::Live).then(stop_key).flatten(),
            footer: Footer::default(),
            drawn: (Drawing::default(), 0),
            drawn_at: now,
            dialog: None,
            running: Vec::new(),
            status: String::new(),
            began: now,
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
                let text = self.coloured(self.channel.labelled(text));
                match &mut self.held {
                    Some(held) => held.push(text),
                    None => self.draw(Some(&text)),
                }
            }
        }
    }

    /// A saved record: a line for programs, with what belongs to it, and a change of the running tasks.
    pub(crate) fn event(&mut self, run: &str, event: &Event, about: About<'_>) {
        if self.is_json() {
            let mut json = event_json(run, event);
            if let Some(error) = about.error {
                json["error"] = error.into();
            }
            if let Some(question) = about.question {
                json["question"] = json!(question);
            }
            if let Some(run) = about.from {
                json["supplied_by"] = run.into();
            }
            if let Some(change) = about.change {
                json["added"] = json!(change.added);
                json["replaced"] = json!(change.replaced);
                json["removed"] = json!(change.removed);
            }
            out::json(&self.channel.marked(json));
        }
        self.track(event);
    }

    /// The run waits for another one of its group: a line for programs.
    pub(crate) fn waits(&self, run: &str, group: &str, holder: Option<&str>) {
        if self.is_json() {
            let text = waits_words(group, holder);
            let json = json!({
                "event": "waiting", "run": run, "group": group, "waits_for": holder, "text": text,
            });
            out::json(&self.channel.marked(json));
        }
    }

    /// A request from the inbox that had no effect, as JSON.
    pub(crate) fn dropped(&self, run: &str, request: RequestId, why: &str) {
        if self.is_json() {
            let json = json!({
                "event": "dropped", "run": run, "request": request.get(), "text": why,
            });
            out::json(&self.channel.marked(json));
        }
    }

    /// Changes the running tasks as a saved record says.
    pub(crate) fn track(&mut self, event: &Event) {
        let task = event.task_name.as_deref().unwrap_or("?");
        let is_start = matches!(event.record, Record::Started { .. });
        if is_start || event.record.attempt_end().is_some() {
            self.running.retain(|other| other.task != task);
        }
        if is_start {
            self.running.push(Running {
                task: task.to_owned(),
                since: before(event.at),
                progress: String::new(),
            });
        }
    }

    /// When the run began, for the line below the running tasks.
    pub(crate) fn began(&mut self, at: Timestamp) {
        self.began = before(at);
    }

    /// Shows the progress of a running task.
    pub(crate) fn progress(&mut self, task: &str, text: &str) {
        let last = text.lines().rev().find(|line| !line.trim().is_empty());
        let running = self.running.iter_mut().find(|other| other.task == task);
        if let (Some(running), Some(last)) = (running, last) {
            running.progress = escape_terminal(last.trim()).into_owned();
        }
    }

    /// The line below the running tasks.
    pub(crate) fn status(&mut self, text: &str) {
        self.status = self.channel.prefixed(text);
        self.refresh();
    }

    /// Draws the live view again if that is due.
    pub(super) fn refresh(&mut self) {
        if self.drawn_at.elapsed() >= TICK {
            self.draw(None);
        }
    }

    /// Waits until the live view is due to be drawn again. Ctrl-Z stops the process with a clear terminal.
    pub(crate) async fn tick(&mut self) {
        let wait = TICK.saturating_sub(self.drawn_at.elapsed());
        let is_drawn = self.form == Form::Live && self.held.is_none();
        let due = async {
            if is_drawn {
                tokio::time::sleep(wait).await;
            } else {
                std::future::pending::<()>().await;
            }
        };
        let stopped = async {
            match &mut self.stop_key {
                Some(signal) => signal.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = due => {}
            _ = stopped => {
                if is_drawn {
                    self.erase();
                }
                self.mode.restore();
                stop_process();
                if self.mode.typing() == Typing::HiddenLine {
                    self.mode.renew();
                }
                self.draw(None);
            }
        }
    }

    /// Shows a question.
    pub(super) fn ask(&mut self, dialog: Dialog) {
        if self.form != Form::Live {
            out::note_line(dialog.plain());
        }
        self.dialog = Some(dialog);
        self.draw(None);
    }

    /// Hides what is typed from here on, up to the end of the dialog.
    pub(super) fn hide(&mut self) {
        if self.form == Form::Live {
            self.mode = KeyMode::of(Typing::HiddenKeys);
        } else {
            self.mode = KeyMode::of(Typing::HiddenLine);
            self.stop_key = stop_key();
        }
        self.mode.renew();
    }

    /// Handles a key of the person who is asked.
    pub(super) fn press(&mut self, key: Key) -> Reaction {
        let Some(dialog) = &mut self.dialog else {
            return Reaction::None;
        };
        let reaction = dialog.press(key);
        let is_entered = matches!(key, Key::Enter | Key::Lines | Key::Escape);
        let has_said = is_entered && reaction == Reaction::None;
        if self.form != Form::Live && has_said {
            out::note_line(dialog.plain());
            dialog.clear_input();
        }
        self.draw(None);
        reaction
    }

    /// Removes the question.
    pub(super) fn end_dialog(&mut self) {
        if self.dialog.take().is_some() {
            self.draw(None);
        }
        if self.mode.typing().is_hidden() {
            self.mode = KeyMode::default();
        }
    }

    /// Releases the terminal for an editor; lines wait until it has ended.
    pub(super) fn hold(&mut self) {
        if self.form == Form::Live {
            self.erase();
            self.held.get_or_insert_default();
        }
    }

    /// Takes the terminal back.
    pub(super) fn release(&mut self) {
        for text in self.held.take().into_iter().flatten() {
            self.draw(Some(&text));
        }
        if let Some(dialog) = &mut self.dialog {
            dialog.restart();
        }
        self.draw(None);
    }

    /// Ends the live view.
    pub(crate) fn close(&mut self) {
        if self.form == Form::Live {
            self.release();
            self.erase();
            // Nothing is drawn any more.
            self.form = Form::Lines;
        }
    }

    fn erase(&mut self) {
        let bytes = self.footer.erase(Size::of_terminal().width);
        write(&bytes);
        self.drawn = (Drawing::default(), 0);
        self.mode.restore();
    }

    /// Draws the live view, with lines above it.
    fn draw(&mut self, above: Option<&str>) {
        if self.form != Form::Live || self.held.is_some() {
            return;
        }
        if self.mode.renew() {
            // Another process may have written something below the last picture.
            self.footer = Footer::default();
            self.drawn = (Drawing::default(), 0);
        }
        let size = Size::of_terminal();
        let drawing = self.drawing(size);
        self.drawn_at = Instant::now();
        let drawn = (drawing, size.width);
        if above.is_some() || drawn != self.drawn {
            write(&self.footer.draw(above, &drawn.0, size.width));
            self.drawn = drawn;
        }
    }

    fn drawing(&self, size: Size) -> Drawing {
        let mut drawing = Drawing::default();
        if let Some(dialog) = &self.dialog {
            drawing = dialog.draw(size);
        }
        let width = size.width.saturating_sub(1);
        let room = size
            .height
            .saturating_sub(drawing.lines.len() + 1 + EVENT_LINES);
        let shown = self.running.iter().take(room.min(MOST_TASKS));
        drawing
            .lines
            .extend(shown.map(|one| one.line(self.channel, width)));
        if !self.status.is_empty() {
            let status = format!("{} {}", self.status, seconds(self.began));
            drawing.lines.push(Tone::Quiet.paint(fit(&status, width)));
        }
        for line in &mut drawing.lines {
            *line = self.coloured(std::mem::take(line));
        }
        drawing
    }

    fn coloured(&self, text: String) -> String {
        if self.has_colours {
            text
        } else {
            anstream::adapter::strip_str(&text).to_string()
        }
    }
}

impl Drop for View {
    fn drop(&mut self) {
        self.close();
    }
}

impl Running {
    fn line(&self, channel: Channel, width: usize) -> String {
        let frame = self.since.elapsed().as_millis() / TICK.as_millis();
        let spinner = SPINNER[frame as usize % SPINNER.len()];
        let name = fit(&escape_terminal(&self.task), NAME_WIDTH);
        let name = fit(&channel.prefixed(&name), width.saturating_sub(2));
        let rest = format!("{} {}", seconds(self.since), self.progress);
        let used = 3 + unicode_width::UnicodeWidthStr::width(&*name);
        let rest = fit(rest.trim_end(), width.saturating_sub(used));
        let (spinner, rest) = (Tone::Question.paint(spinner), Tone::Quiet.paint(rest));
        format!("{spinner} {name} {rest}")
    }
}

/// The instant of a time that is over.
fn before(at: Timestamp) -> Instant {
    let now = Instant::now();
    now.checked_sub(context::now().since(at)).unwrap_or(now)
}

/// The whole seconds since then.
fn seconds(since: Instant) -> String {
    format_duration(Duration::from_secs(since.elapsed().as_secs()))
}

fn write(bytes: &str) {
    let mut stderr = io::stderr().lock();
    // If stderr is closed, the error cannot be reported.
    let _ = stderr.write_all(bytes.as_bytes());
    let _ = stderr.flush();
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
