//! Planted: hunts each bug that was put into the machine on purpose; one that is not found shows that
//! the invariants are too weak.

use zeph_scheduler::planted::{BUGS, choose};

use super::campaign::{Failure, check};
use super::world::Options;

/// What came of the hunt for one bug.
#[derive(Debug)]
pub struct Hunt {
    /// The bug's number.
    pub number: u8,
    /// The bug in words.
    pub words: &'static str,
    /// Runs made.
    pub runs: u64,
    /// How it showed; `None` if it did not.
    pub found: Option<Box<Failure>>,
}

/// Hunts every bug, each with at most `most` runs. The choice is the whole process's: one hunt at a
/// time, and nothing else beside it.
pub fn hunt_all(most: u64) -> impl Iterator<Item = Hunt> {
    BUGS.iter()
        .map(move |&(number, words)| hunt(number, words, most))
}

fn hunt(number: u8, words: &'static str, most: u64) -> Hunt {
    choose(number);
    let mut runs = 0;
    let mut found = None;
    while found.is_none() && runs < most {
        // One run in eight is on a graph large enough for crowded lanes.
        let most_tasks = if runs % 8 == 7 { 40 } else { 12 };
        let options = Options {
            most_tasks,
            ..Options::SHORT
        };
        found = check(runs, options).err();
        runs += 1;
    }
    choose(0);
    Hunt {
        number,
        words,
        runs,
        found,
    }
}
