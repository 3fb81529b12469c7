//! The plan as a plan file, which people review, edit and keep.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::{Plan, PlanOnFailure, PlanTrigger, PlannedTask, PlannedWork};

impl Plan {
    /// The plan as a plan file in TOML: goal and tasks, with everything that a run needs.
    ///
    /// Every text of the model stands for itself: what looks like an expression is escaped, so that
    /// reading the file never evaluates any of it. Explanation, warnings and expected lengths are
    /// comments.
    ///
    /// # Examples
    /// ```
    /// use zeph_planner::{PlanRequest, read_plan};
    /// use zeph_subagent::{AgentCatalog, SubAgentDef};
    /// let mut catalog = AgentCatalog::new();
    /// catalog.add(SubAgentDef::new("writer", "Writes", "You write."))?;
    /// let request = PlanRequest::new("A limerick", catalog);
    /// let text = r#"{"tasks": [{"name": "write", "agent": "writer", "prompt": "Say ${{ params.x }}"}]}"#;
    /// let plan = read_plan(text, &request).outcome.expect("it is a plan");
    /// assert!(plan.to_plan_file().ends_with(r#"
    /// [tasks.write]
    /// agent = "writer"
    /// prompt = "Say $${{ params.x }}"
    /// "#));
    /// # Ok::<(), zeph_subagent::Diagnostics>(())
    /// ```
    #[must_use]
    pub fn to_plan_file(&self) -> String {
        let mut file = String::new();
        comment(&mut file, "", &self.reasoning);
        for warning in &self.warnings {
            comment(&mut file, "warning: ", &warning.to_string());
        }
        line(&mut file, "goal", &text(&self.goal));
        for task in &self.tasks {
            write_task(&mut file, task);
        }
        file
    }
}

fn write_task(file: &mut String, task: &PlannedTask) {
    // A name has the form of a bare key.
    let _ = writeln!(file, "\n[tasks.{}]", task.name);
    if !task.needs.is_empty() {
        line(file, "needs", &list(&task.needs, plain));
    }
    if task.trigger != PlanTrigger::default() {
        line(file, "after", &plain(task.trigger.word()));
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
    if task.on_failure != PlanOnFailure::default() {
        line(file, "on_failure", &plain(task.on_failure.word()));
    }
    if let Some(tokens) = task.expected_tokens {
        let _ = writeln!(file, "# about {tokens} tokens");
    }
}

fn line(file: &mut String, key: &str, value: &str) {
    let _ = writeln!(file, "{key} = {value}");
}

/// Each line of a text as a comment; nothing in it ends the line or hides.
fn comment(file: &mut String, label: &str, text: &str) {
    for one in text.lines().filter(|one| !one.trim().is_empty()) {
        let _ = writeln!(file, "# {label}{}", zeph_common::escape_terminal(one));
    }
}

/// A text that a plan file would read as a template, written so that it stands for itself.
fn text(text: &str) -> String {
    let escaped = if text.contains("${{") {
        Cow::Owned(text.replace("${{", "$${{"))
    } else {
        Cow::Borrowed(text)
    };
    plain(&escaped)
}

/// A text as a TOML string.
fn plain(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn list(items: &[String], write: fn(&str) -> String) -> String {
    let items: Vec<String> = items.iter().map(|item| write(item)).collect();
    format!("[{}]", items.join(", "))
}
