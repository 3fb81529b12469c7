//! Commands when the system has no descriptors left. Alone in its process, whose limit is lowered.
#![allow(clippy::unwrap_used)]

use std::fs::File;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use zeph_command::CommandExecutor;
use zeph_executor::{
    Attempt, Executor, Progress, TaskContext, TaskError, TaskId, TaskInput, TaskOutput,
};

/// Gives the descriptors back as soon as a command waits for one.
#[derive(Default)]
struct Holder(Mutex<Vec<File>>);

impl Progress for Holder {
    fn progress(&self, text: &str) {
        assert!(text.contains("out of processes, files or memory"), "{text}");
        self.0.lock().unwrap().clear();
    }
}

async fn echo(
    command: &CommandExecutor,
    number: u32,
    holder: &Arc<Holder>,
) -> Result<TaskOutput, TaskError> {
    let task = TaskId::from_index(0);
    let cx = TaskContext::builder("run1".parse().unwrap(), task, "echo", Attempt::FIRST)
        .progress(Arc::<Holder>::clone(holder))
        .build();
    let input = serde_json::json!({ "argv": ["echo", number.to_string()] });
    command.execute(&cx, TaskInput::new(input)).await
}

#[tokio::test]
async fn commands_wait_for_descriptors() {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, 96, hard).unwrap();
    let command = CommandExecutor::builder().build();
    let holder = Arc::new(Holder::default());

    let all = (0..64).map(|number| echo(&command, number, &holder));
    let all = futures::future::join_all(all);
    let ended = tokio::time::timeout(Duration::from_secs(60), all).await;
    for (number, output) in ended.unwrap().into_iter().enumerate() {
        assert_eq!(output.unwrap().value["stdout"], number.to_string());
    }

    while let Ok(file) = File::open("/dev/null") {
        holder.0.lock().unwrap().push(file);
    }
    let late = tokio::time::timeout(Duration::from_secs(60), echo(&command, 7, &holder)).await;
    assert_eq!(late.unwrap().unwrap().value["stdout"], "7");
    assert!(holder.0.lock().unwrap().is_empty(), "it waited");
}
