//! Hello: three tasks with code, two of them at the same time, in 30 lines.
// Examples are apps, and apps print.
#![allow(clippy::print_stdout)]

use zeph_orchestration::{AttemptContext, DagScheduler, Task, TaskError, TaskGraph};

fn main() -> Result<(), String> {
    let mut graph = TaskGraph::new();
    let greeting = graph.add_task("greeting", []);
    let name = graph.add_task(Task::new("name").retries(2), []);
    let hello = graph.add_task("hello", [greeting, name]);

    let mut scheduler = DagScheduler::new(graph);
    scheduler
        .max_parallel(2)
        .body(greeting, || "Hello")
        .body(name, || std::env::args().nth(1).unwrap_or("world".into()))
        .body(hello, |cx: &AttemptContext| {
            let greeting: String = cx.input_as("greeting")?;
            let name: String = cx.input_as("name")?;
            Ok::<_, TaskError>(format!("{greeting}, {name}!"))
        });

    while scheduler.tick() {
        for event in scheduler.events() {
            println!("{:>3}  {event}", event.seq.get());
        }
    }
    let text = scheduler.output(hello).and_then(|text| text.as_str());
    let text = text.ok_or("the task has no output")?;
    println!("{text}");
    Ok(())
}
