//! Graph and scheduler only: a custom driver, without threads, clock, store or runtime.
// Unlike libraries, examples may print.
#![allow(clippy::print_stdout)]

use zeph_graph::{OnFailure, Policy, Task, TaskGraph, Timestamp};
use zeph_scheduler::{Action, Event, Input, Scheduler};

fn main() {
    let mut graph = TaskGraph::new();
    let fetch = graph.add_task(Task::new("fetch").action("get"), []);
    let flaky = Task::new("flaky")
        .action("fail")
        .on_failure(OnFailure::Skip);
    let flaky = graph.add_task(flaky, [fetch]);
    let parse = graph.add_task(Task::new("parse").action("get"), [fetch]);
    graph.add_task(Task::new("report").action("get"), [parse, flaky]);

    // Time is an argument: here each turn takes a millisecond.
    let mut now = Timestamp::from_micros(0);
    let mut scheduler = Scheduler::new(graph, Policy::default());
    scheduler.handle(now, Input::Start);
    while let Some(batch) = scheduler.step() {
        // A durable driver saves the records here, before it acts on them.
        for entry in batch.entries() {
            let event = Event::from_entry(entry, scheduler.graph());
            println!("{:>3}  {event}", event.seq.get());
        }
        now = Timestamp::from_micros(now.as_micros() + 1_000);
        for action in scheduler.saved(batch) {
            let Action::Start { task, attempt } = action else {
                continue;
            };
            let (output, error, log) = (None, None, None);
            let input = match task == flaky {
                true => Input::Failed {
                    task,
                    attempt,
                    fault: zeph_graph::Fault::Error,
                    error,
                    log,
                    retry_after: None,
                },
                false => Input::Completed {
                    task,
                    attempt,
                    output,
                    log,
                },
            };
            scheduler.handle(now, input);
        }
    }
    println!(
        "{} of {} tasks completed",
        scheduler.counts().completed,
        scheduler.graph().len()
    );
}
