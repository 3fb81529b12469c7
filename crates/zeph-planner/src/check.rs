//! The check of a result: by a JSON Schema, or by a question to a model.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use zeph_common::{Boundary, escape_terminal, plain_text, truncate};
use zeph_executor::{
    Executor, TaskContext, TaskError, TaskInput, TaskOutput, Verdict, async_trait,
};
use zeph_llm::{AnswerError, AnswerSchema, LlmRequest, Message, Purpose};

use crate::LlmContext;
use crate::call::{AttemptSpend, ModelClient, task_error, until_stopped, within_window};
use crate::prompt_budget::{FitError, MESSAGE_TOKENS, PromptBudget, Section, value_text};
use crate::prompts::PromptName;

/// The most tokens of a judge's request; the model's context window reduces it.
const MAX_INPUT: u32 = 16_384;
/// The most tokens of a judge's answer: a verdict in a few sentences.
const MAX_OUTPUT: u32 = 512;
/// The most problems of a schema in a verdict.
const MAX_PROBLEMS: usize = 10;
/// The most bytes of a verdict's reason.
const MAX_WHY_BYTES: usize = 2 << 10;

/// The parameters of a check: one of `schema` and `judge`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckParams {
    /// A JSON Schema that the result must match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Value>,
    /// A yes/no question about the result; "yes" accepts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judge: Option<String>,
    /// The result.
    pub result: Value,
    /// The prompt of the task, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
}

/// Checks results; parameters are [`CheckParams`], the output is a [`Verdict`].
///
/// A schema is validated here. A judge is the default model of the context, which sees the question, the
/// prompt of the task and the sanitized result, and gives its reasons before its verdict; a reply that is
/// no verdict is asked for once more. Its calls are budgeted and noted like those of an agent.
///
/// # Errors
/// `invalid_params`, `bad_schema`, `no_checker` without a model, `bad_verdict` if the model gives none, and
/// the errors of calls: without a verdict nothing is accepted.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), String> {
/// use serde_json::json;
/// use zeph_executor::{Attempt, Executor, TaskContext, TaskId, TaskInput};
/// use zeph_planner::check::CheckExecutor;
/// let cx = TaskContext::builder("r".parse().unwrap(), TaskId::from_index(0), "name", Attempt::FIRST);
/// let params = json!({ "schema": { "type": "array", "minItems": 1 }, "result": [] });
/// let checker = CheckExecutor::new(None);
/// let output = checker.execute(&cx.build(), TaskInput::new(params)).await;
/// let output = output.map_err(|error| error.to_string())?;
/// assert_eq!(output.value["accepted"], false);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct CheckExecutor {
    context: Option<Arc<LlmContext>>,
}

impl CheckExecutor {
    /// A checker that asks the default model of a context; without one it only knows schemas.
    #[must_use]
    pub const fn new(context: Option<Arc<LlmContext>>) -> Self {
        Self { context }
    }

    async fn verdict(&self, cx: &TaskContext, params: &CheckParams) -> Result<Verdict, TaskError> {
        if let Some(schema) = &params.schema {
            return by_schema(schema, &params.result);
        }
        let Some(question) = &params.judge else {
            return Ok(Verdict::accepted("schema"));
        };
        let Some(context) = &self.context else {
            let message = "a check with `judge` needs a model: set one, or check by an expression";
            return Err(TaskError::permanent(message).with_code("no_checker"));
        };
        judge(context, cx, question, params).await
    }
}

#[async_trait]
impl Executor for CheckExecutor {
    async fn execute(&self, cx: &TaskContext, input: TaskInput) -> Result<TaskOutput, TaskError> {
        let params: CheckParams = input.params_as()?;
        let verdict = until_stopped(cx, self.verdict(cx, &params)).await?;
        TaskOutput::from_serialize(&verdict)
    }
}

fn by_schema(schema: &Value, result: &Value) -> Result<Verdict, TaskError> {
    let schema = AnswerSchema::new("check", schema.clone()).map_err(|problem| {
        let message = format!("the schema of the check is invalid: {problem}; correct the schema");
        TaskError::permanent(escape_terminal(&message)).with_code("bad_schema")
    })?;
    let problems = schema.problems(result);
    if problems.is_empty() {
        return Ok(Verdict::accepted("schema"));
    }
    let shown = problems.iter().take(MAX_PROBLEMS).map(ToString::to_string);
    let shown: Vec<String> = shown.collect();
    Ok(Verdict::rejected("schema", reason(&shown.join("; "))))
}

fn reason(text: &str) -> String {
    truncate(text.trim(), MAX_WHY_BYTES, Boundary::Word).to_string()
}

/// A judge's answer: reasons first, so that the verdict follows from them.
#[derive(Deserialize)]
struct Judged {
    why: String,
    accepted: bool,
}

fn answer_schema() -> Result<AnswerSchema, TaskError> {
    let schema = json!({
        "type": "object",
        "properties": {
            "why": { "type": "string", "description": "The reasons, in at most three sentences." },
            "accepted": { "type": "boolean", "description": "Whether the answer to the question is yes." },
        },
        "required": ["why", "accepted"],
        "additionalProperties": false,
    });
    AnswerSchema::new("verdict", schema)
        .map_err(|problem| TaskError::permanent(problem.to_string()).with_code("bad_schema"))
}

async fn judge(
    context: &LlmContext,
    cx: &TaskContext,
    question: &str,
    params: &CheckParams,
) -> Result<Verdict, TaskError> {
    let spend = Arc::new(AttemptSpend::default());
    let client = context.client(cx, None, &spend)?;
    let schema = answer_schema()?;
    let provider = client.provider();
    let (max_input, max_output) = within_window(provider.capabilities(), MAX_INPUT, MAX_OUTPUT);
    let messages = opening(context, &client, question, params, max_input).await?;
    let mut request = LlmRequest::of(messages).purpose(Purpose::Judge);
    request.max_output_tokens = Some(max_output);
    cx.progress(format!("asking {} to judge the result…", provider.name()));
    let support = provider.capabilities().schema;
    let mut problem = String::new();
    for _ in 0..2 {
        let asked = schema.ask(&request, support, provider.name());
        let asked = asked.map_err(|error| task_error(&error))?;
        let reply = client.ask(&asked).await?;
        match schema.read(&reply) {
            Ok(answer) => return verdict(answer.value),
            Err(error @ (AnswerError::NotJson { .. } | AnswerError::Invalid { .. })) => {
                problem = error.to_string();
                let said = plain_text(&reply.text).text.into_owned();
                request.messages.push(Message::assistant(said));
                let again =
                    format!("That is no verdict: {problem}. Answer with the JSON object only.");
                request.messages.push(Message::user(again));
            }
            Err(error) => {
                problem = error.to_string();
                break;
            }
        }
    }
    let message =
        format!("the judge gave no verdict: {problem}; use another model, or an expression");
    Err(TaskError::permanent(escape_terminal(&message)).with_code("bad_verdict"))
}

fn verdict(value: Value) -> Result<Verdict, TaskError> {
    let judged: Judged = serde_json::from_value(value)?;
    let why = reason(&plain_text(&judged.why).text);
    Ok(Verdict {
        accepted: judged.accepted,
        by: "judge".to_owned(),
        why,
    })
}

/// The system message and the question, with as much of the result as fits.
async fn opening(
    context: &LlmContext,
    client: &ModelClient,
    question: &str,
    params: &CheckParams,
    max_input: u64,
) -> Result<Vec<Message>, TaskError> {
    let preamble = context.sanitizer().preamble();
    let system = context.prompt(PromptName::Judge, &json!({ "preamble": preamble }))?;
    let count = |text: &str| client.count(text);
    let budget = PromptBudget {
        sanitizer: context.sanitizer(),
        count: &count,
        max_section: u64::MAX,
    };
    let section = Section::new("result", value_text(&params.result));
    let sections = budget.measure(vec![section]).await;
    let room = max_input.saturating_sub(count(&system) + 2 * MESSAGE_TOKENS);
    let fitted = budget.fit(&sections, room, |texts| {
        let text = texts.first();
        let values = json!({
            "question": question,
            "task": params.task,
            "result": text.map(|text| &text.text),
            "cut": text.is_some_and(|text| text.cut),
        });
        context.prompt(PromptName::JudgeResult, &values)
    });
    let fitted = fitted.await.map_err(|error| match error {
        FitError::Render(error) => error,
        FitError::TooLong(tokens) => {
            let message = format!(
                "the question of `judge` has {tokens} tokens with its task; at most {room} are allowed; shorten it"
            );
            TaskError::permanent(message).with_code("prompt_too_long")
        }
    })?;
    Ok(vec![Message::system(system), Message::user(fitted.prompt)])
}
