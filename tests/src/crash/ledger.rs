//! The ledger: the acknowledged results of a run, compared with the store after every crash.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::crash::counter::Counter;
use crate::crash::plan::{Kind, Plan};
use crate::crash::victim::{Seen, Zeph};

/// The name of every run: each run has its own database.
pub const RUN: &str = "trial";

/// The state of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskNow {
    /// The name of its state in the JSON output.
    pub state: String,
    /// How many attempts were started.
    pub attempts: u64,
}

impl TaskNow {
    /// Whether the state is final.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(
            self.state.as_str(),
            "completed" | "failed" | "skipped" | "canceled"
        )
    }
}

/// The state of a run according to its database.
#[derive(Clone, Debug, Default)]
pub struct RunStatus {
    /// The name of its state in the JSON output.
    pub state: String,
    /// Whether the run has not ended.
    pub is_open: bool,
    /// Its tasks.
    pub tasks: BTreeMap<String, TaskNow>,
    /// Its open questions: number, task, and kind of question.
    pub questions: Vec<(u64, String, String)>,
}

impl RunStatus {
    fn of(json: &Value) -> Result<Self, String> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let tasks = json["tasks"].as_array().ok_or("`show` names no tasks")?;
        let task = |task: &Value| {
            let now = TaskNow {
                state: text(&task["state"]),
                attempts: task["attempts"].as_u64().unwrap_or_default(),
            };
            (text(&task["task"]), now)
        };
        let questions = json["questions"].as_array();
        let question = |asked: &Value| {
            let id = asked["id"].as_u64().unwrap_or_default();
            (id, text(&asked["task"]), text(&asked["about"]))
        };
        Ok(Self {
            state: text(&json["state"]),
            is_open: json["open"].as_bool().unwrap_or(true),
            tasks: tasks.iter().map(task).collect(),
            questions: questions.into_iter().flatten().map(question).collect(),
        })
    }

    /// The tasks with a running attempt.
    pub fn at_work(&self) -> impl Iterator<Item = &str> {
        let tasks = self.tasks.iter();
        let busy = tasks.filter(|(_, now)| matches!(now.state.as_str(), "running" | "canceling"));
        busy.map(|(name, _)| name.as_str())
    }
}

/// The results of a run that the binary has printed or stored so far.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    reported: BTreeMap<String, &'static str>,
    over: BTreeMap<String, TaskNow>,
    records: u64,
    head: Option<String>,
    /// How often a person allowed another attempt after an interrupted attempt of an at-most-once task.
    pub allowances: u64,
}

impl Ledger {
    /// Reads the output of a process. A printed result is acknowledged, and must not be lost.
    pub fn read_output(&mut self, seen: &Seen) {
        for line in &seen.lines {
            self.reported.extend(reported_ends(line));
        }
    }

    /// Compares all acknowledged results with the store; `None` if the run does not exist yet.
    ///
    /// # Errors
    /// The first acknowledged result that the store contradicts.
    pub fn check(&mut self, zeph: &Zeph, plan: &Plan) -> Result<Option<RunStatus>, String> {
        // The counter file is read first, because commands that outlived the engine still append to it.
        let counter = Counter::read(&zeph.counter())?;
        counter.check()?;
        let shown = zeph.call(&["show", RUN, "--json"])?;
        if shown.code != Some(0) {
            return self.check_nothing(zeph, &counter, &shown);
        }
        let json = shown.json();
        let status = RunStatus::of(&json)?;
        self.check_kept(&status)?;
        self.check_counter(&status, &counter, plan)?;
        self.check_journal(zeph, &json)?;
        let over = status.tasks.iter().filter(|(_, now)| now.is_over());
        self.over
            .extend(over.map(|(name, now)| (name.clone(), now.clone())));
        Ok(Some(status))
    }

    /// Without a run, no result may be acknowledged and no command may have run.
    fn check_nothing(
        &self,
        zeph: &Zeph,
        counter: &Counter,
        shown: &Seen,
    ) -> Result<Option<RunStatus>, String> {
        let code = shown.json()["error"]["code"].clone();
        if code != "no_such_run" && code != "no_database" && code != "not_found" {
            let said = shown.lines.join(" ");
            return Err(format!(
                "`show` ends with {:?}: {said} {}",
                shown.code, shown.stderr
            ));
        }
        if self.records > 0 || !self.reported.is_empty() || !counter.begun.is_empty() {
            return Err(format!(
                "the run is gone: {code} in {}",
                zeph.folder.display()
            ));
        }
        Ok(None)
    }

    /// Checks that acknowledged and final states are unchanged.
    fn check_kept(&self, status: &RunStatus) -> Result<(), String> {
        for (task, state) in &self.reported {
            let now = status.tasks.get(task).map(|now| now.state.as_str());
            if now != Some(*state) {
                return Err(format!("{task} was reported to be {state}, and is {now:?}"));
            }
        }
        for (task, before) in &self.over {
            let now = status.tasks.get(task);
            if now != Some(before) {
                return Err(format!("{task} was {before:?}, and is {now:?}"));
            }
        }
        Ok(())
    }

    /// Checks that the journal has every command that ran, and that the command of a completed task ended.
    fn check_counter(
        &self,
        status: &RunStatus,
        counter: &Counter,
        plan: &Plan,
    ) -> Result<(), String> {
        for job in &plan.jobs {
            let Some(now) = status.tasks.get(&job.name) else {
                return Err(format!("{} is not in the run", job.name));
            };
            let name = &job.name;
            let begun: Vec<u64> = counter.attempts(name).collect();
            if let Some(unknown) = begun.iter().find(|&&attempt| attempt > now.attempts) {
                return Err(format!(
                    "attempt {unknown} of {name} began, but only {} are on record",
                    now.attempts
                ));
            }
            if job.kind == Kind::Once && begun.len() as u64 > 1 + self.allowances {
                return Err(format!(
                    "{name} may run once, and {} times more if allowed; it began {} times",
                    self.allowances,
                    begun.len()
                ));
            }
            if let Some(parent) = plan.input_of(job) {
                // Nothing starts before its dependency has completed, so its last attempt gave the result.
                let attempts = status
                    .tasks
                    .get(&parent.name)
                    .map_or(0, |parent| parent.attempts);
                let committed = format!("out-{}-{attempts}", parent.name);
                let given = counter.inputs.iter().filter(|((task, _), _)| task == name);
                if let Some((_, given)) = given.into_iter().find(|(_, given)| **given != committed)
                {
                    return Err(format!("{name} was given {given:?}, not {committed:?}"));
                }
                let inputs = counter.inputs.keys().filter(|(task, _)| task == name);
                if inputs.count() < begun.len() {
                    return Err(format!("an attempt of {name} was given no input"));
                }
            }
            let last = (name.clone(), now.attempts);
            let must_end = job.kind.is_command() && job.kind != Kind::Substituted;
            if now.state == "completed" && must_end && !counter.ended.contains_key(&last) {
                return Err(format!(
                    "{name} is completed, but its last attempt never came to its end"
                ));
            }
        }
        Ok(())
    }

    /// Checks the journal's integrity, and that it extends the journal of the last check.
    fn check_journal(&mut self, zeph: &Zeph, json: &Value) -> Result<(), String> {
        let records = json["records"].as_u64().unwrap_or_default();
        if records < self.records {
            return Err(format!("{} records became {records}", self.records));
        }
        let mut words = vec!["verify", RUN, "--json"];
        if let Some(head) = &self.head {
            words.extend(["--head", head]);
        }
        let verified = zeph.call(&words)?;
        let verdict = verified.json();
        if verified.code != Some(0) || verdict["ok"] != true {
            let said = verified.lines.join(" ");
            return Err(format!(
                "the journal is damaged: {said} {}",
                verified.stderr
            ));
        }
        self.records = records;
        self.head = verdict["head"].as_str().map(str::to_owned);
        Ok(())
    }
}

/// The tasks whose end a line reports, and their state; none if it only counts them. Reads both the text and
/// the JSON output.
pub(crate) fn reported_ends(line: &str) -> Vec<(String, &'static str)> {
    let json_end = |line: &str| {
        let json: Value = serde_json::from_str(line).ok()?;
        let state = match json["event"].as_str()? {
            "task_completed" => "completed",
            "task_failed" => "failed",
            "task_skipped" => "skipped",
            "task_canceled" => "canceled",
            _ => return None,
        };
        Some((json["task"].as_str()?.to_owned(), state))
    };
    if line.starts_with('{') {
        return json_end(line).into_iter().collect();
    }
    let text = line
        .strip_prefix('[')
        .and_then(|line| line.split_once("] "));
    let Some((word, rest)) = text.and_then(|(_, text)| text.split_once(' ')) else {
        return Vec::new();
    };
    let state = match word {
        "ok" | "value" => "completed",
        "FAILED" => "failed",
        "skipped" => "skipped",
        "canceled" => "canceled",
        _ => return Vec::new(),
    };
    let names = rest.split(": ").next().unwrap_or_default();
    if names.ends_with(" tasks") {
        return Vec::new();
    }
    let names = names.split(", ").filter_map(|name| name.split(' ').next());
    names.map(|name| (name.to_owned(), state)).collect()
}

#[cfg(test)]
mod tests {
    use super::reported_ends;

    #[test]
    fn both_kinds_of_lines_are_understood() {
        for (line, wanted) in [
            ("[3/12] ok t03 12ms (attempt 2)", "t03 completed"),
            ("[3/12] ok t03", "t03 completed"),
            ("[3/12] value t04 1ms: a substitute", "t04 completed"),
            ("[3/12] FAILED t05: exit 3, with code", "t05 failed"),
            (
                "[4/12] skipped t06, t07: t05 failed",
                "t06 skipped, t07 skipped",
            ),
            ("[4/12] skipped 9 tasks: t05 failed", ""),
            (
                "[4/12] canceled t06 3s: the run was canceled",
                "t06 canceled",
            ),
            ("[4/12] retry t06 in 5ms: exit 75", ""),
            ("run trial completed: 12 completed", ""),
            (
                r#"{"event":"task_completed","task":"t01","seq":4}"#,
                "t01 completed",
            ),
            (r#"{"event":"task_started","task":"t01"}"#, ""),
        ] {
            let ends = reported_ends(line).into_iter();
            let ends: Vec<String> = ends
                .map(|(task, state)| format!("{task} {state}"))
                .collect();
            assert_eq!(ends.join(", "), wanted, "{line}");
        }
    }
}
