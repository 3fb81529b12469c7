//! Loss of power: the disks that it can leave of recorded sessions, each of them read and compared with what
//! was acknowledged before.

use std::fs;
use std::path::{Path, PathBuf};

use zeph_memory::{RawGraphStore as _, StoreError};
use zeph_memory_sqlite::SqliteStore;
use zeph_runtime::RunView;

use crate::crash::victim::Zeph;
use crate::rng::Rng;
pub use crate::trace::disk::Honesty;
use crate::trace::disk::{self, Change, Loss, State};
use crate::trace::session::{Acknowledged, CommandKind, End, Fact, Session};

const MIXED: &str = r#"
[tasks.small]
shell = "echo a small result"
[tasks.flaky]
retry = { max = 2, base = "1ms" }
shell = "[ $ZEPH_ATTEMPT -gt 1 ]"
[tasks.sum]
needs = ["small", "flaky"]
run = ["echo", "${{ tasks.small.stdout }}"]
"#;

const ASKS: &str = r#"
[tasks.first]
run = ["true"]
[tasks.amount]
ask = { text = "How much?", answer = "number" }
[tasks.pay]
needs = ["amount"]
run = ["echo", "${{ tasks.amount.value }}"]
"#;

/// So many tasks that a process which is killed after some lines has not ended the run, however late the lines
/// are seen.
const LONG_TASKS: usize = 9;

/// Each of its tasks. Their output fills the log until it is written back.
const LARGE: &str = r#"shell = "head -c 900000 /dev/zero | tr '\\0' x""#;

/// The tasks of the large plan.
const LARGE_TASKS: usize = 8;

/// Recorded sessions.
#[derive(Debug)]
pub struct Recording {
    name: &'static str,
    changes: Vec<Change>,
    acknowledged: Vec<Acknowledged>,
    commands: Vec<(usize, String)>,
    /// The numbers of changes after which the power is lost.
    points: Vec<usize>,
    folder: PathBuf,
}

impl Recording {
    /// Creation, runs, answers, kills and deletions, with small contents.
    ///
    /// # Errors
    /// If a command does not end as it should.
    pub fn of_many_commands(binary: &Path, folder: &Path) -> Result<Self, String> {
        let mut session = stage(binary, folder)?;
        let mixed = ["run", "mixed.toml", "--name", "mixed"];
        session.step("mixed", CommandKind::Run, &mixed, End::Code(0))?;
        session.step(
            "asks",
            CommandKind::Run,
            &["run", "asks.toml", "--name", "asks"],
            End::Code(5),
        )?;
        let long = ["run", "long.toml", "--name", "long"];
        session.step("long", CommandKind::Run, &long, End::KilledAfter(2))?;
        session.step(
            "asks",
            CommandKind::Ask,
            &["answer", "asks", "1", "100"],
            End::Code(0),
        )?;
        session.step(
            "long",
            CommandKind::Resume,
            &["resume", "long"],
            End::KilledAfter(2),
        )?;
        session.step(
            "asks",
            CommandKind::Resume,
            &["resume", "asks"],
            End::Code(0),
        )?;
        session.step(
            "mixed",
            CommandKind::Delete,
            &["delete", "mixed"],
            End::Code(0),
        )?;
        session.step("mixed", CommandKind::Run, &mixed, End::KilledAfter(2))?;
        session.step(
            "mixed",
            CommandKind::Delete,
            &["delete", "--force", "mixed"],
            End::Code(0),
        )?;
        session.step(
            "long",
            CommandKind::Resume,
            &["resume", "long"],
            End::Code(0),
        )?;
        session.step("mixed", CommandKind::Run, &mixed, End::KilledAfter(3))?;
        session.step(
            "mixed",
            CommandKind::Resume,
            &["resume", "mixed"],
            End::Code(0),
        )?;
        Self::of("many commands", session)
    }

    /// Runs with contents of megabytes, so that the log is written back and begins anew.
    ///
    /// # Errors
    /// If a command does not end as it should.
    pub fn of_large_contents(binary: &Path, folder: &Path) -> Result<Self, String> {
        let mut session = stage(binary, folder)?;
        let large = ["run", "large.toml", "--name", "large"];
        session.step(
            "large",
            CommandKind::Run,
            &large,
            End::KilledAfter(LARGE_TASKS - 2),
        )?;
        session.step(
            "large",
            CommandKind::Resume,
            &["resume", "large"],
            End::Code(0),
        )?;
        session.step(
            "large",
            CommandKind::Delete,
            &["delete", "large"],
            End::Code(0),
        )?;
        Self::of("large contents", session)
    }

    fn of(name: &'static str, session: Session) -> Result<Self, String> {
        session.compare()?;
        let changes = session.changes().to_vec();
        let mut points: Vec<usize> = Vec::new();
        for (at, change) in changes.iter().enumerate() {
            if matches!(change, Change::Synced(..) | Change::SyncedNames(..)) {
                points.extend([at, at + 1]);
            }
        }
        points.extend(session.acknowledged.iter().map(|known| known.from));
        points.push(changes.len());
        points.sort_unstable();
        points.dedup();
        Ok(Self {
            name,
            changes,
            acknowledged: session.acknowledged,
            commands: session.commands,
            points,
            folder: session.folder,
        })
    }

    /// The size of the recording in words.
    #[must_use]
    pub fn describe(&self) -> String {
        format!(
            "{}: {} commands, {} changes, {} points, {} acknowledgements",
            self.name,
            self.commands.len(),
            self.changes.len(),
            self.points.len(),
            self.acknowledged.len()
        )
    }

    /// The number of states that differ by point and kind of loss.
    #[must_use]
    pub fn len(&self) -> u64 {
        (self.points.len() * Loss::ALL.len()) as u64
    }

    /// Whether nothing was recorded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Builds the state of that number in a folder, reads it, opens it for writing and reads it again. Numbers
    /// from [`len`](Self::len) on repeat the points, and another seed gives other random losses. Returns how
    /// many acknowledgements were looked up.
    ///
    /// # Errors
    /// What was acknowledged and is not there, or why the database cannot be read.
    pub fn play(
        &self,
        number: u64,
        seed: u64,
        honesty: Honesty,
        folder: &Path,
    ) -> Result<usize, String> {
        let loss = Loss::ALL[usize::try_from(number % 5).unwrap_or_default()];
        let at = usize::try_from(number / 5).unwrap_or_default() % self.points.len();
        let point = self.points[at];
        let rng = &mut Rng::new(number.wrapping_add(seed.wrapping_mul(1 << 32)));
        let state = disk::after_loss(&self.changes, point, loss, honesty, rng);
        let database = self
            .build(&state, folder)
            .map_err(|error| format!("the state is not built: {error}"))?;
        let known = self.acknowledged.iter();
        let known = known.filter(|known| known.from <= point && point <= known.until);
        let known: Vec<&Acknowledged> = known.collect();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| format!("there is no runtime: {error}"))?;
        let checked = runtime.block_on(async {
            check(&database, &known).await?;
            check_opened(&database, &known).await
        });
        checked.map_err(|error| {
            let mut commands = self.commands.iter().rev();
            let command = commands.find(|(before, _)| *before < point);
            let command = command.map_or("none", |(_, words)| words.as_str());
            format!(
                "{}, state {number}: {loss:?} lost after {point} changes, in `{command}`: {error}",
                self.name
            )
        })?;
        Ok(known.len())
    }

    /// Writes the files of a state; returns the path of its database.
    fn build(&self, state: &State, folder: &Path) -> std::io::Result<PathBuf> {
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        fs::create_dir_all(folder)?;
        let root = self.folder.parent().unwrap_or(&self.folder);
        for (path, bytes) in state {
            let path = folder.join(path.strip_prefix(root).unwrap_or(path));
            match bytes {
                None => fs::create_dir(path)?,
                Some(bytes) => fs::write(path, bytes)?,
            }
        }
        let inside = self.folder.strip_prefix(root).unwrap_or(&self.folder);
        Ok(folder.join(inside).join("runs.db"))
    }
}

/// Stages the plans and an empty session whose database is in a folder that is not there yet.
fn stage(binary: &Path, folder: &Path) -> Result<Session, String> {
    let failed = |error: std::io::Error| format!("there is no folder: {error}");
    fs::create_dir_all(folder).map_err(failed)?;
    let folder = folder.canonicalize().map_err(failed)?;
    let large = (0..LARGE_TASKS).map(|at| format!("[tasks.t{at:02}]\n{LARGE}\n"));
    let large = format!("max_parallel = 1\n{}", large.collect::<String>());
    let long = (0..LONG_TASKS).map(|at| {
        let needs = at
            .checked_sub(1)
            .map(|last| format!("needs = [\"t{last}\"]\n"));
        let needs = needs.unwrap_or_default();
        format!("[tasks.t{at}]\n{needs}shell = \"echo {at}\"\n")
    });
    let long = format!("max_parallel = 1\n{}", long.collect::<String>());
    for (name, plan) in [
        ("mixed", MIXED),
        ("asks", ASKS),
        ("long", &long),
        ("large", &large),
    ] {
        let path = folder.join(format!("{name}.toml"));
        fs::write(path, plan).map_err(failed)?;
    }
    let database = folder.join("new");
    let binary = binary.to_owned();
    Ok(Session::new(Zeph { binary, folder }, database))
}

/// Reads a database as after a start of the machine, and looks up everything that was acknowledged.
async fn check(database: &Path, known: &[&Acknowledged]) -> Result<(), String> {
    let has_log = database.with_file_name("runs.db-wal").exists();
    if !database.exists() && !has_log {
        let missing = known.iter().find(|known| known.fact != Fact::Deleted);
        return match missing {
            Some(missing) => Err(format!("there is no database, but {missing:?}")),
            None => Ok(()),
        };
    }
    let store = SqliteStore::open_read_only(database).await;
    let store = store.map_err(|error| error.to_string())?;
    check_store(&store, known).await?;
    store.close().await.map_err(|error| error.to_string())
}

/// Opens the database as the next command does, which creates, recovers and repairs; loads and verifies all
/// runs, and looks again.
async fn check_opened(database: &Path, known: &[&Acknowledged]) -> Result<(), String> {
    let opened = |error: StoreError| format!("opened for writing: {error}");
    let store = SqliteStore::open(database).await.map_err(opened)?;
    let checked = check_store(&store, known).await;
    checked.map_err(|error| format!("opened for writing: {error}"))?;
    store.close().await.map_err(opened)?;
    let log = database.with_file_name("runs.db-wal");
    if log.exists() {
        return Err("opened for writing: the log is left after the end".to_owned());
    }
    Ok(())
}

async fn check_store(store: &SqliteStore, known: &[&Acknowledged]) -> Result<(), String> {
    let found = store.check().await.map_err(|error| error.to_string())?;
    if let Some(finding) = found.findings.first() {
        return Err(finding.clone());
    }
    for run in &found.runs {
        let verified = zeph_memory::verify(store, run).await;
        verified.map_err(|error| error.to_string())?;
        let view = RunView::load(store, run).await;
        view.map_err(|error| format!("run {run} cannot be loaded: {error}"))?;
    }
    for known in known {
        let is_there = holds(store, known).await;
        if !is_there.map_err(|error| format!("{known:?}: {error}"))? {
            return Err(format!("it is not there: {known:?}"));
        }
    }
    Ok(())
}

async fn holds(store: &SqliteStore, known: &Acknowledged) -> Result<bool, String> {
    let run = known.run.parse().map_err(|error| format!("{error:?}"))?;
    let text = |error: zeph_runtime::RuntimeError| error.to_string();
    Ok(match &known.fact {
        Fact::Deleted => matches!(store.get(&run).await, Err(StoreError::NotFound { .. })),
        Fact::Kept => {
            let inbox = store.inbox(&run).await.map_err(|error| error.to_string())?;
            !inbox.is_empty()
        }
        Fact::Ended(state) => {
            let row = store.get(&run).await.map_err(|error| error.to_string())?;
            row.status.state == *state
        }
        Fact::Task(task, state) => {
            let view = RunView::load(store, &run).await.map_err(text)?;
            let report = view.report();
            let task = report.task(task).ok_or("no such task")?;
            task.state.word() == *state
        }
    })
}
