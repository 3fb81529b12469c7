//! The work of a task, checked against what the host has and allows.

use std::collections::{BTreeMap, BTreeSet};

use zeph_diagnostics::{Code, list, quote};
use zeph_graph::OnFailure;
use zeph_subagent::SubAgentDef;

use super::draft::TaskDraft;
use crate::plan::command::{command_line, form};
use crate::plan::finding::{Findings, code, repair};
use crate::plan::matching::Noun;
use crate::plan::{PlanRequest, PlannedWork, TaskKind};

/// The work of a task; `None` after a problem.
pub(super) fn read(
    task: &TaskDraft,
    request: &PlanRequest,
    found: &mut Findings,
) -> Option<PlannedWork> {
    let mut reader = Reader {
        task,
        request,
        found,
    };
    let work = match task.kind? {
        TaskKind::Agent => reader.agent(),
        TaskKind::Command => reader.command(),
        TaskKind::Question => reader.question(),
    };
    reader.check_prompt();
    work
}

struct Reader<'a, 'f> {
    task: &'a TaskDraft,
    request: &'a PlanRequest,
    found: &'f mut Findings,
}

impl<'a> Reader<'a, '_> {
    fn agent(&mut self) -> Option<PlannedWork> {
        self.no_command();
        let prompt = self.needed_prompt("write the instruction for the agent");
        let catalog = &self.request.catalog;
        let agent = match &self.task.agent {
            Some(written) => {
                let at = self.task.at("agent");
                let name = self.found.meant(&at, written, catalog.names(), Noun::Agent);
                if name.is_none() {
                    let help = self.found.help_for(written, catalog.names());
                    let message = format!("unknown agent {}", quote(written));
                    self.problem(code::UNKNOWN_AGENT, "agent", message, help);
                }
                Some(catalog.get(name?)?)
            }
            None if self.request.rights.routed => None,
            None => {
                let help = self.found.help_for("", catalog.names());
                self.problem(code::AGENT_NEEDED, "agent", "the task has no agent", help);
                return None;
            }
        };
        let tools = self.tools(agent);
        Some(PlannedWork::Agent {
            agent: agent.map(|agent| agent.name.clone()),
            prompt: prompt?,
            tools,
        })
    }

    /// The tools that a task may use: those that it names, if plans and its agent may use them. Without
    /// names the agent's tools are reduced to those that plans may use.
    fn tools(&mut self, agent: Option<&'a SubAgentDef>) -> Option<Vec<String>> {
        let catalog = &self.request.catalog;
        let of_agents = || catalog.iter().flat_map(|agent| &agent.tools);
        let allowed = &self.request.rights.tools;
        let known: BTreeSet<&str> = match agent {
            Some(agent) => agent.tools.iter().map(String::as_str).collect(),
            None => of_agents().map(String::as_str).collect(),
        };
        let Some(written) = &self.task.tools else {
            if known.iter().all(|tool| allowed.contains(*tool)) {
                return None;
            }
            // The agent of a routed task is unknown, and so are its tools: it gets none.
            let is_kept = |tool: &&str| agent.is_some() && allowed.contains(*tool);
            let kept: Vec<&str> = known.into_iter().filter(is_kept).collect();
            let shown = if kept.is_empty() {
                "none".to_owned()
            } else {
                list(kept.iter().copied())
            };
            self.repair(
                repair::NARROWED_TOOLS,
                "tools",
                format!("tools reduced to {shown}"),
            );
            return Some(kept.into_iter().map(str::to_owned).collect());
        };
        let mut tools: Vec<String> = Vec::new();
        for (index, written) in written {
            if self.found.is_full() {
                break;
            }
            let field = format!("tools/{index}");
            let names = of_agents().chain(allowed).map(String::as_str);
            let offered = allowed.iter().map(String::as_str);
            let Some(tool) = self
                .found
                .meant(&self.task.at(&field), written, names, Noun::Tool)
            else {
                let help = self.found.help_for(written, offered);
                let message = format!("unknown tool {}", quote(written));
                self.problem(code::UNKNOWN_TOOL, &field, message, help);
                continue;
            };
            let shown = quote(tool);
            if !allowed.contains(tool) {
                let help = self.found.help_for("", offered);
                let message = format!("plans may not use the tool {shown}");
                self.problem(code::TOOL_NOT_ALLOWED, &field, message, help);
            } else if !known.contains(tool) {
                let help = self.found.help_for("", known.iter().copied());
                let who = agent.map_or("no agent may".to_owned(), |agent| {
                    format!("{} may not", quote(&agent.name))
                });
                let message = format!("{who} use the tool {shown}");
                self.problem(code::TOOL_NOT_ALLOWED, &field, message, help);
            } else if tools.iter().any(|one| one == tool) {
                self.repair(
                    repair::LISTED_TWICE,
                    &field,
                    format!("{shown} is listed twice"),
                );
            } else {
                tools.push(tool.to_owned());
            }
        }
        Some(tools)
    }

    fn question(&mut self) -> Option<PlannedWork> {
        self.no_command();
        self.no_agent("a question");
        // A question cannot fail, so its failure rule has no effect.
        if self
            .task
            .on_failure
            .as_ref()
            .is_some_and(|rule| *rule != OnFailure::default())
        {
            self.ignored("on_failure");
        }
        let text = self.needed_prompt("write the question for the person")?;
        Some(PlannedWork::Question { text })
    }

    /// A command task: fills in a template of the host.
    fn command(&mut self) -> Option<PlannedWork> {
        self.no_agent("a command");
        let commands = &self.request.commands;
        let Some(written) = &self.task.command else {
            let help = self.found.help_for("", commands.names());
            let message = "the task has no command";
            self.problem(code::MISSING_FIELD, "command", message, help);
            return None;
        };
        let at = self.task.at("command");
        let Some(name) = self
            .found
            .meant(&at, written, commands.names(), Noun::Command)
        else {
            let help = self.found.help_for(written, commands.names());
            let message = format!("unknown command {}", quote(written));
            self.problem(code::UNKNOWN_COMMAND, "command", message, help);
            return None;
        };
        let template = commands.get(name)?;
        let before = self.found.problems.len();
        // The index and the value of each argument.
        let mut given: BTreeMap<&str, (usize, &str)> = BTreeMap::new();
        for one in self.task.arguments.iter().flatten() {
            if self.found.is_full() {
                break;
            }
            let field = format!("arguments/{}/name", one.index);
            let known = template.args.keys().map(String::as_str);
            let at = self.task.at(&field);
            let Some(argument) = self
                .found
                .meant(&at, &one.name, known.clone(), Noun::Argument)
            else {
                let help = self.found.help_for(&one.name, known);
                let message = format!("{} has no argument {}", quote(name), quote(&one.name));
                self.problem(code::UNKNOWN_ARGUMENT, &field, message, help);
                continue;
            };
            if given.contains_key(argument) {
                let message = format!("the argument {} is given twice", quote(argument));
                self.problem(code::DUPLICATE_ARGUMENT, &field, message, "give it once");
                continue;
            }
            given.insert(argument, (one.index, &one.value));
        }
        if self.found.problems.len() > before {
            return None;
        }
        let values = given.iter();
        let values = values.map(|(name, (_, value))| ((*name).to_owned(), (*value).to_owned()));
        let arguments: BTreeMap<String, String> = values.collect();
        match command_line(template, &arguments) {
            Ok(argv) => Some(PlannedWork::Command {
                command: name.to_owned(),
                arguments,
                argv,
                about: self.prompt().to_owned(),
            }),
            Err(wrong) => {
                for (argument, why) in wrong {
                    let one = template.args.get(&argument);
                    let help =
                        one.map(|one| format!("expected {}: {}", form(&one.kind), one.about));
                    let help = help.unwrap_or_default();
                    let shown = quote(&argument);
                    match (why, given.get(&*argument)) {
                        (Some(why), Some((index, _))) => {
                            let field = format!("arguments/{index}/value");
                            let message = format!("the value of {shown} {why}");
                            self.problem(code::BAD_ARGUMENT, &field, message, help);
                        }
                        (_, _) => {
                            let message = format!("{} needs the argument {shown}", quote(name));
                            self.problem(code::MISSING_ARGUMENT, "arguments", message, help);
                        }
                    }
                }
                None
            }
        }
    }

    fn prompt(&self) -> &'a str {
        self.task
            .prompt
            .as_deref()
            .map(str::trim)
            .unwrap_or_default()
    }

    fn needed_prompt(&mut self, help: &str) -> Option<String> {
        let prompt = self.prompt();
        if prompt.is_empty() {
            self.problem(code::EMPTY_TEXT, "prompt", "the prompt is empty", help);
            return None;
        }
        Some(prompt.to_owned())
    }

    fn check_prompt(&mut self) {
        let most = self.request.limits.max_prompt_bytes;
        let bytes = self.task.prompt.as_ref().map_or(0, String::len);
        if bytes > most {
            let message = format!("the prompt has {bytes} bytes; at most {most} are allowed");
            let help = "shorten it, or divide it into two tasks";
            self.problem(code::TEXT_TOO_LONG, "prompt", message, help);
        }
    }

    /// Reports the fields of an agent on another kind of task.
    fn no_agent(&mut self, what: &str) {
        let tools = self.task.tools.as_ref().map(Vec::is_empty);
        self.misplaced("agent", self.task.agent.as_ref().map(|_| false), what);
        self.misplaced("tools", tools, what);
    }

    /// Reports the fields of a command on another kind of task.
    fn no_command(&mut self) {
        let what = "a task that runs no command";
        let arguments = self.task.arguments.as_ref().map(Vec::is_empty);
        self.misplaced("command", self.task.command.as_ref().map(|_| false), what);
        self.misplaced("arguments", arguments, what);
    }

    /// Reports a field that does not apply, if it is there; `is_empty` says whether it has a value.
    fn misplaced(&mut self, field: &str, is_empty: Option<bool>, what: &str) {
        match is_empty {
            Some(true) => self.ignored(field),
            Some(false) => {
                let message = format!("\"{field}\" does not apply to {what}");
                let help = "write null, or change the kind";
                self.problem(code::MISPLACED_FIELD, field, message, help);
            }
            None => {}
        }
    }

    fn ignored(&mut self, field: &str) {
        let message = format!("\"{field}\" ignored, because it has no effect here");
        self.repair(repair::IDLE_FIELD, field, message);
    }

    fn problem(
        &mut self,
        code: Code,
        field: &str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.found.problem(code, self.task.at(field), message, help);
    }

    fn repair(&mut self, code: Code, field: &str, message: impl Into<String>) {
        self.found.repair(code, self.task.at(field), message);
    }
}
