//! Warnings: what a plan does that its author may not expect.

use std::collections::{HashMap, HashSet};

use serde_json::Value;
use zeph_common::{Argument, Inserted, may_be_options};
use zeph_diagnostics::{Diagnostic, Diagnostics, Severity, quote};
use zeph_graph::wire::{OnFailureSpec, WorkSpec};
use zeph_graph::{AnswerKind, Trigger};

use crate::code;
use crate::matrix::group_of;
use crate::plan::Plan;
use crate::references::{Reference, references_in};
use crate::task::{Draft, Kind};
use crate::template::Template;
use crate::templated::ARTIFACTS;

impl Plan {
    /// What the plan does that its author may not expect, as warnings in the order of the source.
    ///
    /// A plan with warnings runs. Linear in the size of the plan.
    ///
    /// # Examples
    /// ```
    /// use zeph_planfile::{Format, Plan};
    /// let plan = "[tasks.build]\nrun = ['make']\n[tasks.clean]\nneeds = ['build']\nafter = 'all_done'\nrun = ['make', 'clean']";
    /// let warnings = Plan::load(plan, Format::Toml, "plan.toml")?.warnings();
    /// assert_eq!(warnings[0].code.text(), "skipped_by_abort");
    /// # Ok::<(), zeph_planfile::Diagnostics>(())
    /// ```
    #[must_use]
    pub fn warnings(&self) -> Diagnostics {
        let plan = &*self.0;
        let mut found = plan.problems();
        // Tasks whose failure aborts the run, and tasks whose outputs are used.
        let aborting = aborting(&plan.tasks);
        let mut read = read_outputs(&plan.tasks);
        // The answer is the result of another task.
        read.extend(plan.tasks.iter().filter_map(fallback_of));
        let mut by_name: HashMap<&str, &Draft> = (plan.tasks.iter())
            .map(|task| (task.spec.name.as_str(), task))
            .collect();
        let groups =
            (plan.tasks.iter()).filter_map(|task| Some((group_of(&task.spec.name)?, task)));
        by_name.extend(groups);
        let is_read = |name: &str, by: &HashSet<String>| {
            by.contains(name) || group_of(name).is_some_and(|group| by.contains(group))
        };
        for task in plan.tasks.iter().filter(|task| !task.is_other_cell) {
            let name = task.spec.name.as_str();
            // A task that reads an output cannot run without it.
            let own = read_outputs(std::slice::from_ref(task));
            let mut needs = task.spec.needs.iter().filter(|need| !is_read(need, &own));
            let after_failures = matches!(task.spec.trigger, Trigger::AllDone | Trigger::AnyFailed);
            if after_failures
                && !task.spec.finally
                && let Some(parent) = needs.find(|need| aborting.contains_key(need.as_str()))
            {
                let last = aborting[parent.as_str()];
                // A fallback that is not needed, or that its condition skips, aborts nothing.
                let fails = match last == parent {
                    true => format!("{} fails", quote(parent)),
                    false => format!("{} and its fallback {} fail", quote(parent), quote(last)),
                };
                let message = format!(
                    "{} does not run when {fails}, because that aborts the run",
                    quote(name),
                );
                let help = format!(
                    "write `finally = true` here, or `on_failure = \"skip\"` in {}, so that the run goes on",
                    quote(last)
                );
                let one = Diagnostic::new(code::SKIPPED_BY_ABORT, message).at(task.place);
                found.push(one.help(help));
            }
            if is_yes_or_no(task) && !is_read(name, &read) {
                let message = format!(
                    "no task reads the answer to {name}: the tasks that need it also run after \"no\"",
                    name = quote(name),
                );
                let one = Diagnostic::new(code::UNREAD_ANSWER, message).at(task.place);
                found.push(one.help(format!(
                    "for a gate write `approve = \"…\"` in the task behind it; to read the answer write `${{{{ tasks.{name}.value }}}}`"
                )));
            }
            command(task, &by_name, &mut found);
        }
        for one in found.iter_mut() {
            one.severity = Severity::Warning;
        }
        plan.located(found)
    }
}

/// The tasks whose failure aborts the run, each with the task whose strategy that is: itself, or the last of those that
/// run in its place.
fn aborting(tasks: &[Draft]) -> HashMap<&str, &str> {
    let by_name: HashMap<&str, &Draft> = (tasks.iter())
        .map(|task| (task.spec.name.as_str(), task))
        .collect();
    let last = |task: &Draft| {
        let mut at = by_name.get(task.spec.name.as_str())?;
        // A plan whose fallbacks go round in a circle is refused.
        for _ in tasks {
            let OnFailureSpec::Fallback { task: next } = &at.spec.on_failure else {
                break;
            };
            at = by_name.get(next.as_str())?;
        }
        is_aborting(at).then_some(at.spec.name.as_str())
    };
    let all = tasks.iter();
    all.filter_map(|task| Some((task.spec.name.as_str(), last(task)?)))
        .collect()
}

/// Whether a failure of the task aborts the run.
fn is_aborting(task: &Draft) -> bool {
    matches!(task.spec.work, WorkSpec::Action { .. })
        && matches!(task.spec.on_failure, OnFailureSpec::Abort {})
}

/// The task that runs in place of this one.
fn fallback_of(task: &Draft) -> Option<String> {
    if let OnFailureSpec::Fallback { task } = &task.spec.on_failure {
        Some(task.clone())
    } else {
        None
    }
}

fn is_yes_or_no(task: &Draft) -> bool {
    matches!(&task.spec.work, WorkSpec::Question(asked) if asked.answer == AnswerKind::YesNo)
}

/// The tasks whose outputs another task gets: in an expression, or as the context of a prompt.
fn read_outputs(tasks: &[Draft]) -> HashSet<String> {
    let mut read = HashSet::new();
    for task in tasks {
        if task.kind == Kind::Agent
            && let WorkSpec::Action { params, .. } = &task.spec.work
        {
            let context = params["context"].as_array().into_iter().flatten();
            read.extend(context.filter_map(Value::as_str).map(str::to_owned));
        }
        for one in &task.uses {
            let used = references_in(&one.text).into_iter();
            read.extend(used.filter_map(|reference| match reference {
                Reference::Task { name, field } if field != "state" => Some(name),
                Reference::Task { .. }
                | Reference::Param(_)
                | Reference::Run(_)
                | Reference::Item
                | Reference::ItemIndex => None,
            }));
        }
    }
    read
}

/// Whether a text contains what a program or a model wrote. What a person answered, a state and an exit code
/// surprise no program.
fn has_text_of_program(text: &str, tasks: &HashMap<&str, &Draft>) -> bool {
    references_in(text).iter().any(|reference| match reference {
        Reference::Task { name, field } => {
            let kind = tasks.get(name.as_str()).map(|task| task.kind);
            let is_written = matches!(kind, Some(Kind::Command(_) | Kind::Agent));
            // The path of an artifact is made by the engine, and its name begins with no `-`.
            is_written && !["state", "exit", ARTIFACTS].contains(&field.as_str())
        }
        // A list may come from a program.
        Reference::Item => true,
        Reference::Param(_) | Reference::Run(_) | Reference::ItemIndex => false,
    })
}

/// The warnings of a command.
fn command(task: &Draft, tasks: &HashMap<&str, &Draft>, found: &mut Diagnostics) {
    let WorkSpec::Action { params, .. } = &task.spec.work else {
        return;
    };
    let texts = params["argv"].as_array().into_iter().flatten();
    let texts: Vec<&str> = texts.filter_map(Value::as_str).collect();
    let templates: Vec<Template> = (texts.iter())
        .filter_map(|text| Template::parse(text).ok())
        .collect();
    if templates.len() < texts.len() {
        return;
    }
    let argv = templates
        .iter()
        .zip(&texts)
        .map(|(template, text)| Argument {
            known: template.prefix(),
            inserted: match (template.has_expressions(), has_text_of_program(text, tasks)) {
                (false, _) => Inserted::Nothing,
                (true, false) => Inserted::Unknown,
                (true, true) => Inserted::Foreign,
            },
        });
    let argv: Vec<Argument<'_>> = argv.collect();
    let program = quote(argv.first().map_or("", |program| program.known));
    let found_inputs = may_be_options(&argv);
    let stdin = params["stdin"].as_str().unwrap_or_default();
    if found_inputs.stdin && has_text_of_program(stdin, tasks) {
        let message = format!(
            "{program} makes arguments of this output of a task, and the program that it starts may take them for options"
        );
        let one =
            Diagnostic::new(code::MAY_BE_OPTION, message).at(task.stdin.unwrap_or(task.place));
        found.push(one.help("put \"--\" at the end of `run`, if the program knows that"));
    }
    for at in found_inputs.arguments {
        let message = format!("{program} may take this output of a task for an option");
        let place = task.argv.get(at).copied().unwrap_or(task.place);
        let one = Diagnostic::new(code::MAY_BE_OPTION, message).at(place);
        found.push(one.help("put \"--\" before it, if the program knows that"));
    }
    let folder = params["cwd"]
        .as_str()
        .filter(|text| has_text_of_program(text, tasks));
    if let Some(folder) = folder {
        let message = "the output of a task decides in which folder this command runs";
        let one = Diagnostic::new(code::UNTRUSTED_FOLDER, message).at(task.place_of(folder));
        found.push(one.help(
            "programs read settings and scripts of their folder; name the folder in the plan",
        ));
    }
}

#[cfg(test)]
mod tests {
    use crate::{Format, Plan};

    #[test]
    fn each_surprise_has_its_warning() {
        let build = "[tasks.build]\nrun = ['make']\n";
        let clean =
            "[tasks.clean]\nneeds = ['build']\nafter = 'all_done'\nrun = ['make', 'clean']\n";
        let spare = "[tasks.spare]\nrun = ['true']\n";
        let ok = "[tasks.ok]\nask = { text = 'Load?', answer = 'yes_no' }\n[tasks.load]\nneeds = ['ok']\n";
        let list = "[tasks.list]\nrun = ['ls']\n[tasks.use]\nneeds = ['list']\n";
        for (plan, expected) in [
            (format!("{build}{clean}"), "skipped_by_abort"),
            (format!("{build}on_failure = 'skip'\n{clean}"), ""),
            (
                format!("{build}{clean}stdin = '${{{{ tasks.build.stdout }}}}'"),
                "",
            ),
            (format!("{build}on_failure = 'ask'\n{clean}"), ""),
            (
                format!("{spare}{build}on_failure = {{ fallback = 'spare' }}\n{clean}"),
                "skipped_by_abort",
            ),
            (
                format!(
                    "{spare}on_failure = 'skip'\n{build}on_failure = {{ fallback = 'spare' }}\n{clean}"
                ),
                "",
            ),
            (
                format!("{build}[tasks.next]\nneeds = ['build']\nrun = ['make']"),
                "",
            ),
            (format!("{ok}run = ['true']"), "unread_answer"),
            (
                format!("{ok}run = ['load', '${{{{ tasks.ok.state }}}}']"),
                "unread_answer",
            ),
            (
                format!("{ok}run = ['load', '--really=${{{{ tasks.ok.value }}}}']"),
                "",
            ),
            (format!("{ok}prompt = 'Load it'"), ""),
            (
                format!("{ok}prompt = 'Load it'\ncontext = []"),
                "unread_answer",
            ),
            (
                format!("{list}run = ['rm', '-f', '${{{{ tasks.list.stdout }}}}']"),
                "may_be_option",
            ),
            (
                format!("{list}run = ['rm', '--', '${{{{ tasks.list.stdout }}}}']"),
                "",
            ),
            (
                format!("{list}run = ['xargs', 'rm']\nstdin = '${{{{ tasks.list.stdout }}}}'"),
                "may_be_option",
            ),
            (
                format!(
                    "{list}run = ['xargs', 'rm', '--']\nstdin = '${{{{ tasks.list.stdout }}}}'"
                ),
                "",
            ),
            (
                format!("{list}run = ['make']\ncwd = '${{{{ tasks.list.stdout }}}}'"),
                "untrusted_folder",
            ),
            (
                format!("[params]\nx = 'a'\n{list}run = ['rm', '${{{{ params.x }}}}']"),
                "",
            ),
        ] {
            let loaded = Plan::load(&plan, Format::Toml, "plan")
                .unwrap_or_else(|error| panic!("{plan}: {error}"));
            let mut codes: Vec<&str> = Vec::new();
            let warnings = loaded.warnings();
            codes.extend(warnings.iter().map(|one| one.code.text()));
            codes.sort_unstable();
            assert_eq!(codes.join(" "), expected, "{plan}");
            assert!(
                warnings
                    .iter()
                    .all(|one| one.span.is_some() && one.help.is_some())
            );
        }
    }
}
