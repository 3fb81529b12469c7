//! A flow: typed closures whose dependencies are their arguments.
//!
//! `cargo run -p zeph-orchestration --example flow`

#![allow(clippy::print_stdout)] // An example shows what it did.

use zeph_orchestration::{Flow, FlowError, Task};

#[tokio::main]
async fn main() -> Result<(), FlowError> {
    let mut flow = Flow::new();
    let page = flow.task(Task::new("fetch").retries(3), (), |()| async {
        Ok(String::from("three little words"))
    });
    let words = flow.task("count", page, |page| async move {
        let words = page.split(' ');
        Ok(words.count())
    });
    let longest = flow.task("longest", page, |page| async move {
        let longest = page.split(' ').max_by_key(|word| word.len());
        Ok(longest.unwrap_or_default().to_owned())
    });
    let both = (words, longest); // "count" and "longest" run at the same time.
    let text = flow.task("report", both, |(words, longest)| async move {
        Ok(format!("{words} words, the longest is {longest:?}"))
    });
    let report = flow.run().await?;
    println!("{}", report.get(text)?);
    Ok(())
}
