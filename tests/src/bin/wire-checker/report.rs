//! The report: one line a case, and whether all of them held.

use std::time::{Duration, Instant};

/// The longest that one case may take.
const BOUND: Duration = Duration::from_secs(90);

/// What has been tried, and how much of it failed.
#[derive(Debug, Default)]
pub(crate) struct Report {
    cases: u32,
    faults: u32,
}

impl Report {
    /// Runs one case and prints its line: what it saw, or why it failed.
    pub(crate) async fn case(
        &mut self,
        who: &str,
        what: &str,
        work: impl Future<Output = Result<String, String>>,
    ) {
        self.cases += 1;
        let begin = Instant::now();
        let ended = tokio::time::timeout(BOUND, work).await;
        let seconds = begin.elapsed().as_secs_f64();
        let ended = ended.unwrap_or_else(|_| Err(format!("not done after {BOUND:?}")));
        let (word, told) = match ended {
            Ok(told) => ("ok", told),
            Err(why) => {
                self.faults += 1;
                ("FAILED", why)
            }
        };
        println!("{word:<7} {seconds:>5.1}s  {who:<9}  {what}: {told}");
    }

    /// Prints the sum; the answer is whether no case failed.
    pub(crate) fn close(&self) -> bool {
        println!("{} cases, {} failed", self.cases, self.faults);
        self.faults == 0 && self.cases > 0
    }
}

/// An error unless a claim holds.
pub(crate) fn claim(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}
