//! Follows a run at the terminal: shows its updates, asks its questions, passes signals on.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;
use zeph_common::{escape_terminal, format_duration};
use zeph_graph::{Record, RunState, Timestamp};
use zeph_memory::RequestId;
use zeph_orchestration::follow::{Ask, Stop, Update};
use zeph_orchestration::{Follower, Hook, Hooks, RunReport};
use zeph_planner::plan::PlanOutput;
use zeph_runtime::{GraphChange, QuestionView, RunEvent, RunSnapshot};
use zeph_scheduler::Event;

use crate::context::{AppContext, answer_at_terminal, command};
use crate::exit::{CliError, Exit};
use crate::goal::shown;
use crate::orphans::{self, Orphan};
use crate::out::{self, Channel, Tone};
use crate::read::next;
use crate::read::outside::waits_words;
use crate::run::event_line::{About, EventFormatter};
use crate::run::prompt::{Outcome, Prompt, Step};
use crate::run::signals::Signals;
use crate::run::view::View;

/// The options of following a run.
#[derive(Clone, Debug)]
pub(crate) struct FollowOptions {
    /// The run is in a database, so other processes can reach it and it can be resumed.
    pub(crate) is_kept: bool,
    /// Questions are asked at this terminal.
    pub(crate) is_interactive: bool,
    /// The grace of running tasks when the run is suspended.
    pub(crate) grace: Duration,
    /// The channel of the lines.
    pub(crate) channel: Channel,
    /// Called after each completed task, with the number of completed tasks.
    pub(crate) on_completed: Option<fn(u32)>,
    /// The file of the JUnit report.
    pub(crate) junit: Option<PathBuf>,
    /// The processes of interrupted attempts that were left alone.
    pub(crate) orphans: Vec<Orphan>,
}

impl FollowOptions {
    /// The options of a run that is kept, with lines on stdout.
    pub(crate) fn new(cx: &AppContext) -> Self {
        Self {
            is_kept: true,
            is_interactive: !cx.json() && out::is_interactive(),
            grace: cx.config().suspend_grace,
            channel: Channel::default(),
            on_completed: None,
            junit: None,
            orphans: Vec::new(),
        }
    }
}

/// A run that is followed.
pub(crate) struct Session {
    pub(super) follower: Follower,
    pub(super) options: FollowOptions,
    pub(super) view: View,
    pub(super) lines: EventFormatter,
    pub(super) signals: Signals,
    /// The wait for another run of the group, in words.
    pub(super) waits: Option<String>,
    /// The question that is on the terminal, by its number.
    pub(super) prompt: Option<(u32, Prompt)>,
    pub(super) hooks: Hooks,
}

/// The result of following a run.
#[derive(Debug)]
pub(crate) struct Followed {
    /// The report of the engine.
    pub(crate) report: std::sync::Arc<RunReport>,
    /// The signal that suspended the run.
    pub(crate) signal: Option<Exit>,
    /// The process of the run ended in the middle of it.
    pub(crate) is_interrupted: bool,
}

impl Session {
    /// Follows the run until it has ended or is suspended.
    pub(crate) async fn follow(mut self) -> Result<Followed, CliError> {
        loop {
            let snapshot = self.follower.handle().snapshot();
            let status = match &self.waits {
                Some(waits) => format!("{} {waits}", self.lines.progress()),
                None => status(&snapshot, &self.lines),
            };
            self.view.status(&status);
            let kill = tokio::select! {
                update = self.follower.next() => match update? {
                    Some(update) => {
                        self.update(update).await;
                        false
                    }
                    None => break,
                },
                () = self.signals.next() => self.stop().await,
                step = step(&mut self.prompt) => {
                    self.step(step).await;
                    false
                }
                () = self.view.tick() => false,
            };
            if kill {
                return Err(self.killed().await);
            }
        }
        self.close_prompt().await;
        self.view.close();
        let report = self.follower.wait().await?;
        let is_suspended = report.state == RunState::Suspended;
        Ok(Followed {
            signal: self.signals.first.filter(|_| is_suspended),
            is_interrupted: false,
            report,
        })
    }

    async fn update(&mut self, update: Update) {
        match update {
            Update::Event(event) => match *event {
                RunEvent::Saved {
                    event,
                    error,
                    question,
                    from,
                    change,
                } => {
                    let about = (error.as_deref(), from.as_deref(), change.as_deref());
                    self.saved(&event, about, question).await;
                }
                RunEvent::Progress { task, text, .. } => self.view.progress(&task, &text),
                RunEvent::Log { task, bytes, .. } => {
                    let text = String::from_utf8_lossy(&bytes);
                    self.view.progress(&task, &text);
                }
                RunEvent::Waits { group, holder } => self.waits(&group, holder.as_deref()),
                RunEvent::Dropped { request, why } => self.dropped(request, &why),
                RunEvent::Missed(_) => {}
            },
            Update::Ask(ask) => self.ask(*ask).await,
            Update::NotAsked(question, error) => self.not_asked(question, &error.to_string()),
            Update::Withdraw(_) => self.close_prompt().await,
            Update::Waiting(at) => self.waiting(at),
        }
    }

    async fn saved(
        &mut self,
        event: &Event,
        (error, from, change): (Option<&str>, Option<&str>, Option<&GraphChange>),
        mut question: Option<Box<QuestionView>>,
    ) {
        if let Some(asked) = &mut question {
            orphans::tell(asked, &self.options.orphans);
        }
        if event.record == Record::Resumed {
            self.waits = None;
        }
        let handle = self.follower.handle();
        let about = About {
            error,
            question: question.as_deref(),
            from,
            change,
        };
        self.view.event(handle.id().as_str(), event, about);
        let counts = handle.snapshot().counts;
        if let Some(asked) = &mut question {
            match self.follower.plan(asked).await {
                Ok(Some(plan)) => {
                    if !self.options.is_interactive {
                        self.show_plan(plan);
                    }
                    // The plan is shown, and the summary lists the commands that answer.
                    shown::shorten(asked);
                }
                Ok(None) => {}
                // At a terminal the follower reports this instead of asking.
                Err(_) if self.options.is_interactive => {}
                Err(error) => self.not_asked(asked.id, &error.to_string()),
            }
        }
        if let Some(asked) = &question {
            self.call_hook(asked);
        }
        let about = About {
            error,
            question: question.as_deref(),
            from,
            change,
        };
        if let Some(line) = (self.lines).line(event, about, counts.total()) {
            self.view.line(&line);
        }
        if let Record::Completed { .. } = event.record
            && let Some(call) = self.options.on_completed
        {
            call(counts.completed);
        }
    }

    /// Calls the hook of questions.
    fn call_hook(&self, question: &QuestionView) {
        if !self.hooks.has(Hook::Question) {
            return;
        }
        let run = self.follower.handle().id();
        let answers = next::answers(run.as_str(), question);
        let next = if self.options.is_kept {
            answers
        } else {
            Vec::new()
        };
        let message = json!({ "run": run.as_str(), "question": question, "next": next });
        self.hooks.call(Hook::Question, run, &message);
    }

    async fn ask(&mut self, ask: Ask) {
        let mut question = ask.question;
        orphans::tell(&mut question, &self.options.orphans);
        if let Some(error) = &question.error {
            let line = error.lines().next().unwrap_or_default();
            question.text = format!("{} ({line})", question.text);
        }
        let file = ask.plan.as_ref().map(|plan| plan.plan_file.clone());
        if let Some(plan) = ask.plan {
            self.show_plan(plan);
        }
        let number = question.id;
        match Prompt::start(&question, file, self.options.channel, &mut self.view) {
            Ok(prompt) => self.prompt = Some((number, prompt)),
            Err(error) => self.not_asked(number, &error.to_string()),
        }
    }

    /// Prints a plan between two empty lines.
    fn show_plan(&mut self, plan: PlanOutput) {
        let text = shown::text(plan, self.options.channel);
        self.view.line(&format!("\n{text}\n"));
    }

    /// The run waits for another one of its group.
    fn waits(&mut self, group: &str, holder: Option<&str>) {
        let run = self.follower.handle().id();
        self.view.waits(run.as_str(), group, holder);
        let words = waits_words(group, holder);
        let word = Tone::Warning.paint("waiting");
        self.view.line(&format!("{word} the run {words}"));
        self.waits = Some(words);
    }

    fn dropped(&mut self, request: RequestId, why: &str) {
        let run = self.follower.handle().id();
        self.view.dropped(run.as_str(), request, why);
        let text = format!("request {request}: {}", escape_terminal(why));
        self.note("dropped", Tone::Bad, &text);
    }

    fn note(&mut self, word: &str, tone: Tone, text: &str) {
        self.view.line(&format!("{} {text}", tone.paint(word)));
    }

    /// Postpones a question that cannot be shown to the person, and prints the reason.
    fn not_asked(&mut self, question: u32, why: &str) {
        let why = escape_terminal(why);
        let text = format!("q{question} stays open: it cannot be asked here: {why}");
        self.note("not asked", Tone::Bad, &text);
        self.follower.postpone(question);
    }

    fn waiting(&mut self, at: Timestamp) {
        let wait = format_duration(at.since(crate::context::now()));
        let text = format!("for an answer; a default counts in {wait}");
        self.note("waiting", Tone::Question, &text);
    }

    /// Handles a stop signal. Returns whether the process is to end at once.
    async fn stop(&mut self) -> bool {
        self.close_prompt().await;
        let text = match self.follower.stop().await {
            Stop::Kill => return true,
            Stop::EndingGrace => {
                "stopping running tasks; a third signal ends zeph at once".to_owned()
            }
            Stop::Suspending { running: 0 } => "the run is being suspended".to_owned(),
            Stop::Suspending { running } => format!(
                "nothing new starts, {running} running {} {} to finish; a second signal stops them",
                if running == 1 {
                    "task has"
                } else {
                    "tasks have"
                },
                format_duration(self.options.grace),
            ),
        };
        let line = format!("{} {text}", Tone::Warning.paint("suspending"));
        if self.view.is_json() {
            out::note_line(line);
        } else {
            self.view.line(&line);
        }
        false
    }

    async fn killed(mut self) -> CliError {
        self.close_prompt().await;
        self.view.close();
        let exit = self.signals.first.unwrap_or(Exit::Interrupted);
        let run = self.follower.handle().id();
        let error = CliError::new(exit, format!("run {run} was killed")).code("killed");
        if !self.options.is_kept {
            return error;
        }
        let resume = command(&["resume", run.as_str()]);
        error.help(format!("continue with `{resume}`"))
    }

    async fn close_prompt(&mut self) {
        if let Some((_, prompt)) = self.prompt.take() {
            prompt.cancel(&mut self.view).await;
        }
    }

    /// Handles a step of the person who is asked.
    async fn step(&mut self, step: Step) {
        let Some((question, prompt)) = &mut self.prompt else {
            return;
        };
        let question = *question;
        let Some(outcome) = prompt.handle(step, &mut self.view) else {
            return;
        };
        self.prompt = None;
        match outcome {
            Outcome::Answer(text) => {
                if let Err(error) = self.follower.answer(question, text).await {
                    let text = error.to_string();
                    self.note("not an answer", Tone::Bad, &escape_terminal(&text));
                }
            }
            Outcome::Later => {
                let run = self.follower.handle().id();
                let mut text = format!("q{question}");
                if self.options.is_kept {
                    let command = answer_at_terminal(run.as_str(), question);
                    text.push_str(&format!(" → {command}"));
                }
                self.note("put off", Tone::Question, &text);
                self.follower.postpone(question);
            }
            Outcome::Broken(why) => self.not_asked(question, &why),
        }
    }
}

/// The next step of the prompt; pending for ever without a prompt.
async fn step(prompt: &mut Option<(u32, Prompt)>) -> Step {
    match prompt {
        Some((_, prompt)) => prompt.step().await,
        None => std::future::pending().await,
    }
}

/// The line below the running tasks.
pub(super) fn status(snapshot: &RunSnapshot, lines: &EventFormatter) -> String {
    let counts = &snapshot.counts;
    let mut text = lines.progress();
    if snapshot.state != RunState::Running {
        text.push(' ');
        text.push_str(snapshot.state.word());
    }
    for (count, what) in [
        (counts.in_flight(), "running"),
        (counts.ready, "ready"),
        (counts.backing_off, "backing off"),
        (counts.asking, "asking"),
    ] {
        if count > 0 {
            text.push_str(&format!(" · {count} {what}"));
        }
    }
    text
}
