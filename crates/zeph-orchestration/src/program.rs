//! Agents that are programs, as models: each call runs the program.

use std::path::PathBuf;

use async_trait::async_trait;
use serde_json::Value;
use zeph_command::{CommandExecutor, CommandParams};
use zeph_common::{Boundary, head_tail};
use zeph_executor::ErrorClass;
use zeph_llm::{
    Capabilities, ErrorKind, LlmError, LlmProvider, LlmRequest, LlmResponse, Message, Prices, Usage,
};
use zeph_subagent::{AgentCatalog, AgentProgram, ProgramPrompt};

/// The most bytes that a program may print.
const MAX_OUTPUT: u64 = 4 << 20;
/// The most bytes of its standard error in an error.
const MAX_ERROR: usize = 1 << 10;

/// A program as the model of an agent.
///
/// Each call runs it once in a session of its own, and kills its whole group when it has ended, when the call is
/// dropped, and when this process ends. It is never run again for one call; a task's retries are attempts of
/// their own. Without [`usage`](AgentProgram::usage) its calls count as what was reserved for them.
#[derive(Debug)]
pub struct ProgramProvider {
    name: String,
    program: AgentProgram,
    commands: CommandExecutor,
}

impl ProgramProvider {
    /// The program of an agent, with the environment and the folder of these commands.
    ///
    /// # Examples
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), zeph_orchestration::llm::LlmError> {
    /// use zeph_orchestration::command::CommandExecutor;
    /// use zeph_orchestration::llm::{LlmProvider as _, LlmRequest};
    /// use zeph_orchestration::program::ProgramProvider;
    /// use zeph_orchestration::subagent::AgentProgram;
    /// let commands = CommandExecutor::builder().basic_env().build();
    /// let upper = ProgramProvider::new("upper", AgentProgram::new(["tr", "a-z", "A-Z"]), commands);
    /// let answer = upper.complete(&LlmRequest::new("hello")).await?;
    /// assert_eq!(answer.text, "HELLO");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn new(agent: &str, program: AgentProgram, commands: CommandExecutor) -> Self {
        Self {
            name: AgentProgram::model_name(agent),
            program,
            commands,
        }
    }

    fn error(&self, kind: ErrorKind, text: impl Into<String>) -> LlmError {
        LlmError::new(kind, &self.name, text)
    }

    /// The answer in what the program printed.
    fn answer(&self, stdout: &[u8]) -> Result<LlmResponse, LlmError> {
        let text = std::str::from_utf8(stdout);
        let text = text.map_err(|_| self.error(ErrorKind::Garbled, "it printed no text"))?;
        let text = text.trim_end_matches(['\n', '\r']);
        let (result, usage) = (&self.program.result, &self.program.usage);
        if result.is_none() && usage.is_none() {
            return Ok(LlmResponse::text(text));
        }
        let Some(value) = last_json(text) else {
            return Err(self.error(ErrorKind::Garbled, "it printed no JSON"));
        };
        let mut response = LlmResponse::text(text);
        if let Some(path) = result {
            response.text = match AgentProgram::find(&value, path) {
                Some(Value::String(text)) => text.clone(),
                Some(value) => value.to_string(),
                None => {
                    let text = format!("what it printed has no {path}");
                    return Err(self.error(ErrorKind::Garbled, text));
                }
            };
        }
        if let Some((input, output)) = usage {
            let tokens = |path: &str| {
                // Some languages write whole numbers as `12.0`.
                let tokens = AgentProgram::find(&value, path)?.as_f64()?;
                let is_count = tokens >= 0.0 && tokens.fract() == 0.0;
                // The cast saturates.
                is_count.then_some(tokens as u32)
            };
            response.usage = Usage {
                input_tokens: tokens(input),
                output_tokens: tokens(output),
            };
        }
        Ok(response)
    }
}

#[async_trait]
impl LlmProvider for ProgramProvider {
    fn name(&self) -> &str {
        &self.name
    }

    fn capabilities(&self) -> Capabilities {
        let prices = self.program.price_per_call.map(|per_call| Prices {
            per_call,
            ..Prices::FREE
        });
        Capabilities {
            prices,
            ..Capabilities::TEXT
        }
    }

    fn is_repeatable(&self) -> bool {
        false
    }

    async fn complete(&self, request: &LlmRequest) -> Result<LlmResponse, LlmError> {
        self.capabilities().check(request, &self.name)?;
        let prompt = prompt(&request.messages);
        let mut command = self.program.command.clone();
        let mut file = None;
        if self.program.prompt == ProgramPrompt::File {
            let made = prompt_file(&prompt);
            let made = made.map_err(|error| {
                let text = format!("the file of the prompt cannot be written: {error}");
                self.error(ErrorKind::Unavailable, text).with_refusal()
            })?;
            let path = made.path().to_string_lossy().into_owned();
            let places = command.iter_mut().skip(1);
            for place in places.filter(|one| *one == AgentProgram::PROMPT_FILE) {
                place.clone_from(&path);
            }
            file = Some(made);
        }
        let params = CommandParams {
            env: self.program.env.clone(),
            pass_env: self.program.pass_env.clone(),
            ..CommandParams::program(command)
        };
        let input = if file.is_some() { "" } else { &*prompt };
        let ended = self
            .commands
            .run_program(&params, input.as_bytes(), MAX_OUTPUT);
        let ended = ended.await;
        drop(file);
        let ended = ended.map_err(|error| {
            if error.code() == "output_too_large" {
                // It ran, and has its price.
                return self.error(ErrorKind::Garbled, format!("{error:#}"));
            }
            let kind = match error.class() {
                ErrorClass::Retryable => ErrorKind::Unavailable,
                ErrorClass::Permanent
                | ErrorClass::Refused
                | ErrorClass::Skip
                | ErrorClass::Cancelled
                | ErrorClass::Interrupted
                | ErrorClass::OverBudget => ErrorKind::BadRequest,
            };
            self.error(kind, format!("{error:#}"))
        })?;
        if ended.code != Some(0) {
            let how = match ended.code {
                Some(code) => format!("it ended with the exit code {code}"),
                None => "it was killed by a signal".to_owned(),
            };
            let said = match ended.stderr.trim() {
                "" => String::from_utf8_lossy(&ended.stdout).into_owned(),
                said => said.to_owned(),
            };
            let said = head_tail(said.trim(), MAX_ERROR, Boundary::Char);
            return Err(self.error(ErrorKind::Unavailable, format!("{how}: {said}")));
        }
        self.answer(&ended.stdout)
    }
}

/// The agents that are programs, as models with their names. They work in that folder.
pub(crate) fn providers(
    agents: &AgentCatalog,
    folder: Option<PathBuf>,
) -> impl Iterator<Item = (String, ProgramProvider)> {
    agents.iter().filter_map(move |agent| {
        let program = agent.program.clone()?;
        let mut commands = CommandExecutor::builder().basic_env();
        if let Some(folder) = &folder {
            commands = commands.cwd(folder);
        }
        let provider = ProgramProvider::new(&agent.name, program, commands.build());
        Some((AgentProgram::model_name(&agent.name), provider))
    })
}

/// A file that only this user can read, removed when it is dropped.
fn prompt_file(prompt: &str) -> std::io::Result<tempfile::NamedTempFile> {
    use std::io::Write as _;
    let mut file = tempfile::Builder::new()
        .prefix("zeph-prompt-")
        .suffix(".md")
        .tempfile()?;
    file.write_all(prompt.as_bytes())?;
    file.flush()?;
    Ok(file)
}

/// The text for a program: the messages in order, each earlier answer marked as its own.
fn prompt(messages: &[Message]) -> String {
    let parts = messages.iter().map(|message| match message {
        Message::System { text } | Message::User { text } | Message::Tool { text, .. } => {
            text.clone()
        }
        Message::Assistant { text, .. } => format!("Your answer to this was:\n{text}"),
    });
    parts.collect::<Vec<_>>().join("\n\n")
}

/// The JSON of an output: all of it, or its last line.
fn last_json(text: &str) -> Option<Value> {
    let last = text.lines().rfind(|line| !line.trim().is_empty())?;
    let whole = serde_json::from_str(text);
    whole.or_else(|_| serde_json::from_str(last)).ok()
}
