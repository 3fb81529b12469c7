//! The report: one line per case, and whether all cases passed.

use std::time::{Duration, Instant};

/// The time limit of one case.
const BOUND: Duration = Duration::from_secs(90);

/// The numbers of cases and of failures so far.
#[derive(Debug, Default)]
pub(crate) struct Report {
    cases: u32,
    faults: u32,
}

impl Report {
    /// Runs one case and prints its line: the observation, or the failure.
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
        let (word, outcome) = match ended {
            Ok(outcome) => ("ok", outcome),
            Err(why) => {
                self.faults += 1;
                ("FAILED", why)
            }
        };
        println!("{word:<7} {seconds:>5.1}s  {who:<9}  {what}: {outcome}");
    }

    /// Prints the totals; true if no case failed.
    pub(crate) fn close(&self) -> bool {
        println!("{} cases, {} failed", self.cases, self.faults);
        self.faults == 0 && self.cases > 0
    }
}

/// Returns an error unless a claim holds.
pub(crate) fn claim(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}
