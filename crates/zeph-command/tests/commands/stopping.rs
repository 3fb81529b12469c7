//! Commands that are canceled, killed or dropped: none of their processes remains.

use std::time::Duration;

use super::support::{Fifo, PATIENCE, Watched, end, gone, shell};
use zeph_command::{CommandExecutor, ProcessGroup};
use zeph_executor::conformance::{Sample, check};
use zeph_executor::{ErrorClass, LogStream, NoteKind};

const LONG: Duration = Duration::from_secs(3_600);

/// A script whose background child holds stdout and the pipe, and ignores SIGTERM.
fn stubborn_family(fifo: &Fifo) -> String {
    let (path, hang) = (fifo.path.display(), fifo.hang());
    format!("(trap '' TERM; exec 3>'{path}'; echo child up; exec {hang}) & echo up; wait")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_takes_the_whole_group_at_once() {
    let (fifo, watched) = (Fifo::new(), Watched::new(LONG));
    let writers = fifo.until_writers_are_gone();
    let work = watched.start(&stubborn_family(&fifo));
    watched.printed("child up").await;
    watched.stop.kill();
    let error = end(work).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Interrupted);
    assert_eq!(error.detail().unwrap()["signal"], 9);
    gone(writers).await;
    assert!(watched.log(LogStream::Trace).contains("SIGKILL"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_kills_what_ignores_the_request_after_the_grace() {
    let (fifo, watched) = (Fifo::new(), Watched::new(Duration::from_millis(200)));
    let writers = fifo.until_writers_are_gone();
    let work = watched.start(&stubborn_family(&fifo));
    watched.printed("child up").await;
    watched.stop.cancel();
    let error = end(work).await.unwrap_err();
    assert_eq!(
        (error.class(), error.code()),
        (ErrorClass::Interrupted, "interrupted")
    );
    gone(writers).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_ignores_the_request_is_killed_after_the_grace() {
    let watched = Watched::new(Duration::from_millis(100));
    let work = watched.start("trap '' TERM; echo up; tail -f /dev/null; while :; do :; done");
    watched.printed("up").await;
    watched.stop.cancel();
    let error = end(work).await.unwrap_err();
    assert_eq!(error.detail().unwrap()["signal"], 9);
    let trace = watched.log(LogStream::Trace);
    assert!(
        trace.contains("SIGTERM") && trace.contains("SIGKILL"),
        "{trace}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_lets_a_command_clean_up() {
    let watched = Watched::new(LONG);
    // The child prints after it has reset the inherited signal handler.
    let script = "trap 'echo cleaned; exit 0' TERM; (echo up; exec tail -f /dev/null) & wait";
    let work = watched.start(script);
    watched.printed("up").await;
    watched.stop.cancel();
    let error = end(work).await.unwrap_err();
    // The command exits with 0, but it was canceled.
    assert_eq!(error.class(), ErrorClass::Cancelled);
    assert!(error.message().contains("exited with code 0"), "{error}");
    let trace = watched.logs.take();
    let shown: Vec<_> = trace
        .iter()
        .map(|(_, b)| String::from_utf8_lossy(b))
        .collect();
    assert!(shown[0].contains("cleaned"), "{shown:?}");
    assert!(!shown[1].contains("SIGKILL"), "{shown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_attempt_leaves_nothing_running() {
    let (fifo, watched) = (Fifo::new(), Watched::new(LONG));
    let writers = fifo.until_writers_are_gone();
    let work = watched.start(&stubborn_family(&fifo));
    watched.printed("child up").await;
    work.abort();
    assert!(work.await.unwrap_err().is_cancelled());
    gone(writers).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_note_keeps_the_process_group_of_a_long_command() {
    let (fifo, watched) = (Fifo::new(), Watched::new(LONG));
    let work = watched.start(&format!("echo up; exec {}", fifo.hang()));
    watched.printed("up").await;
    let noted = async {
        loop {
            if let Some(note) = watched.journal.notes().pop() {
                return note;
            }
            tokio::task::yield_now().await;
        }
    };
    let note = tokio::time::timeout(PATIENCE, noted).await.unwrap();
    assert_eq!(note.kind, NoteKind::Process);
    let group: ProcessGroup = serde_json::from_slice(&note.body).unwrap();
    assert!(group.is_alive());
    // A later group with the same id.
    let other = ProcessGroup {
        start: group.start.as_ref().map(|start| format!("{start}1")),
        ..group.clone()
    };
    assert!(!other.is_alive() || other.start.is_none());
    watched.stop.kill();
    end(work).await.unwrap_err();
    assert!(!group.is_alive());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quick_command_writes_no_note() {
    let watched = Watched::new(LONG);
    end(watched.start("echo done")).await.unwrap();
    assert!(watched.journal.notes().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_that_holds_stdout_does_not_hold_the_task() {
    let (fifo, watched) = (Fifo::new(), Watched::new(LONG));
    let writers = fifo.until_writers_are_gone();
    let (path, hang) = (fifo.path.display(), fifo.hang());
    // The pipe opens before the child is started, so that the test cannot miss it.
    let script = format!("exec 3>'{path}'; {hang} & exec 3>&-; echo done");
    let output = end(watched.start(&script)).await.unwrap();
    assert_eq!(output.value["stdout"], "done");
    gone(writers).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_child_does_not_outlive_the_task() {
    let (fifo, watched) = (Fifo::new(), Watched::new(LONG));
    let writers = fifo.until_writers_are_gone();
    let (path, hang) = (fifo.path.display(), fifo.hang());
    // The pipe opens before the child is started, so that the test cannot miss it.
    let script = format!("exec 3>'{path}'; {hang} >/dev/null 2>&1 & exec 3>&-; echo done");
    let output = end(watched.start(&script)).await.unwrap();
    assert_eq!(output.value["stdout"], "done");
    gone(writers).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn late_output_of_a_child_is_kept() {
    let watched = Watched::new(LONG);
    let fifo = Fifo::new();
    let path = fifo.path.display();
    // The child prints only after the command has ended: its end closes the pipe that the child reads.
    let script = format!("(cat '{path}'; echo late) & exec 3>'{path}'; echo early");
    let output = end(watched.start(&script)).await.unwrap();
    assert_eq!(output.value["stdout"], "early\nlate");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_attempt_starts_nothing() {
    let watched = Watched::new(LONG);
    watched.stop.cancel();
    let error = end(watched.start("echo ran")).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Cancelled);
    assert!(watched.logs.take().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_suite_of_the_port_holds() {
    let sample = Sample {
        short: shell("echo done"),
        long: Some(shell("tail -f /dev/null")),
        grace: Duration::from_secs(10),
    };
    let executor = std::sync::Arc::new(CommandExecutor::builder().build());
    check(executor, sample).await.unwrap();
}
