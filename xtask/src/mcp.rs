//! Opt-in checks of the Model Context Protocol: the reference servers, the reference client, and a goal over them.
//!
//! They fetch packages with npm, so they are not part of the gate.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::cargo::Call;
use crate::llm::fetch::Fetch;
use crate::llm::server::Server;
use crate::process::{self, Process};
use crate::workspace::Workspace;

/// Time limit of one command.
const COMMAND: Duration = Duration::from_secs(120);

/// The agents of the goal.
const AGENTS: [(&str, &str); 2] = [
    (
        "reader",
        "description: Reads files and adds numbers\ntools: [files__read_text_file, every__get-sum, web__get-sum]",
    ),
    (
        "writer",
        "description: Writes reports\ntools: [files__write_file]",
    ),
];

/// The tool, in a folder of its own.
struct Scene {
    program: PathBuf,
    folder: PathBuf,
    log: PathBuf,
}

/// Lists and calls tools of the reference servers, and lets the reference client drive runs.
pub(crate) fn test_mcp() -> Result<bool, String> {
    let workspace = Workspace::load()?;
    let fetch = Fetch::into(&workspace.target);
    let packages = fetch.mcp()?;
    let call = Call::cargo("build --quiet -p zeph-cli --bin zeph");
    println!("{}", call.line());
    if !call.run_visible(&workspace.root)? {
        return Ok(false);
    }
    let scene = Scene {
        program: workspace.target.join("debug/zeph"),
        folder: fetch.empty("mcp-scene")?,
        log: fetch.log("mcp")?,
    };
    scene.client(&packages)?;
    println!("ok: the reference client drives runs with `zeph mcp serve`");
    let mut model = Server::goal(&fetch, &scene.folder.join("docs"))?;
    let (_web, port) = over_http(&packages, &fetch.log("mcp-http")?)?;
    scene.settings(&packages, &model.url, port)?;
    scene.tools()?;
    println!("ok: the tools of the reference servers are listed, over pipes and over HTTP");
    scene.goal(&mut model)?;
    model.ensure_running()?;
    println!(
        "ok: a goal over the servers: calls of one reply, an approval, kill -9 in a conversation, a resume that repeats no call, citations"
    );
    Ok(true)
}

impl Scene {
    fn client(&self, packages: &Path) -> Result<(), String> {
        let script = packages.join("mcp-client.mjs");
        write(&script, include_str!("../assets/mcp-client.mjs"))?;
        let mut node = Command::new("node");
        node.arg(script).arg(&self.program);
        node.arg(self.folder.join("client.db"));
        node.env("HOME", &self.folder).current_dir(&self.folder);
        process::run(&mut node, &self.log, COMMAND)
    }

    fn settings(&self, packages: &Path, url: &str, port: u16) -> Result<(), String> {
        let docs = self.folder.join("docs");
        write(&docs.join("a.txt"), "ALPHA\n")?;
        write(&docs.join("b.txt"), "BETA\n")?;
        for (name, about) in AGENTS {
            let text = format!("---\nname: {name}\n{about}\n---\nYou work with your tools.\n");
            write(&self.folder.join(format!("agents/{name}.md")), &text)?;
        }
        let bin = packages.join("node_modules/.bin");
        let server = |name: &str| format!("'node', '{}'", bin.join(name).display());
        let text = format!(
            "agents = '../../agents'\n[llm]\nmodel = 'openai::tiny'\nbase_url = '{url}'\nstream = false\n\
             [mcp.files]\ncommand = [{}, '{}']\nread_only = ['read_text_file']\n\
             [mcp.every]\ncommand = [{}]\ntrust_hints = true\n\
             [mcp.web]\nurl = 'http://127.0.0.1:{port}/mcp'\nread_only = ['get-sum']\n",
            server("mcp-server-filesystem"),
            docs.display(),
            server("mcp-server-everything"),
        );
        write(&self.folder.join(".config/zeph/config.toml"), &text)
    }

    fn tools(&self) -> Result<(), String> {
        let listed = self.zeph(&["mcp", "tools"], 0)?;
        for (server, tool, asks) in [
            ("every", "every__get-sum", false),
            ("every", "every__toggle-simulated-logging", true),
            ("web", "web__get-sum", false),
            ("files", "files__read_text_file", false),
            ("files", "files__write_file", true),
        ] {
            let of = |list: &Value, key: &str, name: &str| {
                let mut items = list.as_array().into_iter().flatten();
                items.find(|one| one[key] == name).cloned()
            };
            let found = of(&listed["servers"], "server", server)
                .and_then(|server| of(&server["tools"], "tool", tool));
            let found = found.ok_or_else(|| format!("no tool {tool}: {listed}"))?;
            if found["needs_approval"] != asks {
                return Err(format!("{tool} should have needs_approval = {asks}"));
            }
        }
        Ok(())
    }

    fn goal(&self, model: &mut Server) -> Result<(), String> {
        let goal = "Add the numbers, and report";
        self.zeph(&["do", goal, "--yes", "--name", "g"], 5)?;
        let status = self.zeph(&["status", "g"], 0)?;
        let question = status["questions"][0]["text"].as_str().unwrap_or_default();
        if !question.contains("files__write_file") {
            return Err(format!("the question does not name the tool: {question:?}"));
        }
        if self.folder.join("docs/report.txt").exists() {
            return Err("the report was written before the approval".to_owned());
        }
        self.zeph(&["answer", "g", "report", "yes"], 0)?;
        let report = self.folder.join("docs/report.txt");
        let has = |text: &str| fs::read_to_string(&report).unwrap_or_default() == text;
        let out = self.folder.join("killed.json");
        let killed = Process::start_split(&mut self.command(&["resume", "g"]), &out, &self.log)?;
        model.until("hangs ")?;
        // With SIGKILL.
        drop(killed);
        if !has("42") {
            return Err("the report was not written before the end".to_owned());
        }
        // A call that is made again would write over this.
        write(&report, "43")?;
        let end = self.zeph(&["resume", "g"], 0)?;
        if !has("43") {
            return Err(format!("the resume wrote the report again: {end}"));
        }
        let task = self.zeph(&["show", "g", "report"], 0)?.to_string();
        if !task.contains("\"reused\":true") {
            return Err(format!("no call is from before the interruption: {task}"));
        }
        let task = self.zeph(&["show", "g", "look"], 0)?.to_string();
        for text in ["ALPHA", "BETA", "42", "43"] {
            if !task.contains(text) {
                return Err(format!("no tool call returned {text}: {task}"));
            }
        }
        let answer = self.zeph(&["show", "g", "answer"], 0)?;
        let text = answer["output"]["value"].to_string();
        if !text.contains("[look]") || !text.contains("[report]") {
            return Err(format!("the answer does not cite both tasks: {answer}"));
        }
        Ok(())
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(args).arg("--json").current_dir(&self.folder);
        command
            .env("HOME", &self.folder)
            .env("OPENAI_API_KEY", "sk-0123456789abcdef");
        command
    }

    /// Runs a command, and returns the last JSON that it prints.
    fn zeph(&self, args: &[&str], code: i32) -> Result<Value, String> {
        let out = self.folder.join("out.json");
        let mut process = Process::start_split(&mut self.command(args), &out, &self.log)?;
        let status = process.wait(COMMAND)?;
        let text = fs::read_to_string(&out).unwrap_or_default();
        if status.code() != Some(code) {
            let what = format!("{args:?} ended with {status} and not {code}: {text}");
            return Err(process.failure(&what));
        }
        let last = text.lines().last().unwrap_or_default();
        serde_json::from_str(last).map_err(|error| format!("{args:?}: {error}: {text}"))
    }
}

/// The reference server over streamable HTTP, and its port.
fn over_http(packages: &Path, log: &Path) -> Result<(Process, u16), String> {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
    let port = free.map_err(|error| error.to_string())?.port();
    let mut node = Command::new("node");
    node.arg(packages.join("node_modules/.bin/mcp-server-everything"));
    node.arg("streamableHttp").env("PORT", port.to_string());
    let mut server = Process::start(&mut node, log)?;
    server.address("listening on port ", COMMAND)?;
    Ok((server, port))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    fs::write(path, text).map_err(failed)
}
