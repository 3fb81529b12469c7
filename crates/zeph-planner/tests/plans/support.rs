//! The request and the host of these tests.

use std::path::PathBuf;

use zeph_planner::plan::{ArgumentKind, CommandTemplate, Commands, PlanLimits, PlanRequest};
use zeph_subagent::{AgentCatalog, SubAgentDef};

/// Three agents, four commands; plans may use two of three tools.
pub(crate) fn request() -> PlanRequest {
    let mut catalog = AgentCatalog::new();
    let agents = [
        SubAgentDef::new("analyst", "Groups and counts", "You count.")
            .tool("grep")
            .tool("read_file"),
        SubAgentDef::new("editor", "Changes files", "You edit.")
            .tool("read_file")
            .tool("write_file"),
        SubAgentDef::new("writer", "Writes", "You write."),
    ];
    for agent in agents {
        catalog.add(agent).unwrap();
    }
    let mut request = PlanRequest::new("A weekly report", catalog)
        .commands(commands())
        .limits(limits());
    request.rights.tools.remove("write_file");
    request
}

fn commands() -> Commands {
    let mut commands = Commands::none();
    let date = ArgumentKind::pattern("[0-9]{4}-[0-9]{2}-[0-9]{2}").unwrap();
    let all = [
        CommandTemplate::new("git_log", "lists commits")
            .fixed("git")
            .fixed("log")
            .optional("--since=", "since", "the first day", date)
            .value("-n", "count", "how many", ArgumentKind::integer(1, 100)),
        CommandTemplate::new("note", "keeps a note")
            .fixed("./note")
            .value("", "text", "what to keep", ArgumentKind::text(40)),
        CommandTemplate::new("deploy", "deploys")
            .fixed("./deploy")
            .value(
                "",
                "where",
                "the place",
                ArgumentKind::choice(["staging", "production"]),
            ),
        CommandTemplate::new("show", "shows a file")
            .fixed("cat")
            .value("", "file", "which one", ArgumentKind::path("docs/")),
    ];
    for template in all {
        commands.add(template).unwrap();
    }
    commands
}

pub(crate) fn limits() -> PlanLimits {
    PlanLimits {
        max_tasks: 8,
        max_depth: 4,
        max_width: 4,
        max_prompt_bytes: 400,
        ..PlanLimits::default()
    }
}

/// The path of a file below `tests`.
pub(crate) fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(name)
}

/// The documents of a file in `defects/`.
pub(crate) fn cases(file: &str) -> Vec<Case> {
    let text = std::fs::read_to_string(path("defects").join(file)).unwrap();
    let cases = text.split("=== ").skip(1).map(|case| {
        let (title, mut rest) = case.split_once('\n').unwrap();
        let mut shown = |label: &str| {
            let (line, after) = rest.split_once('\n').unwrap();
            let words = line.strip_prefix(label)?;
            rest = after;
            Some(words.trim().to_owned())
        };
        let problems = shown("--- problems:").unwrap();
        let repairs = shown("--- repairs:");
        Case {
            title: title.to_owned(),
            problems,
            repairs,
            text: rest.strip_suffix('\n').unwrap().to_owned(),
        }
    });
    cases.collect()
}

/// A document with the codes of its problems, in order, and those of its repairs if they are tested.
pub(crate) struct Case {
    pub(crate) title: String,
    pub(crate) problems: String,
    pub(crate) repairs: Option<String>,
    pub(crate) text: String,
}
