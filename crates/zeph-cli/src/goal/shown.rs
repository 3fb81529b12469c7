//! A plan as it is shown before it runs, and the question about it.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use zeph_graph::wire::GraphSpec;
use zeph_graph::{TaskGraph, Usd, picture};
use zeph_orchestration::plan::PlanFiles;
use zeph_planner::plan::{FindingKind, PlanOutput};
use zeph_runtime::{Accepts, QuestionView};

use crate::out::Channel;
use crate::read::page::Page;
use crate::read::rules;
use crate::{validate, work};

/// A plan before it runs.
pub(crate) struct Proposal(pub(crate) PlanOutput);

impl Proposal {
    /// The graph of its tasks; `None` if this version of the tool cannot read its file.
    pub(crate) fn graph(&self) -> Option<TaskGraph> {
        let spec = PlanFiles::default().compile(&self.0.plan_file).ok()?;
        TaskGraph::try_from(without_earlier(spec).0).ok()
    }

    /// The tasks of the run that its tasks need, by task.
    fn earlier(&self) -> Vec<(String, Vec<String>)> {
        let spec = PlanFiles::default().compile(&self.0.plan_file);
        spec.map_or_else(|_| Vec::new(), |spec| without_earlier(spec).1)
    }

    pub(crate) fn render(&self, page: &mut Page) {
        let graph = self.graph();
        let metadata = graph.as_ref().map(TaskGraph::metadata);
        if let Some(goal) = metadata.and_then(|metadata| metadata.get("goal")) {
            page.line(format!("Plan for: {goal}"));
        }
        if !self.0.reasoning.is_empty() {
            page.block(2, &self.0.reasoning);
        }
        if let Some(graph) = &graph {
            page.gap();
            page.block(2, &picture::tree(graph, |_| None));
            page.gap();
            for (_, task) in graph.tasks() {
                // Whole, because the person approves all of it.
                page.line(format!("  {}: {}", task.name(), work::who(task)));
                page.block(6, &work::what(task));
                let more = work::parameters(task).into_iter();
                let rules = rules::changed(graph, task).into_iter();
                let rules = rules.map(|(name, text)| (name.to_owned(), text));
                for (name, text) in more.chain(rules) {
                    page.block(4, &format!("{name}: {text}"));
                }
            }
        }
        for (task, needs) in self.earlier() {
            let needs = needs.join(", ");
            page.line(format!(
                "  {task} also gets the results of {needs}, which ended before"
            ));
        }
        page.gap();
        let size = graph.as_ref().map(validate::size).unwrap_or_default();
        page.line(format!("{size}; {}", self.cost()));
        if self.0.cached {
            page.line("the plan comes from the cache; no model was called");
        }
        for one in &self.0.findings {
            let label = match one.kind {
                FindingKind::Problem => "problem",
                FindingKind::Warning => "warning",
                FindingKind::Repair => "repaired",
            };
            page.line(format!("{label}: {one}"));
        }
    }

    fn cost(&self) -> String {
        let money = match self.0.estimate.micro_usd {
            Some(0) => "free of charge".to_owned(),
            Some(money) => format!("about {} USD", Usd(money)),
            None => "price unknown".to_owned(),
        };
        format!("about {} tokens, {money}", self.0.estimate.tokens)
    }

    /// The plan for programs: the tasks as a graph, the plan file, and the findings.
    pub(crate) fn to_json(&self, goal: &str) -> Value {
        let graph = self.graph().map(|graph| GraphSpec::from(&graph));
        json!({
            "goal": goal,
            "plan": graph,
            "plan_file": self.0.plan_file,
            "reasoning": self.0.reasoning,
            "estimate": self.0.estimate,
            "findings": self.0.findings,
            "cached": self.0.cached,
        })
    }
}

/// The tasks without what they need of the run that they are added to, and these needs by task.
fn without_earlier(mut spec: GraphSpec) -> (GraphSpec, Vec<(String, Vec<String>)>) {
    let own: BTreeSet<String> = spec.tasks.iter().map(|task| task.name.clone()).collect();
    let taken = spec.tasks.iter_mut().map(|task| {
        let earlier = task.needs.extract_if(.., |need| !own.contains(need));
        (task.name.clone(), earlier.collect::<Vec<_>>())
    });
    let earlier = taken.filter(|(_, needs)| !needs.is_empty()).collect();
    (spec, earlier)
}

/// A plan as it is shown before it runs.
pub(crate) fn text(plan: PlanOutput, channel: Channel) -> String {
    let mut page = Page::behind(channel.label);
    Proposal(plan).render(&mut page);
    page.into_text().trim_end().to_owned()
}

/// The problems of the last answer, which are in front of a question about a plan.
pub(crate) fn problems_of(text: &str) -> Option<&str> {
    text.rsplit_once("\n\n").map(|(problems, _)| problems)
}

/// Shortens a question about a plan that is shown with it; the problems of the last answer remain.
pub(crate) fn shorten(question: &mut QuestionView) {
    let problems = problems_of(&question.text).map(|text| format!("{text} "));
    question.text = format!("{}Run this plan?", problems.unwrap_or_default());
    question.accepts = Accepts::Choice(vec!["approve".to_owned()]);
}

#[cfg(test)]
mod tests {
    use zeph_planner::plan::PlanOutput;

    use super::text;
    use crate::out::Channel;

    #[test]
    fn all_that_will_run_is_shown_before_it_is_approved() {
        let long = format!("{}the end of the prompt", "word ".repeat(2_000));
        let plan_file = format!(
            r#"
            earlier = ["before"]
            [tasks.read]
            agent = "analyst"
            prompt = "{long}"
            tools = ["read_file"]
            on_failure = "skip"
            [tasks.check]
            needs = ["read", "before"]
            run = ["sh", "-c", "env | sort", "two words"]
            "#
        );
        let plan = PlanOutput {
            plan_file,
            reasoning: String::new(),
            estimate: serde_json::from_value(serde_json::json!({
                "tokens": 1, "micro_usd": 0, "tasks": 2, "depth": 2, "width": 1
            }))
            .expect("an estimate"),
            started: Vec::new(),
            findings: Vec::new(),
            cached: false,
        };
        let shown = text(plan, Channel::default());
        for wanted in [
            "analyst",
            "word word",
            "the end of the prompt",
            "read_file",
            "skip",
            "'env | sort'",
            "'two words'",
            "check also gets the results of before, which ended before",
            "2 tasks, 1 dependency",
        ] {
            assert!(shown.contains(wanted), "{wanted}: {shown}");
        }
    }
}
