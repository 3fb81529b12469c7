//! Early start: tasks of a plan run while the rest of it is still being received.
//!
//! The attempt of `plan` adds each task to the run as soon as the text so far allows it. When the plan is complete,
//! the tasks that it does not have are withdrawn, and `adopt` adds the others.

use std::collections::{BTreeMap, BTreeSet};

use zeph_executor::{GraphSpec, Proposal, TaskContext, TaskError};
use zeph_graph::wire::{OnFailureSpec, TaskSpec};
use zeph_graph::{Effect, TaskGraph};

use super::PlanCompiler;
use crate::plan::Plan;
use crate::plan::finding::{FindingKind, PlanFinding, warning};

/// The tasks that the attempts of a task `plan` have started.
pub(super) struct EarlyStart<'a> {
    cx: &'a TaskContext,
    compile: Option<&'a PlanCompiler>,
    /// Whether the run has refused a task.
    refused: bool,
    /// The number of proposals so far.
    proposals: u32,
    started: BTreeMap<String, TaskSpec>,
    /// The names of those that were taken back or removed: a task of that name is another one.
    gone: BTreeSet<String>,
}

impl<'a> EarlyStart<'a> {
    /// With the tasks that earlier attempts have started. Without a compiler no task starts.
    pub(super) async fn new(
        cx: &'a TaskContext,
        compile: Option<&'a PlanCompiler>,
    ) -> Result<Self, TaskError> {
        let proposed = match compile {
            Some(_) => cx.journal().proposed().await?,
            None => Default::default(),
        };
        let started = proposed.tasks.into_iter();
        Ok(Self {
            cx,
            compile,
            refused: false,
            proposals: proposed.count,
            started: started.map(|task| (task.name.clone(), task)).collect(),
            gone: proposed.gone.into_iter().collect(),
        })
    }

    /// Starts the tasks of a plan that is not complete yet, each when everything that it needs has started.
    ///
    /// A task with an effect that happens at most once waits for the whole plan, and so does one whose failure ends
    /// the run or asks a person. If the run refuses a task, no further one starts early, and the whole plan decides.
    pub(super) async fn start(&mut self, plan: &Plan) -> Result<(), TaskError> {
        let Some(graph) = self.compiled(plan).filter(|_| !self.refused) else {
            return Ok(());
        };
        let mut waits: Vec<&str> = Vec::new();
        for task in &graph.tasks {
            let is_ready =
                stays_alone(task) && !task.needs.iter().any(|need| waits.contains(&&**need));
            let same = self.is_same(task);
            match (is_ready, same) {
                (true, Some(true)) => {}
                (true, None) => {
                    let patch = GraphSpec {
                        lanes: graph.lanes.clone(),
                        tasks: vec![task.clone()],
                        ..GraphSpec::default()
                    };
                    match self.cx.journal().propose_after(self.proposals, patch).await {
                        Ok(Proposal::Added) => {
                            self.cx.progress(format!("started {}", task.name));
                            self.proposals += 1;
                            self.started.insert(task.name.clone(), task.clone());
                        }
                        Err(error) if error.code() != "proposal_refused" => return Err(error),
                        Ok(Proposal::Already) | Err(_) => {
                            self.refused = true;
                            return Ok(());
                        }
                    }
                }
                (true, Some(false)) | (false, _) => waits.push(&task.name),
            }
        }
        Ok(())
    }

    /// Compares the complete plan with the tasks that have started. Those that it does not have are withdrawn; a
    /// task that has the name of another one gets a new name. Returns the names of those that it has.
    pub(super) async fn settle(&mut self, plan: &mut Plan) -> Result<Vec<String>, TaskError> {
        if !self.started.is_empty() {
            // A person may have removed one meanwhile.
            self.gone = self
                .cx
                .journal()
                .proposed()
                .await?
                .gone
                .into_iter()
                .collect();
            self.started.retain(|name, _| !self.gone.contains(name));
        }
        let mut kept = Vec::new();
        // Each turn gives one task a name that no other has.
        for _ in 0..=plan.tasks.len() {
            let has_names = !self.started.is_empty() || !self.gone.is_empty();
            let Some(graph) = self.compiled(plan).filter(|_| has_names) else {
                break;
            };
            let mut tasks = graph.tasks.iter();
            if let Some(other) = tasks.find(|task| self.is_same(task) == Some(false)) {
                self.rename(plan, &other.name);
                continue;
            }
            let tasks = graph.tasks.into_iter().map(|task| task.name);
            kept = tasks
                .filter(|name| self.started.contains_key(name))
                .collect();
            break;
        }
        let left = self.started.keys().filter(|name| !kept.contains(name));
        let left: Vec<String> = left.cloned().collect();
        if !left.is_empty() {
            let why = "the complete plan does not have it";
            self.cx.journal().withdraw(&left, why).await?;
        }
        Ok(kept)
    }

    /// Whether the task of that name that has started is this one; `None` if none has started.
    fn is_same(&self, task: &TaskSpec) -> Option<bool> {
        if self.gone.contains(&task.name) {
            return Some(false);
        }
        let started = self.started.get(&task.name)?;
        Some(started == task)
    }

    /// The tasks of a plan as a graph has them; `None` if the host does not accept the plan.
    fn compiled(&self, plan: &Plan) -> Option<GraphSpec> {
        let spec = self.compile?(&plan.to_plan_file()).ok()?;
        let graph = TaskGraph::try_from(spec).ok()?;
        Some(GraphSpec::from(&graph))
    }

    /// Gives a task of the plan a name that no other task has.
    fn rename(&self, plan: &mut Plan, name: &str) {
        let is_taken = |new: &str| {
            let mut names = plan.tasks.iter().map(|task| &task.name);
            let is_new = |one: &String| one.eq_ignore_ascii_case(new);
            names.any(is_new) || self.started.keys().chain(&self.gone).any(is_new)
        };
        let numbered = (2_u32..).map(|number| with_number(name, number));
        let Some(new) = numbered.into_iter().find(|new| !is_taken(new)) else {
            return;
        };
        plan.rename(name, &new);
        plan.findings.push(PlanFinding {
            code: warning::STARTED_NAME.text().to_owned(),
            kind: FindingKind::Warning,
            path: new,
            message: format!(
                "the task {name} got another name, because another task of that name has started"
            ),
            help: None,
        });
    }
}

/// Whether the task changes nothing but itself, should the complete plan not have it.
fn stays_alone(task: &TaskSpec) -> bool {
    let fails_alone = match task.on_failure {
        OnFailureSpec::Skip {} | OnFailureSpec::Value { .. } => true,
        OnFailureSpec::Abort {} | OnFailureSpec::Ask { .. } | OnFailureSpec::Fallback { .. } => {
            false
        }
    };
    fails_alone && task.effect != Effect::AtMostOnce
}

/// The name with a number, within the length of names.
fn with_number(name: &str, number: u32) -> String {
    let number = format!("-{number}");
    let most = crate::plan::name::MAX - number.len();
    format!("{}{number}", &name[..name.len().min(most)])
}
