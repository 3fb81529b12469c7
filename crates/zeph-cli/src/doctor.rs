//! `zeph doctor`: checks what `zeph` needs, without a change of the settings and without a network.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use nix::sys::statvfs::statvfs;
use nix::unistd::geteuid;
use serde_json::{Value, json};
use zeph_common::format_size;
use zeph_memory_sqlite::{SCHEMA_VERSION, SqliteStore};
use zeph_runtime::Owners;

use crate::context::{AppContext, command};
use crate::exit::{CliError, Exit};
use crate::llm;
use crate::out::Tone;
use crate::read::page::{self, Page, count};
use crate::store::{self, Database};

/// The version of the JSON that commands print, which `docs/src/json.md` describes. It is incremented when a
/// program could misread it; new fields do not count.
const JSON_VERSION: u32 = 1;
/// With less free space a run may stop in the middle.
const LITTLE_SPACE: u64 = 100 << 20;

/// The result of one check.
struct Finding {
    what: &'static str,
    status: Status,
    text: String,
    /// What to do.
    help: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Status {
    Good,
    Warning,
    Problem,
}

impl Status {
    const fn word(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }

    const fn tone(self) -> Tone {
        match self {
            Self::Good => Tone::Good,
            Self::Warning => Tone::Warning,
            Self::Problem => Tone::Bad,
        }
    }
}

impl Finding {
    fn new(what: &'static str, status: Status, text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            what,
            status,
            text,
            help: None,
        }
    }

    fn good(what: &'static str, text: impl Into<String>) -> Self {
        Self::new(what, Status::Good, text)
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    fn to_json(&self) -> Value {
        json!({
            "check": self.what,
            "status": self.status.word(),
            "text": self.text,
            "help": self.help,
        })
    }
}

pub(crate) async fn run(cx: &AppContext) -> Result<Exit, CliError> {
    let mut found = vec![version()];
    settings(cx, &mut found)?;
    database(cx, &mut found).await?;
    services(cx, &mut found);
    found.extend(servers(cx));
    found.extend(programs(cx));
    let is_sound = found.iter().all(|one| one.status != Status::Problem);
    let json = || {
        let checks: Vec<Value> = found.iter().map(Finding::to_json).collect();
        json!({ "json": JSON_VERSION, "ok": is_sound, "checks": checks })
    };
    page::print(cx, json, |page| render(page, &found));
    Ok(if is_sound {
        Exit::Completed
    } else {
        Exit::Store
    })
}

fn render(page: &mut Page, found: &[Finding]) {
    for one in found {
        let (status, what) = (one.status.word(), one.what);
        page.painted_line(&[
            (one.status.tone(), &format!("{status:9}")),
            (Tone::Quiet, &format!("{what:11}")),
            (Tone::Plain, &one.text),
        ]);
    }
    let help: Vec<String> = found.iter().filter_map(|one| one.help.clone()).collect();
    page.section("What to do", &help);
}

fn version() -> Finding {
    let text = format!(
        "zeph {}, database schema {SCHEMA_VERSION}, {} {}",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH
    );
    Finding::good("version", text)
}

fn settings(cx: &AppContext, found: &mut Vec<Finding>) -> Result<(), CliError> {
    let set = zeph_config::keys().filter(|key| {
        let layer = cx.config.layer_of(key);
        layer.is_some_and(|layer| layer != zeph_config::Layer::Default)
    });
    let text = match set.count() as u64 {
        0 => "all have their defaults".to_owned(),
        many => format!("{} not the default", count(many, "setting")),
    };
    let show = command(&["config", "show", "--origin"]);
    found.push(Finding::good(
        "settings",
        format!("{text}; `{show}` lists them"),
    ));
    let project = cx.trusts_project()?;
    found.extend(project.map(|(path, is_trusted)| {
        let path = path.display();
        let withheld = cx.config.withheld.len() as u64;
        match (is_trusted, withheld) {
            (true, _) => Finding::good("project", format!("{path} is trusted")),
            (false, 0) => Finding::good("project", format!("{path} only lowers limits")),
            (false, many) => {
                let text = format!("{path} is not trusted: {} ignored", count(many, "setting"));
                let finding = Finding::new("project", Status::Warning, text);
                finding.help("`zeph trust` shows what the project would allow, and asks")
            }
        }
    }));
    Ok(())
}

async fn database(cx: &AppContext, found: &mut Vec<Finding>) -> Result<(), CliError> {
    let path = cx.db()?;
    let origin = cx.db_origin();
    let shown = format!("{} ({origin})", store::shown(&path));
    if store::url(&path).is_some() {
        found.push(server(&path, &shown).await);
        return Ok(());
    }
    let Ok(about) = std::fs::metadata(&path) else {
        let text = format!("{shown}: none yet, the first run makes it");
        found.push(Finding::good("database", text));
        found.extend(space(&path));
        return Ok(());
    };
    found.push(rights(&shown, &about));
    found.extend(space(&path));
    match SqliteStore::open_read_only(&path).await {
        Ok(store) => {
            found.push(content(&store).await?);
            found.push(owners(&Owners::beside(store.path())));
        }
        Err(error) => {
            let finding = Finding::new("content", Status::Problem, error.to_string());
            found.push(finding.help("--db FILE names another database"));
        }
    }
    Ok(())
}

/// Whether the server can be reached, and has the tables.
async fn server(path: &Path, shown: &str) -> Finding {
    match Database::open_read_only(path).await {
        Ok(_) => Finding::good("database", format!("{shown}: the server replies")),
        Err(error) => {
            let text = format!("{shown}: {}", error.message);
            Finding::new("database", Status::Problem, text)
        }
    }
}

/// The size of the database, its owner, and who else may read it.
fn rights(shown: &str, about: &Metadata) -> Finding {
    let (mode, size) = (about.mode() & 0o777, format_size(about.len()));
    let text = format!("{shown}: {size}, mode {mode:04o}");
    let path = shown.split(" (").next().unwrap_or(shown);
    if about.uid() != geteuid().as_raw() {
        let text = format!("{text}, belongs to the user {}", about.uid());
        let finding = Finding::new("database", Status::Problem, text);
        return finding.help("use a database of your own: --db FILE");
    }
    if mode & 0o077 != 0 {
        let finding = Finding::new(
            "database",
            Status::Warning,
            format!("{text}: others may use it"),
        );
        return finding.help(format!("chmod 600 {path}"));
    }
    Finding::good("database", text)
}

/// The free space where the database is.
fn space(path: &Path) -> Option<Finding> {
    let folder = path.ancestors().skip(1).find(|folder| folder.exists());
    let folder: PathBuf = folder
        .filter(|folder| *folder != Path::new(""))
        .unwrap_or(Path::new("."))
        .into();
    let about = statvfs(&folder).ok()?;
    let free = about.blocks_available() as u64 * about.fragment_size() as u64;
    let text = format!("{} free", format_size(free));
    if free >= LITTLE_SPACE {
        return Some(Finding::good("space", text));
    }
    let finding = Finding::new("space", Status::Warning, text);
    let prune = command(&["prune", "--older-than", "30d"]);
    Some(finding.help(format!(
        "`{prune}` deletes old runs and gives their space back"
    )))
}

/// Whether the file is whole. The hash chains of the runs are the work of `zeph verify`.
async fn content(store: &SqliteStore) -> Result<Finding, CliError> {
    let check = store.check().await?;
    let runs = count(check.runs.len() as u64, "run");
    Ok(match check.findings.first() {
        None => Finding::good("content", format!("{runs}, the file is whole")),
        Some(damage) => {
            let finding = Finding::new("content", Status::Problem, damage.as_str());
            let verify = command(&["verify"]);
            finding.help(format!("`{verify}` names all damage; restore a backup"))
        }
    })
}

/// The processes that work on runs of the database. Files of ended processes are removed by looking.
fn owners(owners: &Owners) -> Finding {
    let holders = owners.holders();
    let at_work = holders.iter().filter_map(|(_, holder)| holder.clone());
    let at_work: Vec<String> = at_work.collect();
    let left = holders.len() - at_work.len();
    let mut text = match &*at_work {
        [] => "no process works on a run".to_owned(),
        many => format!("at work: {}", many.join(", ")),
    };
    if left > 0 {
        let files = count(left as u64, "lock");
        text.push_str(&format!("; removed {files} of processes that have ended"));
    }
    Finding::good("processes", text)
}

/// The services whose keys are set. Nothing is sent.
fn services(cx: &AppContext, found: &mut Vec<Finding>) {
    let model = cx.config().llm.model.as_deref();
    let service_of_model = model.map(|model| model.split("::").next().unwrap_or(model));
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for (service, key) in llm::keys_of_services() {
        match (service.key_variable, key) {
            (Some(variable), Some(true)) => with.push(format!("{} ({variable})", service.name)),
            (Some(_), _) => without.push(service.name),
            (None, _) => {}
        }
        let is_needed = service_of_model == Some(service.name);
        if let (true, Some(variable), Some(false)) = (is_needed, service.key_variable, key)
            && cx.config().llm.base_url.is_none()
        {
            let text = format!(
                "llm.model names {}, and {variable} is not set",
                service.name
            );
            let finding = Finding::new("model", Status::Warning, text);
            found.push(finding.help(format!("set {variable}, or name another model")));
        }
    }
    let text = match &*with {
        [] => format!("no key is set; without: {}", without.join(", ")),
        with => format!(
            "with a key: {}; without: {}",
            with.join(", "),
            without.join(", ")
        ),
    };
    found.push(Finding::good("services", text));
}

/// The MCP servers of the settings: whether their programs are found and their variables set. Nothing is started.
fn servers(cx: &AppContext) -> Vec<Finding> {
    let servers = &cx.config().mcp;
    let mut found = Vec::new();
    for (name, config) in servers {
        let here = Path::new(".");
        let program = llm::mcp::missing_program(config, here);
        let program = program.map(|program| format!("{program} is not found"));
        let mut variables = llm::mcp::variables(config);
        let variable = variables.find(|name| std::env::var_os(name).is_none());
        let variable = variable.map(|name| format!("the variable {name} is not set"));
        found.extend(program.into_iter().chain(variable).map(|what| {
            let text = format!("mcp.{name}: {what}");
            let finding = Finding::new("mcp", Status::Warning, text);
            finding.help(format!("correct [mcp.{name}] in the settings"))
        }));
    }
    if found.is_empty() && !servers.is_empty() {
        let tools = command(&["mcp", "tools"]);
        let text = format!(
            "{}; `{tools}` starts them and lists their tools",
            count(servers.len() as u64, "server")
        );
        found.push(Finding::good("mcp", text));
    }
    found
}

/// The agents that are programs: whether these are found and their variables set. Nothing is started.
fn programs(cx: &AppContext) -> Vec<Finding> {
    // What is wrong with the definitions is reported by `zeph agents check`, and before a run.
    let Ok(agents) = llm::agents(cx, cx.config().agents.as_deref()) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for agent in agents.iter() {
        let Some(program) = &agent.program else {
            continue;
        };
        let missing = llm::mcp::not_found(&program.command, &program.env, Path::new("."));
        let missing = missing.map(|program| format!("{program} is not found"));
        let mut variables = program.pass_env.iter();
        let variable = variables.find(|name| std::env::var_os(name).is_none());
        let variable = variable.map(|name| format!("the variable {name} is not set"));
        found.extend(missing.into_iter().chain(variable).map(|what| {
            let text = format!("agent {}: {what}", agent.name);
            let finding = Finding::new("agents", Status::Warning, text);
            finding.help("correct `program` in its definition")
        }));
    }
    found
}
