//! JUnit XML: a run as a test suite, each task as a test case, for the reports of CI services.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use zeph_graph::{TaskId, TaskState};
use zeph_runtime::{RunReport, RunView, TaskReport};
use zeph_scheduler::Event;

use crate::compare::sides;

/// A run as JUnit XML.
///
/// A completed task passes; what failed before it completed is a `flakyFailure`. A failed task has its error
/// and the end of its standard error. All others are skipped, with the reason. Labels are properties.
///
/// `report` is the [full report](RunView::full_report) of the run.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use zeph_orchestration::{Orchestrator, RunView, TaskGraph, junit};
/// let mut graph = TaskGraph::new();
/// graph.add_task("build", []);
/// let orchestrator = Orchestrator::builder().build()?;
/// let results = orchestrator.run(graph).await?.into_results();
/// let xml = junit(results.view(), &results);
/// assert!(xml.contains("<testcase name=\"build\""));
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn junit(view: &RunView, report: &RunReport) -> String {
    let reasons = reasons(view);
    let sides = sides(view);
    let took = |task: &TaskReport| sides[task.id.index()].took;
    let skipped = |task: &&TaskReport| !is_failed(task) && !task.state.is_completed();
    let failed = report.failures().count();
    let counts = format!(
        "tests=\"{}\" failures=\"{failed}\" errors=\"0\" skipped=\"{}\" time=\"{}\"",
        report.tasks.len(),
        report.tasks.iter().filter(skipped).count(),
        seconds(view.updated_at.since(view.created_at)),
    );
    let (run, title) = (report.run.as_str(), escaped(&view.title));
    let name = if title.is_empty() { run } else { &*title };
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // Writing to a string cannot fail.
    let _ = writeln!(xml, "<testsuites name=\"{run}\" {counts}>");
    let _ = writeln!(xml, "  <testsuite name=\"{name}\" {counts}>");
    let state = report.state.word().to_owned();
    let mut properties = BTreeMap::from([("run", run.to_owned()), ("state", state)]);
    let labels = view.labels();
    properties.extend(
        labels
            .iter()
            .map(|(name, value)| (name.as_str(), value.clone())),
    );
    xml.push_str("    <properties>\n");
    for (name, value) in &properties {
        let (name, value) = (escaped(name), escaped(value));
        let _ = writeln!(xml, "      <property name=\"{name}\" value=\"{value}\"/>");
    }
    xml.push_str("    </properties>\n");
    for task in &report.tasks {
        let reason = reasons.get(&task.id).map(String::as_str);
        let end = End {
            reason,
            stand_in: (view.stand_in(task.id)).map(|other| view.graph().task(other).name()),
        };
        case(&mut xml, name, task, took(task), end);
    }
    xml.push_str("  </testsuite>\n</testsuites>\n");
    xml
}

/// How a task ended.
#[derive(Clone, Copy)]
struct End<'a> {
    /// In words.
    reason: Option<&'a str>,
    /// The task that ran in its place.
    stand_in: Option<&'a str>,
}

fn case(xml: &mut String, suite: &str, task: &TaskReport, took: Duration, end: End<'_>) {
    let name = escaped(&task.name);
    let time = seconds(took);
    let _ = write!(
        xml,
        "    <testcase name=\"{name}\" classname=\"{suite}\" time=\"{time}\""
    );
    let is_flaky = task.state.is_completed() && task.attempt_counts.failures > 0;
    if task.state.is_completed() && !is_flaky {
        xml.push_str("/>\n");
        return;
    }
    xml.push_str(">\n");
    if is_flaky {
        let failures = task.attempt_counts.failures;
        let how = match end.stand_in {
            Some(other) => format!("with the result of {}", escaped(other)),
            None => format!("in attempt {}", task.attempts),
        };
        let _ = writeln!(
            xml,
            "      <flakyFailure message=\"completed {how}, after {failures} failures\"/>"
        );
    } else if is_failed(task) {
        let message = task.reason().unwrap_or_default();
        let code = task
            .error
            .as_ref()
            .map_or("failed", |error| error.code.as_str());
        let (first, code) = (
            escaped(message.lines().next().unwrap_or_default()),
            escaped(code),
        );
        let text = escaped_text(&message);
        let _ = writeln!(
            xml,
            "      <failure message=\"{first}\" type=\"{code}\">{text}</failure>"
        );
        let detail = task.error.as_ref().and_then(|error| error.detail.as_ref());
        let stderr = detail.and_then(|detail| detail.get("stderr_tail")?.as_str());
        if let Some(stderr) = stderr.filter(|text| !text.is_empty()) {
            let text = escaped_text(stderr);
            let _ = writeln!(xml, "      <system-err>{text}</system-err>");
        }
    } else {
        let why = escaped(end.reason.unwrap_or_else(|| task.state.word()));
        let _ = writeln!(xml, "      <skipped message=\"{why}\"/>");
    }
    xml.push_str("    </testcase>\n");
}

const fn is_failed(task: &TaskReport) -> bool {
    matches!(task.state, TaskState::Failed { .. })
}

/// How each task ended, as the events of its end say.
fn reasons(view: &RunView) -> BTreeMap<TaskId, String> {
    let ends = view.entries.iter().filter_map(|entry| {
        let end = entry.record.task_end()?;
        let text = Event::from_entry(entry, view.graph()).to_string();
        Some((end.task, text))
    });
    ends.collect()
}

fn seconds(time: Duration) -> String {
    format!("{:.3}", time.as_secs_f64())
}

/// A text for an attribute.
fn escaped(text: &str) -> String {
    let text = escaped_text(text);
    text.replace('"', "&quot;")
        .replace('\n', "&#10;")
        .replace('\t', "&#9;")
}

/// A text for the content of an element. Characters that XML does not have are replaced.
fn escaped_text(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '\n' | '\t' => escaped.push(c),
            '\r' => {}
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {
                escaped.push(char::REPLACEMENT_CHARACTER);
            }
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::{escaped, escaped_text};

    #[test]
    fn no_text_ends_its_place() {
        let text = "a<b>&\"c\"\n\u{1b}[31m\r\n]]>";
        assert_eq!(
            escaped(text),
            "a&lt;b&gt;&amp;&quot;c&quot;&#10;\u{fffd}[31m&#10;]]&gt;"
        );
        assert_eq!(escaped_text("a\nb"), "a\nb");
    }
}
