//! Answers: combines the results of many tasks into one text.

mod citations;
mod cuts;
mod deterministic;
mod input;
mod llm;
mod params;
mod pieces;
mod remote_content;
mod session;
mod summaries;

pub use cuts::CutResult;
pub use deterministic::DeterministicAggregator;
pub use input::{AnswerInput, MissingResult, TaskResult};
pub use llm::{AnswerLimits, LlmAggregator};
pub use params::{AnswerParams, AnswerTask, Extend};

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use zeph_executor::{Executor, Note, NoteKind, TaskContext, TaskError, TaskInput, TaskOutput};

use crate::call::until_stopped;
use crate::plan::extension;

/// Combines results into one answer.
///
/// The contract:
///
/// - Each task appears with its end: a task that failed, was skipped or is unknown is in the answer or in
///   its `missing`.
/// - Results that are left out or cut are named, with the share that was used.
/// - Results are untrusted: they enter a prompt only through the context's sanitizer.
/// - The answer states its author, and the reason if that is not the intended one.
///
/// [`DeterministicAggregator`] needs no model; [`LlmAggregator`] asks one and falls back to it.
#[async_trait]
pub trait Aggregator: Send + Sync {
    /// Writes the answer. At least one task has a result.
    ///
    /// # Errors
    /// `Cancelled` if the attempt is stopped; the journal's errors. Every other failure leads to a
    /// simpler answer that states it.
    async fn aggregate(&self, cx: &TaskContext, input: &AnswerInput) -> Result<Answer, TaskError>;
}

/// An answer: the output of the action `answer`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The answer, as Markdown. Untrusted, like the results. In the output of an [`AnswerExecutor`] it
    /// loads and runs nothing by itself: images are replaced by links.
    pub text: String,
    /// The author.
    pub by: WrittenBy,
    /// Why no model wrote it; `None` if the author is the intended one.
    pub why: Option<String>,
    /// Whether results, or parts of them, were left out for length.
    pub cut: bool,
    /// The results that were not used in full, and how much of them was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cuts: Vec<CutResult>,
    /// Whether the text itself ends at its limit of tokens; then it says so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut_off: bool,
    /// The tasks that it cites or contains. A summary that is cited counts as the tasks that it is of.
    pub sources: Vec<String>,
    /// Citations of unknown tasks, which were removed.
    pub removed: Vec<String>,
    /// The tasks without a result of their own.
    pub missing: Vec<MissingResult>,
    /// The number of rounds of summaries before the answer.
    pub rounds: u32,
}

/// The author of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WrittenBy {
    /// A model.
    Llm,
    /// The deterministic aggregator, without a model.
    Deterministic,
}

impl Answer {
    /// What a reader of the text should know about it, one line each: why no model wrote it, what was cut, and
    /// which citations were removed. Names of tasks and texts of models are in it as they are.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        const MOST: usize = 5;
        let mut notes = Vec::new();
        if let (WrittenBy::Deterministic, Some(why)) = (self.by, &self.why) {
            let what = "no model wrote the answer, it is the list of results";
            notes.push(format!("{what}: {why}"));
        }
        if self.cut_off {
            notes.push("the answer was cut off at its limit of tokens".to_owned());
        }
        let mut cuts: Vec<&CutResult> = self.cuts.iter().collect();
        cuts.sort_by_key(|one| one.percent);
        let more = cuts.len().saturating_sub(MOST);
        let cuts = cuts.iter().take(MOST);
        let mut cuts: Vec<String> = cuts
            .map(|one| format!("{} ({})", one.task, one.words()))
            .collect();
        if more > 0 {
            cuts.push(format!("and {more} more"));
        }
        if !cuts.is_empty() {
            notes.push(format!(
                "results were too long together: {}",
                cuts.join(", ")
            ));
        }
        if !self.removed.is_empty() {
            let removed = zeph_diagnostics::list(self.removed.iter().map(String::as_str));
            notes.push(format!(
                "citations of unknown tasks were removed: {removed}"
            ));
        }
        notes
    }

    /// Notes the answer, without the text, which is the task's output.
    async fn noted(self, cx: &TaskContext) -> Result<Self, TaskError> {
        let note = Self {
            text: String::new(),
            ..self.clone()
        };
        let note = Note::json(NoteKind::Answer, &note)?;
        cx.journal().note(note).await?;
        Ok(self)
    }
}

/// Executes the action `answer`; its parameters are [`AnswerParams`], its output an [`Answer`].
///
/// The task needs all others and starts when they have ended, with any result. If one of them failed and the
/// plan may be [extended](AnswerParams::extend), it adds a round of planning instead, and is skipped. If no task
/// has a result, it fails with the code `no_results`.
///
/// The text of every answer is cleaned as for a prompt, without delimiters: see
/// [`StandardSanitizer::clean`](zeph_sanitizer::StandardSanitizer::clean). So no image can send results
/// away when a person views the answer.
#[derive(Clone)]
pub struct AnswerExecutor {
    aggregator: Arc<dyn Aggregator>,
}

impl AnswerExecutor {
    /// The name of the action.
    pub const ACTION: &'static str = "answer";

    /// An executor with an aggregator, such as [`LlmAggregator`].
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use zeph_planner::answer::{AnswerExecutor, DeterministicAggregator};
    /// let answers = AnswerExecutor::new(Arc::new(DeterministicAggregator::default()));
    /// # let _ = answers;
    /// ```
    #[must_use]
    pub fn new(aggregator: Arc<dyn Aggregator>) -> Self {
        Self { aggregator }
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
        if let Some((plan, patch)) = extension(&params, &input) {
            match cx.journal().propose(patch).await {
                Ok(_) => {
                    let why = format!("a task failed, so {plan} first looks for another way");
                    return Err(TaskError::skip(why));
                }
                // The names are taken, or the run may have no more tasks.
                Err(error) if error.code() == "proposal_refused" => {
                    cx.progress(format!("the plan cannot be extended: {error}"));
                }
                Err(error) => return Err(error),
            }
        }
        let input = AnswerInput::new(&params, &input);
        if input.results.iter().all(|one| one.output.is_none()) {
            return Err(without_results(&input));
        }
        let answer = until_stopped(cx, self.aggregator.aggregate(cx, &input)).await?;
        let answer = Answer {
            text: remote_content::disarm(&answer.text, &input.names()),
            ..answer
        };
        TaskOutput::from_serialize(&answer)
    }
}

/// The error if there is nothing to answer from.
fn without_results(input: &AnswerInput) -> TaskError {
    let missing = input.missing();
    let first = missing.first();
    let first = first.map(|one| format!("; {}: {}", one.task, one.why));
    let more = match missing.len() {
        0 | 1 => String::new(),
        many => format!("; and {} more", many - 1),
    };
    let first = first.unwrap_or_default();
    TaskError::permanent(format!("no task has a result{first}{more}")).with_code("no_results")
}
