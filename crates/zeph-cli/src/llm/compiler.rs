//! From plan files that planning made or a person edited to tasks of the run that is there already.

use std::collections::BTreeMap;

use zeph_config::OrchestrationConfig;
use zeph_graph::wire::GraphSpec;
use zeph_planfile::{Format, Plan, PlanErrors};
use zeph_planner::{FileProblem, PlanCompiler};

use crate::plan;

/// Compiles with the retries and time-outs of the settings where a plan says nothing.
pub(crate) struct Compiler(pub(crate) OrchestrationConfig);

impl PlanCompiler for Compiler {
    fn compile(&self, plan_file: &str) -> Result<GraphSpec, Vec<FileProblem>> {
        compile(&self.0, plan_file)
    }
}

/// The tasks of a plan file; what would belong to a run of its own is a problem.
pub(crate) fn compile(
    config: &OrchestrationConfig,
    text: &str,
) -> Result<GraphSpec, Vec<FileProblem>> {
    let format = if text.trim_start().starts_with('{') {
        Format::Json
    } else {
        Format::Toml
    };
    let plan = Plan::load(text, format, "plan").map_err(|errors| problems(&errors))?;
    let misplaced = misplaced(&plan);
    if !misplaced.is_empty() {
        return Err(misplaced);
    }
    let plan = plan.with_retry_defaults(plan::retry(config));
    let bound = plan.bind(&BTreeMap::new());
    let graph = bound.and_then(|bound| bound.graph());
    let graph = graph.map_err(|errors| problems(&errors))?;
    let graph = plan::with_defaults(config, graph).map_err(|error| {
        vec![FileProblem {
            code: error.code.to_owned(),
            place: String::new(),
            message: error.message,
        }]
    })?;
    Ok(GraphSpec::from(&graph))
}

/// What a plan file may say and the run that takes its tasks in has said already.
fn misplaced(plan: &Plan) -> Vec<FileProblem> {
    let facts = [
        ("params", !plan.params().is_empty(), "write the values in"),
        (
            "budget",
            plan.budget().is_some(),
            "`zeph budget RUN` sets it",
        ),
        (
            "over_budget",
            plan.over_budget().is_some(),
            "--over-budget sets it",
        ),
        (
            "max_parallel",
            plan.max_parallel().is_some(),
            "--max-parallel sets it",
        ),
        (
            "timeout",
            plan.timeout().is_some(),
            "run_timeout in zeph.toml sets it",
        ),
    ];
    let wrong = facts.into_iter().filter(|(_, is_there, _)| *is_there);
    wrong
        .map(|(key, _, help)| FileProblem {
            code: "of_the_run".to_owned(),
            place: key.to_owned(),
            message: format!("the run is there already, so its plan cannot say this; {help}"),
        })
        .collect()
}

fn problems(errors: &PlanErrors) -> Vec<FileProblem> {
    let source = errors.source_text();
    let all = errors.as_slice().iter();
    all.map(|one| FileProblem {
        code: one.code.text().to_owned(),
        place: match (&one.span, &one.pointer) {
            (Some(span), _) => {
                let (line, column) = source.line_column(span.start);
                format!("{line}:{column}")
            }
            (None, Some(pointer)) => pointer.clone(),
            (None, None) => String::new(),
        },
        message: zeph_common::inert(&match &one.help {
            Some(help) => format!("{} ({help})", one.message),
            None => one.message.clone(),
        })
        .into_owned(),
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use zeph_config::OrchestrationConfig;

    fn compile(text: &str) -> Result<super::GraphSpec, Vec<super::FileProblem>> {
        super::compile(&OrchestrationConfig::default(), text)
    }

    #[test]
    fn tasks_come_out_and_what_is_of_the_run_is_told() {
        let graph = compile("goal = 'x'\n[tasks.a]\nprompt = 'Say $${{ 1 }}'\n").unwrap();
        assert_eq!(graph.tasks.len(), 1);
        let wrong = compile("budget = { tokens = 5 }\n[params]\nx = 'y'\n[tasks.a]\nask = 'q'\n");
        let told: Vec<String> = wrong.unwrap_err().iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].starts_with("params: [of_the_run]"), "{told:?}");
        let wrong = compile("[tasks.a]\nprompt = 5\n").unwrap_err();
        assert!(wrong[0].to_string().starts_with("2:10: ["), "{}", wrong[0]);
    }
}
