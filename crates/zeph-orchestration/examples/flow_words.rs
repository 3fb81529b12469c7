//! The rest of what a flow can say: a list, a condition, a question, a finalizer.
//!
//! `cargo run -p zeph-orchestration --example flow_words`

#![allow(clippy::print_stdout)] // An example shows what it did.

use zeph_orchestration::{Flow, FlowError, Question, RunState};

#[tokio::main]
async fn main() -> Result<(), FlowError> {
    let mut flow = Flow::new();
    let files = flow.task("list", (), |()| async {
        Ok(vec!["a".to_owned(), "bcd".to_owned()])
    });
    let sizes = flow.map("measure", files, |file| async move { Ok(file.len()) });
    let copies = flow
        .when(
            sizes,
            |sizes| async move { Ok(sizes.iter().sum::<usize>() > 3) },
        )
        .ask::<u32>("copies", (), Question::number("How many copies?"));
    flow.finally("tell", copies.optional(), |end, copies| async move {
        println!("{end:?}, copies: {copies:?}");
        Ok(())
    });
    let run = flow.start().await?;
    run.until(|run| run.state == RunState::Waiting).await;
    run.answer(1, "2").await?;
    run.wait().await?;
    Ok(())
}
