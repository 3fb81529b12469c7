//! Runs goals with the terminal tool and a real model; every end must have a documented form.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::llm::fetch::Fetch;
use crate::llm::server::MODEL;
use crate::process::Process;
use crate::workspace::Workspace;

/// A small model completes some of these and fails in others.
const GOALS: [&str; 12] = [
    "Say hello in French.",
    "Write a two-line poem about the sea.",
    "Name three colours.",
    "Name a fruit.",
    "Count to five.",
    "Name the opposite of cold.",
    "Name the capital of Italy.",
    "Write a sentence about rain.",
    "Name two animals.",
    "Say thank you in German.",
    "Add two and three.",
    "Invent a name for a cat.",
];
/// How many of them are also only planned.
const PLANNED: usize = 3;

/// Time limit of one command. One answer of the model takes up to 20 s on an idle core.
const COMMAND: Duration = Duration::from_secs(420);

/// Accepted exit codes: not 1 (internal error), 8 (store error) or an interruption.
const EXIT_CODES: [i32; 7] = [0, 2, 3, 4, 5, 6, 7];

/// The result of one command.
struct CommandResult {
    code: i32,
    /// Standard output, one JSON value a line.
    values: Vec<Value>,
    elapsed: Duration,
    /// The last line of standard error.
    last_error: String,
}

/// The tool, its working folder and the results so far.
pub(crate) struct Scenario {
    program: PathBuf,
    folder: PathBuf,
    log: PathBuf,
    cases: u32,
    failures: u32,
    /// The number of goals that were planned, executed and answered by the model.
    answered: usize,
}

impl Scenario {
    /// Creates an empty working folder.
    pub(crate) fn new(workspace: &Workspace, fetch: &Fetch) -> Result<Self, String> {
        Ok(Self {
            program: workspace.target.join("debug/zeph"),
            folder: fetch.empty("scenario")?,
            log: fetch.log("scenario")?,
            cases: 0,
            failures: 0,
            answered: 0,
        })
    }

    /// Runs `zeph do` for each goal, and `zeph plan` for some.
    pub(crate) fn run_goals(&mut self, url: &str) {
        let model = format!("openai::{MODEL}");
        let models = ["--model", &model, "--base-url", url];
        for (number, goal) in GOALS.iter().enumerate() {
            println!("goal: {goal}");
            if number < PLANNED {
                let plan = [&["plan", goal], models.as_slice()].concat();
                self.case(&plan, &EXIT_CODES);
            }
            let name = run_name(number);
            let done = [&["do", goal, "--yes", "--name", &name], models.as_slice()].concat();
            self.case(&done, &EXIT_CODES);
        }
    }

    /// Replays each run after the model server has stopped.
    pub(crate) fn replay(&mut self) {
        println!("without the model:");
        for number in 0..GOALS.len() {
            self.case(&["replay", &run_name(number)], &[0]);
        }
    }

    /// Whether every command ended in a documented form, and two thirds of the goals were answered by the model.
    pub(crate) fn passed(&self) -> bool {
        let (answered, all) = (self.answered, GOALS.len());
        println!("the model answered {answered} of {all} goals");
        self.failures == 0 && answered * 3 >= all * 2
    }

    fn case(&mut self, args: &[&str], exit_codes: &[i32]) {
        self.cases += 1;
        let command = args[0];
        let result = self.call(args);
        if let Ok(Some(last)) = result.as_ref().map(|result| result.values.last()) {
            let is_answered = last["state"] == "completed" && last["answer"]["by"] == "llm";
            self.answered += usize::from(is_answered);
        }
        match result.and_then(|result| describe(&result, exit_codes)) {
            Ok(line) => println!("  ok      zeph {command:<6} {line}"),
            Err(error) => {
                self.failures += 1;
                println!("  FAILED  zeph {command:<6} {error}");
            }
        }
    }

    fn call(&self, args: &[&str]) -> Result<CommandResult, String> {
        let begin = Instant::now();
        let args = [args, &["--json", "--db", "runs.db"]].concat();
        // Every output is kept in a file to look at after a failure.
        let out = self
            .folder
            .join(format!("{}-{}.jsonl", self.cases, args[0]));
        let mut zeph = Command::new(&self.program);
        zeph.args(args).current_dir(&self.folder);
        for (name, _) in std::env::vars_os().filter(|(name, _)| is_setting(name)) {
            zeph.env_remove(name);
        }
        let mut process = Process::start_split(&mut zeph, &out, &self.log)?;
        let status = process.wait(COMMAND)?;
        let code = status
            .code()
            .ok_or_else(|| process.failure("was killed by a signal"))?;
        Ok(CommandResult {
            code,
            values: read_lines(&out)?,
            elapsed: begin.elapsed(),
            last_error: process
                .output()
                .lines()
                .last()
                .unwrap_or_default()
                .to_owned(),
        })
    }
}

/// Whether a variable of the user's environment would change the result of the check.
fn is_setting(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.starts_with("ZEPH_") || name.ends_with("_API_KEY")
}

/// Reads standard output, of which every line must be JSON.
fn read_lines(path: &Path) -> Result<Vec<Value>, String> {
    let text = fs::read_to_string(path).map_err(|err| format!("{}: {err}", path.display()))?;
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines
        .map(|line| serde_json::from_str(line).map_err(|err| format!("stdout, {err}: {line}")))
        .collect()
}

fn run_name(number: usize) -> String {
    format!("goal-{}", number + 1)
}

/// Describes a result in one line; an error if it does not have a documented form.
fn describe(result: &CommandResult, exit_codes: &[i32]) -> Result<String, String> {
    let Some(last) = result.values.last() else {
        return Err(format!(
            "exit code {}, no JSON: {}",
            result.code, result.last_error
        ));
    };
    let summary = summary(last)
        .filter(|_| exit_codes.contains(&result.code))
        .filter(|_| last["exit"].is_null() || last["exit"] == result.code)
        .ok_or_else(|| format!("exit code {}: {last}", result.code))?;
    let seconds = result.elapsed.as_secs_f64();
    Ok(format!(
        "exit {} after {seconds:.1} s, {summary}",
        result.code
    ))
}

/// Summarises the last value that a command printed; `None` if its form is unknown.
fn summary(last: &Value) -> Option<String> {
    if !last["error"].is_null() {
        let code = last["error"]["code"].as_str()?;
        let message = last["error"]["message"].as_str()?;
        return Some(format!("{code}: {}", message.lines().next()?));
    }
    if let Some(tasks) = last["plan"]["tasks"].as_array() {
        return Some(format!("a plan of {} tasks", tasks.len()));
    }
    if let Some(same) = last["same"].as_bool() {
        return same.then(|| format!("{} records, the same", last["records"]));
    }
    let mut text = last["state"].as_str()?.to_owned();
    for failure in last["failures"].as_array()? {
        let task = failure["task"].as_str()?;
        text.push_str(&format!("; {task}: {}", failure["error"]["code"].as_str()?));
    }
    if let Some(by) = last["answer"]["by"].as_str() {
        text.push_str(&format!("; answer, {by}: {}", last["answer"]["text"]));
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn result(code: i32, last: Value) -> CommandResult {
        CommandResult {
            code,
            values: vec![json!({"event": "x"}), last],
            elapsed: Duration::from_millis(1500),
            last_error: String::new(),
        }
    }

    fn describe_last(code: i32, last: Value) -> Result<String, String> {
        describe(&result(code, last), &EXIT_CODES)
    }

    #[test]
    fn a_documented_end_is_described() {
        let done = json!({"state": "completed", "exit": 0, "failures": []});
        let line = "exit 0 after 1.5 s, completed";
        assert_eq!(describe_last(0, done).as_deref(), Ok(line));
        let failed = json!({"task": "a", "error": {"code": "answer_cut"}});
        let failed = json!({"state": "failed", "exit": 3, "failures": [failed]});
        let line = "exit 3 after 1.5 s, failed; a: answer_cut";
        assert_eq!(describe_last(3, failed).as_deref(), Ok(line));
        let refused = json!({"error": {"code": "bad_plan", "message": "no tasks\nat all"}});
        let line = "exit 2 after 1.5 s, bad_plan: no tasks";
        assert_eq!(describe_last(2, refused).as_deref(), Ok(line));
    }

    #[test]
    fn any_other_end_is_an_error() {
        let internal = json!({"error": {"code": "internal", "message": "?"}});
        assert!(describe_last(1, internal).is_err());
        assert!(describe_last(3, json!({"text": "?"})).is_err());
        assert!(describe_last(0, json!({"same": false, "records": 3})).is_err());
        let other = json!({"state": "failed", "exit": 3, "failures": []});
        assert!(describe_last(0, other).is_err());
        let untyped = json!({"state": "failed", "exit": 3, "failures": [{"task": "a"}]});
        assert!(describe_last(3, untyped).is_err());
        let silent = CommandResult {
            values: Vec::new(),
            ..result(0, Value::Null)
        };
        assert!(describe(&silent, &EXIT_CODES).is_err());
    }
}
