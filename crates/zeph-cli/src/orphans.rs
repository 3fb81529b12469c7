//! Orphans: processes of interrupted attempts that are still alive after their `zeph` was killed.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use zeph_common::{escape_terminal, format_duration};
use zeph_executor::NoteKind;
use zeph_graph::{AskWhy, Attempt, Fault, TaskId};
use zeph_memory::RawGraphStore;
use zeph_orchestration::command::ProcessGroup;
use zeph_runtime::{QuestionView, RunView};

use crate::args::OrphansDo;
use crate::exit::{CliError, Exit};
use crate::out::{self, Tone};
use crate::run::{Signals, listen, prompt};

/// The time between two looks at the processes. They are no children of this process, so no signal tells of
/// their end.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// The time in which killed processes end.
const KILL_PATIENCE: Duration = Duration::from_secs(10);

/// The processes of an interrupted attempt.
#[derive(Clone, Debug)]
pub(crate) struct Orphan {
    pub(crate) task: String,
    pub(crate) attempt: Attempt,
    pub(crate) group: ProcessGroup,
}

impl Orphan {
    /// The processes of that attempt, if they are alive.
    pub(crate) async fn of(
        store: &dyn RawGraphStore,
        view: &RunView,
        task: TaskId,
        attempt: Attempt,
    ) -> Result<Option<Self>, CliError> {
        let notes = view.notes(store, task).await?;
        let noted = notes
            .iter()
            .rev()
            .find(|note| note.attempt == attempt && note.kind == NoteKind::Process.name());
        let group: Option<ProcessGroup> =
            noted.and_then(|note| serde_json::from_slice(&note.body).ok());
        let alive = group.filter(ProcessGroup::is_alive);
        Ok(alive.map(|group| Self {
            task: view.graph().task(task).name().to_owned(),
            attempt,
            group,
        }))
    }

    /// `attempt 1 of deploy (process group 4711)`, safe to print.
    fn describe(&self) -> String {
        let (attempt, task, id) = (self.attempt, escape_terminal(&self.task), self.group.id);
        format!("attempt {attempt} of {task} (process group {id})")
    }
}

/// Adds to a question about an interrupted task that its processes are alive.
pub(crate) fn tell(question: &mut QuestionView, orphans: &[Orphan]) {
    if question.about != AskWhy::Failure(Fault::Interrupted) {
        return;
    }
    let alive = orphans
        .iter()
        .find(|orphan| orphan.task == question.task && orphan.group.is_alive());
    if let Some(orphan) = alive {
        let id = orphan.group.id;
        question.text.push_str(&format!(
            " (It is still at work, as process group {id}; `kill -- -{id}` ends it.)"
        ));
    }
}

/// Waits for the processes, ends them, or leaves them alone: as is wanted, or as the person at the terminal
/// says.
pub(crate) async fn settle(
    orphans: &[&Orphan],
    wanted: Option<OrphansDo>,
    can_ask: bool,
    grace: Duration,
) -> Result<(), CliError> {
    if orphans.is_empty() {
        return Ok(());
    }
    let what = match wanted {
        Some(what) => what,
        None if can_ask => ask(orphans).await?,
        None => OrphansDo::Ignore,
    };
    // What is printed invites a signal, so it is listened to before.
    let mut signals = listen()?;
    match what {
        OrphansDo::Ignore => Ok(()),
        OrphansDo::Wait => {
            note("waiting", orphans, "; Ctrl-C resumes nothing");
            gone(orphans, None, &mut signals, || {}).await.map(drop)
        }
        OrphansDo::Kill => end(orphans, grace, signals).await,
    }
}

async fn ask(orphans: &[&Orphan]) -> Result<OrphansDo, CliError> {
    let names: Vec<String> = orphans.iter().map(|one| one.describe()).collect();
    let text = format!("Still at work: {}. What now?", names.join(", "));
    let choices = [
        ("wait", "until they have ended"),
        ("kill", "end them"),
        ("ignore", "go on beside them"),
    ];
    let help = "Esc: resume nothing".to_owned();
    match prompt::choose(text, help, &choices).await?.as_deref() {
        Some("wait") => Ok(OrphansDo::Wait),
        Some("kill") => Ok(OrphansDo::Kill),
        Some(_) => Ok(OrphansDo::Ignore),
        None => {
            let text = "processes of it are still at work, and nothing was decided about them";
            let error = CliError::new(Exit::Usage, text).code("orphans");
            Err(error.help("`--orphans wait`, `kill` or `ignore` decides"))
        }
    }
}

async fn end(orphans: &[&Orphan], grace: Duration, mut signals: Signals) -> Result<(), CliError> {
    let words = format!(", at most {}", format_duration(grace));
    note("ending", orphans, &words);
    for orphan in orphans {
        orphan.group.terminate();
    }
    if gone(orphans, Some(grace), &mut signals, || {}).await? {
        return Ok(());
    }
    let kill = || orphans.iter().for_each(|orphan| orphan.group.kill());
    if gone(orphans, Some(KILL_PATIENCE), &mut signals, kill).await? {
        return Ok(());
    }
    let alive = orphans.iter().filter(|orphan| orphan.group.is_alive());
    let alive: Vec<String> = alive.map(|orphan| orphan.describe()).collect();
    let text = format!("still alive after SIGKILL: {}", alive.join(", "));
    let error = CliError::new(Exit::Usage, text).code("orphans");
    Err(error.help("`--orphans ignore` goes on beside them"))
}

/// Waits until none of them is alive; before each look, `act` is called. Returns whether they are gone in
/// time.
async fn gone(
    orphans: &[&Orphan],
    at_most: Option<Duration>,
    signals: &mut Signals,
    act: impl Fn(),
) -> Result<bool, CliError> {
    let end = at_most.map(|time| Instant::now() + time);
    loop {
        act();
        if !orphans.iter().any(|orphan| orphan.group.is_alive()) {
            return Ok(true);
        }
        if end.is_some_and(|end| Instant::now() >= end) {
            return Ok(false);
        }
        tokio::select! {
            () = sleep(LOOK_EVERY) => {}
            () = signals.next() => {
                let exit = signals.first.unwrap_or(Exit::Interrupted);
                return Err(CliError::new(exit, "interrupted; nothing is resumed"));
            }
        }
    }
}

fn note(word: &str, orphans: &[&Orphan], more: &str) {
    for orphan in orphans {
        let word = Tone::Warning.paint(word);
        out::note_line(format!("{word} {}{more}", orphan.describe()));
    }
}
