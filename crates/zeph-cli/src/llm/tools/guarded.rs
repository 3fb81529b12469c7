//! Files below the folder of a right that agents do not write: what a person or a service would run from them.

use std::path::{Path, PathBuf};

use cap_std::fs::Dir;
use zeph_config::{McpTransport, OrchestrationConfig};
use zeph_executor::TaskError;
use zeph_orchestration::planfile::Format;
use zeph_subagent::AgentCatalog;

use super::folder::{Folder, text_of};
use super::write::there;
use crate::llm::ModelConfig;
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

/// The ends of the names of what lies beside a database file and belongs to it.
const BESIDE_DATABASE: [&str; 5] = ["-journal", "-last", "-shm", "-wal", ".owners"];
/// Behind the name of a database file: the beginning of the end of a draft's name.
const DRAFT: &str = ".new-";

/// The files and folders that count as code, as they are named: links are resolved when a file is written.
#[derive(Clone, Debug, Default)]
pub(super) struct Guarded {
    /// With everything in them.
    trees: Vec<PathBuf>,
    databases: Vec<PathBuf>,
    /// What command lines name, whether it is there or not.
    files: Vec<PathBuf>,
}

impl Guarded {
    /// The agents and prompts of the run and of the settings, the cached plans, the databases, and the files that the
    /// programs of settings and agents are made of: what a command line names, from the folder in which it runs.
    pub(super) fn of(
        config: &OrchestrationConfig,
        db: Option<PathBuf>,
        models: &ModelConfig,
        agents: &AgentCatalog,
        folder: &Path,
    ) -> Self {
        let trees = [
            &config.agents,
            &config.prompts,
            &config.plan_cache,
            &models.agents,
            &models.prompts,
        ];
        let databases = db.into_iter().chain(config.db.clone());
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
            trees: trees.into_iter().flatten().cloned().collect(),
            databases: databases.filter(|db| store::url(db).is_none()).collect(),
            files: files_of(words, folder).collect(),
        }
    }

    fn has(&self, whole: &Path, root: &Path) -> bool {
        let mut trees = self.trees.iter().map(|path| real(path));
        let mut files = self.files.iter().map(|path| real(path));
        trees.any(|path| whole.starts_with(&path) && !root.starts_with(&path))
            || files.any(|path| whole == path)
            || self.databases.iter().any(|db| is_of_database(whole, db))
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
        if self.has(&whole, &root) {
            return refused(
                "is one of the agents, prompts, plans, runs or programs of your settings",
            );
        }
        let old = text_of(dir, inside).unwrap_or_default();
        // A file is also a plan by its text alone: as standard input and as an answer.
        let is_plan = |text: &str| {
            Format::of_name(&name).has_tasks(text) || Format::of_text(text).has_tasks(text)
        };
        if is_plan(text) || is_plan(&old) {
            return refused("is a plan");
        }
        Ok(())
    }
}

/// Whether a path without links is a file of a database, or lies in its folder of owners.
fn is_of_database(whole: &Path, db: &Path) -> bool {
    // The files of SQLite lie beside the file that a link names, the owners beside the link.
    let link = db.parent().map(real).zip(db.file_name());
    let link = link.map(|(parent, name)| parent.join(name));
    let mut databases = link.into_iter().chain([real(db)]);
    databases.any(|db| {
        let Some((parent, name)) = db.parent().zip(db.file_name()) else {
            return false;
        };
        let first = whole.strip_prefix(parent).ok();
        let first = first.and_then(|rest| rest.components().next());
        let Some(first) = first else {
            return false;
        };
        let first = first.as_os_str().to_string_lossy();
        let end = first.strip_prefix(&*name.to_string_lossy());
        end.is_some_and(|end| {
            end.is_empty() || BESIDE_DATABASE.contains(&end) || end.starts_with(DRAFT)
        })
    })
}

/// The files that the words of command lines may name, which run in that folder: each word, and what stands behind
/// its `=`. A program reads a name without a slash or an ending as well, as `sh build` does.
fn files_of<'a>(
    words: impl Iterator<Item = &'a String>,
    folder: &Path,
) -> impl Iterator<Item = PathBuf> {
    let names = words.flat_map(|word| {
        let value = word.split_once('=').map(|(_, value)| value);
        [Some(word.as_str()), value].into_iter().flatten()
    });
    names
        .filter(|name| !name.is_empty())
        .map(|name| folder.join(name))
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
    use super::{Guarded, files_of};
    use crate::llm::ModelConfig;

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
            trees: ["agents", "cache"].map(path).to_vec(),
            databases: vec![path("zeph.db")],
            files: Vec::new(),
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
            ("new.txt", yaml),
            ("notes.md", json),
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
            files: files_of(line.iter(), root.path()).collect(),
            ..Guarded::default()
        };
        let error = write(&folder, &guarded_too, "coder.sh", "false").unwrap_err();
        assert_eq!(error.code(), "guarded_file");
        write(&folder, &guarded_too, "src/other.sh", "true").unwrap();
        // The right names the folder itself.
        let agents = Folder::new(&path("agents"));
        write(&agents, &guarded, "new.md", "x").unwrap();
        assert!(Path::new(&path("agents/new.md")).exists());
    }

    #[test]
    fn a_file_that_a_command_line_names_is_not_made_either() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::new(root.path());
        let line = ["sh", "./missing.sh", "--rules=./rules/all.js", "build"].map(str::to_owned);
        let guarded = Guarded {
            files: files_of(line.iter(), root.path()).collect(),
            ..Guarded::default()
        };
        for file in ["missing.sh", "rules/all.js", "build"] {
            let error = write(&folder, &guarded, file, "true").unwrap_err();
            assert_eq!(error.code(), "guarded_file", "{file}");
        }
        write(&folder, &guarded, "rules/other.js", "1").unwrap();
    }

    #[test]
    fn the_files_beside_a_database_and_the_agents_of_the_run_are_not_written() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        let models = ModelConfig {
            model: "openai::tiny".to_owned(),
            fallback: None,
            base_url: None,
            sends_keys: false,
            agents: Some(path("agents")),
            prompts: Some(path("prompts")),
            replayed: false,
        };
        let config = zeph_config::OrchestrationConfig::default();
        let agents = zeph_subagent::AgentCatalog::default();
        let db = Some(path("runs.db"));
        let guarded = Guarded::of(&config, db, &models, &agents, root.path());
        let folder = Folder::new(root.path());
        for file in [
            "agents/new.md",
            "prompts/plan.md",
            "runs.db",
            "runs.db-wal",
            "runs.db-shm",
            "runs.db-last",
            "runs.db-journal",
            "runs.db.new-1-0",
            "runs.db.owners/1",
            "runs.db.owners",
        ] {
            let error = write(&folder, &guarded, file, "x").unwrap_err();
            assert_eq!(error.code(), "guarded_file", "{file}");
        }
        for file in ["runs.dbx", "runs.db.md", "other.db-wal"] {
            write(&folder, &guarded, file, "x").unwrap();
        }
    }
}
