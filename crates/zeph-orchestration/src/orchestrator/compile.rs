//! Compiling: a plan file becomes the graph that a run takes in.

use std::collections::BTreeMap;

use zeph_graph::Retry;
use zeph_graph::wire::GraphSpec;
use zeph_planfile::{Format, Plan, PlanDiagnostic, PlanErrors, SourceText};
use zeph_planner::{FileProblem, PlanCompiler};

/// Makes graphs of plan files, by the rules of `zeph-planfile`.
///
/// A text that begins with `{` is JSON, any other is TOML. Commands become the action `command`,
/// prompts the action `agent`, questions stay questions. What belongs to a whole run is refused, since
/// the run that takes the plan in has its own: `params`, `budget`, `over_budget`, `timeout`,
/// `max_parallel`, each with the code `belongs_to_run`.
///
/// # Examples
/// ```
/// use zeph_orchestration::PlanFiles;
/// use zeph_orchestration::planner::PlanCompiler;
/// let graph = PlanFiles::new().compile("[tasks.write]\nprompt = 'Write a limerick.'")
///     .map_err(|problems| problems[0].to_string())?;
/// assert_eq!(graph.tasks[0].name, "write");
/// let problems = PlanFiles::new().compile("[tasks.write]\npromt = 'x'").unwrap_err();
/// assert_eq!((problems[0].code.as_str(), problems[0].place.as_str()), ("unknown_key", "2:1"));
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct PlanFiles {
    retry: Option<Retry>,
}

impl PlanFiles {
    /// A compiler whose retry policy is that of plan files.
    #[must_use]
    pub const fn new() -> Self {
        Self { retry: None }
    }

    /// What `on_failure = "retry"` and `retry` mean where a plan does not say it itself. Default:
    /// see [`Plan::with_retry_defaults`].
    #[must_use]
    pub const fn retry_defaults(mut self, policy: Retry) -> Self {
        self.retry = Some(policy);
        self
    }
}

impl PlanCompiler for PlanFiles {
    fn compile(&self, plan_file: &str) -> Result<GraphSpec, Vec<FileProblem>> {
        let format = if plan_file.trim_start().starts_with('{') {
            Format::Json
        } else {
            Format::Toml
        };
        let mut plan = Plan::load(plan_file, format, "plan").map_err(|errors| problems(&errors))?;
        if let Some(policy) = self.retry {
            plan = plan.with_retry_defaults(policy);
        }
        let misplaced = misplaced(&plan);
        if !misplaced.is_empty() {
            return Err(misplaced);
        }
        let bound = plan.bind(&BTreeMap::new());
        let bound = bound.map_err(|errors| problems(&errors))?;
        Ok(bound.spec().clone())
    }
}

/// The keys that only a run of its own could heed.
fn misplaced(plan: &Plan) -> Vec<FileProblem> {
    let there = [
        ("params", !plan.params().is_empty()),
        ("budget", plan.budget().is_some()),
        ("over_budget", plan.over_budget().is_some()),
        ("timeout", plan.timeout().is_some()),
        ("max_parallel", plan.max_parallel().is_some()),
    ];
    let there = there.into_iter().filter(|(_, there)| *there);
    let problem = |(key, _): (&str, bool)| FileProblem {
        code: "belongs_to_run".to_owned(),
        place: String::new(),
        message: format!(
            "`{key}` is for a run of the plan's own, and this plan goes into a run that is under way; leave it out"
        ),
    };
    there.map(problem).collect()
}

fn problems(errors: &PlanErrors) -> Vec<FileProblem> {
    let source = errors.source_text();
    errors.iter().map(|one| problem(source, one)).collect()
}

fn problem(source: &SourceText, one: &PlanDiagnostic) -> FileProblem {
    let place = match (&one.span, &one.pointer) {
        (Some(span), _) => {
            let (line, column) = source.line_column(span.start);
            format!("{line}:{column}")
        }
        (None, Some(pointer)) => pointer.clone(),
        (None, None) => String::new(),
    };
    let message = match &one.help {
        Some(help) => format!("{} ({help})", one.message),
        None => one.message.clone(),
    };
    FileProblem {
        code: one.code.text().to_owned(),
        place,
        message: zeph_common::escape_terminal(&message).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::PlanFiles;
    use zeph_graph::wire::WorkSpec;
    use zeph_planner::PlanCompiler as _;

    #[test]
    fn each_kind_of_task_becomes_its_work() {
        let graph = PlanFiles::new()
            .compile(
                "[tasks.log]\nrun = ['git', 'log']\n[tasks.group]\nneeds = ['log']\nprompt = 'Group ${{ tasks.log.stdout }}'\n[tasks.ok]\nneeds = ['group']\nask = 'Good?'",
            )
            .expect("the plan is in order");
        let works = graph.tasks.iter().map(|task| match &task.work {
            WorkSpec::Action { name, .. } => name.clone(),
            WorkSpec::Question(_) => "ask".to_owned(),
            WorkSpec::Milestone {} => "milestone".to_owned(),
        });
        assert_eq!(works.collect::<Vec<_>>(), ["command", "agent", "ask"]);
    }

    #[test]
    fn what_belongs_to_a_run_is_told_and_not_dropped() {
        let plan = "budget = 100\ntimeout = '1m'\n[params]\nx = 'y'\n[tasks.a]\nprompt = 'x'";
        let problems = PlanFiles::new().compile(plan).expect_err("it has three");
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(problems.len(), 3, "{told:?}");
        assert!(problems.iter().all(|one| one.code == "belongs_to_run"));
    }

    #[test]
    fn problems_of_json_have_pointers() {
        let json = r#"{"tasks": {"a": {"prompt": "x", "nedds": []}}}"#;
        let problems = PlanFiles::new().compile(json).expect_err("a key is wrong");
        assert_eq!(problems[0].place, "/tasks/a/nedds");
    }
}
