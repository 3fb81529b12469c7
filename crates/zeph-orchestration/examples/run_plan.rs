//! What `zeph run plan.toml` does: events, questions, Ctrl-C, and a run that can be resumed.
//!
//! `cargo run -p zeph-orchestration --features planfile --example run_plan -- plan.toml`
#![allow(clippy::print_stdout)] // An example prints what happens.

use std::{collections::BTreeMap, error::Error, io};

use zeph_orchestration::config::OrchestrationConfig;
use zeph_orchestration::follow::{RunEvent, Stop, Update};
use zeph_orchestration::plan::{PlanFiles, PlanSource};
use zeph_orchestration::{Orchestrator, SqliteStore};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("name a plan file")?;
    let config = OrchestrationConfig::default();
    let plan = PlanFiles::new(&config).load(&PlanSource::file(path)?, &BTreeMap::new())?;
    let builder = Orchestrator::builder().settings(config).commands(|new| new);
    let store = SqliteStore::open("runs.db").await?;
    let orchestrator = builder.database(store).build()?;
    let mut follower = orchestrator.follow(orchestrator.submit(plan).await?);
    loop {
        tokio::select! {
            update = follower.next() => match update? {
                Some(Update::Event(event)) => if let RunEvent::Saved { event, .. } = *event {
                    println!("{event}");
                },
                Some(Update::Ask(ask)) => {
                    println!("{} ({})", ask.question.text, ask.question.accepts);
                    let answer = io::stdin().lines().next().unwrap_or(Ok(String::new()))?;
                    follower.answer(ask.question.id, answer).await?;
                }
                Some(Update::NotAsked(id, error)) => println!("question {id} stays open: {error}"),
                Some(Update::Withdraw(_) | Update::Waiting(_)) => {}
                None => break println!("{}", follower.finish().await?),
            },
            _ = tokio::signal::ctrl_c() => if follower.stop().await == Stop::Kill { return Ok(()) },
        }
    }
    Ok(())
}
