//! `zeph budget`: shows spending and budget of a run, or sets the budget.

use serde_json::json;
use zeph_config::Layers;
use zeph_graph::{Budget, Usd};
use zeph_runtime::{Request, RunView};

use super::ask;
use super::hints;
use super::money::{budget_json, spent_json};
use super::page::Page;
use crate::args::BudgetRef;
use crate::context::AppContext;
use crate::exit::{CliError, Exit};
use crate::out;
use crate::problems;

pub(crate) async fn run(cx: &AppContext, args: &BudgetRef) -> Result<Exit, CliError> {
    if args.tokens.is_none() && args.usd.is_none() {
        return show(cx, &args.run).await;
    }
    let (tokens, micro_usd) = limits(args)?;
    let (store, run) = ask::open(cx, Some(&args.run)).await?;
    let view = RunView::load(&store, &run).await?;
    let old = view.scheduler.budget();
    let set = Budget::new(tokens.or(old.tokens()), micro_usd.or(old.micro_usd()));
    let request = Request::Budget { tokens, micro_usd };
    let done = format!(
        "run {run} may cost {set} in all; {} spent",
        view.scheduler.spent()
    );
    ask::send(cx, &store, &run, &request, &done).await
}

/// The numbers of the flags, read in the same way as the settings.
fn limits(args: &BudgetRef) -> Result<(Option<u64>, Option<u64>), CliError> {
    let mut layers = Layers::new();
    for (key, name, text) in [
        ("budget.tokens", "tokens", &args.tokens),
        ("budget.usd", "usd", &args.usd),
    ] {
        if let Some(text) = text {
            layers = layers.flag_named(key, name, text);
        }
    }
    let resolved = layers
        .resolve()
        .map_err(|found| problems::error("the budget", "bad_budget", &found))?;
    let budget = resolved.config.budget;
    let limit_of = |text: &Option<String>, limit: Option<u64>| {
        text.as_ref().map(|_| limit.unwrap_or(u64::MAX))
    };
    Ok((
        limit_of(&args.tokens, budget.tokens),
        limit_of(&args.usd, budget.usd),
    ))
}

async fn show(cx: &AppContext, run: &str) -> Result<Exit, CliError> {
    let store = cx.open_store_read_only().await?;
    let run = cx.find_run(&store, run).await?;
    let view = RunView::load(&store, &run).await?;
    let machine = &view.scheduler;
    let (budget, spent, held) = (machine.budget(), machine.spent(), machine.reserved());
    let left = budget.without(spent.and(held));
    let tasks = view.graph().tasks();
    let tasks: Vec<(&str, zeph_graph::Spent)> = tasks
        .map(|(id, task)| (task.name(), machine.spent_by(id)))
        .filter(|(_, spent)| *spent != zeph_graph::Spent::default())
        .collect();
    if cx.json() {
        let tasks = tasks.iter().map(|(name, spent)| {
            let mut json = spent_json(*spent);
            json["task"] = (*name).into();
            json
        });
        out::json(&json!({
            "run": run.as_str(),
            "budget": budget_json(budget),
            "spent": spent_json(spent),
            "reserved": spent_json(held),
            "left": budget_json(left),
            "tasks": tasks.collect::<Vec<_>>(),
        }));
        return Ok(Exit::Completed);
    }
    let mut page = Page::new();
    page.line(format!("run {run}: {spent} spent"));
    page.fact("budget", budget.to_string());
    if held != zeph_graph::Spent::default() {
        page.fact("reserved", format!("{held}, for calls that are under way"));
    }
    if !budget.is_unlimited() {
        page.fact("left", left.to_string());
    }
    if !tasks.is_empty() {
        let row = |(name, spent): &(&str, zeph_graph::Spent)| {
            let money = if spent.micro_usd > 0 {
                format!("{} USD", Usd(spent.micro_usd))
            } else {
                "-".to_owned()
            };
            vec![(*name).to_owned(), spent.tokens.to_string(), money]
        };
        page.gap();
        page.table(
            0,
            &["TASK", "TOKENS", "COST"],
            &tasks.iter().map(row).collect::<Vec<_>>(),
        );
    }
    if view.status.open {
        // A run without a budget is limited by any number, not extended.
        let what = if budget.is_unlimited() {
            "sets a limit"
        } else {
            "allows it more"
        };
        page.heading(format!(
            "`zeph budget {run} {}` {what}",
            hints::more_budget(&view)
        ));
    }
    page.print();
    Ok(Exit::Completed)
}
