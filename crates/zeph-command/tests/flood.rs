//! A command that prints without end costs no memory. Alone in its process, which is measured.
#![allow(clippy::unwrap_used)]

use zeph_command::CommandExecutor;
use zeph_executor::{Attempt, Executor, LogStream, Logs, TaskContext, TaskId, TaskInput};

/// The peak memory of this process in KiB, on systems that report it.
fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[tokio::test]
async fn a_flood_is_read_to_its_end_within_bounded_memory() {
    let logs = Logs::new(64 << 10);
    let task = TaskId::from_index(0);
    let cx = TaskContext::builder("run1".parse().unwrap(), task, "flood", Attempt::FIRST)
        .logs(&logs)
        .build();
    let script =
        "echo head; head -c 200000000 /dev/zero; head -c 200000000 /dev/zero >&2; echo tail";
    let input = TaskInput::new(serde_json::json!({ "shell": script }));
    let before = peak_kib();
    let output = CommandExecutor::builder()
        .build()
        .execute(&cx, input)
        .await
        .unwrap();
    assert_eq!(output.value["stdout_truncated"], true);
    assert_eq!(output.value["stdout_bytes"], 200_000_010);
    assert!(output.blobs.is_empty());
    let taken = logs.take();
    let (stream, log) = &taken[0];
    assert_eq!(*stream, LogStream::Stdout);
    assert!(log.starts_with(b"head\n") && log.ends_with(b"tail\n"));
    assert!(log.len() < 66 << 10);
    if let (Some(before), Some(after)) = (before, peak_kib()) {
        assert!(after - before < 32 << 10, "grew by {} KiB", after - before);
    }
}
