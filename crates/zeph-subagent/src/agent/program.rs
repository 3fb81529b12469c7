//! Agents that are programs: the command, how it gets its prompt, and what its output means.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;
use zeph_diagnostics::{Diagnostic, quote};

use super::code;

/// An agent that is a program, such as a coding agent that answers without a terminal.
///
/// Plain data, checked with the [definition](crate::SubAgentDef) that it belongs to.
///
/// # Examples
/// ```
/// use zeph_subagent::{AgentProgram, SubAgentDef};
/// let program = AgentProgram::new(["coder", "--print", "--json"]).result("$.result");
/// let agent = SubAgentDef::new("coder", "Changes code", "You change code.").program(program);
/// assert_eq!(agent.model.as_deref(), Some("program::coder"));
/// assert!(agent.check().is_ok());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AgentProgram {
    /// The program and its arguments. They are not split, and no shell interprets them.
    pub command: Vec<String>,
    /// How it gets the prompt.
    pub prompt: ProgramPrompt,
    /// Where the answer is in the JSON that it prints, such as `$.result`; `None` if all that it prints is the answer.
    pub result: Option<String>,
    /// Where the tokens are in the JSON that it prints: of its requests, and of its answers.
    pub usage: Option<(String, String)>,
    /// The price of a call, in millionths of a dollar; `None` if it is not known.
    pub price_per_call: Option<u64>,
    /// Variables of the program, with their values.
    pub env: BTreeMap<String, String>,
    /// Variables of the host that the program gets beside the basic ones.
    pub pass_env: Vec<String>,
}

/// How a program gets its prompt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProgramPrompt {
    /// On its standard input.
    #[default]
    Stdin,
    /// In a file, whose path replaces the argument `{prompt_file}`.
    File,
}

impl AgentProgram {
    /// The argument that the path of the prompt replaces.
    pub const PROMPT_FILE: &'static str = "{prompt_file}";

    /// A program that gets its prompt on its standard input and prints its answer.
    #[must_use]
    pub fn new<T: Into<String>>(command: impl IntoIterator<Item = T>) -> Self {
        Self {
            command: command.into_iter().map(Into::into).collect(),
            prompt: ProgramPrompt::Stdin,
            result: None,
            usage: None,
            price_per_call: None,
            env: BTreeMap::new(),
            pass_env: Vec::new(),
        }
    }

    /// Sets where the answer is in the JSON that it prints.
    #[must_use]
    pub fn result(mut self, path: impl Into<String>) -> Self {
        self.result = Some(path.into());
        self
    }

    /// The name of the model of an agent that is a program.
    #[must_use]
    pub fn model_name(agent: &str) -> String {
        format!("program::{agent}")
    }

    /// The value at a path of names and positions, such as `$.items[0].text`; `None` if there is none.
    ///
    /// # Examples
    /// ```
    /// use serde_json::json;
    /// use zeph_subagent::AgentProgram;
    /// let value = json!({ "items": [{ "text": "yes" }] });
    /// assert_eq!(AgentProgram::find(&value, "$.items[0].text"), Some(&json!("yes")));
    /// assert_eq!(AgentProgram::find(&value, "$.items[1].text"), None);
    /// ```
    #[must_use]
    pub fn find<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
        steps(path)?
            .into_iter()
            .try_fold(value, |value, step| match step {
                Step::Name(name) => value.get(name),
                Step::Index(index) => value.get(index),
            })
    }
}

/// A step of a path.
enum Step<'a> {
    Name(&'a str),
    Index(usize),
}

/// The steps of a path; `None` if it is none.
fn steps(path: &str) -> Option<Vec<Step<'_>>> {
    let mut rest = path.strip_prefix('$')?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(['.', '[']).unwrap_or(after.len());
            let (name, next) = after.split_at(end);
            if name.is_empty() {
                return None;
            }
            steps.push(Step::Name(name));
            rest = next;
        } else {
            let (index, next) = rest.strip_prefix('[')?.split_once(']')?;
            steps.push(Step::Index(index.parse().ok()?));
            rest = next;
        }
    }
    Some(steps)
}

/// The problems of a program, and of what else its agent has.
pub(super) fn problems(
    program: &AgentProgram,
    (agent, model): (&str, Option<&str>),
    tools: &BTreeSet<String>,
) -> Vec<Diagnostic> {
    let bad = |message: String| Diagnostic::new(code::BAD_VALUE, message);
    let mut found = Vec::new();
    if program
        .command
        .first()
        .is_none_or(|name| name.trim().is_empty())
    {
        found.push(bad("`program.command` names no program".to_owned()));
    }
    let texts = program.command.iter().chain(program.env.values());
    if texts
        .clone()
        .any(|text| super::check::hidden(text).is_some())
    {
        found.push(super::check::hidden_characters("program"));
    }
    let arguments = program.command.iter().skip(1);
    let places = arguments
        .filter(|one| *one == AgentProgram::PROMPT_FILE)
        .count();
    match (program.prompt, places) {
        (ProgramPrompt::Stdin, 0) | (ProgramPrompt::File, 1) => {}
        (ProgramPrompt::Stdin, _) => found.push(
            bad(
                "`program.command` has an argument for a file, and the prompt is on stdin"
                    .to_owned(),
            )
            .help("set `prompt: file`"),
        ),
        (ProgramPrompt::File, count) => found.push(
            bad(format!(
                "`program.command` has {count} places for the file of the prompt"
            ))
            .help("write `{prompt_file}` as one argument"),
        ),
    }
    let usage = program
        .usage
        .iter()
        .flat_map(|(input, output)| [input, output]);
    for path in program
        .result
        .iter()
        .chain(usage)
        .filter(|path| steps(path).is_none())
    {
        let message = format!("{} is no path of a JSON value", quote(path));
        found.push(bad(message).help("write one such as `$.result` or `$.usage[0].tokens`"));
    }
    let is_name = |name: &str| !name.is_empty() && !name.contains(['=', '\0']);
    let names = program.env.keys().chain(&program.pass_env);
    found.extend(
        names
            .filter(|name| !is_name(name))
            .map(|name| bad(format!("{} cannot be the name of a variable", quote(name)))),
    );
    if model.is_some_and(|model| model != AgentProgram::model_name(agent)) {
        let message = "an agent that is a program has no `model`".to_owned();
        found.push(
            Diagnostic::new(code::BAD_VALUE, message).help("name the model in `program.command`"),
        );
    }
    if !tools.is_empty() {
        let message = "an agent that is a program has no `tools`: it has its own".to_owned();
        found.push(Diagnostic::new(code::BAD_VALUE, message).help("take the list out"));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{AgentProgram, ProgramPrompt};
    use crate::SubAgentDef;

    fn codes(change: impl FnOnce(&mut AgentProgram)) -> Vec<String> {
        let mut program = AgentProgram::new(["coder"]);
        change(&mut program);
        let agent = SubAgentDef::new("a", "Does it", "Do it.").program(program);
        let found = agent.check().err();
        let found = found.iter().flat_map(|found| found.iter());
        found.map(|one| one.message.clone()).collect()
    }

    #[test]
    fn what_is_wrong_with_a_program_is_refused() {
        assert!(codes(|_| ()).is_empty());
        assert!(codes(|program| program.command.clear())[0].contains("names no program"));
        assert!(codes(|program| program.prompt = ProgramPrompt::File)[0].contains("0 places"));
        let place = AgentProgram::PROMPT_FILE.to_owned();
        assert!(codes(|program| program.command.push(place.clone()))[0].contains("stdin"));
        let both = codes(|program| {
            program.prompt = ProgramPrompt::File;
            program.command.extend([place.clone(), place.clone()]);
        });
        assert!(both[0].contains("2 places"));
        for path in ["result", "$result", "$.", "$.a..b", "$[x]", "$[1"] {
            let found = codes(|program| program.result = Some(path.to_owned()));
            assert!(found[0].contains("no path"), "{path}: {found:?}");
        }
        for path in ["$", "$.a", "$[0]", "$.a[0].b"] {
            assert!(codes(|program| program.result = Some(path.to_owned())).is_empty());
        }
        assert!(codes(|program| program.pass_env.push("A=B".to_owned()))[0].contains("variable"));
        let with_tools = SubAgentDef::new("a", "Does it", "Do it.").tool("read_file");
        let program = AgentProgram::new(["coder"]);
        assert!(with_tools.program(program.clone()).check().is_err());
        let mut with_model = SubAgentDef::new("a", "Does it", "Do it.").program(program);
        with_model.model = Some("ollama::x".to_owned());
        assert!(with_model.check().is_err());
    }
}
