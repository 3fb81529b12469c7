//! Goals through the terminal tool against a real model: whatever it answers, each end is typed.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::llm::fetch::Fetch;
use crate::llm::process::Process;
use crate::llm::server::MODEL;
use crate::workspace::Workspace;

/// A small model plans badly: it finds its way with some of these, and loses it with others.
const GOALS: [&str; 3] = [
    "Say hello in French.",
    "Write a two-line poem about the sea.",
    "Name three colours.",
];

/// The longest that one command may take. An answer of the model takes up to 20 s on a free core.
const COMMAND: Duration = Duration::from_secs(420);

/// How a command may end: 1 is a fault of the tool, 8 one of the store, the rest was interrupted.
const ENDS: [i32; 7] = [0, 2, 3, 4, 5, 6, 7];

/// What one command said.
struct Said {
    code: i32,
    /// Standard output, one JSON value a line.
    values: Vec<Value>,
    took: Duration,
    /// The last line of standard error.
    note: String,
}

/// The tool, where it works, and what has gone wrong with it.
pub(crate) struct Story {
    program: PathBuf,
    folder: PathBuf,
    log: PathBuf,
    cases: u32,
    faults: u32,
    /// A goal was planned, worked on and answered by the model.
    answered: bool,
}

impl Story {
    /// Begins with an empty folder and no runs.
    pub(crate) fn begin(workspace: &Workspace, fetch: &Fetch) -> Result<Self, String> {
        Ok(Self {
            program: workspace.target.join("debug/zeph"),
            folder: fetch.fresh("story")?,
            log: fetch.log("story")?,
            cases: 0,
            faults: 0,
            answered: false,
        })
    }

    /// Plans each goal, and does it.
    pub(crate) fn tell(&mut self, url: &str) {
        let model = format!("openai::{MODEL}");
        let models = ["--model", &model, "--base-url", url];
        for (number, goal) in GOALS.iter().enumerate() {
            println!("goal: {goal}");
            let plan = [&["plan", goal], models.as_slice()].concat();
            self.case(&plan, &ENDS);
            let name = run_name(number);
            let done = [&["do", goal, "--yes", "--name", &name], models.as_slice()].concat();
            self.case(&done, &ENDS);
        }
    }

    /// Decides each run once more from what was recorded; the model is gone by now.
    pub(crate) fn replay(&mut self) {
        println!("without the model:");
        for number in 0..GOALS.len() {
            self.case(&["replay", &run_name(number)], &[0]);
        }
    }

    /// Whether every end was a typed one, and one goal went all the way to the model's answer.
    pub(crate) fn is_sound(&self) -> bool {
        if !self.answered {
            println!("FAILED: no goal went all the way to an answer of the model");
        }
        self.faults == 0 && self.answered
    }

    fn case(&mut self, words: &[&str], ends: &[i32]) {
        self.cases += 1;
        let shown = words[0];
        let said = self.call(words);
        if let Ok(Some(last)) = said.as_ref().map(|said| said.values.last()) {
            self.answered |= last["state"] == "completed" && last["answer"]["by"] == "llm";
        }
        match said.and_then(|said| end(&said, ends)) {
            Ok(line) => println!("  ok      zeph {shown:<6} {line}"),
            Err(why) => {
                self.faults += 1;
                println!("  FAILED  zeph {shown:<6} {why}");
            }
        }
    }

    fn call(&self, words: &[&str]) -> Result<Said, String> {
        let begin = Instant::now();
        let words = [words, &["--json", "--db", "runs.db"]].concat();
        // Every output is kept, for whoever wonders about an end.
        let out = self
            .folder
            .join(format!("{}-{}.jsonl", self.cases, words[0]));
        let mut zeph = Command::new(&self.program);
        zeph.args(words).current_dir(&self.folder);
        for (name, _) in std::env::vars_os().filter(|(name, _)| is_setting(name)) {
            zeph.env_remove(name);
        }
        let mut process = Process::start_apart(&mut zeph, &out, &self.log)?;
        let status = process.wait(COMMAND)?;
        let code = status
            .code()
            .ok_or_else(|| process.failure("was killed by a signal"))?;
        Ok(Said {
            code,
            values: lines_of(&out)?,
            took: begin.elapsed(),
            note: process.said().lines().last().unwrap_or_default().to_owned(),
        })
    }
}

/// Settings and keys of whoever runs the check must not change what it sees.
fn is_setting(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.starts_with("ZEPH_") || name.ends_with("_API_KEY")
}

/// Every line of standard output is JSON, whatever happened.
fn lines_of(path: &Path) -> Result<Vec<Value>, String> {
    let text = fs::read_to_string(path).map_err(|err| format!("{}: {err}", path.display()))?;
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines
        .map(|line| serde_json::from_str(line).map_err(|err| format!("stdout, {err}: {line}")))
        .collect()
}

fn run_name(number: usize) -> String {
    format!("goal-{}", number + 1)
}

/// What an end comes to, in one line; an error if it is not a typed one.
fn end(said: &Said, ends: &[i32]) -> Result<String, String> {
    let Some(last) = said.values.last() else {
        return Err(format!("exit code {}, no JSON: {}", said.code, said.note));
    };
    let what = reason(last)
        .filter(|_| ends.contains(&said.code))
        .filter(|_| last["exit"].is_null() || last["exit"] == said.code)
        .ok_or_else(|| format!("exit code {}: {last}", said.code))?;
    let seconds = said.took.as_secs_f64();
    Ok(format!("exit {} after {seconds:.1} s, {what}", said.code))
}

/// Why a command ended as it did, from the last value that it printed; none if that does not say.
fn reason(last: &Value) -> Option<String> {
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
    let mut told = last["state"].as_str()?.to_owned();
    for failure in last["failures"].as_array()? {
        let task = failure["task"].as_str()?;
        told.push_str(&format!("; {task}: {}", failure["error"]["code"].as_str()?));
    }
    if let Some(by) = last["answer"]["by"].as_str() {
        told.push_str(&format!("; answer, {by}: {}", last["answer"]["text"]));
    }
    Some(told)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn said(code: i32, last: Value) -> Said {
        Said {
            code,
            values: vec![json!({"event": "x"}), last],
            took: Duration::from_millis(1500),
            note: String::new(),
        }
    }

    fn end_of(code: i32, last: Value) -> Result<String, String> {
        end(&said(code, last), &ENDS)
    }

    #[test]
    fn a_typed_end_is_told() {
        let done = json!({"state": "completed", "exit": 0, "failures": []});
        let line = "exit 0 after 1.5 s, completed";
        assert_eq!(end_of(0, done).as_deref(), Ok(line));
        let failed = json!({"task": "a", "error": {"code": "answer_cut"}});
        let failed = json!({"state": "failed", "exit": 3, "failures": [failed]});
        let line = "exit 3 after 1.5 s, failed; a: answer_cut";
        assert_eq!(end_of(3, failed).as_deref(), Ok(line));
        let refused = json!({"error": {"code": "bad_plan", "message": "no tasks\nat all"}});
        let line = "exit 2 after 1.5 s, bad_plan: no tasks";
        assert_eq!(end_of(2, refused).as_deref(), Ok(line));
    }

    #[test]
    fn another_end_is_a_fault() {
        let internal = json!({"error": {"code": "internal", "message": "?"}});
        assert!(end_of(1, internal).is_err());
        assert!(end_of(3, json!({"text": "?"})).is_err());
        assert!(end_of(0, json!({"same": false, "records": 3})).is_err());
        let other = json!({"state": "failed", "exit": 3, "failures": []});
        assert!(end_of(0, other).is_err());
        let untyped = json!({"state": "failed", "exit": 3, "failures": [{"task": "a"}]});
        assert!(end_of(3, untyped).is_err());
        let silent = Said {
            values: Vec::new(),
            ..said(0, Value::Null)
        };
        assert!(end(&silent, &ENDS).is_err());
    }
}
