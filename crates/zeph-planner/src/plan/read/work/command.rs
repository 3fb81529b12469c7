//! A command task: fills in a template of the host.

use std::collections::BTreeMap;

use zeph_diagnostics::quote;

use super::super::shape::TaskDraft;
use super::no_agent;
use crate::plan::finding::{Findings, code, repair};
use crate::plan::{Argument, CommandTemplate, PlanRequest, PlannedWork};

pub(super) fn read(
    task: &TaskDraft,
    request: &PlanRequest,
    found: &mut Findings,
) -> Option<PlannedWork> {
    no_agent(task, "a command", found);
    let Some(written) = &task.command else {
        let help = found.help_for("", request.commands.names());
        let message = "the task has no command";
        found.problem(code::MISSING_FIELD, task.at("command"), message, help);
        return None;
    };
    let template = find(task, written, request, found)?;
    let before = found.problems.len();
    let values = values(task, template, found);
    if found.problems.len() > before {
        return None;
    }
    let (given, arguments) = values;
    match template.resolve(&arguments) {
        Ok(argv) => Some(PlannedWork::Command {
            command: template.name().to_owned(),
            arguments,
            argv,
            about: task
                .prompt
                .as_deref()
                .map(str::trim)
                .unwrap_or_default()
                .to_owned(),
        }),
        Err(wrong) => {
            for (name, why) in wrong {
                report(task, template, &name, why.as_deref(), &given, found);
            }
            None
        }
    }
}

fn find<'a>(
    task: &TaskDraft,
    written: &str,
    request: &'a PlanRequest,
    found: &mut Findings,
) -> Option<&'a CommandTemplate> {
    if let Some(template) = request.commands.get(written) {
        return Some(template);
    }
    let meant = written.trim();
    let mut all = request.commands.iter();
    if let Some(template) = all.find(|one| one.name().eq_ignore_ascii_case(meant)) {
        let at = task.at("command");
        found.read_as(repair::FOLDED_CASE, at, written, template.name());
        return Some(template);
    }
    let message = format!("unknown command {}", quote(written));
    let help = found.help_for(meant, request.commands.names());
    found.problem(code::UNKNOWN_COMMAND, task.at("command"), message, help);
    None
}

/// The index of each argument in the plan, and its value, by name.
type Values = (BTreeMap<String, usize>, BTreeMap<String, String>);

fn values(task: &TaskDraft, template: &CommandTemplate, found: &mut Findings) -> Values {
    let (mut given, mut values) = (BTreeMap::new(), BTreeMap::new());
    for one in task.arguments.iter().flatten() {
        if found.is_full() {
            break;
        }
        let at = task.at(&format!("arguments/{}/name", one.index));
        let meant = one.name.trim();
        let mut names = template.arguments().map(Argument::name);
        let Some(name) = names.find(|name| name.eq_ignore_ascii_case(meant)) else {
            let what = quote(template.name());
            let message = format!("{what} has no argument {}", quote(&one.name));
            let known = template.arguments().map(Argument::name);
            let help = found.help_for(meant, known);
            found.problem(code::UNKNOWN_ARGUMENT, at, message, help);
            continue;
        };
        if name != one.name {
            found.read_as(repair::FOLDED_CASE, &at, &one.name, name);
        }
        if given.insert(name.to_owned(), one.index).is_some() {
            let message = format!("the argument {} is given twice", quote(name));
            let help = Some("give it once".to_owned());
            found.problem(code::DUPLICATE_ARGUMENT, at, message, help);
            continue;
        }
        values.insert(name.to_owned(), one.value.clone());
    }
    (given, values)
}

fn report(
    task: &TaskDraft,
    template: &CommandTemplate,
    name: &str,
    why: Option<&str>,
    given: &BTreeMap<String, usize>,
    found: &mut Findings,
) {
    let argument = template.arguments().find(|one| one.name() == name);
    let help = argument.map(|one| format!("expected {}: {}", one.kind(), one.about()));
    match (why, given.get(name)) {
        (Some(why), Some(index)) => {
            let at = task.at(&format!("arguments/{index}/value"));
            let message = format!("the value of {} {why}", quote(name));
            found.problem(code::BAD_ARGUMENT, at, message, help);
        }
        (_, _) => {
            let what = quote(template.name());
            let message = format!("{what} needs the argument {}", quote(name));
            found.problem(code::MISSING_ARGUMENT, task.at("arguments"), message, help);
        }
    }
}
