//! Commands: a template of the host, filled in.

use std::collections::BTreeMap;

use super::super::shape::TaskDraft;
use super::no_agent;
use crate::plan::finding::{Findings, show, suggest};
use crate::plan::{Argument, CommandTemplate, PlanCode, PlanRequest, PlannedWork, RepairCode};

pub(super) fn read(
    task: &TaskDraft,
    request: &PlanRequest,
    found: &mut Findings,
) -> Option<PlannedWork> {
    no_agent(task, "a command", found);
    let Some(written) = &task.command else {
        let help = suggest("", request.commands.names());
        let message = "no command is named";
        found.problem(PlanCode::MissingField, task.at("command"), message, help);
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
                tell(task, template, &name, why.as_deref(), &given, found);
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
        let message = format!("{} taken as {}", show(written), show(template.name()));
        found.repair(RepairCode::FoldedCase, task.at("command"), message);
        return Some(template);
    }
    let message = format!("there is no command {}", show(written));
    let help = suggest(meant, request.commands.names());
    found.problem(PlanCode::UnknownCommand, task.at("command"), message, help);
    None
}

/// Where each value is written, and the values, by the names of the template.
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
            let what = show(template.name());
            let message = format!("{what} has no argument {}", show(&one.name));
            let known = template.arguments().map(Argument::name);
            found.problem(
                PlanCode::UnknownArgument,
                at,
                message,
                suggest(meant, known),
            );
            continue;
        };
        if name != one.name {
            let message = format!("{} taken as {}", show(&one.name), show(name));
            found.repair(RepairCode::FoldedCase, &at, message);
        }
        if given.insert(name.to_owned(), one.index).is_some() {
            let message = format!("the argument {} is given twice", show(name));
            let help = Some("give it once".to_owned());
            found.problem(PlanCode::DuplicateArgument, at, message, help);
            continue;
        }
        values.insert(name.to_owned(), one.value.clone());
    }
    (given, values)
}

fn tell(
    task: &TaskDraft,
    template: &CommandTemplate,
    name: &str,
    why: Option<&str>,
    given: &BTreeMap<String, usize>,
    found: &mut Findings,
) {
    let argument = template.arguments().find(|one| one.name() == name);
    let help = argument.map(|one| format!("write a {}: {}", one.kind(), one.about()));
    match (why, given.get(name)) {
        (Some(why), Some(index)) => {
            let at = task.at(&format!("arguments/{index}/value"));
            let message = format!("the value of {} {why}", show(name));
            found.problem(PlanCode::BadArgument, at, message, help);
        }
        (_, _) => {
            let what = show(template.name());
            let message = format!("{what} needs the argument {}", show(name));
            found.problem(
                PlanCode::MissingArgument,
                task.at("arguments"),
                message,
                help,
            );
        }
    }
}
