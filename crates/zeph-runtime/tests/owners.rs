//! Ownership: one owner for each run, found by its lock, reached by its socket, or by the inbox.

use std::sync::Arc;

use zeph_executor::Registry;
use zeph_graph::{Question, RunEnd, RunId, RunState, Task, TaskGraph, Timestamp};
use zeph_memory::{MemoryStore, RawGraphStore};
use zeph_runtime::{Delivery, Engine, Owners, Request, RunHandle, RuntimeError, Submission, ask};

struct House {
    store: Arc<dyn RawGraphStore>,
    owners: Owners,
    /// Where the locks and sockets are.
    folder: tempfile::TempDir,
}

impl House {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let owners = Owners::beside(&folder.path().join("runs.db"));
        Self {
            store: Arc::new(MemoryStore::new()),
            owners,
            folder,
        }
    }

    async fn engine(&self) -> Engine {
        let builder = Engine::builder(Arc::clone(&self.store)).registry(Registry::new());
        builder
            .owners(self.owners.clone())
            .start()
            .await
            .expect("starts")
    }

    async fn ask(&self, run: &RunId, request: Request) -> Result<Delivery, RuntimeError> {
        ask(
            &*self.store,
            Some(&self.owners),
            run,
            &request,
            Timestamp::from_micros(1),
        )
        .await
    }
}

fn two_questions() -> TaskGraph {
    let mut graph = TaskGraph::new();
    graph.add_task(Task::new("a").question(Question::text("A?")), []);
    graph.add_task(Task::new("b").question(Question::confirm("B?")), []);
    graph
}

fn answer(question: u32, text: &str) -> Request {
    Request::Answer {
        question,
        text: text.into(),
    }
}

async fn waiting(run: &RunHandle) {
    run.until(|snapshot| snapshot.state == RunState::Waiting)
        .await;
}

#[tokio::test]
async fn a_second_process_is_told_who_holds_the_run_and_reaches_it_by_the_socket() {
    let house = House::new();
    let first = house.engine().await;
    let run = first
        .submit(Submission::new(two_questions()))
        .await
        .expect("is saved");
    waiting(&run).await;

    let second = house.engine().await;
    let error = second.resume(run.id()).await.expect_err("is held");
    let told = error.to_string();
    assert!(
        matches!(error, RuntimeError::OwnedElsewhere { .. }),
        "{told}"
    );
    assert!(
        told.contains(&format!("pid {}", std::process::id())),
        "{told}"
    );
    let again = first.resume(run.id()).await.expect_err("runs here");
    assert!(matches!(again, RuntimeError::AlreadyHere { .. }), "{again}");

    let taken = house
        .ask(run.id(), answer(2, "yes"))
        .await
        .expect("reaches the owner");
    assert_eq!(taken, Delivery::Accepted);
    let refused = house
        .ask(run.id(), answer(2, "no"))
        .await
        .expect_err("answered once");
    assert!(
        refused.to_string().contains("no open question 2"),
        "{refused}"
    );
    house
        .ask(run.id(), answer(1, "text"))
        .await
        .expect("reaches the owner");
    assert_eq!(
        run.wait().await.expect("ends").end(),
        Some(RunEnd::Completed)
    );
    let over = house
        .ask(run.id(), Request::Pause)
        .await
        .expect_err("has ended");
    assert!(matches!(over, RuntimeError::AlreadyEnded { .. }), "{over}");
}

#[tokio::test]
async fn without_an_owner_a_request_waits_in_the_inbox_and_the_next_owner_reads_it_first() {
    let house = House::new();
    let first = house.engine().await;
    let run = first
        .submit(Submission::new(two_questions()))
        .await
        .expect("is saved");
    waiting(&run).await;
    run.suspend().await.expect("is saved");
    run.wait().await.expect("rests");

    let wrong = house
        .ask(run.id(), answer(2, "perhaps"))
        .await
        .expect_err("is checked");
    assert!(matches!(wrong, RuntimeError::BadAnswer { .. }), "{wrong}");
    let unknown = Request::Cancel {
        task: Some("c".into()),
        downstream: false,
    };
    assert!(
        house.ask(run.id(), unknown).await.is_err(),
        "there is no such task"
    );
    for request in [answer(1, "text"), answer(2, "no")] {
        let posted = house.ask(run.id(), request).await.expect("is kept");
        assert!(matches!(posted, Delivery::Posted(_)), "{posted:?}");
    }
    let again = house.ask(run.id(), answer(2, "yes")).await;
    let again = again.expect_err("is not lost without a word").to_string();
    assert!(again.contains("waits already"), "{again}");
    let same = house.ask(run.id(), answer(2, "no")).await;
    assert!(matches!(same, Ok(Delivery::Posted(_))), "{same:?}");
    let second = house.engine().await;
    let run = second.resume(run.id()).await.expect("goes on");
    assert_eq!(
        run.wait().await.expect("ends").end(),
        Some(RunEnd::Completed)
    );
    assert!(
        house.store.inbox().await.expect("is readable").is_empty(),
        "settled with the commit"
    );
}

#[tokio::test]
async fn two_engines_work_on_two_runs_of_one_store() {
    let house = House::new();
    let (first, second) = (house.engine().await, house.engine().await);
    let one = first
        .submit(Submission::new(two_questions()))
        .await
        .expect("is saved");
    let two = second
        .submit(Submission::new(two_questions()))
        .await
        .expect("is saved");
    for run in [one.id(), two.id()] {
        house
            .ask(run, answer(1, "text"))
            .await
            .expect("reaches its owner");
        house
            .ask(run, answer(2, "yes"))
            .await
            .expect("reaches its owner");
    }
    for run in [one, two] {
        assert_eq!(
            run.wait().await.expect("ends").end(),
            Some(RunEnd::Completed)
        );
    }
}

#[tokio::test]
async fn a_changed_graph_is_refused_with_the_difference() {
    let house = House::new();
    let engine = house.engine().await;
    let run = engine
        .submit(Submission::new(two_questions()))
        .await
        .expect("is saved");
    run.suspend().await.expect("is saved");
    run.wait().await.expect("rests");
    let mut other = two_questions();
    other.add_task("c", []);
    let error = engine
        .resume_same(run.id(), &other)
        .await
        .expect_err("is another graph");
    assert!(error.to_string().contains('c'), "{error}");
    assert!(
        engine.resume_same(run.id(), &two_questions()).await.is_ok(),
        "is the same graph"
    );
}

#[tokio::test]
async fn a_name_that_is_taken_is_refused_and_disturbs_nobody() {
    let house = House::new();
    let engine = house.engine().await;
    let name: RunId = "mine".parse().expect("is a name");
    let named = || Submission::new(two_questions()).name(name.clone());
    let run = engine.submit(named()).await.expect("is saved");
    let error = engine.submit(named()).await.expect_err("is taken");
    assert!(matches!(error, RuntimeError::AlreadyHere { .. }), "{error}");
    let other = house.engine().await;
    let error = other
        .submit(named())
        .await
        .expect_err("is taken in the store");
    assert!(error.to_string().contains("already"), "{error}");
    waiting(&run).await;
    run.answer(1, "x").await.expect("goes on undisturbed");
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_outlives_its_owner_for_a_moment_is_waited_for() {
    let house = House::new();
    let first = house.engine().await;
    let run = first
        .submit(Submission::new(two_questions()))
        .await
        .expect("is saved");
    waiting(&run).await;
    let epoch = house.store.get(run.id()).await.expect("is there").epoch;
    let file = |kind: &str| {
        let folder = house.folder.path().join("runs.db.owners");
        folder.join(format!("{epoch}.{kind}"))
    };
    // Nobody replies, as when a killed process left its lock to a child that is about to let it go.
    std::fs::remove_file(file("sock")).expect("was there");

    let second = house.engine().await;
    let held = second.resume(run.id()).await.expect_err("is held for good");
    assert!(
        matches!(held, RuntimeError::OwnedElsewhere { .. }),
        "{held}"
    );
    let (resumed, ()) = tokio::join!(second.resume(run.id()), async {
        std::fs::remove_file(file("lock")).expect("was there");
    });
    resumed.expect("nobody holds it any more");
}
