//! From plan files that planning made or a person edited to tasks of the run that is there already.

use zeph_config::OrchestrationConfig;
use zeph_graph::TaskGraph;
use zeph_graph::wire::GraphSpec;
use zeph_orchestration::PlanFiles;
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
    let problem = |code: &str, message: String| {
        vec![FileProblem {
            code: code.to_owned(),
            place: String::new(),
            message,
        }]
    };
    let files = PlanFiles::new().retry_defaults(plan::retry(config));
    let spec = files.compile(text)?;
    let graph = TaskGraph::try_from(spec);
    let graph = graph.map_err(|error| problem("invalid_graph", error.to_string()))?;
    let graph = plan::with_defaults(config, graph);
    let graph = graph.map_err(|error| problem(error.code, error.message))?;
    Ok(GraphSpec::from(&graph))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::compile;
    use zeph_config::OrchestrationConfig;

    #[test]
    fn tasks_get_the_defaults_of_the_settings_and_wrong_plans_their_places() {
        let config = OrchestrationConfig {
            attempt_timeout: Some(Duration::from_secs(90)),
            ..OrchestrationConfig::default()
        };
        let graph = compile(&config, "goal = 'x'\n[tasks.a]\nprompt = 'Say $${{ 1 }}'\n").unwrap();
        let graph = zeph_graph::TaskGraph::try_from(graph).unwrap();
        let task = graph.task(graph.find("a").unwrap());
        assert_eq!(task.rules().attempt_timeout, config.attempt_timeout);
        let wrong = compile(&config, "[tasks.a]\nprompt = 5\n").unwrap_err();
        assert!(wrong[0].to_string().starts_with("2:10: ["), "{}", wrong[0]);
    }
}
