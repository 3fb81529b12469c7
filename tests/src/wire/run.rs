//! Runs a goal over one row: plan, agent with a tool, answer; and compares what came of it.

use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use zeph_llm::RetryPolicy;
use zeph_llm_genai::{GenaiProvider, Timeouts};
use zeph_orchestration::{
    Confirm, Orchestrator, OrchestratorBuilder, OrchestratorError, RunEnd, RunResults,
};
use zeph_planner::agent::Tools;
use zeph_subagent::{AgentCatalog, SubAgentDef, tool_fn};

use super::rows::{Row, Want};
use super::service::{FACT, RESULT, Service};

/// How answers are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// As streams, the default.
    Streamed,
    /// Whole, with the setting `stream = false`.
    Whole,
}

/// The longest silence of the service.
const IDLE: Duration = Duration::from_millis(500);

#[derive(Deserialize, JsonSchema)]
struct ReadFile {
    path: String,
}

/// Plays one row.
///
/// # Errors
/// What came out differently.
pub async fn play(row: &Row, mode: Mode) -> Result<String, String> {
    let service = Service::start(row.plays).await?;
    let orchestrator = orchestrator(&service.url, mode)?
        .build()
        .map_err(|error| error.to_string())?;
    let outcome = orchestrator.run("What does alpha.txt say?").await;
    let (reported, spent, results) = match outcome {
        Ok(outcome) => {
            let results = outcome.into_results();
            (report(&results), results.spent.tokens, Some(results))
        }
        Err(OrchestratorError::NoPlan { error, spent, .. }) => {
            (error.message.to_string(), spent.tokens, None)
        }
        Err(error) => return Err(error.to_string()),
    };
    let requests = service.seen().len();
    if requests > row.most_requests {
        let scenes: Vec<_> = service.seen().into_iter().map(|(scene, _)| scene).collect();
        let most = row.most_requests;
        return Err(format!(
            "{requests} requests, at most {most}: {scenes:?}\n{reported}"
        ));
    }
    let completed = results.filter(|results| results.end() == Some(RunEnd::Completed));
    match (row.want, &completed) {
        (Want::Answer, Some(results)) => answered(results).await?,
        (Want::Answer, None) => return Err(reported),
        (Want::Failure(_) | Want::Free(_), Some(_)) => return Err("it completed".to_owned()),
        (Want::Free(_), None) if spent != 0 => return Err(format!("{spent} tokens were charged")),
        (Want::Failure(words) | Want::Free(words), None) => {
            if let Some(missing) = words.iter().find(|word| !reported.contains(**word)) {
                return Err(format!("{missing:?} is not reported in\n{reported}"));
            }
        }
    }
    if row.has_usage && spent != 59 * 4 {
        return Err(format!(
            "{spent} tokens were charged, not the reported ones"
        ));
    }
    Ok(format!("{requests} requests, {spent} tokens"))
}

fn orchestrator(url: &str, mode: Mode) -> Result<OrchestratorBuilder, String> {
    let timeouts = Timeouts {
        idle: IDLE,
        ..Timeouts::default()
    };
    let model = GenaiProvider::builder("openai::m")
        .base_url(url)
        .timeouts(timeouts)
        .stream(mode == Mode::Streamed)
        .build()
        .map_err(|error| error.to_string())?;
    let mut tools = Tools::new();
    let read = tool_fn(
        "read_file",
        "Reads a file",
        |_cx, asked: ReadFile| async move {
            match asked.path.as_str() {
                "alpha.txt" => Ok(FACT.to_owned()),
                other => Err(zeph_executor::TaskError::permanent(format!(
                    "there is no file {other:?}"
                ))),
            }
        },
    );
    tools.add(read).map_err(|error| error.to_string())?;
    let mut reader = SubAgentDef::new("reader", "Reads files", "You read files.");
    reader.tools.insert("read_file".to_owned());
    let mut agents = AgentCatalog::new();
    agents.add(reader).map_err(|error| error.to_string())?;
    let retry = RetryPolicy {
        base: Duration::from_millis(1),
        cap: Duration::from_millis(2),
        ..RetryPolicy::default()
    };
    let builder = Orchestrator::builder()
        .model(Arc::new(model))
        .agents(agents)
        .tools(tools);
    // Another plan would ask the same service the same again.
    Ok(builder.retry(retry).max_replans(0).confirm(Confirm::Never))
}

/// The result of the agent is exactly what the model said, and the model wrote the answer.
async fn answered(results: &RunResults) -> Result<(), String> {
    let read = results
        .output("read")
        .await
        .map_err(|error| error.to_string())?;
    let read = read.map(|read| read.value.clone());
    if read.as_ref().and_then(|read| read.as_str()) != Some(RESULT) {
        return Err(format!("the result is {read:?}"));
    }
    let answer = results.answer.as_ref().ok_or("there is no answer")?;
    if answer.why.is_some() || answer.text.trim() != format!("It is {FACT} [read].") {
        return Err(format!(
            "the answer is {:?} ({:?})",
            answer.text, answer.why
        ));
    }
    Ok(())
}

/// What a person is reported.
fn report(results: &RunResults) -> String {
    let tasks = results.tasks.iter().filter_map(|task| {
        let error = task.error.as_ref()?;
        Some(format!("{}: {}", task.name, error.message))
    });
    tasks.collect::<Vec<_>>().join("\n")
}
