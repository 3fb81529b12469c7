//! `zeph trust`: lets a project's settings file run programs, name addresses and choose files.

use std::path::Path;

use serde_json::json;
use zeph_config::{Layers, Withheld, WithheldReason};
use zeph_subagent::{AgentProgram, AgentReader};

use crate::args::TrustArgs;
use crate::exit::{CliError, Exit};
use crate::out;
use crate::problems;
use crate::project::{self, Content, SettingsFile, Trust};
use crate::read::page::{Page, count};
use crate::run::prompt;

pub(crate) async fn run(args: &TrustArgs, is_json: bool) -> Result<Exit, CliError> {
    project::check_home()?;
    if args.list {
        return list(is_json);
    }
    let Some(file) = project::project_file()? else {
        return Err(
            CliError::new(Exit::Usage, "there is no zeph.toml here or above")
                .code("no_project")
                .help("a project's settings file is looked for up to the root of its repository"),
        );
    };
    let path = project::canonical(&file.path);
    if args.revoke {
        Trust::update(|trust| {
            trust.projects.remove(&path);
            // Its folders of agents, too, if they were chosen by hand.
            let project = path.parent().unwrap_or(&path);
            trust.agents.retain(|folder| !folder.starts_with(project));
        })?;
        if is_json {
            out::json(&json!({ "file": path, "trusted": false }));
        } else {
            let mut page = Page::new();
            page.line(format!("{} is not trusted", path.display()));
            page.print();
        }
        return Ok(Exit::Completed);
    }
    let withheld = withheld(&file)?;
    let content = Content::of(&file)?;
    if is_json {
        let settings: Vec<_> = (withheld.iter())
            .map(|one| json!({ "setting": one.key, "value": one.value }))
            .collect();
        out::json(&json!({
            "file": path,
            "allows": settings,
            "files": content.files,
            "programs": programs(&content)
                .map(|(file, program)| json!({ "file": file, "program": program }))
                .collect::<Vec<_>>(),
            "trusted": args.yes || Trust::load()?.covers(&file),
        }));
    } else {
        render(&path, &withheld, &content);
    }
    if !args.yes {
        if is_json {
            return Ok(Exit::Completed);
        }
        confirm().await?;
    }
    Trust::update(|trust| drop(trust.projects.insert(path, content.hash)))?;
    if !is_json {
        out::line("trusted until one of these files changes; `zeph trust --revoke` takes it back");
    }
    Ok(Exit::Completed)
}

fn render(path: &Path, withheld: &[Withheld], content: &Content) {
    let mut page = Page::new();
    page.line(format!(
        "{} sets what counts only if you trust it:",
        path.display()
    ));
    for one in withheld {
        if one.key.starts_with("commands.") || one.key.starts_with("mcp.") {
            page.block(2, &format!("[{}]", one.key));
            page.block(4, &one.value);
        } else {
            page.block(2, &format!("{} = {}", one.key, one.value));
        }
    }
    if withheld.is_empty() {
        page.block(2, "nothing");
    }
    if !content.files.is_empty() {
        let files = count(content.files.len() as u64, "file");
        page.line(format!(
            "{files} of agents and prompts are trusted with it:"
        ));
        for path in &content.files {
            page.block(2, &path.display().to_string());
        }
    }
    for (path, program) in programs(content) {
        page.line(format!("{} is a program:", path.display()));
        page.block(2, &program.command.join(" "));
        for (name, value) in &program.env {
            page.block(2, &format!("env.{name} = {value}"));
        }
        if !program.pass_env.is_empty() {
            page.block(2, &format!("pass_env = {}", program.pass_env.join(", ")));
        }
    }
    page.print();
}

/// The agents that are programs, with their files.
fn programs(content: &Content) -> impl Iterator<Item = (&Path, AgentProgram)> {
    content.files.iter().filter_map(|path| {
        // A file that cannot be read as an agent is refused when agents are read.
        let bytes = project::start_of(path).ok()?;
        let agent = AgentReader::new().read(&bytes, "").ok()?;
        Some((path.as_path(), agent.program?))
    })
}

async fn confirm() -> Result<(), CliError> {
    let not = |text: &str| CliError::new(Exit::Usage, text).code("not_trusted");
    if !out::is_interactive() {
        return Err(not("nothing is trusted: there is no terminal to ask at")
            .help("`zeph trust --yes` trusts it without a question"));
    }
    if prompt::agrees("Trust these files?").await? {
        Ok(())
    } else {
        Err(not("nothing is trusted"))
    }
}

/// What the file sets and what does not count without trust.
fn withheld(file: &SettingsFile) -> Result<Vec<Withheld>, CliError> {
    let mut layers = Layers::new().untrusted_project_file(&file.text, &file.path);
    if let Some(user) = project::user_file()? {
        layers = layers.user_file(user.text, user.path);
    }
    let wrong = |found| problems::error("the configuration", "bad_configuration", &found);
    Ok(layers.resolve().map_err(wrong)?.withheld)
}

fn list(is_json: bool) -> Result<Exit, CliError> {
    let trust = Trust::load()?;
    if is_json {
        out::json(&json!({
            "projects": trust.projects,
            "addresses": trust.addresses,
            "agents": trust.agents,
        }));
        return Ok(Exit::Completed);
    }
    let mut page = Page::new();
    for path in trust.projects.keys() {
        page.line(path.display().to_string());
    }
    for address in &trust.addresses {
        page.line(format!("{address} (a model service that you chose)"));
    }
    for folder in &trust.agents {
        page.line(format!(
            "{} (a folder of agents that are programs, which you chose)",
            folder.display()
        ));
    }
    page.print();
    if trust == Trust::default() {
        out::note_line("nothing is trusted");
    }
    Ok(Exit::Completed)
}

/// The line about settings of the project that do not count; `None` if all do.
pub(crate) fn notice(withheld: &[Withheld], has_changed: bool) -> Option<String> {
    let untrusted: Vec<&str> = (withheld.iter())
        .filter(|one| one.reason != WithheldReason::UsersCommand)
        .map(|one| one.key.as_str())
        .collect();
    let users: Vec<&str> = (withheld.iter())
        .filter(|one| one.reason == WithheldReason::UsersCommand)
        .map(|one| one.key.as_str())
        .collect();
    let mut parts = Vec::new();
    if !untrusted.is_empty() {
        let why = if has_changed {
            "its files have changed since you trusted them"
        } else {
            "you have not trusted the project"
        };
        parts.push(format!(
            "{} in {} do not count: {why}; `zeph trust` shows them",
            untrusted.join(", "),
            project::FILE
        ));
    }
    if !users.is_empty() {
        let users = users.join(", ");
        parts.push(format!(
            "{users} are those of your own settings, not of the project"
        ));
    }
    (!parts.is_empty()).then(|| zeph_common::escape_terminal(&parts.join("; ")).into_owned())
}
