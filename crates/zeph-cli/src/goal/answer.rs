//! Prints the answer to a goal.

use zeph_common::escape_terminal_block;
use zeph_planner::answer::{Answer, WrittenBy};

use crate::out::{self, Channel};

/// Prints the answer on stdout, and its author and gaps on the channel of the events.
pub(crate) fn render(channel: Channel, answer: &Answer) {
    // Without a terminal on stderr no blank lines are needed around the answer.
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
