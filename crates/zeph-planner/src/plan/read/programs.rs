//! Programs: the command lines of the agents that a person who approves a plan lets run.

use zeph_diagnostics::{Diagnostic, Severity, quote};
use zeph_subagent::AgentCatalog;

use crate::plan::finding::warning;
use crate::plan::{PlannedTask, PlannedWork};

/// A warning for each task and each agent that may do it and is a program, with its whole command.
pub(super) fn warnings(tasks: &[PlannedTask], agents: &AgentCatalog) -> Vec<Diagnostic> {
    let programs = agents.iter();
    let programs = programs.filter_map(|agent| Some((agent, agent.program.as_ref()?)));
    let of_task = |task: &PlannedTask| {
        let PlannedWork::Agent { agent: wanted, .. } = &task.work else {
            return Vec::new();
        };
        let may = programs.clone().filter(|(agent, _)| {
            let wanted = wanted.as_ref();
            wanted.is_none_or(|wanted| *wanted == agent.name)
        });
        let warnings = may.map(|(agent, program)| {
            let words: Vec<String> = program.command.iter().map(|word| quote(word)).collect();
            let runs = if wanted.is_some() { "runs" } else { "may run" };
            let message = format!(
                "{runs} the program of the agent {} in the folder of the run: {}",
                agent.name,
                words.join(" ")
            );
            let warning = Diagnostic::new(warning::RUNS_PROGRAM, message);
            warning.severity(Severity::Warning).path(&task.name)
        });
        warnings.collect()
    };
    tasks.iter().flat_map(of_task).collect()
}
