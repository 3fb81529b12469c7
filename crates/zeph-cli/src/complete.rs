//! Completion: the shell asks `zeph` for runs, tasks, questions, answers and parameters as they are stored.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::{Arg, Command, CommandFactory as _};
use clap_complete::engine::{
    ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter as _,
};
use clap_complete::env::{CompleteEnv, Shells};
use zeph_memory::{ListQuery, RawGraphStore as _};
use zeph_orchestration::planfile::{Format, Plan};
use zeph_runtime::RunView;

use crate::args::{Cli, CompletionsArgs, Global};
use crate::context::{AppContext, find_run};
use crate::exit::{CliError, Exit};
use crate::out;

/// The variable with which the script of a shell asks for completions.
const VARIABLE: &str = "ZEPH_COMPLETE";
/// The most candidates.
const MOST: u32 = 100;

/// Answers a shell that asks for completions. Returns whether one did.
pub(crate) fn answer() -> bool {
    if std::env::var_os(VARIABLE).is_none() {
        return false;
    }
    // A warning would be printed into the line that is typed.
    out::be_quiet();
    let here = std::env::current_dir().ok();
    let shell = CompleteEnv::with_factory(command).var(VARIABLE);
    let answered = shell.try_complete(std::env::args_os(), here.as_deref());
    answered.unwrap_or_default()
}

/// Prints the script that lets a shell ask.
pub(crate) fn script(args: &CompletionsArgs) -> Result<Exit, CliError> {
    let failed = |why: &dyn std::fmt::Display| {
        CliError::new(Exit::Internal, format!("there is no script: {why}"))
    };
    let shells = Shells::builtins();
    let name = args.shell.to_string();
    let shell = shells.completer(&name).ok_or_else(|| failed(&name))?;
    let mut script = Vec::new();
    let written = shell.write_registration(VARIABLE, "zeph", "zeph", "zeph", &mut script);
    written.map_err(|error| failed(&error))?;
    out::text(String::from_utf8_lossy(&script));
    Ok(Exit::Completed)
}

/// The command line, whose arguments know their candidates.
fn command() -> Command {
    Cli::command().mut_subcommands(|command| {
        command.mut_args(|arg| {
            let completer = match arg.get_id().as_str() {
                "run" | "before" | "after" => ArgValueCompleter::new(runs),
                "target" => ArgValueCompleter::new(targets),
                "task" | "from" | "only" | "at" => ArgValueCompleter::new(tasks),
                "artifact" => ArgValueCompleter::new(artifacts),
                "question" => ArgValueCompleter::new(questions),
                "text" => ArgValueCompleter::new(answers),
                "param" => ArgValueCompleter::new(params),
                _ => return arg,
            };
            arg.add(completer)
        })
    })
}

/// The words of the line that is typed.
struct Line {
    words: Vec<String>,
    global: Global,
}

impl Line {
    fn read() -> Self {
        let args = std::env::args_os().map(|arg| arg.to_string_lossy().into_owned());
        let mut args = args.skip_while(|arg| arg != "--").skip(2);
        let (mut words, mut db): (Vec<String>, _) = (Vec::new(), None);
        let zeph = Cli::command();
        while let Some(arg) = args.next() {
            if arg == "--db" {
                db = args.next().map(PathBuf::from);
            } else if let Some(path) = arg.strip_prefix("--db=") {
                db = Some(path.into());
            } else if !arg.starts_with('-') {
                words.push(arg);
            } else if takes_value(&zeph, words.first(), &arg) {
                args.next();
            }
        }
        let global = Global {
            db,
            json: false,
            verbose: 0,
        };
        Self { words, global }
    }

    /// The word behind the command: a run or a plan.
    fn first(&self) -> Option<&str> {
        self.words.get(1).map(String::as_str)
    }
}

/// Whether the next word is the value of an option of that command.
fn takes_value(zeph: &Command, command: Option<&String>, option: &str) -> bool {
    let command = command.and_then(|name| zeph.find_subcommand(name));
    let options = command
        .into_iter()
        .chain([zeph])
        .flat_map(Command::get_arguments);
    let is_meant = |arg: &&Arg| match (option.strip_prefix("--"), option.strip_prefix('-')) {
        (Some(long), _) => arg.get_long() == Some(long),
        // The value may be in the same word.
        (None, Some(short)) => arg.get_short().is_some_and(|one| short.chars().eq([one])),
        (None, None) => false,
    };
    let mut meant = options.filter(is_meant);
    meant
        .next()
        .is_some_and(|arg| arg.get_action().takes_values())
}

/// Reads the database with the settings of the line. What cannot be read has no candidates.
fn read<T: Default>(read: impl AsyncFnOnce(&AppContext, &Line) -> Result<T, CliError>) -> T {
    let line = Line::read();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let Ok(runtime) = runtime else {
        return T::default();
    };
    let found = AppContext::new(line.global.clone(), Vec::new(), true)
        .and_then(|cx| runtime.block_on(read(&cx, &line)));
    found.unwrap_or_default()
}

fn runs(current: &OsStr) -> Vec<CompletionCandidate> {
    let prefix = current.to_string_lossy().into_owned();
    read(async |cx, _| {
        let store = cx.open_store_read_only().await?;
        if !prefix.is_empty() {
            let found = store.find(&prefix, MOST).await?;
            return Ok(found
                .iter()
                .map(|run| candidate(run.as_str(), None))
                .collect());
        }
        let query = ListQuery {
            limit: MOST,
            ..ListQuery::default()
        };
        let rows = store.list(query).await?.into_iter();
        let rows = rows.map(|row| {
            let about = format!("{}: {}", row.status.state, row.title);
            candidate(row.run.as_str(), Some(&about))
        });
        Ok(rows.collect())
    })
}

/// Runs, and files.
fn targets(current: &OsStr) -> Vec<CompletionCandidate> {
    let files = PathCompleter::any().complete(current);
    runs(current).into_iter().chain(files).collect()
}

/// The run of the line.
async fn run_of(cx: &AppContext, line: &Line) -> Result<RunView, CliError> {
    let store = cx.open_store_read_only().await?;
    let run = find_run(&store, line.first(), None).await?;
    Ok(RunView::load(&store, &run).await?)
}

fn tasks(current: &OsStr) -> Vec<CompletionCandidate> {
    let prefix = current.to_string_lossy().into_owned();
    read(async |cx, line| {
        let view = run_of(cx, line).await?;
        let tasks = view.graph().tasks();
        let tasks = tasks.filter(|(_, task)| task.name().starts_with(&prefix));
        let tasks = tasks.map(|(id, task)| {
            let state = view.scheduler.task(id).state().word();
            candidate(task.name(), Some(state))
        });
        Ok(tasks.take(MOST as usize).collect())
    })
}

/// The artifacts of the task of the line.
fn artifacts(current: &OsStr) -> Vec<CompletionCandidate> {
    let prefix = current.to_string_lossy().into_owned();
    read(async |cx, line| {
        let store = cx.open_store_read_only().await?;
        let run = find_run(&store, line.first(), None).await?;
        let view = RunView::load(&store, &run).await?;
        let task = line.words.get(2).map_or("", String::as_str);
        let output = view.output(&store, view.task(task)?).await?;
        let artifacts = output.iter().flat_map(|output| output.artifacts());
        let artifacts = artifacts.filter(|one| one.name.starts_with(&prefix));
        let about = |size: usize| zeph_common::format_size(size as u64);
        Ok(artifacts
            .map(|one| candidate(&one.name, Some(&about(one.bytes.len()))))
            .collect())
    })
}

fn questions(current: &OsStr) -> Vec<CompletionCandidate> {
    let prefix = current.to_string_lossy().into_owned();
    read(async |cx, line| {
        let view = run_of(cx, line).await?;
        let questions = view.questions().into_iter();
        // Each by its number; by its task if that is what is typed.
        let questions = questions.filter_map(|one| {
            let (id, about) = (one.id.to_string(), format!("{}: {}", one.task, one.text));
            if id.starts_with(&prefix) {
                return Some((id, about));
            }
            let is_meant = one.task.starts_with(&prefix);
            is_meant.then_some((one.task, one.text))
        });
        Ok(questions
            .map(|(id, about)| candidate(&id, Some(&about)))
            .collect())
    })
}

/// The choices of the question of the line.
fn answers(current: &OsStr) -> Vec<CompletionCandidate> {
    let prefix = current.to_string_lossy().into_owned();
    read(async |cx, line| {
        let named = line.words.get(2);
        let view = run_of(cx, line).await?;
        let mut questions = view.questions().into_iter();
        let Some(question) = questions
            .find(|one| named.is_some_and(|name| *name == one.id.to_string() || *name == one.task))
        else {
            return Ok(Vec::new());
        };
        let choices = question.words().into_iter();
        let choices = choices.filter(|choice| choice.starts_with(&prefix));
        Ok(choices.map(|choice| candidate(choice, None)).collect())
    })
}

/// The parameters of the plan of the line.
fn params(current: &OsStr) -> Vec<CompletionCandidate> {
    let prefix = current.to_string_lossy().into_owned();
    let line = Line::read();
    let Some(name) = line.first() else {
        return Vec::new();
    };
    let folder = Path::new(name)
        .parent()
        .unwrap_or(Path::new(""))
        .to_string_lossy();
    let plan = std::fs::read(name)
        .ok()
        .and_then(|bytes| Plan::load_bytes_in(&bytes, Format::of_name(name), name, &folder).ok());
    let params = plan.iter().flat_map(Plan::params);
    let params = params.filter(|param| param.name.starts_with(&prefix));
    let params =
        params.map(|param| candidate(&format!("{}=", param.name), param.description.as_deref()));
    params.collect()
}

/// A candidate with its description, which is one line and cannot act on a terminal.
fn candidate(value: &str, about: Option<&str>) -> CompletionCandidate {
    let value = zeph_common::escape_terminal(value).into_owned();
    let about = about.and_then(|about| about.lines().next());
    let about = about.map(|about| zeph_common::escape_terminal(about).into_owned().into());
    CompletionCandidate::new(OsString::from(value)).help(about)
}
