//! Ownership: one owner per run, found by its lock and reached by its socket, else the inbox.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::UnixListener;
use tokio::time::Instant;
use zeph_executor::Registry;
use zeph_graph::{Question, RunEnd, RunId, RunState, Task, TaskGraph, Timestamp};
use zeph_memory::{FaultyStore, MemoryStore, Op, RawGraphStore};
use zeph_runtime::{Delivery, Engine, Owners, Request, RunHandle, RuntimeError, Submission, ask};

/// A store that several engines share.
struct SharedStore {
    memory: MemoryStore,
    store: Arc<dyn RawGraphStore>,
    owners: Owners,
    /// The folder above the locks and sockets.
    folder: tempfile::TempDir,
}

impl SharedStore {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let owners = Owners::beside(&folder.path().join("runs.db"));
        let memory = MemoryStore::new();
        Self {
            store: Arc::new(memory.clone()),
            memory,
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

    /// An engine, and a run of it that waits for the answers to two questions.
    async fn waiting_run(&self) -> (Engine, RunHandle) {
        let engine = self.engine().await;
        let submission = Submission::new(two_questions());
        let run = engine.submit(submission).await.expect("is saved");
        run.until(|snapshot| snapshot.state == RunState::Waiting)
            .await;
        (engine, run)
    }

    /// The lock or the socket of the run's owner.
    async fn owner_file(&self, run: &RunId, kind: &str) -> std::path::PathBuf {
        let epoch = self.store.get(run).await.expect("is there").epoch;
        let folder = self.folder.path().join("runs.db.owners");
        folder.join(format!("{epoch}.{kind}"))
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

#[tokio::test]
async fn a_second_process_is_refused_the_run_and_reaches_its_owner_by_the_socket() {
    let shared = SharedStore::new();
    let (first, run) = shared.waiting_run().await;

    let second = shared.engine().await;
    let error = second.resume(run.id()).await.expect_err("is held");
    let text = error.to_string();
    assert!(
        matches!(error, RuntimeError::OwnedElsewhere { .. }),
        "{text}"
    );
    assert!(
        text.contains(&format!("pid {}", std::process::id())),
        "{text}"
    );
    let again = first.resume(run.id()).await.expect_err("runs here");
    assert!(matches!(again, RuntimeError::AlreadyHere { .. }), "{again}");

    let taken = shared
        .ask(run.id(), answer(2, "yes"))
        .await
        .expect("reaches the owner");
    assert_eq!(taken, Delivery::Accepted);
    let refused = shared
        .ask(run.id(), answer(2, "no"))
        .await
        .expect_err("answered once");
    assert_eq!(
        refused.to_string(),
        format!(
            "question 2 of run {} was already answered: \"yes\"",
            run.id()
        )
    );
    shared
        .ask(run.id(), answer(1, "text"))
        .await
        .expect("reaches the owner");
    assert_eq!(
        run.wait().await.expect("ends").end(),
        Some(RunEnd::Completed)
    );
    let over = shared
        .ask(run.id(), Request::Pause)
        .await
        .expect_err("has ended");
    assert!(matches!(over, RuntimeError::AlreadyEnded { .. }), "{over}");
}

#[tokio::test]
async fn without_an_owner_a_request_is_in_the_inbox_and_the_next_owner_applies_it_first() {
    let shared = SharedStore::new();
    let (_first, run) = shared.waiting_run().await;
    run.suspend().await.expect("is saved");
    run.wait().await.expect("is suspended");

    let wrong = shared
        .ask(run.id(), answer(2, "perhaps"))
        .await
        .expect_err("is checked");
    assert!(matches!(wrong, RuntimeError::BadAnswer { .. }), "{wrong}");
    let unknown = Request::Cancel {
        task: Some("c".into()),
        downstream: false,
    };
    assert!(
        shared.ask(run.id(), unknown).await.is_err(),
        "there is no such task"
    );
    for request in [answer(1, "text"), answer(2, "no")] {
        let posted = shared.ask(run.id(), request).await.expect("is kept");
        assert!(matches!(posted, Delivery::Posted(_)), "{posted:?}");
    }
    let again = shared.ask(run.id(), answer(2, "yes")).await;
    let again = again.expect_err("is refused");
    assert!(
        matches!(&again, RuntimeError::AlreadyAnswered { question: 2, answer, posted: Some(_), .. } if answer == "no"),
        "{again}"
    );
    let same = shared.ask(run.id(), answer(2, "no")).await;
    assert!(matches!(same, Ok(Delivery::Posted(_))), "{same:?}");
    let second = shared.engine().await;
    let run = second.resume(run.id()).await.expect("goes on");
    assert_eq!(
        run.wait().await.expect("ends").end(),
        Some(RunEnd::Completed)
    );
    assert!(
        shared
            .store
            .inbox(run.id())
            .await
            .expect("is readable")
            .is_empty(),
        "settled with the commit"
    );
}

#[tokio::test]
async fn two_engines_work_on_two_runs_of_one_store() {
    let shared = SharedStore::new();
    let (first, second) = (shared.engine().await, shared.engine().await);
    let one = first
        .submit(Submission::new(two_questions()))
        .await
        .expect("is saved");
    let two = second
        .submit(Submission::new(two_questions()))
        .await
        .expect("is saved");
    for run in [one.id(), two.id()] {
        shared
            .ask(run, answer(1, "text"))
            .await
            .expect("reaches its owner");
        shared
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
    let shared = SharedStore::new();
    let engine = shared.engine().await;
    let run = engine
        .submit(Submission::new(two_questions()))
        .await
        .expect("is saved");
    run.suspend().await.expect("is saved");
    run.wait().await.expect("is suspended");
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
async fn a_name_that_is_taken_is_refused_and_its_run_goes_on() {
    let shared = SharedStore::new();
    let engine = shared.engine().await;
    let name: RunId = "mine".parse().expect("is a name");
    let named = || Submission::new(two_questions()).name(name.clone());
    let run = engine.submit(named()).await.expect("is saved");
    let error = engine.submit(named()).await.expect_err("is taken");
    assert!(matches!(error, RuntimeError::AlreadyHere { .. }), "{error}");
    let other = shared.engine().await;
    let error = other
        .submit(named())
        .await
        .expect_err("is taken in the store");
    assert!(error.to_string().contains("already"), "{error}");
    run.answer(1, "x").await.expect("goes on undisturbed");
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_outlives_its_owner_for_a_moment_is_waited_for() {
    let shared = SharedStore::new();
    let (_first, run) = shared.waiting_run().await;
    // A killed process has left its lock to a child that is about to execute its program.
    let socket = shared.owner_file(run.id(), "sock").await;
    std::fs::remove_file(socket).expect("was there");
    let lock = shared.owner_file(run.id(), "lock").await;

    let second = shared.engine().await;
    let held = second.resume(run.id()).await.expect_err("is held for good");
    assert!(matches!(held, RuntimeError::Unreachable { .. }), "{held}");
    let (resumed, ()) = tokio::join!(second.resume(run.id()), async {
        std::fs::remove_file(lock).expect("was there");
    });
    resumed.expect("the lock is free");
}

/// Accepts connections and reads their lines, and never replies. Returns the number of lines.
async fn accept_and_stay_silent(listener: UnixListener, lines: Arc<AtomicU32>) {
    let mut connections = Vec::new();
    loop {
        let (stream, _) = listener.accept().await.expect("accepts");
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        if reader.read_line(&mut line).await.is_ok_and(|read| read > 0) {
            lines.fetch_add(1, Ordering::Relaxed);
        }
        connections.push(reader);
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_owner_is_unreachable_within_ten_seconds_and_gets_the_request_once() {
    let shared = SharedStore::new();
    let (_first, run) = shared.waiting_run().await;
    let socket = shared.owner_file(run.id(), "sock").await;
    std::fs::remove_file(&socket).expect("was there");
    let lines = Arc::new(AtomicU32::new(0));
    let listener = UnixListener::bind(&socket).expect("binds");
    let peer = tokio::spawn(accept_and_stay_silent(listener, Arc::clone(&lines)));

    let started = Instant::now();
    let error = shared.ask(run.id(), Request::Suspend).await;
    let error = error.expect_err("does not reply");
    assert!(matches!(error, RuntimeError::Unreachable { .. }), "{error}");
    let took = started.elapsed();
    assert!(took <= Duration::from_secs(11), "{took:?}");
    assert_eq!(lines.load(Ordering::Relaxed), 1);
    let inbox = shared.store.inbox(run.id()).await.expect("is readable");
    assert!(inbox.is_empty(), "the request may still take effect there");

    let second = shared.engine().await;
    let held = second.resume(run.id()).await.expect_err("is owned");
    assert!(matches!(held, RuntimeError::Unreachable { .. }), "{held}");
    peer.abort();
}

#[tokio::test]
async fn a_request_that_its_owner_saved_before_it_ended_is_not_posted_again() {
    let shared = SharedStore::new();
    let (_first, run) = shared.waiting_run().await;
    let socket = shared.owner_file(run.id(), "sock").await;
    let lock = shared.owner_file(run.id(), "lock").await;
    std::fs::remove_file(&socket).expect("was there");
    let listener = UnixListener::bind(&socket).expect("binds");
    // The owner saves the request, and ends before it replies.
    let owner = async {
        let (stream, _) = listener.accept().await.expect("accepts");
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line).await.expect("is a line");
        run.suspend().await.expect("is saved");
        run.wait().await.expect("is suspended");
        std::fs::remove_file(lock).expect("was there");
    };
    let (delivery, ()) = tokio::join!(shared.ask(run.id(), Request::Suspend), owner);
    assert_eq!(delivery.expect("took effect"), Delivery::Accepted);
    let inbox = shared.store.inbox(run.id()).await.expect("is readable");
    assert!(inbox.is_empty(), "the next owner would suspend it again");
}

#[tokio::test]
async fn a_request_that_cannot_be_read_is_dropped_at_the_next_resume() {
    let shared = SharedStore::new();
    let (_first, run) = shared.waiting_run().await;
    run.suspend().await.expect("is saved");
    run.wait().await.expect("is suspended");
    let now = Timestamp::from_micros(1);
    let body = r#"{"op":"rewind"}"#;
    shared
        .store
        .post(run.id(), now, body)
        .await
        .expect("is posted");
    let second = shared.engine().await;
    let run = second.resume(run.id()).await.expect("goes on");
    assert!(
        shared
            .store
            .inbox(run.id())
            .await
            .expect("is readable")
            .is_empty()
    );
    run.answer(1, "x").await.expect("goes on");
}

/// The run is resumed after the cancel has found no owner, and before the cancel is in the inbox.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_that_races_with_a_resume_counts() {
    let shared = SharedStore::new();
    let (_first, run) = shared.waiting_run().await;
    run.suspend().await.expect("is saved");
    run.wait().await.expect("is suspended");
    let (posting, is_posting) = tokio::sync::oneshot::channel::<()>();
    let (resumed, is_resumed) = std::sync::mpsc::channel::<()>();
    let mut posting = Some(posting);
    let slow = FaultyStore::new(shared.memory.clone()).with_script(move |call| {
        if call == Op::Post {
            drop(posting.take());
            is_resumed.recv().expect("is resumed");
        }
        None
    });
    let second = shared.engine().await;
    let id = run.id().clone();
    let resume = tokio::spawn(async move {
        is_posting.await.expect_err("is dropped when it is posted");
        let run = second.resume(&id).await;
        resumed.send(()).expect("the cancel waits");
        run
    });
    let cancel = Request::Cancel {
        task: None,
        downstream: false,
    };
    let owners = Some(&shared.owners);
    let delivery = ask(&slow, owners, run.id(), &cancel, Timestamp::from_micros(1)).await;
    assert_eq!(delivery.expect("is delivered"), Delivery::Accepted);
    let run = resume.await.expect("does not panic").expect("is resumed");
    let report = run.wait().await.expect("ends");
    assert_eq!(report.end(), Some(RunEnd::Canceled));
    let inbox = shared.store.inbox(run.id()).await.expect("is readable");
    assert!(inbox.is_empty());
}

#[tokio::test]
async fn a_folder_of_locks_that_others_can_change_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let shared = SharedStore::new();
    let folder = shared.folder.path().join("runs.db.owners");
    let victim = shared.folder.path().join("victim");
    std::fs::write(&victim, "precious").expect("is written");
    let start = || {
        let builder = Engine::builder(Arc::clone(&shared.store)).registry(Registry::new());
        builder.owners(shared.owners.clone()).start()
    };
    std::fs::create_dir(&folder).expect("is made");
    for (mode, epoch) in [(0o777, 1), (0o700, 2)] {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(&folder, permissions).expect("is set");
        let lock = folder.join(format!("{epoch}.lock"));
        std::os::unix::fs::symlink(&victim, &lock).expect("is made");
        let error = start().await.expect_err("is refused").to_string();
        assert!(error.contains("owners"), "{error}");
        assert_eq!(
            shared
                .owners
                .holder(epoch)
                .as_deref()
                .map(|text| text.contains("not a file")),
            Some(true)
        );
        let kept = std::fs::read_to_string(&victim).expect("is there");
        assert_eq!(kept, "precious");
    }
    std::fs::remove_dir_all(&folder).expect("is removed");
    std::os::unix::fs::symlink(shared.folder.path(), &folder).expect("is made");
    start().await.expect_err("a link is refused");
}

#[tokio::test]
async fn locks_of_killed_processes_are_removed_once_they_are_old() {
    let shared = SharedStore::new();
    let first = shared.engine().await;
    let folder = shared.folder.path().join("runs.db.owners");
    for name in ["90.lock", "90.sock", "91.lock"] {
        std::fs::write(folder.join(name), "pid 1").expect("is written");
    }
    let old = std::time::SystemTime::now() - Duration::from_secs(600);
    for name in ["1.lock", "90.lock"] {
        let file = std::fs::File::options().write(true).open(folder.join(name));
        file.expect("is there").set_modified(old).expect("is set");
    }
    let _second = shared.engine().await;
    let left = |name: &str| folder.join(name).exists();
    assert!(left("1.lock"), "its process is alive");
    assert!(left("91.lock"), "its process may be about to lock it");
    assert!(!left("90.lock") && !left("90.sock"));
    drop(first);
}
