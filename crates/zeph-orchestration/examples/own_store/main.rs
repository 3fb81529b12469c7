//! A custom store: runs as lines of JSON in a file, tested by the conformance suite and used by an engine.
//!
//! `cargo run -p zeph-orchestration --example own_store`
//!
//! Each accepted operation becomes one line, which is synced before the call returns; the state is folded
//! from all lines. Any number of stores, in any number of processes, may share a file: each call locks it
//! and first reads the lines of the others. The file only grows, its state is held in memory, and a call
//! blocks its thread during file I/O: enough for an example, not for thousands of runs.

#![allow(clippy::print_stdout)] // An example shows what it did.

mod store;

mod log;

mod line;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use store::FileStore;
use zeph_orchestration::executor::{async_trait, closure};
use zeph_orchestration::store::conformance::{Harness, Outcome, Report, run_all};
use zeph_orchestration::store::{RawGraphStore, StoreError};
use zeph_orchestration::{
    Engine, Question, Registry, RunState, Submission, Task, TaskGraph, TaskInput, TaskOutput,
};

/// The harness of the conformance suite: a store for each place, here a file in a folder.
struct Folder(PathBuf);

#[async_trait]
impl Harness for Folder {
    async fn open(&self, place: &str) -> Result<Arc<dyn RawGraphStore>, StoreError> {
        Ok(Arc::new(FileStore::open(&self.0.join(place)).await?))
    }
}

fn graph() -> TaskGraph {
    let mut graph = TaskGraph::new();
    let draft = graph.add_task(Task::new("draft").action("draft"), []);
    let name = Question::text("Who is it for?");
    let name = graph.add_task(Task::new("name").question(name), []);
    graph.add_task(Task::new("letter").action("letter"), [draft, name]);
    graph
}

/// An engine on the file, as in a new process.
async fn start(path: &Path) -> Result<Engine, Box<dyn Error>> {
    let mut registry = Registry::new();
    let draft = closure::from_fn(|_, _| async {
        println!("  drafting");
        Ok(TaskOutput::from("welcome!"))
    });
    let letter = closure::from_fn(|_, input: TaskInput| async move {
        println!("  writing the letter");
        let (name, draft): (String, String) = (input.parent_as("name")?, input.parent_as("draft")?);
        Ok(TaskOutput::from(format!("Dear {name}, {draft}")))
    });
    registry.register("draft", draft)?;
    registry.register("letter", letter)?;
    let store = Arc::new(FileStore::open(path).await?);
    Ok(Engine::builder(store).registry(registry).start().await?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let report = run_all(&Folder(folder.path().into())).await;
    println!("{}", summary(&report));
    if !report.passed() {
        return Err(report.to_string().into());
    }

    let path = folder.path().join("runs");
    let run = start(&path).await?.submit(Submission::new(graph())).await?;
    let asked = run
        .until(|snapshot| snapshot.state == RunState::Waiting)
        .await;
    run.suspend().await?;
    let done = run.wait().await?.counts.completed;
    println!("at rest, {done} task completed, one asks; the file is opened again");

    let run = start(&path).await?.resume(run.id()).await?;
    for question in asked.questions.iter() {
        run.answer(question.id, "reader").await?;
    }
    let report = run.wait().await?;
    let letter = run.output(&report, "letter").await?;
    println!("{}", letter.ok_or("there is no letter")?.value);
    Ok(())
}

fn summary(report: &Report) -> String {
    let count = |wanted: &Outcome| report.cases.iter().filter(|case| case.1 == *wanted).count();
    let (passed, skipped) = (count(&Outcome::Passed), count(&Outcome::Skipped));
    let all = report.cases.len();
    format!("the contract: {passed} of {all} cases passed, {skipped} skipped")
}

#[cfg(test)]
mod tests {
    use zeph_orchestration::store::verify;

    use super::*;

    #[tokio::test]
    async fn conforms() {
        let folder = tempfile::tempdir().unwrap();
        let report = run_all(&Folder(folder.path().into())).await;
        assert!(report.passed(), "{report}");
        let skipped = |case: &&(_, Outcome)| case.1 == Outcome::Skipped;
        let skipped: Vec<_> = report
            .cases
            .iter()
            .filter(skipped)
            .map(|case| case.0)
            .collect();
        // These cases damage files under an open store, which has read them before.
        assert_eq!(
            skipped,
            ["damage_is_named", "damage_after_a_chain_is_found"]
        );
    }

    /// A file with two suspended runs.
    async fn two_runs(path: &Path) {
        let engine = start(path).await.unwrap();
        for name in ["one", "two"] {
            let submission = Submission::new(graph()).name(name.parse().unwrap());
            let run = engine.submit(submission).await.unwrap();
            run.until(|snapshot| snapshot.state == RunState::Waiting)
                .await;
            run.suspend().await.unwrap();
            run.wait().await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_torn_last_line_is_ignored_and_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("runs");
        two_runs(&path).await;
        let whole = std::fs::read(&path).unwrap();
        let line = whole.iter().position(|byte| *byte == b'\n').unwrap();
        // A crash may leave any prefix of a line, also a whole line without its line end.
        for torn in [1, line / 2, line] {
            std::fs::write(&path, [&whole, &whole[..torn]].concat()).unwrap();
            let store = FileStore::open(&path).await.unwrap();
            verify(&store, &"one".parse().unwrap()).await.unwrap();
            let fence = store
                .claim("after the crash", Default::default())
                .await
                .unwrap();
            let again = FileStore::open(&path).await.unwrap();
            assert!(again.claim("again", Default::default()).await.unwrap() > fence);
        }
    }

    #[tokio::test]
    async fn a_changed_byte_is_reported_of_its_run_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("runs");
        two_runs(&path).await;
        let text = std::fs::read_to_string(&path).unwrap();
        let changed = text.replacen("welcome!", "welcome?", 1);
        assert_ne!(text, changed);
        std::fs::write(&path, changed).unwrap();
        let store = FileStore::open(&path).await.unwrap();
        let error = store.load(&"one".parse().unwrap()).await.unwrap_err();
        assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
        verify(&store, &"two".parse().unwrap()).await.unwrap();
        assert_eq!(store.list(Default::default()).await.unwrap().len(), 2);
    }

    #[tokio::test]
    async fn another_file_is_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        for (place, text) in [("lines", "dear diary,\ntoday"), ("none", "dear diary")] {
            let path = folder.path().join(place);
            std::fs::write(&path, text).unwrap();
            let refused = FileStore::open(&path).await.err().unwrap();
            assert!(
                matches!(refused, StoreError::NotADatabase { .. }),
                "{refused}"
            );
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
    }
}
