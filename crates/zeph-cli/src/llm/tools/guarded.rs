//! Files below the folder of a right that agents do not write: what a person or a service would run from them.

use std::path::{Path, PathBuf};

use cap_std::fs::Dir;
use zeph_config::McpTransport;
use zeph_executor::TaskError;
use zeph_orchestration::planfile::Format;
use zeph_subagent::AgentCatalog;

use super::folder::{Folder, text_of};
use super::write::there;
use crate::context::AppContext;
use crate::project;
use crate::store;

/// The names of files that this program or a service runs where it finds them, in lower case. Hidden ones are
/// refused anyway.
const NAMES: [&str; 12] = [
    project::FILE,
    "appveyor.yml",
    "azure-pipelines.yaml",
    "azure-pipelines.yml",
    "bitbucket-pipelines.yml",
    "buildspec.yaml",
    "buildspec.yml",
    "cloudbuild.yaml",
    "cloudbuild.yml",
    "jenkinsfile",
    "lefthook.yml",
    "wercker.yml",
];

/// The files and folders of the settings that count as code.
#[derive(Clone, Debug, Default)]
pub(super) struct Guarded {
    paths: Vec<PathBuf>,
}

impl Guarded {
    /// The agents, prompts, cached plans and database of the settings, and the files that the programs of settings
    /// and agents are made of: what a command line names, from the folder in which it runs.
    pub(super) fn of(cx: &AppContext, agents: &AgentCatalog, folder: &Path) -> Self {
        let config = cx.config();
        let folders = [&config.agents, &config.prompts, &config.plan_cache];
        let folders = folders.into_iter().flatten().cloned();
        let paths = folders
            .chain(cx.db().ok().filter(|db| store::url(db).is_none()))
            .map(|path| real(&path));
        let hooks = &config.hooks;
        let hooks = [&hooks.failed, &hooks.question, &hooks.ended];
        let servers = config.mcp.values().map(|server| match &server.transport {
            McpTransport::Command(command) => command.as_slice(),
            McpTransport::Url(_) => &[],
        });
        let programs = agents.iter().filter_map(|agent| agent.program.as_ref());
        let words = (config.commands.values().flat_map(|command| &command.run))
            .chain(servers.flatten())
            .chain(hooks.into_iter().flatten())
            .chain(programs.flat_map(|program| &program.command));
        Self {
            paths: paths.chain(files_of(words, folder)).collect(),
        }
    }

    /// Refuses a file that may become `text` if something runs it: by its name, its place, or as a plan. A place is
    /// not refused if the folder of the right is in it.
    pub(super) fn check(
        &self,
        folder: &Folder,
        dir: &Dir,
        inside: &Path,
        text: &str,
    ) -> Result<(), TaskError> {
        let refused = |why: &str| {
            let shown = inside.to_string_lossy();
            let shown = zeph_common::escape_terminal(&shown);
            let text = format!("{shown} {why}, and agents do not write such files");
            Err(TaskError::refused(text).with_code("guarded_file"))
        };
        let name = inside.file_name().unwrap_or_default().to_string_lossy();
        if NAMES.contains(&name.to_lowercase().as_str()) {
            return refused("is run by zeph or by a service");
        }
        let root = real(folder.path());
        // A part that is there may be a link; what is not there yet is none.
        let known = there(dir, inside);
        let rest = inside.strip_prefix(known).unwrap_or(inside);
        let whole = real(&root.join(known)).join(rest);
        let is_guarded = |path: &PathBuf| whole.starts_with(path) && !root.starts_with(path);
        if self.paths.iter().any(is_guarded) {
            return refused(
                "is one of the agents, prompts, plans, runs or programs of your settings",
            );
        }
        let format = Format::of_name(&name);
        let old = text_of(dir, inside).unwrap_or_default();
        if format.has_tasks(text) || format.has_tasks(&old) {
            return refused("is a plan");
        }
        Ok(())
    }
}

/// The files that command lines name, which run in that folder.
fn files_of<'a>(
    words: impl Iterator<Item = &'a String>,
    folder: &Path,
) -> impl Iterator<Item = PathBuf> {
    let files = words.map(|word| real(&folder.join(word)));
    files.filter(|path| path.is_file())
}

/// A path without links, as far as it is there.
fn real(path: &Path) -> PathBuf {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut parts = whole.ancestors();
    let found = parts.find_map(|part| Some((part, part.canonicalize().ok()?)));
    match found {
        Some((part, real)) => match whole.strip_prefix(part) {
            Ok(rest) if !rest.as_os_str().is_empty() => real.join(rest),
            Ok(_) | Err(_) => real,
        },
        None => whole,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::Path;

    use super::super::folder::Folder;
    use super::super::write::{edit, write};
    use super::{Guarded, real};

    const PLAN: &str = "[tasks.a]\nrun = ['true']\n";

    #[test]
    fn what_would_be_run_is_not_written_whatever_the_way_to_it() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        fs::create_dir(path("agents")).unwrap();
        fs::create_dir(path("src")).unwrap();
        symlink("../agents", path("src/notes")).unwrap();
        fs::write(path("plan.toml"), PLAN).unwrap();
        let guarded = Guarded {
            paths: ["agents", "cache", "zeph.db"]
                .map(|name| real(&path(name)))
                .to_vec(),
        };
        let folder = Folder::new(root.path());
        let yaml = "tasks:\n  a:\n    run: ['true']\n";
        let json = r#"{ "tasks": { "a": { "run": ["true"] } } }"#;
        for (file, text) in [
            ("agents/new.md", "x"),
            ("src/notes/new.md", "x"),
            ("src/notes/deep/new.md", "x"),
            ("cache/plan", "x"),
            ("zeph.db", "x"),
            ("zeph.toml", "x"),
            ("src/Zeph.TOML", "x"),
            ("Jenkinsfile", "x"),
            ("azure-pipelines.yml", "x"),
            ("plan.toml", "nothing"),
            ("new.toml", PLAN),
            ("new", PLAN),
            ("new.yml", yaml),
            ("new.json", json),
        ] {
            let error = write(&folder, &guarded, file, text).unwrap_err();
            assert_eq!(error.code(), "guarded_file", "{file}: {error}");
        }
        let error = edit(&folder, &guarded, "plan.toml", ("true", "false")).unwrap_err();
        assert_eq!(error.code(), "guarded_file");
        assert_eq!(fs::read_to_string(path("plan.toml")).unwrap(), PLAN);
        assert_eq!(fs::read_dir(path("agents")).unwrap().count(), 0);
        for (file, text) in [
            ("src/main.rs", "fn main() {}"),
            ("package.json", r#"{ "scripts": {} }"#),
            ("Cargo.toml", "[package]\nname = 'a'\n"),
            ("agents.md", "x"),
        ] {
            write(&folder, &guarded, file, text).unwrap();
        }
        // What a command line names.
        fs::write(path("coder.sh"), "true").unwrap();
        let line = ["sh", "./coder.sh", "--print", "src"].map(str::to_owned);
        let guarded_too = Guarded {
            paths: super::files_of(line.iter(), root.path()).collect(),
        };
        let error = write(&folder, &guarded_too, "coder.sh", "false").unwrap_err();
        assert_eq!(error.code(), "guarded_file");
        write(&folder, &guarded_too, "src/other.sh", "true").unwrap();
        // The right names the folder itself.
        let agents = Folder::new(&path("agents"));
        write(&agents, &guarded, "new.md", "x").unwrap();
        assert!(Path::new(&path("agents/new.md")).exists());
    }
}
