//! The plan file of an accepted plan, for people to review, edit and keep.

use std::fmt::Write as _;

use zeph_graph::{OnFailure, Trigger};

use super::accepted::{FAILURE_RULES, TRIGGERS, word_of};
use super::{FindingKind, Plan, PlannedTask, PlannedWork};

impl Plan {
    /// The plan as a plan file in TOML: the goal and the tasks, with everything that a run needs.
    ///
    /// The rule of failure is written out where it is not `abort`, the default of plan files. Expressions in
    /// the model's texts are escaped, so that reading the file evaluates none of them.
    /// Explanation, warnings and expected lengths are comments.
    ///
    /// # Examples
    /// ```
    /// use zeph_planner::plan::{PlanRequest, read_plan};
    /// use zeph_subagent::{AgentCatalog, SubAgentDef};
    /// let mut catalog = AgentCatalog::new();
    /// catalog.add(SubAgentDef::new("writer", "Writes", "You write."))?;
    /// let request = PlanRequest::new("A limerick", catalog);
    /// let text = r#"{"tasks": [{"name": "write", "agent": "writer", "prompt": "Say ${{ params.x }}"}]}"#;
    /// let plan = read_plan(text, &request).outcome.expect("the plan is valid");
    /// assert!(plan.to_plan_file().ends_with(r#"
    /// [tasks.write]
    /// agent = "writer"
    /// prompt = "Say $${{ params.x }}"
    /// on_failure = "skip"
    /// "#));
    /// # Ok::<(), zeph_subagent::Diagnostics>(())
    /// ```
    #[must_use]
    pub fn to_plan_file(&self) -> String {
        let mut file = String::new();
        comment(&mut file, "", &self.reasoning);
        for one in &self.findings {
            if one.kind == FindingKind::Warning {
                comment(&mut file, "warning: ", &one.to_string());
            }
        }
        line(&mut file, "goal", &text(&self.goal));
        let mut earlier: Vec<String> = Vec::new();
        for name in self.tasks.iter().flat_map(|task| &task.after) {
            if !earlier.contains(name) {
                earlier.push(name.clone());
            }
        }
        if !earlier.is_empty() {
            line(&mut file, "earlier", &list(&earlier, plain));
        }
        for task in &self.tasks {
            write_task(&mut file, task);
        }
        file
    }
}

fn write_task(file: &mut String, task: &PlannedTask) {
    // A task name needs no quotes: it has the form of a bare key.
    let _ = writeln!(file, "\n[tasks.{}]", task.name);
    let needs = [&task.needs[..], &task.after].concat();
    if !needs.is_empty() {
        line(file, "needs", &list(&needs, plain));
    }
    if task.trigger != Trigger::default() {
        line(file, "after", &plain(word_of(&TRIGGERS, &task.trigger)));
    }
    match &task.work {
        PlannedWork::Agent {
            agent,
            prompt,
            tools,
        } => {
            if let Some(agent) = agent {
                line(file, "agent", &plain(agent));
            }
            line(file, "prompt", &text(prompt));
            if let Some(tools) = tools {
                line(file, "tools", &list(tools, plain));
            }
        }
        PlannedWork::Command { argv, about, .. } => {
            if !about.is_empty() {
                line(file, "description", &text(about));
            }
            line(file, "run", &list(argv, text));
        }
        PlannedWork::Question { text: question } => line(file, "ask", &text(question)),
    }
    if task.on_failure != OnFailure::default() {
        let rule = word_of(&FAILURE_RULES, &task.on_failure);
        line(file, "on_failure", &plain(rule));
    }
    if let Some(tokens) = task.expected_tokens {
        let _ = writeln!(file, "# about {tokens} tokens");
    }
}

fn line(file: &mut String, key: &str, value: &str) {
    let _ = writeln!(file, "{key} = {value}");
}

/// Writes each line of a text as a comment. Control characters are escaped, so none ends the comment.
fn comment(file: &mut String, label: &str, text: &str) {
    for one in text.lines().filter(|one| !one.trim().is_empty()) {
        let _ = writeln!(file, "# {label}{}", zeph_common::escape_terminal(one));
    }
}

/// A text as a TOML string, with template expressions escaped.
fn text(text: &str) -> String {
    plain(&text.replace("${{", "$${{"))
}

/// A text as a TOML string.
fn plain(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn list(items: &[String], write: fn(&str) -> String) -> String {
    let items: Vec<String> = items.iter().map(|item| write(item)).collect();
    format!("[{}]", items.join(", "))
}
