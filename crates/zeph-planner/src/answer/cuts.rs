//! Results that an answer does not use in full: which, and how much of them.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use zeph_common::escape_terminal;

/// A result that was too long to be used in full.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CutResult {
    /// The task.
    pub task: String,
    /// The share of its result, in percent and rounded down, that the model read: itself, or for a summary.
    /// In an answer without a model the share that is shown. 100 if only a summary was cut.
    pub percent: u8,
    /// Whether a summary of it was cut off as well.
    pub summary_cut: bool,
}

impl CutResult {
    /// The part of a result with that share from 0 to 1.
    pub(super) fn new(task: &str, share: f64, summary_cut: bool) -> Self {
        Self {
            task: task.to_owned(),
            percent: (share * 100.0).clamp(0.0, 99.0) as u8,
            summary_cut,
        }
    }

    /// How much of it was used, in words.
    #[must_use]
    pub fn words(&self) -> String {
        let summary = ", and its summary was cut off";
        match (self.percent, self.summary_cut) {
            (0, _) => "next to nothing of its result was used".to_owned(),
            (100.., _) => "its summary was cut off".to_owned(),
            (percent, true) => format!("{percent} % of its result was used{summary}"),
            (percent, false) => format!("{percent} % of its result was used"),
        }
    }
}

/// The section of an answer about results that are not used in full, with at most that many names, those
/// with the smallest share first; empty if there are none.
pub(super) fn section(cuts: &[CutResult], most: usize) -> String {
    if cuts.is_empty() {
        return String::new();
    }
    let mut cuts: Vec<&CutResult> = cuts.iter().collect();
    cuts.sort_by_key(|one| one.percent);
    let mut text = String::from("## Shortened\n\n");
    for one in cuts.iter().take(most) {
        let _ = writeln!(text, "- {}: {}", escape_terminal(&one.task), one.words());
    }
    if cuts.len() > most {
        let _ = writeln!(text, "- and {} more", cuts.len() - most);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{CutResult, section};

    #[test]
    fn the_smallest_shares_come_first() {
        let cuts = [
            CutResult::new("a", 0.999, false),
            CutResult::new("b", 0.121, true),
            CutResult::new("c", 0.0, false),
        ];
        let wanted = "## Shortened\n\n- c: next to nothing of its result was used\n\
                      - b: 12 % of its result was used, and its summary was cut off\n- and 1 more\n";
        assert_eq!(section(&cuts, 2), wanted);
        assert_eq!(section(&[], 2), "");
    }
}
