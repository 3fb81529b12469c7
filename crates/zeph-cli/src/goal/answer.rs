//! The answer to a goal, printed.

use zeph_common::escape_terminal_block;
use zeph_planner::answer::{Answer, WrittenBy};

use crate::out::{self, Channel};

/// Prints it on stdout, and what it rests on where the events are printed.
pub(crate) fn render(channel: Channel, answer: &Answer) {
    // Events on another stream need no gap.
    let apart = out::is_watched();
    let gap = || {
        if apart {
            channel.line("");
        }
    };
    gap();
    let text = escape_terminal_block(answer.text.trim_end());
    out::line(channel.labelled(&text));
    gap();
    if let (WrittenBy::Deterministic, Some(why)) = (answer.by, &answer.why) {
        channel.line(format!(
            "no model wrote the answer, it is the list of results: {}",
            zeph_common::escape_terminal(why)
        ));
    }
    if answer.cut {
        channel.line("the answer leaves results out: they are too long together");
    }
}
