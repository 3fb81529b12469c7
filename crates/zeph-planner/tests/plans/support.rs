//! The request and the host of these tests.

use std::path::PathBuf;

use zeph_config::{ArgumentConfig, ArgumentKind, CommandConfig};
use zeph_planner::plan::{Commands, PlanLimits, PlanRequest};
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
    let mut request = PlanRequest::new("A weekly report", catalog);
    request.commands = commands().into();
    request.limits = limits();
    request.rights.tools.remove("write_file");
    request
}

/// A command; `run` has the places of its arguments, which have no flags.
pub(crate) fn command(about: &str, run: &[&str], args: &[(&str, ArgumentKind)]) -> CommandConfig {
    let args = args.iter().map(|(name, kind)| {
        let argument = ArgumentConfig {
            about: format!("the {name}"),
            kind: kind.clone(),
            optional: false,
            dash: false,
        };
        ((*name).to_owned(), argument)
    });
    CommandConfig {
        about: about.to_owned(),
        run: run.iter().map(|&one| one.to_owned()).collect(),
        args: args.collect(),
    }
}

fn commands() -> Commands {
    let date = ArgumentKind::Pattern("[0-9]{4}-[0-9]{2}-[0-9]{2}".to_owned());
    let count = ArgumentKind::Integer(1, 100);
    let places = ArgumentKind::Choice(vec!["staging".to_owned(), "production".to_owned()]);
    let file = ArgumentKind::Path("docs/".to_owned());
    let log = ["git", "log", "--since={since}", "-n{count}"];
    let mut log = command("lists commits", &log, &[("since", date), ("count", count)]);
    log.args.get_mut("since").unwrap().optional = true;
    let text = ArgumentKind::Text(40);
    let all = [
        ("git_log", log),
        (
            "note",
            command("keeps a note", &["./note", "{text}"], &[("text", text)]),
        ),
        (
            "deploy",
            command("deploys", &["./deploy", "{where}"], &[("where", places)]),
        ),
        (
            "show",
            command("shows a file", &["cat", "{file}"], &[("file", file)]),
        ),
    ];
    let all = all.map(|(name, command)| (name.to_owned(), command));
    Commands::new(all.into()).unwrap()
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
