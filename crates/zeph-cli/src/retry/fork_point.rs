//! The point that a fork goes on from: tasks, or a record of the journal.

use zeph_common::escape_terminal;
use zeph_graph::Seq;
use zeph_runtime::RunView;

use crate::context::command;
use crate::exit::{CliError, Exit};

/// What `--at` names: a record, or nothing but tasks, which are added to the chosen ones.
///
/// A number is a record, `task=NAME` is a task and `record=SEQ` a record in any case.
pub(super) fn record<'a>(
    view: &RunView,
    at: &'a [String],
    tasks: &mut Vec<&'a str>,
) -> Result<Option<Seq>, CliError> {
    let mut record = None;
    for one in at {
        let number = if let Some(task) = one.strip_prefix("task=") {
            tasks.push(task);
            continue;
        } else if let Some(number) = one.strip_prefix("record=") {
            number.parse().map_err(|_| no_number(number))?
        } else if let Ok(number) = one.parse() {
            if view.graph().find(one).is_some() {
                return Err(ambiguous(view, one));
            }
            number
        } else {
            tasks.push(one);
            continue;
        };
        if record.is_some_and(|other| other != Seq::new(number)) {
            let text = "--at names two records: a run goes on from one";
            return Err(CliError::new(Exit::Usage, text));
        }
        record = Some(Seq::new(number));
    }
    Ok(record)
}

fn no_number(text: &str) -> CliError {
    let text = format!("--at record={} is no number", escape_terminal(text));
    CliError::new(Exit::Usage, text).help("write the number of a record: --at 12")
}

fn ambiguous(view: &RunView, name: &str) -> CliError {
    let run = &view.run;
    let text = format!("{name} is a task of run {run}, and a number of a record");
    let fork = command(&["fork", run.as_str(), "--at"]);
    CliError::new(Exit::Usage, text)
        .code("ambiguous_record")
        .help(format!(
            "`{fork} task={name}` means the task, `{fork} record={name}` the record"
        ))
}

#[cfg(test)]
mod tests {
    use super::record;
    use crate::read::fixtures::ScriptedRun;
    use zeph_graph::{Policy, Seq, TaskGraph};

    #[tokio::test]
    async fn a_number_is_a_record_unless_a_task_has_that_name() {
        let mut graph = TaskGraph::new();
        graph.add_task("7", []);
        let (_, view) = ScriptedRun::new(graph, Policy::default()).stored().await;
        let read = |at: &[&str]| {
            let at: Vec<String> = at.iter().map(|&one| one.to_owned()).collect();
            let mut tasks = Vec::new();
            let record = record(&view, &at, &mut tasks);
            let tasks: Vec<String> = tasks.into_iter().map(str::to_owned).collect();
            record
                .map(|record| (record, tasks))
                .map_err(|error| format!("{error:?}"))
        };
        let task = |name: &str| vec![name.to_owned()];
        assert_eq!(read(&["8"]), Ok((Some(Seq::new(8)), vec![])));
        assert_eq!(read(&["a", "8"]), Ok((Some(Seq::new(8)), task("a"))));
        assert_eq!(read(&["record=7"]), Ok((Some(Seq::new(7)), vec![])));
        assert_eq!(read(&["task=7"]), Ok((None, task("7"))));
        for (at, wanted) in [
            (&["7"][..], "`zeph fork r1 --at task=7` means the task"),
            (&["8", "9"], "names two records"),
            (&["record=x"], "record=x is no number"),
        ] {
            let error = read(at).expect_err(wanted);
            assert!(error.contains(wanted), "{error}");
        }
    }
}
