//! A server in a temporary folder, one for all tests of this program, with a database for each test.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use sqlx::{ConnectOptions as _, PgConnection};
use zeph_memory_postgres::Address;

/// If it is set, a test without a server fails instead of being skipped.
const REQUIRE: &str = "REQUIRE_POSTGRES";
const PORT: &str = "5432";

/// A running server. The clean-up process stops it, and removes its folder, when this program ends.
pub(crate) struct Server {
    programs: PathBuf,
    folder: PathBuf,
    user: Option<User>,
    process: Mutex<Option<Child>>,
    databases: AtomicU32,
}

/// The user that runs the server: Postgres refuses to run as root.
#[derive(Clone)]
struct User {
    name: String,
    uid: u32,
    gid: u32,
}

/// The server that most tests share; `None` if Postgres is not installed.
pub(crate) fn shared() -> Option<&'static Server> {
    static SHARED: OnceLock<Option<Server>> = OnceLock::new();
    SHARED.get_or_init(Server::start_new).as_ref()
}

/// A server of one test, which stops it at will. It ends with the value.
pub(crate) struct OwnServer(Server);

impl OwnServer {
    pub(crate) fn start() -> Option<Self> {
        Server::start_new().map(Self)
    }
}

impl std::ops::Deref for OwnServer {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.0
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        self.0.kill();
        let _ = std::fs::remove_dir_all(&self.0.folder);
    }
}

impl Server {
    fn start_new() -> Option<Self> {
        let Some(programs) = programs() else {
            let why = "Postgres is not installed: apt-get install postgresql, or put initdb and postgres on the PATH";
            assert!(
                std::env::var_os(REQUIRE).is_none(),
                "{REQUIRE} is set, and {why}"
            );
            // Not captured by the test harness, unlike `eprintln!`.
            let _ = writeln!(std::io::stderr(), "skipped, because {why}");
            return None;
        };
        let folder = tempfile::tempdir().unwrap().keep();
        let user = nix::unistd::geteuid().is_root().then(server_user);
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).unwrap();
        let server = Self {
            programs,
            folder,
            user,
            process: Mutex::default(),
            databases: AtomicU32::new(0),
        };
        server.prepare();
        server.start();
        server.stop_with_this_program();
        Some(server)
    }

    fn prepare(&self) {
        for name in ["data", "socket"] {
            let folder = self.folder.join(name);
            std::fs::create_dir(&folder).unwrap();
            if let Some(user) = &self.user {
                std::os::unix::fs::chown(&folder, Some(user.uid), Some(user.gid)).unwrap();
            }
        }
        let mut initdb = self.command("initdb");
        initdb.args([
            "--username=zeph",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
            "-D",
        ]);
        let output = initdb.arg(self.folder.join("data")).output().unwrap();
        assert!(output.status.success(), "initdb: {output:?}");
    }

    /// Starts the server, and waits until it accepts connections.
    pub(crate) fn start(&self) {
        let mut postgres = self.command("postgres");
        postgres.arg("-D").arg(self.folder.join("data"));
        postgres.arg("-k").arg(self.folder.join("socket"));
        for setting in [
            "listen_addresses=",
            "fsync=on",
            "max_connections=200",
            "logging_collector=off",
        ] {
            postgres.args(["-c", setting]);
        }
        postgres
            .args(["-p", PORT])
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let log = std::fs::File::create(self.folder.join("log")).unwrap();
        let child = postgres.stderr(log).spawn().unwrap();
        *self.process.lock().unwrap_or_else(PoisonError::into_inner) = Some(child);
        let until = Instant::now() + Duration::from_secs(60);
        // The server has no other sign of being ready than that it answers.
        while !self.is_ready() {
            let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            assert!(Instant::now() < until, "the server does not start: {log}");
        }
    }

    fn is_ready(&self) -> bool {
        let mut ready = self.command("pg_isready");
        ready
            .args(["-q", "-p", PORT, "-h"])
            .arg(self.folder.join("socket"));
        ready.status().is_ok_and(|status| status.success())
    }

    /// Stops the server at once, as a crash does: no connection is ended in order, and nothing is written back.
    pub(crate) fn crash(&self) {
        let mut stop = self.command("pg_ctl");
        stop.args(["stop", "-m", "immediate", "-D"])
            .arg(self.folder.join("data"));
        let output = stop.output().unwrap();
        assert!(output.status.success(), "pg_ctl: {output:?}");
        if let Some(mut child) = self
            .process
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
        {
            child.wait().unwrap();
        }
    }

    fn kill(&self) {
        let child = self
            .process
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(mut child) = child {
            // Its children end when they notice that it is gone.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// The folder is named after this program; a shell beside it waits until this program ends, even if it is
    /// killed.
    #[expect(clippy::zombie_processes, reason = "it ends after this program")]
    fn stop_with_this_program(&self) {
        let script = r#"
            while kill -0 "$1" 2>/dev/null; do sleep 1; done
            pid=$(head -n 1 "$2/data/postmaster.pid" 2>/dev/null) && kill -QUIT "$pid" 2>/dev/null
            sleep 1
            rm -rf "$2""#;
        let mut watch = Command::new("sh");
        watch
            .args(["-c", script, "sh", &std::process::id().to_string()])
            .arg(&self.folder);
        watch
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        watch.process_group(0).spawn().unwrap();
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.current_dir(&self.folder).env("LC_ALL", "C");
        if let Some(user) = &self.user {
            command.uid(user.uid).gid(user.gid).env("USER", &user.name);
        }
        command
    }

    /// The address of a new, empty database.
    pub(crate) async fn database(&self) -> Address {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{number}");
        let mut admin = self.connect("postgres").await;
        let sql = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
        sqlx::query(sql).execute(&mut admin).await.unwrap();
        self.url(&name).parse().unwrap()
    }

    /// The folder with the socket on which the server listens.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.join("socket")
    }

    /// The URL of a database of this server.
    pub(crate) fn url(&self, database: &str) -> String {
        let socket = self.socket();
        format!(
            "postgres://zeph@localhost:{PORT}/{database}?host={}",
            socket.display()
        )
    }

    async fn connect(&self, database: &str) -> PgConnection {
        let options: sqlx::postgres::PgConnectOptions = self.url(database).parse().unwrap();
        options.disable_statement_logging().connect().await.unwrap()
    }

    /// A connection to a database that does not go through the store.
    pub(crate) async fn raw(&self, address: &Address) -> PgConnection {
        let text = address.to_string();
        let database = text.rsplit('/').next().unwrap().split(' ').next().unwrap();
        let mut connection = self.connect(database).await;
        let sql = sqlx::AssertSqlSafe(format!("SET search_path = \"{}\"", address.schema()));
        sqlx::query(sql).execute(&mut connection).await.unwrap();
        connection
    }
}

fn server_user() -> User {
    let user = nix::unistd::User::from_name("postgres").unwrap();
    let user = user.expect("the package of the server makes the user postgres");
    User {
        name: user.name,
        uid: user.uid.as_raw(),
        gid: user.gid.as_raw(),
    }
}

/// The folder with `initdb` and `postgres`.
fn programs() -> Option<PathBuf> {
    let configured = Command::new("pg_config").arg("--bindir").output().ok();
    let configured = configured.map(|output| String::from_utf8_lossy(&output.stdout).trim().into());
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).collect::<Vec<PathBuf>>();
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let installed = versions.map(|version| version.path().join("bin"));
    let has_all = |folder: &PathBuf| {
        let is_there = |name: &str| Path::new(folder).join(name).is_file();
        ["initdb", "postgres", "pg_ctl", "pg_isready"]
            .into_iter()
            .all(is_there)
    };
    let folders = configured.into_iter().chain(on_path).chain(installed);
    folders.into_iter().find(has_all)
}
