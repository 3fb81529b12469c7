//! `zeph watch`: shows a run that another process works on, from its journal, until it ends or rests.

use std::sync::Arc;

use serde_json::json;
use zeph_common::escape_terminal;
use zeph_memory::RawGraphStore;
use zeph_orchestration::follow::Watcher;
use zeph_orchestration::plan::plan_in_view;
use zeph_runtime::{GraphChange, QuestionView, RunEvent, RuntimeError};
use zeph_scheduler::Event;

use crate::args::WatchArgs;
use crate::context::{AppContext, command, find_run};
use crate::exit::{CliError, Exit};
use crate::goal::shown;
use crate::llm;
use crate::out::{self, Channel, Tone};
use crate::read::status;
use crate::run::event_line::{About, EventFormatter};
use crate::run::fold::Fold;
use crate::run::follow::{self, FollowOptions, Followed};
use crate::run::view::View;
use crate::run::{end, listen};

pub(crate) async fn run(cx: &AppContext, args: &WatchArgs) -> Result<Exit, CliError> {
    let store = cx.open_store_read_only().await?;
    let run = find_run(&store, args.run.as_deref(), Some(true)).await?;
    let orchestrator = store.of(llm::base_builder(cx)).build()?;
    let mut signals = listen()?;
    let mut watcher = orchestrator.watch(&run).await?;
    let channel = llm::channel(watcher.view().graph());
    let options = FollowOptions {
        is_interactive: false,
        channel,
        ..FollowOptions::new(cx)
    };
    let mut screen = Screen::new(cx, &watcher, Arc::clone(orchestrator.store()), channel);
    if args.from_start {
        screen.lines.completed = 0;
        watcher = watcher.from_start();
    } else {
        for event in watcher.history() {
            screen.view.track(&event);
        }
    }
    let mut next = Box::pin(step(watcher));
    let watcher = loop {
        tokio::select! {
            (watcher, event) = &mut next => {
                match event? {
                    Some(event) => screen.show(&watcher, event).await,
                    None => break watcher,
                }
                next.set(step(watcher));
            }
            () = signals.next() => {
                screen.view.close();
                let again = command(&["watch", run.as_str()]);
                let word = Tone::Warning.paint("detached");
                out::note_line(format!("{word} run {run} continues; `{again}` shows it again"));
                return Ok(signals.first.unwrap_or(Exit::Interrupted));
            }
            () = screen.view.tick() => screen.view.refresh(),
        }
    };
    screen.view.close();
    let view = watcher.view();
    let report = view.full_report(&**orchestrator.store()).await?;
    let followed = Followed {
        report: Arc::new(report),
        signal: None,
        is_interrupted: watcher.is_interrupted(),
    };
    let took = view.updated_at.since(view.created_at);
    end::print(cx, &orchestrator, &followed, &options, None, took).await
}

/// The next event of a watcher. The future is kept while the live view is drawn, so that a read that takes
/// longer than the time between two pictures comes to its end.
async fn step(mut watcher: Watcher) -> (Watcher, Result<Option<RunEvent>, RuntimeError>) {
    let event = watcher.next().await;
    (watcher, event)
}

/// What is shown of a run.
struct Screen {
    view: View,
    lines: EventFormatter,
    channel: Channel,
    store: Arc<dyn RawGraphStore>,
}

impl Screen {
    /// Begins with a line that says what the run does.
    fn new(
        cx: &AppContext,
        watcher: &Watcher,
        store: Arc<dyn RawGraphStore>,
        channel: Channel,
    ) -> Self {
        let run = watcher.view();
        let counts = run.scheduler.counts();
        let mut view = View::new(cx, channel);
        view.began(run.created_at);
        let lines = EventFormatter {
            run: run.run.to_string(),
            total: counts.total(),
            completed: counts.completed,
            is_kept: true,
            is_resumed: false,
            fold: Fold::default(),
        };
        if cx.json() {
            out::json(&channel.marked(json!({
                "event": "watching",
                "run": run.run.as_str(),
                "owner": watcher.owner(),
                "counts": status::counts_json(&counts),
            })));
        } else {
            let owner = watcher.owner().map_or_else(
                || "no process works on it".to_owned(),
                |owner| format!("{} works on it", escape_terminal(owner)),
            );
            let (word, words) = (Tone::Good.paint("watching"), status::counts_words(&counts));
            view.line(&format!("{word} run {}: {words}; {owner}", run.run));
        }
        view.status(&follow::status(&run.snapshot(), &lines));
        Self {
            view,
            lines,
            channel,
            store,
        }
    }

    async fn show(&mut self, watcher: &Watcher, event: RunEvent) {
        match event {
            RunEvent::Saved {
                event,
                error,
                question,
                from,
                change,
            } => {
                let about = (error.as_deref(), from.as_deref(), change.as_deref());
                self.saved(watcher, &event, about, question).await;
            }
            RunEvent::Progress { task, text, .. } => self.view.progress(&task, &text),
            RunEvent::Log { .. }
            | RunEvent::Waits { .. }
            | RunEvent::Dropped { .. }
            | RunEvent::Missed(_) => {}
        }
        let status = follow::status(&watcher.view().snapshot(), &self.lines);
        self.view.status(&status);
    }

    async fn saved(
        &mut self,
        watcher: &Watcher,
        event: &Event,
        (error, from, change): (Option<&str>, Option<&str>, Option<&GraphChange>),
        mut question: Option<Box<QuestionView>>,
    ) {
        let run = watcher.view();
        let about = About {
            error,
            question: question.as_deref(),
            from,
            change,
        };
        self.view.event(run.run.as_str(), event, about);
        // A plan that cannot be read is reported where its question is answered.
        if let Some(asked) = &mut question
            && let Ok(Some(plan)) = plan_in_view(&*self.store, run, &asked.task).await
        {
            let text = shown::text(plan, self.channel);
            self.view.line(&format!("\n{text}\n"));
            shown::shorten(asked);
        }
        let total = run.graph().len() as u32;
        let about = About {
            error,
            question: question.as_deref(),
            from,
            change,
        };
        if let Some(line) = self.lines.line(event, about, total) {
            self.view.line(&line);
        }
    }
}
