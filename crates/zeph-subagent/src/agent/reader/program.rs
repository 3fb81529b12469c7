//! The key `program` of a front matter.

use zeph_diagnostics::{Diagnostic, Diagnostics, Node};

use crate::agent::code;
use crate::{AgentProgram, ProgramPrompt};

const KEYS: [&str; 7] = [
    "command",
    "prompt",
    "result",
    "usage",
    "price_per_call",
    "env",
    "pass_env",
];

/// The program of an agent. Its values are checked later, all together.
pub(super) fn read(node: &Node, what: &str, problems: &mut Diagnostics) -> Option<AgentProgram> {
    let table = node.table(what, &KEYS, problems)?;
    let example = "command: [coder, --print]";
    let command = table.require(what, "command", example, problems)?;
    let command = command.strings("`program.command`", problems)?;
    let mut program = AgentProgram::new(command);
    if let Some(node) = table.get("prompt") {
        let words = [
            ("stdin", ProgramPrompt::Stdin),
            ("file", ProgramPrompt::File),
        ];
        let word = node.word("`program.prompt`", &words, problems);
        program.prompt = word.unwrap_or_default();
    }
    if let Some(node) = table.get("result") {
        let path = node.string("`program.result`", problems);
        program.result = path.map(str::to_owned);
    }
    if let Some(node) = table.get("usage") {
        let usage = node.table("`program.usage`", &["input", "output"], problems)?;
        let mut path = |key: &str| {
            let example = format!("{key}: $.usage.{key}_tokens");
            let node = usage.require("`program.usage`", key, &example, problems)?;
            let path = node.string(&format!("`program.usage.{key}`"), problems)?;
            Some(path.to_owned())
        };
        let (input, output) = (path("input"), path("output"));
        program.usage = input.zip(output);
    }
    if let Some(node) = table.get("price_per_call") {
        program.price_per_call = node.micro_usd();
        if program.price_per_call.is_none() {
            let message = "`program.price_per_call` must be an amount of dollars";
            let one = Diagnostic::new(code::BAD_VALUE, message).at(node.span);
            problems.push(one.help("write dollars with at most six digits after the point"));
        }
    }
    if let Some(node) = table.get("env") {
        for entry in node.any_table("`program.env`", problems)?.entries() {
            let what = format!("`program.env.{}`", entry.key);
            let value = entry.node.string(&what, problems).unwrap_or_default();
            program.env.insert(entry.key.clone(), value.to_owned());
        }
    }
    if let Some(node) = table.get("pass_env") {
        let names = node
            .strings("`program.pass_env`", problems)
            .unwrap_or_default();
        program.pass_env = names.into_iter().map(str::to_owned).collect();
    }
    Some(program)
}
