//! Exit codes, and errors with code, message and help.

use std::error::Error;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};
use zeph_graph::{RunEnd, RunState};
use zeph_memory::StoreError;
use zeph_orchestration::OrchestratorError;
use zeph_runtime::RuntimeError;

use crate::context::{command, command_with, no_such_run};
use crate::out::{self, Tone};

/// The exit code of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Success.
    Completed = 0,
    /// An error of the tool itself.
    Internal = 1,
    /// The command line or the plan is wrong.
    Usage = 2,
    /// The run failed, or was canceled.
    Failed = 3,
    /// The run ended with tolerated failures.
    Degraded = 4,
    /// The run waits for an answer.
    Waiting = 5,
    /// A budget stopped the run, or part of it.
    Budget = 6,
    /// The run took too long.
    TimedOut = 7,
    /// The store is busy or broken, or the run is owned elsewhere.
    Store = 8,
    /// Suspended because the terminal was closed (SIGHUP).
    HungUp = 129,
    /// Suspended by Ctrl-C.
    Interrupted = 130,
    /// Suspended by Ctrl-\ (SIGQUIT).
    Quit = 131,
    /// Suspended by SIGTERM.
    Terminated = 143,
}

impl Exit {
    /// The exit code for a run in that state.
    pub(crate) const fn of(state: RunState) -> Self {
        match state {
            RunState::Ended(RunEnd::Completed) => Self::Completed,
            RunState::Ended(RunEnd::Degraded) => Self::Degraded,
            RunState::Ended(RunEnd::Failed | RunEnd::Canceled) => Self::Failed,
            RunState::Ended(RunEnd::TimedOut) => Self::TimedOut,
            RunState::Waiting
            | RunState::Running
            | RunState::Paused
            | RunState::Suspending
            | RunState::Suspended => Self::Waiting,
        }
    }

    /// The error code of a [`CliError`] with this exit code, unless it has a more precise one.
    const fn word(self) -> &'static str {
        match self {
            Self::Completed => "ok",
            Self::Internal => "internal",
            Self::Usage => "usage",
            Self::Failed => "failed",
            Self::Degraded => "degraded",
            Self::Waiting => "waiting",
            Self::Budget => "budget",
            Self::TimedOut => "timed_out",
            Self::Store => "store",
            Self::HungUp => "hung_up",
            Self::Interrupted => "interrupted",
            Self::Quit => "quit",
            Self::Terminated => "terminated",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// An error for the person at the terminal: what happened, and what to type next.
#[derive(Debug)]
pub(crate) struct CliError {
    /// The exit code.
    pub(crate) exit: Exit,
    /// The error code; stable, for programs.
    pub(crate) code: &'static str,
    /// The message.
    pub(crate) message: String,
    /// The next step for the person.
    pub(crate) help: Option<Box<str>>,
    /// The problems one by one, for programs.
    pub(crate) diagnostics: Vec<Value>,
    /// The problems one by one, for people; replaces the message on a terminal.
    pub(crate) picture: Option<Box<str>>,
    /// The causes of the error.
    pub(crate) causes: Box<[String]>,
}

impl CliError {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            code: exit.word(),
            message: message.into(),
            help: None,
            diagnostics: Vec::new(),
            picture: None,
            causes: Box::default(),
        }
    }

    /// The error of a command line: its first paragraph is the message, the rest says what to type.
    pub(crate) fn usage(text: &str) -> Self {
        let text = text.trim();
        let (message, help) = text.split_once("\n\n").unwrap_or((text, ""));
        let message = message.strip_prefix("error: ").unwrap_or(message);
        Self::new(Exit::Usage, message).help(help.trim())
    }

    pub(crate) const fn code(mut self, code: &'static str) -> Self {
        self.code = code;
        self
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into().into());
        self
    }

    /// Keeps the causes below an error, whose own text the message has.
    fn caused_by(mut self, error: &dyn Error) -> Self {
        let (mut causes, mut next) = (Vec::new(), error.source());
        while let Some(cause) = next {
            causes.push(cause.to_string());
            next = cause.source();
        }
        self.causes = causes.into();
        self
    }

    /// Prints the error for people on stderr, or for programs on stdout; its causes if `verbose`.
    pub(crate) fn print(&self, json: bool, verbose: bool) {
        if json {
            out::json(&self.to_json());
            return;
        }
        match &self.picture {
            Some(picture) => out::note_line(picture.trim_end()),
            None => {
                let message = zeph_common::escape_terminal_block(&self.message);
                out::note_line(format!("{} {message}", Tone::Bad.paint("error:")));
            }
        }
        for cause in self.causes.iter().filter(|_| verbose) {
            let cause = zeph_common::escape_terminal_block(cause);
            out::note_line(format!("  caused by: {cause}"));
        }
        if let Some(help) = &self.help {
            let help = zeph_common::escape_terminal_block(help);
            out::note_line(format!("{} {help}", Tone::Question.paint(" help:")));
        }
    }

    fn to_json(&self) -> Value {
        let mut error = json!({ "code": self.code, "message": self.message });
        if let Some(help) = &self.help {
            error["help"] = Value::from(&**help);
        }
        if !self.diagnostics.is_empty() {
            error["diagnostics"] = Value::from(self.diagnostics.clone());
        }
        json!({ "error": error })
    }
}

/// The error for a file that a command would have to write over.
pub(crate) fn is_there(path: &Path) -> CliError {
    CliError::new(Exit::Usage, format!("{} is there already", path.display()))
        .code("file_exists")
        .help("name another file")
}

/// Writes a file that must not exist, or over it.
pub(crate) fn write_file(
    path: &Path,
    bytes: &[u8],
    force: bool,
    unwritable: impl FnOnce(&io::Error) -> CliError,
) -> Result<(), CliError> {
    let mut options = OpenOptions::new();
    options
        .write(true)
        .truncate(force)
        .create(force)
        .create_new(!force);
    let file = options.open(path);
    let written = file.and_then(|mut file| file.write_all(bytes));
    written.map_err(|error| {
        if error.kind() == io::ErrorKind::AlreadyExists {
            return may_force(path);
        }
        unwritable(&error)
    })
}

/// The error for a file that a command with `--force` would write over.
pub(crate) fn may_force(path: &Path) -> CliError {
    is_there(path).help("name another file, or write over it with --force")
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        of_store(&error).caused_by(&error)
    }
}

impl From<RuntimeError> for CliError {
    fn from(error: RuntimeError) -> Self {
        of_runtime(&error).caused_by(&error)
    }
}

impl From<OrchestratorError> for CliError {
    fn from(error: OrchestratorError) -> Self {
        if let OrchestratorError::Runtime(error) = error {
            return error.into();
        }
        of_orchestrator(&error).caused_by(&error)
    }
}

fn of_store(error: &StoreError) -> CliError {
    if let StoreError::NotFound { run } = error {
        return no_such_run(format!("there is no run {run}")).code(error.kind());
    }
    let is_usage = matches!(error, StoreError::Exists { .. } | StoreError::Open { .. });
    let exit = if is_usage { Exit::Usage } else { Exit::Store };
    CliError::new(exit, error.to_string()).code(error.kind())
}

fn of_runtime(error: &RuntimeError) -> CliError {
    use RuntimeError as E;
    let text = error.to_string();
    let usage = |code| CliError::new(Exit::Usage, text.as_str()).code(code);
    let store = |code| CliError::new(Exit::Store, text.as_str()).code(code);
    match error {
        E::Store { source, .. } | E::Claim { source } => of_store(source),
        E::Closed { .. } => store("journal_closed"),
        E::MissingExecutors { .. } => usage("missing_executors"),
        E::OwnedElsewhere { run, .. } => store("owned_elsewhere").help(format!(
            "`{}` shows what it does; `{}` ends its work there, so that it can be resumed here",
            command(&["watch", run.as_str()]),
            command(&["suspend", run.as_str()])
        )),
        E::GroupBusy {
            holder: Some(run), ..
        } => store("group_busy").help(format!(
            "`{}` shows what it does; start with --on-conflict queue to wait for it, or with --on-conflict cancel-running to end it",
            command(&["watch", run.as_str()])
        )),
        E::GroupBusy { holder: None, .. } => {
            store("group_busy").help("start with --on-conflict queue to wait for it")
        }
        E::GroupLock { .. } => store("group_lock"),
        E::AlreadyHere { .. } => usage("already_here"),
        E::Proposer { .. } => usage("proposer"),
        E::NoResult { parent, .. } => {
            let parent = zeph_common::escape_terminal(parent);
            usage("no_result").help(format!(
                "name {parent} as well, or give it a result: --set {parent}=@FILE"
            ))
        }
        E::NotEnded { run } => usage("not_ended").help(format!(
            "`{}` continues it; `{}` ends it",
            command(&["resume", run.as_str()]),
            command(&["cancel", run.as_str()])
        )),
        E::AlreadyEnded { run, state } => {
            let text = format!("run {run} has ended ({state}) and cannot be changed or resumed");
            CliError::new(Exit::Usage, text)
                .code("already_ended")
                .help(format!("`{}` shows it", command(&["show", run.as_str()])))
        }
        E::GraphChanged { .. } => usage("graph_changed"),
        E::Header { .. } | E::Record { .. } | E::Corrupt { .. } | E::Patch { .. } => {
            store("damaged")
        }
        E::Unreadable { .. } => store("unreadable"),
        E::Unreachable { .. } => store("unreachable"),
        E::DamagedRequests { .. } => store("damaged_requests"),
        E::NoSuchTask { .. } => usage("no_such_task"),
        E::NoSuchRecord { run, .. } => usage("no_such_record").help(format!(
            "`{}` prints the records of a task with their numbers",
            command(&["show", run.as_str(), "TASK"])
        )),
        E::NoSuchQuestion { run, .. } => usage("no_such_question").help(format!(
            "`{}` lists those that are open",
            command(&["status", run.as_str()])
        )),
        E::AlreadyAnswered {
            run,
            question,
            posted: Some(_),
            ..
        } => usage("already_answered").help(format!(
            "`{}` withdraws it and asks again",
            command(&["answer", run.as_str(), &question.to_string(), "--replace"])
        )),
        E::AlreadyAnswered { run, .. } => usage("already_answered").help(format!(
            "`{}` lists those that are open",
            command(&["status", run.as_str()])
        )),
        E::BadAnswer { .. } => usage("bad_answer"),
        E::AlreadyGiven { run, task, .. } => usage("already_given").help(format!(
            "`{}`, or `complete` with --replace, takes its place",
            command_with(&["skip", run.as_str(), "--replace"], &[task])
        )),
        E::BadResult { .. } => usage("bad_result"),
        E::BadPatch { .. } => usage("bad_patch"),
        E::AlreadyPosted { run } => usage("already_posted").help(format!(
            "`{}` adds them; with --replace this command takes their place",
            command(&["resume", run.as_str()])
        )),
        E::Outdated { run, .. } => usage("outdated").help(format!(
            "`{}` shows what the plan changes now",
            command(&["amend", run.as_str(), "PLAN", "--dry-run"])
        )),
        E::OwnTask { .. } => usage("own_task"),
        E::Refused { .. } => usage("refused"),
        E::Gone { .. } | E::Random { .. } => CliError::new(Exit::Internal, text),
    }
}

fn of_orchestrator(error: &OrchestratorError) -> CliError {
    use OrchestratorError as E;
    let text = error.to_string();
    let usage = |code| CliError::new(Exit::Usage, text.as_str()).code(code);
    let store = |code| CliError::new(Exit::Store, text.as_str()).code(code);
    match error {
        E::Runtime(error) => of_runtime(error),
        E::NoFolder { .. } => {
            usage("no_folder").help("restore the folder: the run's commands run in it")
        }
        E::FolderName { .. } => usage("no_folder").help("run it from a folder whose name is UTF-8"),
        E::Lost { .. } => store("journal_closed"),
        E::Secret(_) => usage("bad_secret"),
        E::SecretStored { .. } => usage("secret_stored").help(
            "let the command inherit it with `pass_env`, or declare a parameter with `secret = true`",
        ),
        E::MissingSecrets { names, .. } => {
            let name = names.first().map_or("NAME", String::as_str);
            usage("missing_secret").help(format!(
                "give it again with -p {name}=@FILE, -p {name}=@env:VARIABLE, or -p {name} for a hidden prompt"
            ))
        }
        E::Metadata(_) => store("damaged"),
        E::Agents(found) => {
            crate::problems::error("the tasks of the run", "invalid_plan", found)
        }
        E::LlmContext(_) => usage("bad_agents")
            .help("`zeph agents` shows the definitions and what is wrong with them"),
        E::CommandTemplates(_) => usage("bad_configuration"),
        E::NoModel => usage("no_model"),
        E::UnknownPrice { .. } => usage("unknown_price").help(
            "set llm.input_usd and llm.output_usd in zeph.toml, dollars for a million tokens, for a fallback model llm.fallback_input_usd and llm.fallback_output_usd; or limit tokens instead",
        ),
        E::UnknownAgentPrice { agent } => usage("unknown_price").help(format!(
            "set `price_per_call` of `program` in the definition of {agent}, dollars for a call, 0 if it is free; or limit tokens instead"
        )),
        E::NoPlan { .. } => CliError::new(Exit::Failed, text),
        E::Action(_) | E::NoRandomness | E::Goal(_) => CliError::new(Exit::Internal, text),
    }
}
