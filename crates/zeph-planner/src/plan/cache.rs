//! The plan cache: the answer to a goal that was planned before, for the same host, is used again.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::StreamExt as _;
use serde::{Deserialize, Serialize};
use serde_json::json;
use zeph_llm::StopReason;

use super::finding::warning;
use super::planner::events_of;
use super::{PlanEvent, PlanRequest, PlanStream, Planner, read_answer};

/// A planner that stores the answers of another planner in a folder, and looks there first.
///
/// The key is made of the goal with normalised white space (case matters), the feedback, agents,
/// commands, limits, rights, and the planner's [fingerprint](Planner::fingerprint), which includes its
/// prompts. A hit makes no call.
///
/// The cache stores the model's answer, which is read and checked again at each hit. So a changed file
/// cannot widen what a plan may do, and a plan beyond the current limits is no hit.
///
/// Each answer has a file of its own, which is replaced atomically, with mode 0600 in a folder with mode
/// 0700. A file that does not match its hash, or cannot be read or written, is an event
/// [`Warned`](PlanEvent::Warned); planning continues without it. The cache removes no files. Reading and
/// writing block the thread for the time that a small file takes.
///
/// The fallback plan of one task is not stored. A rejected plan stays in the cache for the same goal
/// without feedback; word the goal differently to get another one.
#[derive(Clone)]
pub struct CachedPlanner {
    planner: Arc<dyn Planner>,
    folder: PathBuf,
}

impl CachedPlanner {
    /// A cache in front of a planner. The folder is created with the first plan.
    #[must_use]
    pub fn new(planner: Arc<dyn Planner>, folder: impl Into<PathBuf>) -> Self {
        let folder = folder.into();
        Self { planner, folder }
    }
}

impl std::fmt::Debug for CachedPlanner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CachedPlanner")
            .field("planner", &self.planner.fingerprint())
            .field("folder", &self.folder)
            .finish()
    }
}

impl Planner for CachedPlanner {
    fn plan(&self, request: PlanRequest) -> PlanStream {
        let Self { planner, folder } = self.clone();
        events_of(move |events| async move {
            let send = |event| drop(events.unbounded_send(event));
            let warn = |what: &str| {
                let what = zeph_common::escape_terminal(what).into_owned();
                send(PlanEvent::Warned { what });
            };
            let key = key(&request, &planner.fingerprint());
            let path = folder.join(format!("{key}.json"));
            match read(&path, &key) {
                Ok(None) => {}
                Err(error) => warn(&error),
                Ok(Some(answer)) => {
                    match read_answer(&answer, &StopReason::End, &request).outcome {
                        Ok(plan) => {
                            send(PlanEvent::Cached);
                            return send(PlanEvent::Done(Box::new(plan)));
                        }
                        Err(problems) => {
                            let first = problems.iter().next().map(ToString::to_string);
                            let first = first.unwrap_or_default();
                            warn(&format!("the cached plan is not acceptable now: {first}"));
                        }
                    }
                }
            }
            let mut stream = planner.plan(request);
            while let Some(event) = stream.next().await {
                let fallback = warning::FALLBACK_PLAN.text();
                if let PlanEvent::Done(plan) = &event
                    && plan.findings.iter().all(|one| one.code != fallback)
                    && let Err(error) = write(&path, &key, &plan.answer)
                {
                    warn(&format!(
                        "{}: {error}; plans are not cached",
                        path.display()
                    ));
                }
                send(event);
            }
        })
    }

    fn fingerprint(&self) -> String {
        self.planner.fingerprint()
    }
}

/// Everything that a plan depends on, as 64 hexadecimal digits.
fn key(request: &PlanRequest, fingerprint: &str) -> String {
    /// Increased when files, checks or repairs change their meaning.
    const VERSION: u32 = 4;
    let normalized = |text: &String| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let feedback: Vec<String> = request.feedback.iter().map(normalized).collect();
    let parts = json!([
        VERSION,
        normalized(&request.goal),
        feedback,
        request.rejected,
        request.earlier,
        request.catalog.catalog_text(),
        request.commands.to_json(),
        request.limits,
        request.rights,
        fingerprint,
    ]);
    blake3::hash(parts.to_string().as_bytes())
        .to_hex()
        .to_string()
}

/// A file of the cache.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// The BLAKE3 hash of key and answer, in hexadecimal.
    hash: String,
    answer: String,
}

fn hash(key: &str, answer: &str) -> String {
    blake3::hash(format!("{key}\n{answer}").as_bytes())
        .to_hex()
        .to_string()
}

/// The answer in a file; `None` if there is none.
fn read(path: &Path, key: &str) -> Result<Option<String>, String> {
    let shown = path.display();
    let damaged =
        |why: &str| format!("the cached plan {shown} is damaged: {why}; the goal is planned again");
    match fs::read(path) {
        Ok(bytes) => match serde_json::from_slice::<Entry>(&bytes) {
            Ok(entry) if entry.hash == hash(key, &entry.answer) => Ok(Some(entry.answer)),
            Ok(_) => Err(damaged("its answer does not match its hash")),
            Err(error) => Err(damaged(&error.to_string())),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("{shown}: {error}; plans are not cached")),
    }
}

/// Writes a temporary file and renames it to its final name.
fn write(path: &Path, key: &str, answer: &str) -> io::Result<()> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let entry = Entry {
        hash: hash(key, answer),
        answer: answer.to_owned(),
    };
    let folder = path.parent().unwrap_or(path);
    make_folder(folder)?;
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let temporary = path.with_extension(format!("{}-{number}.tmp", std::process::id()));
    let written = create(&temporary).and_then(|mut file| {
        file.write_all(&serde_json::to_vec(&entry)?)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    });
    if written.is_err() {
        fs::remove_file(&temporary).ok();
        return written;
    }
    // Some file systems cannot flush a folder. A power cut may then bring back the old file, which
    // counts as a miss.
    File::open(folder).and_then(|folder| folder.sync_all()).ok();
    Ok(())
}

fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}
