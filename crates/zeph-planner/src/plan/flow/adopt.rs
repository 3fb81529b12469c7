//! The action `adopt`: a person's word about a plan becomes tasks of the run.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeph_executor::{
    Executor, GraphSpec, Note, NoteKind, TaskContext, TaskError, TaskInput, TaskOutput, async_trait,
};

use super::answer::{Verdict, understand};
use super::patch::{self, Round};
use super::{FileProblem, PlanCompiler, PlanOutput};

/// What the action `adopt` is called with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdoptParams {
    /// The round, from 1.
    pub round: u32,
    /// The parent whose output is the plan.
    pub plan: String,
    /// The parent whose output is the person's answer; `None` adopts the plan as it is.
    pub confirm: Option<String>,
}

/// What the action `adopt` puts out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "verdict", deny_unknown_fields)]
pub enum Adopted {
    /// The plan's tasks are in the run.
    Approved {
        /// Their names, in the order of the file.
        tasks: Vec<String>,
    },
    /// The tasks of an edited plan are in the run.
    Edited {
        /// Their names, in the order of the file.
        tasks: Vec<String>,
    },
    /// The goal is planned anew.
    Rejected {
        /// The round that follows.
        round: u32,
    },
    /// The person is asked again.
    Unclear {
        /// The round that follows.
        round: u32,
        /// What was wrong with the answer; inert.
        why: String,
    },
}

/// Does the action `adopt`.
///
/// Parameters are [`AdoptParams`], the output is [`Adopted`]. To approve or edit adds the tasks and,
/// behind them, `answer`; to reject adds another round with the feedback; an answer that is neither,
/// or an edited plan with problems, asks again and counts as a round. Beyond the last round the
/// attempt fails with the code `too_many_rounds`. A repeated attempt, whose proposal is in the graph
/// already, completes as the first would have.
#[derive(Clone)]
pub struct AdoptExecutor {
    compiler: Arc<dyn PlanCompiler>,
    max_rounds: u32,
    answer_tokens: Option<u32>,
}

impl AdoptExecutor {
    /// Adopts plans that this compiler makes graphs of, in at most 5 rounds.
    #[must_use]
    pub fn new(compiler: Arc<dyn PlanCompiler>) -> Self {
        Self {
            compiler,
            max_rounds: 5,
            answer_tokens: None,
        }
    }

    /// The most rounds. Default 5; with 1 nothing can be rejected or asked again.
    #[must_use]
    pub const fn max_rounds(mut self, rounds: u32) -> Self {
        self.max_rounds = rounds;
        self
    }

    /// The most tokens of the final answer. Default: the aggregator's own limit.
    #[must_use]
    pub const fn answer_tokens(mut self, tokens: u32) -> Self {
        self.answer_tokens = Some(tokens);
        self
    }

    /// The round after this one.
    fn next(&self, round: u32, why: &str) -> Result<u32, TaskError> {
        if round < self.max_rounds {
            return Ok(round + 1);
        }
        let most = self.max_rounds;
        let message = format!(
            "there is no plan after {round} rounds, and there may be {most}: {why}; begin anew with a clearer goal, or run a plan file"
        );
        Err(TaskError::permanent(message).with_code("too_many_rounds"))
    }

    /// Asks again about the same plan.
    async fn ask_again(
        &self,
        cx: &TaskContext,
        params: &AdoptParams,
        why: String,
    ) -> Result<Adopted, TaskError> {
        let round = self.next(params.round, &why)?;
        cx.journal()
            .propose(patch::ask_again(&params.plan, round, &why))
            .await?;
        Ok(Adopted::Unclear { round, why })
    }

    /// Adds an edited plan, or says what is wrong with it.
    async fn edited(
        &self,
        cx: &TaskContext,
        params: &AdoptParams,
        plan: &PlanOutput,
        file: &str,
    ) -> Result<Adopted, TaskError> {
        let graph = match self.compiler.compile(file) {
            Ok(graph) => graph,
            Err(problems) => {
                let why = format!("The edited plan cannot be used:\n{}", list(&problems));
                return self.ask_again(cx, params, why).await;
            }
        };
        let tasks = names(&graph);
        match self.add(cx, graph, plan).await {
            Ok(()) => Ok(Adopted::Edited { tasks }),
            Err(error) if error.code() == "proposal_refused" => {
                let why = format!(
                    "The edited plan does not fit into the run: {}",
                    refusal(&error)
                );
                self.ask_again(cx, params, why).await
            }
            Err(error) => Err(error),
        }
    }

    async fn add(
        &self,
        cx: &TaskContext,
        graph: GraphSpec,
        plan: &PlanOutput,
    ) -> Result<(), TaskError> {
        let patch = patch::whole(graph, &plan.goal, self.answer_tokens);
        cx.journal().propose(patch).await.map(drop)
    }

    async fn approved(&self, cx: &TaskContext, plan: &PlanOutput) -> Result<Adopted, TaskError> {
        let graph = self.compiler.compile(&plan.plan_file).map_err(|problems| {
            let message = format!("the plan does not become a graph:\n{}", list(&problems));
            TaskError::permanent(message).with_code("plan_not_compiled")
        })?;
        let tasks = names(&graph);
        self.add(cx, graph, plan).await?;
        Ok(Adopted::Approved { tasks })
    }

    async fn rejected(
        &self,
        cx: &TaskContext,
        params: &AdoptParams,
        plan: &PlanOutput,
        why: &str,
    ) -> Result<Adopted, TaskError> {
        let round = self.next(params.round, "the last plan was rejected")?;
        let mut feedback = plan.feedback.clone();
        feedback.push(match why {
            "" => "The plan was refused without a reason; make a different one.".to_owned(),
            why => why.to_owned(),
        });
        let next = Round {
            number: round,
            goal: &plan.goal,
            feedback: &feedback,
            confirm: true,
        };
        let patch = GraphSpec {
            tasks: next.tasks(),
            ..GraphSpec::default()
        };
        cx.journal().propose(patch).await?;
        Ok(Adopted::Rejected { round })
    }
}

impl fmt::Debug for AdoptExecutor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdoptExecutor")
            .field("max_rounds", &self.max_rounds)
            .field("answer_tokens", &self.answer_tokens)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Executor for AdoptExecutor {
    async fn execute(&self, cx: &TaskContext, input: TaskInput) -> Result<TaskOutput, TaskError> {
        let params: AdoptParams = input.params_as()?;
        let plan: PlanOutput = input.parent_as(&params.plan)?;
        let verdict = match &params.confirm {
            None => Verdict::Approve,
            Some(confirm) => understand(&input.parent_as::<Value>(confirm)?),
        };
        let adopted = match verdict {
            Verdict::Approve => self.approved(cx, &plan).await?,
            Verdict::Edit(file) => self.edited(cx, &params, &plan, &file).await?,
            Verdict::Reject(why) => self.rejected(cx, &params, &plan, &why).await?,
            Verdict::Unclear(why) => self.ask_again(cx, &params, why).await?,
        };
        cx.journal()
            .note(Note::json(NoteKind::Plan, &adopted)?)
            .await?;
        TaskOutput::from_serialize(&adopted)
    }
}

fn names(graph: &GraphSpec) -> Vec<String> {
    graph.tasks.iter().map(|task| task.name.clone()).collect()
}

fn list(problems: &[FileProblem]) -> String {
    const SHOWN: usize = 20;
    let mut lines: Vec<String> = problems
        .iter()
        .take(SHOWN)
        .map(ToString::to_string)
        .collect();
    if problems.len() > SHOWN {
        lines.push(format!("… and {} more", problems.len() - SHOWN));
    }
    lines.join("\n")
}

/// Why the journal refused a proposal, with the problems that it tells as detail.
fn refusal(error: &TaskError) -> String {
    match error.detail() {
        Some(detail) => format!("{}: {detail}", error.message()),
        None => error.message().to_owned(),
    }
}
