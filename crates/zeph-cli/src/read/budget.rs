//! `zeph budget`: shows spending and budget of a run, or sets the budget.

use serde_json::json;
use zeph_config::Layers;
use zeph_graph::{Budget, Spent, Usd};
use zeph_runtime::{PostedRequest, Request, RunView};

use super::money::{budget_json, spent_json};
use super::page::{self, Page};
use super::{next, posted, request};
use crate::args::BudgetRef;
use crate::context::{AppContext, now};
use crate::exit::{CliError, Exit};
use crate::problems;

pub(crate) async fn run(cx: &AppContext, args: &BudgetRef) -> Result<Exit, CliError> {
    if args.tokens.is_none() && args.usd.is_none() {
        return show(cx, &args.run).await;
    }
    let (tokens, micro_usd) = limits(args)?;
    let (store, run) = request::open(cx, Some(&args.run)).await?;
    let view = RunView::load(&store, &run).await?;
    let old = view.scheduler.budget();
    let set = Budget::new(tokens.or(old.tokens()), micro_usd.or(old.micro_usd()));
    let request = Request::Budget { tokens, micro_usd };
    let done = format!(
        "run {run} may cost {set} in all; {} spent",
        view.scheduler.spent()
    );
    request::send(cx, &store, &run, &request, &done).await
}

/// The numbers of the flags, read in the same way as the settings.
fn limits(args: &BudgetRef) -> Result<(Option<u64>, Option<u64>), CliError> {
    let mut layers = Layers::new();
    if let Some(tokens) = &args.tokens {
        layers = layers.flag_named("budget.tokens", "tokens", tokens);
    }
    if let Some(usd) = &args.usd {
        layers = layers.flag_named("budget.usd", "usd", usd);
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
    let (_, view) = cx.load_run(Some(run)).await?;
    let run = &view.run;
    let machine = &view.scheduler;
    let (budget, spent, held) = (machine.budget(), machine.spent(), machine.reserved());
    let left = budget.without(spent.and(held));
    let is_budget = |posted: &&PostedRequest| {
        let signed = posted.request.as_ref();
        signed.is_ok_and(|signed| matches!(signed.request, Request::Budget { .. }))
    };
    let posted: Vec<PostedRequest> = view.requests.iter().filter(is_budget).cloned().collect();
    let tasks = view.graph().tasks();
    let tasks: Vec<(&str, Spent)> = tasks
        .map(|(id, task)| (task.name(), machine.spent_by(id)))
        .filter(|(_, spent)| *spent != Spent::default())
        .collect();
    let json = || {
        let tasks = tasks.iter().map(|(name, spent)| {
            let mut json = spent_json(*spent);
            json["task"] = (*name).into();
            json
        });
        json!({
            "run": run.as_str(),
            "budget": budget_json(budget),
            "spent": spent_json(spent),
            "reserved": spent_json(held),
            "left": budget_json(left),
            "requests": posted::to_json(&posted),
            "tasks": tasks.collect::<Vec<_>>(),
        })
    };
    let render = |page: &mut Page| {
        page.line(format!("run {run}: {spent} spent"));
        page.fact("budget", budget.to_string());
        if held != Spent::default() {
            page.fact("reserved", format!("{held}, for calls that are under way"));
        }
        if !budget.is_unlimited() {
            page.fact("left", left.to_string());
        }
        let row = |(name, spent): &(&str, Spent)| {
            let money = match spent.micro_usd {
                0 => "-".to_owned(),
                money => format!("{} USD", Usd(money)),
            };
            vec![(*name).to_owned(), spent.tokens.to_string(), money]
        };
        let rows: Vec<_> = tasks.iter().map(row).collect();
        if !rows.is_empty() {
            page.gap();
        }
        page.table(0, &["TASK", "TOKENS", "COST"], &rows);
        posted::render(page, &posted, now());
        if view.status.open {
            // A run without a budget is limited by any number, not extended.
            let what = if budget.is_unlimited() {
                "sets a limit"
            } else {
                "allows it more"
            };
            page.heading(format!("`{}` {what}", next::more_budget(&view)));
        }
    };
    Ok(page::print(cx, json, render))
}
