//! The action `adopt`: adds a plan to its run, as the person decided.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeph_common::{Boundary, head_tail};
use zeph_executor::{
    Executor, GraphSpec, Note, NoteKind, TaskContext, TaskError, TaskInput, TaskOutput, async_trait,
};

use super::extend;
use super::plan::{first, is_first};
use super::round::{self, Round};
use super::verdict::{Verdict, read_verdict};
use super::{PlanCompiler, PlanOutput};
use crate::answer::{AnswerParams, Extend};

/// The most bytes of a rejected plan that later rounds see.
const MAX_REJECTED_BYTES: usize = 6 << 10;
/// The code of a plan file with problems.
const NOT_COMPILED: &str = "plan_not_compiled";

/// The parameters of the action `adopt`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdoptParams {
    /// The goal of the run.
    pub goal: String,
    /// A person's feedback on the plans of earlier rounds.
    #[serde(default)]
    pub feedback: Vec<String>,
    /// The plan files that the feedback is about, in the same order, shortened; absent in older runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rejected: Vec<String>,
    /// The round, from 1.
    pub round: u32,
    /// The parent whose output is the plan.
    pub plan: String,
    /// The parent whose output is the person's answer; `None` adopts the plan without one.
    pub confirm: Option<String>,
    /// The first round that is about the same tasks.
    #[serde(default = "first", skip_serializing_if = "is_first")]
    pub first_round: u32,
    /// The answer without further tasks, if the plan extends another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extends: Option<AnswerParams>,
}

/// The output of the action `adopt`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "verdict", deny_unknown_fields)]
pub enum Adopted {
    /// The plan's tasks were added to the run.
    Approved {
        /// Their names, in the order of the file.
        tasks: Vec<String>,
    },
    /// The tasks of an edited plan were added to the run.
    Edited {
        /// Their names, in the order of the file.
        tasks: Vec<String>,
    },
    /// The goal is planned again.
    Rejected {
        /// The next round.
        round: u32,
    },
    /// The person is asked again.
    Unclear {
        /// The next round.
        round: u32,
        /// The problem of the answer; printable.
        why: String,
    },
    /// The plan is not extended, and the answer is made from what there is.
    NotExtended {},
}

/// Executes the action `adopt`.
///
/// Parameters are [`AdoptParams`], the output is [`Adopted`]. Approving or editing adds the tasks and
/// `answer` after them; rejecting adds another round with the reason. An unclear answer, or an edited
/// plan with problems, asks again and counts as a round. After the last round the attempt fails with
/// the code `too_many_rounds`. If the plan extends another one, a rejection without a reason and the last
/// round lead to the answer without further tasks. A repeated attempt whose proposal is already in the graph completes as
/// the first one would have.
#[derive(Clone)]
pub struct AdoptExecutor {
    compile: PlanCompiler,
    max_rounds: u32,
    answer_tokens: Option<u32>,
    max_replans: u32,
}

impl AdoptExecutor {
    /// An executor with that compiler of plan files, in at most 5 rounds.
    #[must_use]
    pub fn new(compile: PlanCompiler) -> Self {
        Self {
            compile,
            max_rounds: 5,
            answer_tokens: None,
            max_replans: 0,
        }
    }

    /// Sets how many times a plan may be extended after a task that failed. Default 0.
    #[must_use]
    pub const fn max_replans(mut self, times: u32) -> Self {
        self.max_replans = times;
        self
    }

    /// Sets the most rounds. Default 5; with 1 a plan cannot be rejected, and no question is repeated.
    #[must_use]
    pub const fn max_rounds(mut self, rounds: u32) -> Self {
        self.max_rounds = rounds;
        self
    }

    /// Sets the most tokens of the final answer. Default: the aggregator's own limit.
    #[must_use]
    pub const fn answer_tokens(mut self, tokens: u32) -> Self {
        self.answer_tokens = Some(tokens);
        self
    }

    /// The round after this one.
    fn next(&self, params: &AdoptParams, why: &str) -> Result<u32, TaskError> {
        let round = params.round.saturating_sub(params.first_round) + 1;
        if round < self.max_rounds {
            return Ok(params.round + 1);
        }
        let most = self.max_rounds;
        let message = format!(
            "no plan was approved in {round} of at most {most} rounds: {why}; start again with a clearer goal, or run a plan file"
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
        let round = match (self.next(params, &why), &params.extends) {
            (Err(_), Some(extends)) => return not_extended(cx, params, extends).await,
            (next, _) => next?,
        };
        let patch = round::ask_again(params, round, &why);
        cx.journal().propose(patch).await?;
        Ok(Adopted::Unclear { round, why })
    }

    /// Adds a plan. An extension that the run does not accept is left out.
    async fn approved(
        &self,
        cx: &TaskContext,
        params: &AdoptParams,
        plan: &PlanOutput,
    ) -> Result<Adopted, TaskError> {
        let added = self.add(cx, params, &plan.plan_file, &plan.started).await;
        match (added, &params.extends) {
            (Ok(tasks), _) => Ok(Adopted::Approved { tasks }),
            (Err(error), Some(extends))
                if [NOT_COMPILED, "proposal_refused"].contains(&error.code()) =>
            {
                cx.progress(format!("the plan cannot be extended: {error}"));
                not_extended(cx, params, extends).await
            }
            (Err(error), _) => Err(error),
        }
    }

    /// Adds an edited plan, or asks again with its problems.
    async fn edited(
        &self,
        cx: &TaskContext,
        params: &AdoptParams,
        file: &str,
    ) -> Result<Adopted, TaskError> {
        match self.add(cx, params, file, &[]).await {
            Ok(tasks) => Ok(Adopted::Edited { tasks }),
            Err(error) if [NOT_COMPILED, "proposal_refused"].contains(&error.code()) => {
                let detail = error.detail().map(|detail| format!(": {detail}"));
                let (message, detail) = (error.message(), detail.unwrap_or_default());
                let why = format!("The edited plan cannot be used: {message}{detail}");
                self.ask_again(cx, params, why).await
            }
            Err(error) => Err(error),
        }
    }

    /// Adds the tasks of a plan file to the run but those that have started, and the answer after all of them.
    /// Returns their names.
    async fn add(
        &self,
        cx: &TaskContext,
        params: &AdoptParams,
        file: &str,
        started: &[String],
    ) -> Result<Vec<String>, TaskError> {
        let graph = (self.compile)(file).map_err(|problems| {
            let message = format!("the plan file cannot be compiled:\n{problems}");
            TaskError::permanent(message).with_code(NOT_COMPILED)
        })?;
        let tasks = graph.tasks.iter().map(|task| task.name.clone()).collect();
        let extend = |left, seen| Extend {
            left,
            round: params.round,
            confirm: params.confirm.is_some(),
            seen,
        };
        let mut patch = match &params.extends {
            None => {
                let answer = AnswerParams {
                    goal: params.goal.clone(),
                    tasks: Vec::new(),
                    max_tokens: self.answer_tokens,
                    extend: (self.max_replans > 0).then(|| extend(self.max_replans, 0)),
                };
                round::with_answer(graph, 1, answer)
            }
            Some(extends) => {
                let left = extends.extend.map_or(0, |extend| extend.left);
                let answer = AnswerParams {
                    extend: (left > 1).then(|| extend(left - 1, extends.tasks.len())),
                    ..extends.clone()
                };
                round::with_answer(graph, params.round, answer)
            }
        };
        patch.tasks.retain(|task| !started.contains(&task.name));
        cx.journal().propose(patch).await?;
        Ok(tasks)
    }

    async fn rejected(
        &self,
        cx: &TaskContext,
        params: &AdoptParams,
        plan: &str,
        why: &str,
    ) -> Result<Adopted, TaskError> {
        let next = self.next(params, "the last plan was rejected");
        let round = match (next, &params.extends) {
            // Without a reason the person wants no further tasks.
            (next, Some(extends)) if next.is_err() || why.is_empty() => {
                return not_extended(cx, params, extends).await;
            }
            (next, _) => next?,
        };
        // Plans of an older run may be missing; each belongs to the feedback at its place.
        let mut rejected = params.rejected.clone();
        rejected.resize(params.feedback.len(), String::new());
        rejected.push(head_tail(plan, MAX_REJECTED_BYTES, Boundary::Word).to_string());
        let mut feedback = params.feedback.clone();
        feedback.push(match why {
            "" => "The plan was rejected without a reason; make a different one.".to_owned(),
            why => why.to_owned(),
        });
        let next = Round {
            number: round,
            goal: &params.goal,
            feedback: &feedback,
            rejected: &rejected,
            confirm: true,
            first_round: params.first_round,
            extends: params.extends.as_ref(),
        };
        let patch = GraphSpec {
            tasks: next.tasks(),
            ..GraphSpec::default()
        };
        cx.journal().propose(patch).await?;
        Ok(Adopted::Rejected { round })
    }
}

/// Adds the answer to the tasks as they are.
async fn not_extended(
    cx: &TaskContext,
    params: &AdoptParams,
    extends: &AnswerParams,
) -> Result<Adopted, TaskError> {
    let patch = extend::answer_only(params.round, extends);
    cx.journal().propose(patch).await?;
    Ok(Adopted::NotExtended {})
}

impl fmt::Debug for AdoptExecutor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdoptExecutor")
            .field("max_rounds", &self.max_rounds)
            .field("answer_tokens", &self.answer_tokens)
            .field("max_replans", &self.max_replans)
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
            Some(confirm) => read_verdict(&input.parent_as::<Value>(confirm)?),
        };
        let adopted = match verdict {
            Verdict::Approve => self.approved(cx, &params, &plan).await?,
            Verdict::Edit(file) => self.edited(cx, &params, &file).await?,
            Verdict::Reject(why) => self.rejected(cx, &params, &plan.plan_file, &why).await?,
            Verdict::Unclear(why) => self.ask_again(cx, &params, why).await?,
        };
        cx.journal()
            .note(Note::json(NoteKind::Plan, &adopted)?)
            .await?;
        TaskOutput::from_serialize(&adopted)
    }
}
