//! `zeph mcp serve`: tools with which an assistant plans, starts, follows and answers runs.
//!
//! Each tool runs the command of the same name with `--json` in a process of its own, so it does exactly what
//! a person at a terminal gets, and nothing of it can write between the messages of the protocol.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::task::JoinHandle;
use zeph_executor::{Attempt, TaskContext, TaskError, TaskId};
use zeph_orchestration::mcp::{ServerAbout, serve};
use zeph_planner::plan::edited_plan;
use zeph_subagent::{Effect, Tool, tool_fn, with_effect};

use super::commands::Commands;
use crate::context::AppContext;
use crate::exit::{CliError, Exit};
use crate::out;
use crate::run::listen;

/// What an assistant may do beside starting goals and reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Rights {
    /// Answer the questions of runs, which includes approvals, but with no plan.
    pub(super) answers: bool,
    /// Run plan files and plans of its own, which run any command; with `answers` also in place of a plan that is asked
    /// about.
    pub(super) plans: bool,
}

impl Rights {
    /// What an assistant reads about the tools together.
    fn instructions(self) -> String {
        let run = if self.plans {
            "`run` starts a goal or a plan file and waits for a while"
        } else {
            "`run` starts a goal and waits for a while"
        };
        let asks = if self.answers {
            "A run for a goal first asks about its plan: show it to the user, then `answer` its question with \
             approve, or reject: WHY. Never answer a question yourself that is meant for a person."
        } else {
            "A run for a goal first asks about its plan, and tasks may ask for an approval. Only a person answers: \
             show the user the question with its number, and that `zeph answer RUN NUMBER approve` answers it \
             (or `reject: WHY`, or the answer to another question); then `resume` lets the run continue."
        };
        format!(
            "Runs work as graphs of tasks on this machine, on disk, so that nothing finished is lost.\n\
             `plan` shows what a goal would do and runs nothing. {run}; with \"state\": \"running\" the run goes \
             on, and `status` says how it is. {asks} `why` explains any task that is not running, `show` has results."
        )
    }
}

/// The wait of `run` and `answer` if the call does not say.
const WAIT_SECONDS: u64 = 60;
/// The longest wait.
const MAX_WAIT_SECONDS: u64 = 3_600;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Plan {
    /// The goal, in words.
    goal: String,
    /// What was wrong with earlier plans.
    #[serde(default)]
    feedback: Vec<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RunGoal {
    /// The goal, in words.
    goal: String,
    /// The name of the run; null for a random one.
    #[serde(default)]
    name: Option<String>,
    /// How many seconds to wait for its end, at most 3600; null for 60.
    #[serde(default)]
    wait_seconds: Option<u64>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Run {
    /// The goal, in words; or give a plan.
    #[serde(default)]
    goal: Option<String>,
    /// The path of a plan file.
    #[serde(default)]
    plan_file: Option<String>,
    /// The text of a plan file, TOML, JSON or YAML.
    #[serde(default)]
    plan: Option<String>,
    /// The parameters of the plan.
    #[serde(default)]
    params: BTreeMap<String, String>,
    /// The name of the run; null for a random one.
    #[serde(default)]
    name: Option<String>,
    /// How many seconds to wait for its end, at most 3600; null for 60.
    #[serde(default)]
    wait_seconds: Option<u64>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OfRun {
    /// The run, or the beginning of its name; null for the newest.
    #[serde(default)]
    run: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OfTask {
    /// The run, or the beginning of its name.
    run: String,
    /// The task; null for the whole run.
    #[serde(default)]
    task: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Answer {
    /// The run, or the beginning of its name.
    run: String,
    /// The number of the question, as `status` has it, or the name of its task.
    question: String,
    /// The answer. For a plan: approve, or reject: WHY.
    text: String,
    /// How many seconds to wait for what follows, at most 3600; null for 60.
    #[serde(default)]
    wait_seconds: Option<u64>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Resume {
    /// The run, or the beginning of its name.
    run: String,
    /// How many seconds to wait for its end, at most 3600; null for 60.
    #[serde(default)]
    wait_seconds: Option<u64>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct List {
    /// How many runs at most; null for 20.
    #[serde(default)]
    limit: Option<u32>,
}

pub(super) async fn run(cx: &AppContext, rights: Rights) -> Result<Exit, CliError> {
    let commands = Arc::new(Commands::new(cx)?);
    let about = ServerAbout {
        name: "zeph".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        instructions: rights.instructions(),
    };
    let id = "mcp"
        .parse()
        .map_err(|error: zeph_graph::BadRunId| CliError::new(Exit::Internal, error.to_string()))?;
    let context = TaskContext::builder(id, TaskId::from_index(0), "mcp", Attempt::FIRST).build();
    let mut signals = listen()?;
    let (stdout, printed) = stdout();
    let serving = serve(about, tools(&commands, rights), context, stdin(), stdout);
    let served = tokio::select! {
        served = serving => {
            printed.await.ok();
            served.map_err(|error| {
                CliError::new(Exit::Usage, error.to_string()).code("mcp_client")
            })
        }
        () = signals.next() => Ok(()),
    };
    // Runs at work are suspended, as at a terminal that is closed.
    commands.suspend().await;
    served.map(|()| Exit::Completed)
}

/// Standard output, and the task that ends when everything is written.
fn stdout() -> (DuplexStream, JoinHandle<()>) {
    let (write, mut read) = tokio::io::duplex(64 << 10);
    let printed = tokio::spawn(async move {
        let mut chunk = vec![0; 64 << 10];
        while let Ok(count @ 1..) = read.read(&mut chunk).await {
            out::bytes(&chunk[..count]);
        }
    });
    (write, printed)
}

/// Standard input, read by a thread that does not keep the process from ending.
fn stdin() -> DuplexStream {
    let (mut write, read) = tokio::io::duplex(64 << 10);
    let handle = tokio::runtime::Handle::current();
    std::thread::spawn(move || {
        let mut chunk = vec![0; 64 << 10];
        let mut stdin = std::io::stdin().lock();
        while let Ok(count @ 1..) = stdin.read(&mut chunk) {
            if handle.block_on(write.write_all(&chunk[..count])).is_err() {
                break;
            }
        }
    });
    read
}

/// The tools that the assistant has a right to.
fn tools(commands: &Arc<Commands>, rights: Rights) -> Vec<Arc<dyn Tool>> {
    let here = || Arc::clone(commands);
    let changes = |tool| with_effect(Effect::AtMostOnce, tool);
    let (plan, run, resume, cancel) = (here(), here(), here(), here());
    let mut tools = reading(commands);
    tools.extend([
        // It asks a model, which costs money.
        changes(tool_fn(
            "plan",
            "Plans a goal and runs nothing; asks a model, which may cost money",
            move |_, of: Plan| planned(Arc::clone(&plan), of),
        )),
        if rights.plans {
            changes(tool_fn(
                "run",
                "Starts a goal or a plan, and waits for its end or for the time that is given",
                move |_, of: Run| started(Arc::clone(&run), of),
            ))
        } else {
            changes(tool_fn(
                "run",
                "Starts a goal, and waits for its end, for a question, or for the time that is given",
                move |_, of: RunGoal| started(Arc::clone(&run), of.into()),
            ))
        },
        changes(tool_fn(
            "resume",
            "Lets a run continue that waits or was interrupted, such as after an answer of the user",
            move |_, of: Resume| {
                let words = ["resume", "--", &of.run].map(str::to_owned).to_vec();
                let resume = Arc::clone(&resume);
                async move { resume.work(words, None, wait(of.wait_seconds)).await }
            },
        )),
        changes(tool_fn(
            "cancel",
            "Cancels a run, or one of its tasks",
            move |_, of: OfTask| {
                let of = [Some(of.run), of.task].into_iter().flatten().collect();
                once(Arc::clone(&cancel), &["cancel"], of)
            },
        )),
    ]);
    if rights.answers {
        let answer = here();
        let about = if rights.plans {
            "Answers a question of a run, and lets the run continue; ask the user for the answer. A whole plan file \
             replaces a plan"
        } else {
            "Answers a question of a run, and lets the run continue; ask the user for the answer"
        };
        tools.push(changes(tool_fn("answer", about, move |_, of: Answer| {
            answered(Arc::clone(&answer), rights, of)
        })));
    }
    tools
}

/// The tools that only read.
fn reading(commands: &Arc<Commands>) -> Vec<Arc<dyn Tool>> {
    let here = || Arc::clone(commands);
    let reads = |tool| with_effect(Effect::Pure, tool);
    let (status, show, why, list) = (here(), here(), here(), here());
    vec![
        reads(tool_fn(
            "status",
            "The state of a run: tasks, open questions, cost",
            move |_, of: OfRun| {
                let run = of.run.into_iter().collect();
                once(Arc::clone(&status), &["status"], run)
            },
        )),
        reads(tool_fn(
            "show",
            "A run with its answer, or one task with its result, its attempts and its tool calls",
            move |_, of: OfTask| {
                let of = [Some(of.run), of.task].into_iter().flatten().collect();
                once(Arc::clone(&show), &["show"], of)
            },
        )),
        reads(tool_fn(
            "why",
            "Why a run or a task is not running, and what to do",
            move |_, of: OfTask| {
                let of = [Some(of.run), of.task].into_iter().flatten().collect();
                once(Arc::clone(&why), &["why"], of)
            },
        )),
        reads(tool_fn(
            "list",
            "The runs, newest first",
            move |_, of: List| {
                let limit = of.limit.unwrap_or(20).to_string();
                once(Arc::clone(&list), &["list", "--limit", &limit], Vec::new())
            },
        )),
    ]
}

impl From<RunGoal> for Run {
    fn from(of: RunGoal) -> Self {
        Self {
            goal: Some(of.goal),
            plan_file: None,
            plan: None,
            params: BTreeMap::new(),
            name: of.name,
            wait_seconds: of.wait_seconds,
        }
    }
}

/// Runs a command to its end. Its operands may look like flags.
fn once(
    commands: Arc<Commands>,
    words: &[&str],
    operands: Vec<String>,
) -> impl Future<Output = Result<String, TaskError>> + use<> {
    let mut words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    if !operands.is_empty() {
        words.push("--".to_owned());
        words.extend(operands);
    }
    async move { commands.once(words).await }
}

async fn planned(commands: Arc<Commands>, of: Plan) -> Result<String, TaskError> {
    let feedback = of
        .feedback
        .into_iter()
        .map(|text| format!("--feedback={text}"));
    let mut words = vec!["plan".to_owned()];
    words.extend(feedback);
    words.extend(["--".to_owned(), of.goal]);
    commands.once(words).await
}

async fn started(commands: Arc<Commands>, of: Run) -> Result<String, TaskError> {
    let mut flags: Vec<String> = Vec::new();
    flags.extend(of.name.map(|name| format!("--name={name}")));
    let wait = wait(of.wait_seconds);
    let wrong = |text: &str| Err(TaskError::permanent(text).with_code("invalid_arguments"));
    match (of.goal, of.plan_file, of.plan) {
        (Some(_), None, None) if !of.params.is_empty() => {
            wrong("a goal has no parameters; write them into the goal")
        }
        (Some(goal), None, None) => {
            let words = [&["do".to_owned()], &*flags, &["--".to_owned(), goal]].concat();
            commands.work(words, None, wait).await
        }
        (None, file, text) if file.is_some() != text.is_some() => {
            // The name ends at the first `=`.
            if let Some(name) = of.params.keys().find(|name| name.contains('=')) {
                return wrong(&format!("no parameter can have the name {name:?}"));
            }
            // `@` at the beginning of a value would name a file or a variable.
            let params = of.params.iter().map(|(name, value)| {
                let at = if value.starts_with('@') { "@" } else { "" };
                format!("--param={name}={at}{value}")
            });
            flags.extend(params);
            let file = file.unwrap_or_else(|| "-".to_owned());
            let words = [&["run".to_owned()], &*flags, &["--".to_owned(), file]].concat();
            commands.work(words, text, wait).await
        }
        _ => wrong("give one of goal, plan_file and plan"),
    }
}

async fn answered(
    commands: Arc<Commands>,
    rights: Rights,
    of: Answer,
) -> Result<String, TaskError> {
    // A plan file as the answer about a plan would run in its place.
    if !rights.plans && matches!(edited_plan(&of.text), Ok(Some(_))) {
        let text = "the answer is a plan file, which `zeph mcp serve` takes only with --allow-plans; \
                    answer approve, or reject: WHY";
        return Err(TaskError::refused(text).with_code("plan_not_allowed"));
    }
    let at = if of.text.starts_with('@') { "@" } else { "" };
    let words = [
        "answer",
        "--",
        &of.run,
        &of.question,
        &format!("{at}{}", of.text),
    ];
    let delivered = commands.once(words.map(str::to_owned).to_vec()).await?;
    // A process that works on the run continues by itself; without one it is resumed here.
    let value: serde_json::Value = serde_json::from_str(&delivered).unwrap_or_default();
    if value["delivery"] != "posted" {
        return Ok(delivered);
    }
    let words = ["resume", "--", &of.run].map(str::to_owned).to_vec();
    commands.work(words, None, wait(of.wait_seconds)).await
}

fn wait(seconds: Option<u64>) -> Duration {
    Duration::from_secs(seconds.unwrap_or(WAIT_SECONDS).min(MAX_WAIT_SECONDS))
}
