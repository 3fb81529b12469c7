//! A plan as people look at it before it runs: tree, tasks, estimate, what was mended, what to look at.

use serde_json::{Value, json};
use zeph_common::{Boundary, truncate};
use zeph_graph::{TaskGraph, Usd, picture};
use zeph_orchestration::plan::PlanFiles;
use zeph_planner::{
    Estimate, Plan, PlanCompiler as _, PlanDocument, PlanOutput, PlanRepair, PlanWarning,
    TaskDocument, TaskKind,
};

use crate::read::page::Page;
use crate::validate;

/// The bytes of what a task is about.
const ABOUT_BYTES: usize = 160;

/// A plan that nothing was run of yet.
pub(crate) struct Proposal {
    pub(crate) goal: String,
    pub(crate) document: PlanDocument,
    pub(crate) file: String,
    pub(crate) estimate: Estimate,
    pub(crate) repairs: Vec<PlanRepair>,
    pub(crate) warnings: Vec<PlanWarning>,
    pub(crate) kept: bool,
}

impl Proposal {
    pub(crate) fn of(plan: Plan, kept: bool) -> Self {
        Self {
            document: plan.document(),
            file: plan.to_plan_file(),
            goal: plan.goal,
            estimate: plan.estimate,
            repairs: plan.repairs,
            warnings: plan.warnings,
            kept,
        }
    }

    pub(crate) fn of_output(output: PlanOutput) -> Self {
        Self {
            goal: output.goal,
            document: output.document,
            file: output.plan_file,
            estimate: output.estimate,
            repairs: output.repairs,
            warnings: output.warnings,
            kept: output.kept,
        }
    }

    /// The graph of its tasks; none if this version of the tool does not read its file any more.
    pub(crate) fn graph(&self) -> Option<TaskGraph> {
        let spec = PlanFiles::default().compile(&self.file).ok()?;
        TaskGraph::try_from(spec).ok()
    }

    pub(crate) fn tell(&self, page: &mut Page) {
        page.line(format!("Plan for: {}", self.goal));
        if !self.document.reasoning.is_empty() {
            page.block(2, &self.document.reasoning);
        }
        let graph = self.graph();
        if let Some(graph) = &graph {
            page.gap();
            page.block(2, &picture::tree(graph, |_| None));
        }
        page.gap();
        let row = |task: &TaskDocument| vec![task.name.clone(), who(task), about(task)];
        let rows: Vec<_> = self.document.tasks.iter().map(row).collect();
        page.table(2, &[], &rows);
        page.gap();
        let size = graph.as_ref().map(validate::size).unwrap_or_default();
        page.line(format!("{size}; {}", self.cost()));
        if self.kept {
            page.line("the plan was kept from an earlier time; no model was asked");
        }
        for warning in &self.warnings {
            page.line(format!("warning: {warning}"));
        }
        for repair in &self.repairs {
            page.line(format!("mended: {repair}"));
        }
    }

    fn cost(&self) -> String {
        let money = match self.estimate.micro_usd {
            Some(0) => "free of charge".to_owned(),
            Some(money) => format!("about {} USD", Usd(money)),
            None => "price unknown".to_owned(),
        };
        format!("about {} tokens, {money}", self.estimate.tokens)
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "goal": self.goal,
            "plan": self.document,
            "plan_file": self.file,
            "estimate": self.estimate,
            "repairs": self.repairs,
            "warnings": self.warnings,
            "kept": self.kept,
        })
    }
}

fn who(task: &TaskDocument) -> String {
    match task.kind {
        TaskKind::Agent => match &task.agent {
            Some(agent) => format!("agent {agent}"),
            None => "any agent".to_owned(),
        },
        TaskKind::Command => "command".to_owned(),
        TaskKind::Question => "asks you".to_owned(),
    }
}

fn about(task: &TaskDocument) -> String {
    let prompt = task.prompt.as_deref().unwrap_or_default();
    let text = match task.kind {
        TaskKind::Agent | TaskKind::Question => prompt.to_owned(),
        TaskKind::Command => {
            let given = task.arguments.iter().flatten();
            let given = given.map(|one| format!(" {}={}", one.name, one.value));
            let call = task.command.clone().unwrap_or_default();
            format!("{call}{}", given.collect::<String>())
        }
    };
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    truncate(&line, ABOUT_BYTES, Boundary::Char).to_string()
}
