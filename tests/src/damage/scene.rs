//! The databases that are damaged: one at rest, and one whose process was killed and left its log.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::crash::victim::{KillPlan, Zeph};
use crate::damage::read::read;

/// The name of the database in its folder.
pub(super) const DATABASE: &str = "runs.db";

const MIXED: &str = r#"
[tasks.small]
shell = "echo a small result"
[tasks.large]
shell = "seq 1 9000"
[tasks.flaky]
retry = { max = 2, base = "1ms" }
shell = "echo try $ZEPH_ATTEMPT; [ $ZEPH_ATTEMPT -gt 1 ]"
[tasks.sum]
needs = ["small", "flaky"]
run = ["echo", "${{ tasks.small.stdout }}"]
"#;

const FAILS: &str =
    "[tasks.a]\nshell = 'echo no luck >&2; exit 3'\n[tasks.b]\nneeds = ['a']\nrun = ['true']";

const ASKS: &str = r#"
[tasks.amount]
ask = { text = "How much?", answer = "number" }
[tasks.who]
ask = { text = "Who?", choices = ["Ann", "Bob"] }
[tasks.pay]
needs = ["amount", "who"]
run = ["echo", "${{ tasks.amount.value }}"]
"#;

const LONG: &str = r#"
max_parallel = 1
[tasks.one]
shell = "echo one"
[tasks.two]
needs = ["one"]
shell = "echo two"
[tasks.three]
needs = ["two"]
shell = "echo three; sleep 5"
"#;

/// A folder with a database, and everything that is read from it while it is whole.
#[derive(Debug)]
pub struct Scene {
    /// Its name in messages.
    pub name: &'static str,
    folder: PathBuf,
    /// Everything that is read from the database.
    pub reference: String,
}

impl Scene {
    /// A database at rest: runs that completed, failed and ask, and requests that no owner has handled.
    ///
    /// # Errors
    /// If the runs do not end as they should.
    pub fn at_rest(binary: &Path, folder: PathBuf) -> Result<Self, String> {
        let zeph = stage(
            binary,
            &folder,
            &[("mixed", MIXED), ("fails", FAILS), ("asks", ASKS)],
        )?;
        expect(&zeph, &["run", "mixed.toml", "--name", "mixed"], 0)?;
        expect(&zeph, &["run", "mixed.toml", "--name", "twin"], 0)?;
        expect(&zeph, &["run", "fails.toml", "--name", "fails"], 3)?;
        expect(&zeph, &["run", "asks.toml", "--name", "asks"], 5)?;
        expect(&zeph, &["run", "asks.toml", "--name", "kin"], 5)?;
        for run in ["asks", "kin"] {
            expect(&zeph, &["answer", run, "1", "100"], 0)?;
        }
        Self::of("at rest", folder)
    }

    /// A database whose process was killed: the newest records are in its log.
    ///
    /// # Errors
    /// If the runs do not end as they should.
    pub fn with_log(binary: &Path, folder: PathBuf) -> Result<Self, String> {
        let zeph = stage(binary, &folder, &[("mixed", MIXED), ("long", LONG)])?;
        expect(&zeph, &["run", "mixed.toml", "--name", "mixed"], 0)?;
        let words = ["run", "long.toml", "--name", "long"].map(str::to_owned);
        let kill_plan = KillPlan {
            lines: 2,
            delay: Duration::ZERO,
            beside: Vec::new(),
        };
        let seen = zeph.live(&words, Some(&kill_plan))?;
        if seen.code.is_some() {
            return Err(format!("it was not killed: {seen:?}"));
        }
        if !folder.join("runs.db-wal").exists() {
            return Err("the killed process left no log".to_owned());
        }
        Self::of("with a log", folder)
    }

    fn of(name: &'static str, folder: PathBuf) -> Result<Self, String> {
        let mut scene = Self {
            name,
            folder,
            reference: String::new(),
        };
        // Reading may fold the log back, so a copy is read.
        let copy = scene.folder.with_extension("reference");
        scene.copy_to(&copy)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| format!("there is no runtime: {error}"))?;
        let reading = runtime.block_on(read(&copy.join(DATABASE)));
        if let Some(reported) = reading.reported {
            return Err(format!(
                "{name}: the whole database is reported to be damaged: {reported}"
            ));
        }
        scene.reference = reading.text;
        Ok(scene)
    }

    /// Copies the database, its log and what lies beside it.
    ///
    /// # Errors
    /// If the file system refuses it.
    pub(super) fn copy_to(&self, folder: &Path) -> Result<(), String> {
        copy_folder(&self.folder, folder)
            .map_err(|error| format!("the database is not copied: {error}"))
    }
}

/// Copies a folder with everything in it, but for sockets.
pub(crate) fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    fs::set_permissions(to, fs::metadata(from)?.permissions())?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else if kind.is_file() {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

fn stage(binary: &Path, folder: &Path, plans: &[(&str, &str)]) -> Result<Zeph, String> {
    fs::create_dir_all(folder).map_err(|error| format!("there is no folder: {error}"))?;
    for (name, plan) in plans {
        let path = folder.join(format!("{name}.toml"));
        fs::write(path, plan).map_err(|error| format!("no plan is written: {error}"))?;
    }
    Ok(Zeph {
        binary: binary.to_owned(),
        folder: folder.to_owned(),
    })
}

fn expect(zeph: &Zeph, words: &[&str], code: i32) -> Result<(), String> {
    let seen = zeph.call(words)?;
    if seen.code == Some(code) {
        Ok(())
    } else {
        Err(format!("{words:?} does not end with {code}: {seen:?}"))
    }
}
