//! Goals through the terminal tool against a real model: whatever it answers, each end is typed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::llm::fetch::Fetch;
use crate::llm::process::Process;
use crate::llm::server::MODEL;
use crate::workspace::Workspace;

/// A small model plans badly, and differently for each of these.
const GOALS: [&str; 3] = [
    "Write one sentence about bees.",
    "List three uses of honey, then choose the best one.",
    "Compare tea and coffee in two short notes and conclude.",
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
    faults: u32,
}

impl Story {
    /// Begins with an empty folder and no runs.
    pub(crate) fn begin(workspace: &Workspace, fetch: &Fetch) -> Result<Self, String> {
        Ok(Self {
            program: workspace.target.join("debug/zeph"),
            folder: fetch.fresh("story")?,
            log: fetch.log("story")?,
            faults: 0,
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

    /// Whether every end was a typed one.
    pub(crate) fn is_sound(&self) -> bool {
        self.faults == 0
    }

    fn case(&mut self, words: &[&str], ends: &[i32]) {
        let shown = words[0];
        match self.call(words).and_then(|said| end(&said, ends)) {
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
        let out = self.folder.join("stdout.jsonl");
        let mut zeph = Command::new(&self.program);
        // The server asks for no key, but the protocol has one.
        zeph.args(words).env("OPENAI_API_KEY", "none");
        zeph.current_dir(&self.folder);
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
    if !ends.contains(&said.code) {
        return Err(format!("exit code {}: {last}", said.code));
    }
    let error = &last["error"];
    let what = match (error["code"].as_str(), last["state"].as_str()) {
        (Some(code), _) => format!("{code}: {}", error["message"].as_str().unwrap_or_default()),
        (None, Some(state)) => state.to_owned(),
        (None, None) if said.code == 0 => "done".to_owned(),
        (None, None) => return Err(format!("exit code {} without a reason: {last}", said.code)),
    };
    let seconds = said.took.as_secs_f64();
    Ok(format!("exit {} after {seconds:.1} s, {what}", said.code))
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

    fn end_of(said: &Said) -> Result<String, String> {
        end(said, &ENDS)
    }

    #[test]
    fn a_typed_end_is_told_and_another_is_a_fault() {
        let fine = end_of(&said(0, json!({"state": "completed"})));
        assert_eq!(fine.as_deref(), Ok("exit 0 after 1.5 s, completed"));
        let typed = end_of(&said(
            2,
            json!({"error": {"code": "bad_plan", "message": "no tasks"}}),
        ));
        let line = "exit 2 after 1.5 s, bad_plan: no tasks";
        assert_eq!(typed.as_deref(), Ok(line));
        assert!(end_of(&said(1, json!({"error": {"code": "internal"}}))).is_err());
        assert!(end_of(&said(3, json!({"text": "?"}))).is_err());
        let silent = Said {
            code: 0,
            values: Vec::new(),
            took: Duration::ZERO,
            note: "error: unknown command".to_owned(),
        };
        assert!(end_of(&silent).is_err());
    }
}
