//! Answers: the results of many tasks, put together into one text.

mod cite;
mod llm;
mod loads;
mod material;
mod params;
mod plain;
mod reduce;

pub use llm::{AnswerLimits, LlmAggregator};
pub use material::{Material, Missing, TaskResult};
pub use params::{AnswerParams, AnswerTask};
pub use plain::DeterministicAggregator;

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use zeph_executor::{Executor, TaskContext, TaskError, TaskInput, TaskOutput};

use crate::{LlmContext, until_stopped};

/// Puts results together into one answer.
///
/// The contract:
///
/// - Every task is told, with its end: what failed, was skipped or is not known is in the answer or
///   in its `missing`.
/// - What is left out or cut is told.
/// - Texts of tasks are untrusted: they enter a prompt through the llm_context's sanitizer only.
/// - The answer says who wrote it, and why if that is not whom the host meant.
///
/// [`DeterministicAggregator`] needs no model; [`LlmAggregator`] asks one and falls back to it.
#[async_trait]
pub trait Aggregator: Send + Sync {
    /// Writes the answer.
    ///
    /// # Errors
    /// `Cancelled` if the attempt is to stop; the journal's. What else goes wrong on the way to a
    /// better answer is told in a lesser one.
    async fn aggregate(&self, cx: &TaskContext, material: &Material) -> Result<Answer, TaskError>;
}

#[async_trait]
impl<A: Aggregator + ?Sized> Aggregator for Arc<A> {
    async fn aggregate(&self, cx: &TaskContext, material: &Material) -> Result<Answer, TaskError> {
        (**self).aggregate(cx, material).await
    }
}

/// An answer, and how it came about: the output of a task of the action `answer`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The answer, as Markdown. Untrusted, as the results are that it was made from; in the output of
    /// an [`AnswerExecutor`] nothing of it loads or runs by itself: images have become links.
    pub text: String,
    /// Who wrote it.
    pub by: Written,
    /// Why no model wrote it although one was to; `None` if all is as it was meant.
    pub why: Option<String>,
    /// Whether it was made from less than all results, or leaves something of them out for length.
    pub cut: bool,
    /// The tasks that it cites, or whose results it holds.
    pub sources: Vec<String>,
    /// Citations of tasks that there are not, which were taken out.
    pub removed: Vec<String>,
    /// The tasks without a result of their own, and why.
    pub missing: Vec<Missing>,
    /// How often results were summarised before the answer was written.
    pub rounds: u32,
}

/// Who wrote an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Written {
    /// A model.
    Llm,
    /// No model: the results are written down as they are.
    Deterministic,
}

impl Answer {
    /// What is kept as a note: all but the text, which is the task's output.
    fn note(&self) -> Self {
        Self {
            text: String::new(),
            ..self.clone()
        }
    }
}

/// Does tasks of the action `answer`; its parameters are [`AnswerParams`], its output an [`Answer`].
///
/// Meant for a task that needs all others and starts when they have ended, however that was.
///
/// Whoever writes the answer, its text is cleaned as for a prompt, without delimiters: see
/// [`StandardSanitizer::clean`](zeph_sanitizer::StandardSanitizer::clean). So no image carries results
/// away when the answer is viewed.
#[derive(Clone)]
pub struct AnswerExecutor {
    aggregator: Arc<dyn Aggregator>,
}

impl AnswerExecutor {
    /// The name of the action that it is registered under.
    pub const ACTION: &'static str = "answer";

    /// Answers by the llm_context's default model, without it where that fails.
    #[must_use]
    pub fn new(llm_context: Arc<LlmContext>) -> Self {
        Self::with(LlmAggregator::new(llm_context))
    }

    /// Answers by that aggregator.
    ///
    /// # Examples
    /// ```
    /// use zeph_planner::{AnswerExecutor, DeterministicAggregator};
    /// let answers = AnswerExecutor::with(DeterministicAggregator::default());
    /// # let _ = answers;
    /// ```
    #[must_use]
    pub fn with(aggregator: impl Aggregator + 'static) -> Self {
        Self {
            aggregator: Arc::new(aggregator),
        }
    }
}

impl std::fmt::Debug for AnswerExecutor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AnswerExecutor").finish_non_exhaustive()
    }
}

#[async_trait]
impl Executor for AnswerExecutor {
    async fn execute(&self, cx: &TaskContext, input: TaskInput) -> Result<TaskOutput, TaskError> {
        let params: AnswerParams = input.params_as()?;
        let material = Material::new(&params, &input);
        let answer = until_stopped(cx, self.aggregator.aggregate(cx, &material)).await?;
        let answer = Answer {
            text: loads::disarmed(&answer.text, &material.names()),
            ..answer
        };
        TaskOutput::from_serialize(&answer)
    }
}
