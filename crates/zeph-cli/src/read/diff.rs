//! `zeph diff`: compares two runs: their graphs, and the states and results of their tasks.

use serde_json::{Value, json};
use zeph_common::format_duration;
use zeph_orchestration::{ComparedTask, OutputChange, RunComparison, TaskSide};
use zeph_runtime::RunView;

use super::page::{self, Cell, Page, count};
use super::time::micros;
use crate::args::DiffArgs;
use crate::context::{AppContext, command_with, find_run};
use crate::exit::{CliError, Exit};
use crate::out::Tone;

pub(crate) async fn run(cx: &AppContext, args: &DiffArgs) -> Result<Exit, CliError> {
    let (store, before) = cx.load_run(Some(&args.before)).await?;
    let after = find_run(&store, Some(&args.after), None).await?;
    let after = RunView::load(&store, &after).await?;
    let compared = RunComparison::read(&store, &before, &after).await?;
    let json = || {
        json!({
            "before": run_json(&before),
            "after": run_json(&after),
            "graph": compared.graph,
            "tasks": compared.tasks.iter().map(task_json).collect::<Vec<_>>(),
        })
    };
    Ok(page::print(cx, json, |page| {
        render(page, &before, &after, &compared);
    }))
}

fn render(page: &mut Page, before: &RunView, after: &RunView, compared: &RunComparison) {
    let state = |view: &RunView| format!("{} {}", view.run, view.scheduler.state().word());
    page.line(format!("{} and {}", state(before), state(after)));
    page.section("Plan", &compared.graph);
    let different: Vec<&ComparedTask> = compared
        .tasks
        .iter()
        .filter(|task| task.is_different())
        .collect();
    let same = (compared.tasks.len() - different.len()) as u64;
    if different.is_empty() {
        page.gap();
        page.line(format!(
            "{} with the same states and results",
            count(same, "task")
        ));
        return;
    }
    page.heading("Tasks that differ");
    let rows: Vec<Vec<Cell>> = different.iter().map(|task| cells(task)).collect();
    let (one, two) = (before.run.as_str(), after.run.as_str());
    page.table(2, &["TASK", one, two, "RESULT"], &rows);
    page.gap();
    page.line(format!(
        "{} with the same states and results",
        count(same, "task")
    ));
    let changed = different
        .iter()
        .find(|task| task.output == OutputChange::Changed);
    if let Some(task) = changed {
        let show = |view: &RunView| command_with(&["show", view.run.as_str()], &[&task.name]);
        page.next(&[show(before), show(after)]);
    }
}

fn cells(task: &ComparedTask) -> Vec<Cell> {
    let side = |side: Option<TaskSide>| match side {
        None => Cell::new(Tone::Quiet, "-"),
        Some(side) => {
            let word = side.state.word();
            let tone = Tone::of_state(word);
            let took = match side.attempts {
                0 => String::new(),
                1 => format!(" {}", format_duration(side.took)),
                many => format!(" {}, {many} attempts", format_duration(side.took)),
            };
            Cell::new(tone, format!("{word}{took}"))
        }
    };
    let (before, after) = (side(task.before), side(task.after));
    let output = Cell::new(Tone::Plain, task.output.word());
    vec![task.name.clone().into(), before, after, output]
}

fn run_json(view: &RunView) -> Value {
    json!({ "run": view.run.as_str(), "state": view.scheduler.state().word() })
}

fn task_json(task: &ComparedTask) -> Value {
    let side = |side: Option<TaskSide>| {
        side.map(|side| {
            json!({
                "state": side.state.word(),
                "attempts": side.attempts,
                "took_us": micros(side.took),
            })
        })
    };
    json!({
        "task": task.name,
        "before": side(task.before),
        "after": side(task.after),
        "output": task.output.word(),
        "different": task.is_different(),
    })
}
