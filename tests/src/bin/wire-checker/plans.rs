//! Plans: llmock fills a plan schema with a dangling dependency; the planner's repair loop must handle it.

use std::sync::Arc;

use serde_json::json;
use zeph_planner::plan::{
    LlmPlanner, PlanError, PlanFailure, PlanRequest, Planner as _, code, finish,
};
use zeph_sanitizer::{Seed, StandardSanitizer};
use zeph_subagent::{AgentCatalog, SubAgentDef};

use crate::control::Control;
use crate::report::{Report, claim};
use crate::service::{Family, Service};

/// The planner's limit of repair requests.
const MAX_REPAIRS: u32 = 2;

/// Every case, for one service.
pub(crate) async fn check(
    report: &mut Report,
    family: Family,
    control: &Control,
    service: &Service,
) -> Result<(), String> {
    let who = family.name();
    let mut catalog = AgentCatalog::new();
    let writer = SubAgentDef::new("writer", "Writes short texts", "You write short texts.");
    catalog.add(writer).map_err(|err| err.to_string())?;
    let checker = Checker {
        control,
        service,
        catalog: Arc::new(catalog),
    };
    // llmock does not read the schema from Anthropic's current request format, and answers in prose.
    if family == Family::Anthropic {
        let what = "prose instead of a plan";
        let work = checker.fails_finally(PlanFailure::NotAPlan, code::NO_JSON.text());
        report.case(who, what, work).await;
    } else {
        let what = "a plan with a dangling need";
        let work = checker.fails_finally(PlanFailure::Defective, code::UNKNOWN_NEED.text());
        report.case(who, what, work).await;
    }
    report
        .case(
            who,
            "the same, repaired when asked again",
            checker.repairs_plan(),
        )
        .await;
    Ok(())
}

struct Checker<'a> {
    control: &'a Control,
    service: &'a Service,
    catalog: Arc<AgentCatalog>,
}

impl Checker<'_> {
    /// The planner must not drop the dangling edge: it sends the diagnostics back until the repair limit.
    async fn fails_finally(&self, failure: PlanFailure, code: &str) -> Result<String, String> {
        self.control.script(vec![]).await?;
        let error = self.plan().await.err().ok_or("a plan")?;
        claim(error.failure == failure, || error.to_string())?;
        let tries = MAX_REPAIRS as usize + 1;
        claim(error.tries.len() == tries, || {
            format!("{} tries", error.tries.len())
        })?;
        for one in &error.tries {
            let reports = one.diagnostics.iter().any(|one| one.code.text() == code);
            claim(reports, || format!("no {code} in {:?}", one.diagnostics))?;
        }
        let seen = self.control.seen().await?;
        claim(seen.len() == tries, || format!("{} requests", seen.len()))?;
        self.control.verdict(&[]).await?;
        let codes = error.diagnostics().iter().map(|one| one.code.text());
        Ok(format!(
            "{} tries, {}",
            tries,
            codes.collect::<Vec<_>>().join(", ")
        ))
    }

    async fn repairs_plan(&self) -> Result<String, String> {
        let task = |name: &str, needs: &[&str]| json!({ "name": name, "needs": needs, "kind": "agent", "prompt": "Write a line." });
        let plan = |tasks: Vec<serde_json::Value>| {
            let text = json!({ "reasoning": "Two steps.", "tasks": tasks }).to_string();
            json!({ "type": "reply", "text": text })
        };
        let dangling = plan(vec![
            task("draft", &[]),
            task("check", &["drafts_of_others"]),
        ]);
        let sound = plan(vec![task("draft", &[]), task("check", &["draft"])]);
        self.control.script(vec![dangling, sound]).await?;
        let plan = self.plan().await.map_err(|err| err.to_string())?;
        claim(plan.tasks.len() == 2, || {
            format!("{} tasks", plan.tasks.len())
        })?;
        claim(plan.tasks[1].needs == ["draft"], || {
            format!("{:?}", plan.tasks[1].needs)
        })?;
        let seen = self.control.seen().await?;
        claim(seen.len() == 2, || format!("{} requests", seen.len()))?;
        self.control.verdict(&[]).await?;
        Ok("2 tasks, the edge kept".to_owned())
    }

    async fn plan(&self) -> Result<zeph_planner::plan::Plan, PlanError> {
        let sanitizer = Arc::new(StandardSanitizer::new(Seed::new([7; 32])));
        let planner = LlmPlanner::new(Arc::clone(&self.service.provider), sanitizer);
        let planner = planner.max_repairs(MAX_REPAIRS).max_output_tokens(1024);
        let catalog = Arc::clone(&self.catalog);
        let request = PlanRequest::new("Write a line about bees", catalog);
        finish(planner.plan(request)).await
    }
}
