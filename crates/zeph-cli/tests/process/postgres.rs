//! Runs on a server: the tool of several hosts on one database of Postgres.

use serde_json::json;
use zeph_memory_postgres::Address;

use crate::goal::json_of;
use crate::held;
use crate::server::{self, OwnServer, Server};
use crate::support::{Ended, Process, Scene, code};

/// A scene whose database is on a server.
struct OnServer {
    scene: Scene,
    server: &'static Server,
    address: Address,
    url: String,
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(work)
}

/// A new database, and its address with a password, which the server does not ask for: it must not be shown.
fn database(server: &Server) -> (Address, String) {
    let address = block_on(server.database());
    let shown = address.to_string();
    let name = shown.rsplit('/').next().unwrap();
    let name = name.split(' ').next().unwrap();
    let url = server.url(name).replace("zeph@", "zeph:hunter2@");
    (address, url)
}

impl OnServer {
    fn new(plan: &str) -> Option<Self> {
        let server = server::shared()?;
        let (address, url) = database(server);
        Some(Self {
            scene: Scene::new(plan),
            server,
            address,
            url,
        })
    }

    fn start(&self, args: &[&str]) -> Process {
        self.scene.start(&[args, &["--db", &self.url]].concat())
    }

    /// Runs a command to its end, which shows no password.
    fn zeph(&self, args: &[&str]) -> Ended {
        let ended = self.scene.zeph(&[args, &["--db", &self.url]].concat());
        let shown = format!("{}{}", ended.out, ended.err);
        assert!(!shown.contains("hunter2"), "{args:?}: {shown}");
        ended
    }

    /// Lets the leases of all owners lapse.
    fn lapse(&self) {
        block_on(async {
            let mut connection = self.server.raw(&self.address).await;
            let sql = "UPDATE claims SET lapses_at = clock_timestamp() - interval '1 ms'";
            sqlx::query(sql).execute(&mut connection).await.unwrap();
        });
    }
}

const PLAN: &str = r#"
[tasks.one]
shell = "echo one"
[tasks.two]
needs = ["one"]
shell = "echo two; exit 3"
"#;

#[test]
fn every_command_reads_a_run_on_a_server_and_none_shows_the_password() {
    let Some(place) = OnServer::new(PLAN) else {
        return;
    };
    let none = place.zeph(&["list"]);
    assert!(none.err.contains("no tables"), "{none:?}");
    let run = place.zeph(&["run", "plan.toml", "--name", "r"]);
    assert_eq!(code(&run), 3, "{run:?}");
    for (args, expected) in [
        (&["list"][..], "failed"),
        (&["status", "r"], "failed"),
        (&["show", "r"], "two"),
        (&["show", "r", "two"], "exit"),
        (&["why", "r", "two"], "two"),
        (&["logs", "r", "two"], "two"),
        (&["graph", "r"], "one"),
        (&["verify"], "1 run, none damaged"),
        (&["verify", "r"], "r"),
        (&["export", "r"], "zeph-run"),
        (&["doctor"], "the server replies"),
        (&["config", "show"], "postgres://"),
    ] {
        let ended = place.zeph(args);
        assert!(code(&ended) <= 1, "{args:?}: {ended:?}");
        let shown = format!("{}{}", ended.out, ended.err);
        assert!(shown.contains(expected), "{args:?}: {ended:?}");
    }
    let suggested = place.zeph(&["why", "r"]);
    let shown = format!("{}{}", suggested.out, suggested.err);
    assert!(
        shown.contains("--db"),
        "the suggested commands name the database: {shown}"
    );
    let backup = place.zeph(&["backup", "copy.db"]);
    assert_eq!(code(&backup), 2, "{backup:?}");
    assert!(backup.err.contains("pg_dump"), "{backup:?}");
    let retry = place.zeph(&["retry", "r"]);
    assert_eq!(code(&retry), 3, "{retry:?}");
    let list = json_of(&place.zeph(&["list", "--json"]));
    assert_eq!(list.as_array().map(Vec::len), Some(2), "{list}");
    let pruned = place.zeph(&["prune", "--keep", "0"]);
    assert_eq!(code(&pruned), 0, "{pruned:?}");
    assert_eq!(json_of(&place.zeph(&["list", "--json"])), json!([]));
}

#[test]
fn the_database_of_the_settings_may_be_on_a_server() {
    let Some(place) = OnServer::new(PLAN) else {
        return;
    };
    place.scene.folder(".config");
    place.scene.folder(".config/zeph");
    let config = format!("db = {:?}\n", place.url);
    place.scene.file(".config/zeph/config.toml", &config);
    let run = place.scene.zeph(&["run", "plan.toml", "--name", "r"]);
    assert_eq!(code(&run), 3, "{run:?}");
    let list = json_of(&place.zeph(&["list", "--json"]));
    assert_eq!(list[0]["run"], "r", "{list}");
    let shown = place.scene.zeph(&["config", "show", "--origin"]);
    assert!(!shown.out.contains("hunter2"), "{shown:?}");
}

#[test]
fn a_host_is_refused_a_run_of_another_one_and_controls_it_through_the_inbox() {
    let Some(place) = OnServer::new(&held("idempotent")) else {
        return;
    };
    place.scene.gates(2);
    let run = place.start(&["run", "plan.toml", "--name", "r"]);
    let gate = place.scene.open_gate(1);
    let elsewhere = place.zeph(&["resume", "r"]);
    assert_eq!(code(&elsewhere), 8, "{elsewhere:?}");
    assert!(elsewhere.err.contains("with a lease of"), "{elsewhere:?}");
    for command in ["pause", "unpause", "suspend"] {
        let ended = json_of(&place.zeph(&[command, "r", "--json"]));
        assert_eq!(ended["delivery"], "accepted", "{command}: {ended}");
    }
    let ended = run.wait();
    drop(gate);
    assert_eq!(code(&ended), 5, "{ended:?}");
    let shown = format!("{}{}", ended.out, ended.err);
    assert!(!shown.contains("hunter2"), "{shown}");
    // The process has released its lease.
    let again = json_of(&place.zeph(&["suspend", "r", "--json"]));
    assert_eq!(again["delivery"], "stale", "{again}");
    let resume = place.start(&["resume", "r"]);
    place.scene.pass_gate(2);
    let ended = resume.wait();
    assert_eq!(code(&ended), 0, "{ended:?}");
    assert_eq!(place.scene.log(), ["held", "held", "last", "one", "two"]);
}

#[test]
fn the_run_of_a_killed_host_is_resumed_when_its_lease_has_lapsed() {
    let Some(place) = OnServer::new(&held("idempotent")) else {
        return;
    };
    place.scene.gates(2);
    let mut run = place.start(&["run", "plan.toml", "--name", "r"]);
    let gate = place.scene.open_gate(1);
    run.signal("KILL");
    run.wait();
    drop(gate);
    let early = place.zeph(&["resume", "r"]);
    assert_eq!(code(&early), 8, "{early:?}");
    assert!(early.err.contains("with a lease of"), "{early:?}");
    place.lapse();
    let list = json_of(&place.zeph(&["list", "--json"]));
    assert_eq!(list[0]["interrupted"], true, "{list}");
    let resume = place.start(&["resume", "r"]);
    place.scene.pass_gate(2);
    let ended = resume.wait();
    assert_eq!(code(&ended), 0, "{ended:?}");
    assert_eq!(place.scene.log(), ["held", "held", "last", "one", "two"]);
}

#[test]
fn a_run_goes_on_over_a_crash_of_the_server() {
    let Some(server) = OwnServer::start() else {
        return;
    };
    let (_, url) = database(&server);
    let scene = Scene::new(&held("idempotent"));
    scene.gates(1);
    let run = scene.start(&["run", "plan.toml", "--name", "r", "--db", &url]);
    let gate = scene.open_gate(1);
    server.crash();
    // The end of the attempt is committed while the server is away, or when it is back.
    scene.write(gate);
    server.start();
    let ended = run.wait();
    assert_eq!(code(&ended), 0, "{ended:?}");
    assert_eq!(scene.log(), ["held", "last", "one", "two"]);
    let verified = scene.zeph(&["verify", "--db", &url]);
    assert_eq!(code(&verified), 0, "{verified:?}");
}

#[test]
fn a_server_that_is_not_there_is_named_without_the_password() {
    let scene = Scene::new(PLAN);
    for url in [
        "postgres://zeph:hunter2@127.0.0.1:1/runs?sslmode=disable",
        "postgres://zeph:hunter2@127.0.0.1:port/runs",
        "postgres://zeph@127.0.0.1/runs?passwd=hunter2",
    ] {
        for args in [
            &["list"][..],
            &["run", "plan.toml"],
            &["doctor"],
            &["config", "show"],
        ] {
            let ended = scene.zeph(&[args, &["--db", url, "-vv"]].concat());
            let shown = format!("{}{}", ended.out, ended.err);
            assert!(!shown.contains("hunter2"), "{args:?}: {shown}");
        }
    }
}
