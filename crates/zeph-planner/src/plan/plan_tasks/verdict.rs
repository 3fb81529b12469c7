//! The verdict of a person about a plan, read from the answer to the question `confirm`.

use serde_json::Value;
use zeph_common::Boundary;

/// The decision about a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Run the plan.
    Approve,
    /// Make another plan, for this reason.
    Reject(String),
    /// Run this plan file instead.
    Edit(String),
    /// The answer has no meaning, for this reason.
    Unclear(String),
}

const YES: [&str; 7] = ["approve", "approved", "yes", "y", "ok", "okay", "run"];
const NO: [&str; 4] = ["reject", "rejected", "no", "n"];
/// The longest reason. Every prompt of the next round contains it.
const MAX_REASON_BYTES: usize = 8 << 10;

/// Reads an answer.
///
/// A word for yes, in any case and alone, approves. A word for no rejects; the reason may follow after a
/// colon, a comma, a dash or a line break. A text with a table `[tasks.…]`, or an object with `tasks`,
/// is a plan file.
pub(super) fn read_verdict(answer: &Value) -> Verdict {
    let text = match answer {
        Value::Bool(true) => return Verdict::Approve,
        Value::Bool(false) => return Verdict::Reject(String::new()),
        Value::String(text) => text.trim(),
        Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            return Verdict::Unclear("The last answer was not a text.".to_owned());
        }
    };
    let is_one_of =
        |words: &[&str], word: &str| words.iter().any(|one| one.eq_ignore_ascii_case(word));
    if is_one_of(&YES, text.trim_end_matches(['.', '!'])) {
        return Verdict::Approve;
    }
    if is_plan_file(text) {
        return Verdict::Edit(text.to_owned());
    }
    let word_end = text
        .find(|c: char| !c.is_alphabetic())
        .unwrap_or(text.len());
    let (word, rest) = text.split_at(word_end);
    let is_separated = rest.is_empty() || rest.starts_with([':', ',', '-', '\n', '.', '!', ';']);
    if is_one_of(&NO, word) && is_separated {
        let reason = rest
            .trim_start_matches([':', ',', '-', '.', '!', ';'])
            .trim();
        if reason.len() > MAX_REASON_BYTES {
            return Verdict::Unclear("The reason is longer than 8 KiB.".to_owned());
        }
        return Verdict::Reject(reason.to_owned());
    }
    let shown = zeph_common::escape_terminal(text);
    let shown = zeph_common::truncate(&shown, 80, Boundary::Char);
    Verdict::Unclear(format!("The last answer was not understood: {shown}"))
}

/// The plan file in an answer about a plan; `None` if the answer is yes or no.
///
/// # Errors
/// Why the answer has no meaning: the run would ask again.
///
/// # Examples
/// ```
/// use zeph_planner::plan::edited_plan;
/// assert_eq!(edited_plan("approve"), Ok(None));
/// assert!(edited_plan("[tasks.a]").is_ok_and(|plan| plan.is_some()));
/// assert!(edited_plan("approv").is_err());
/// ```
pub fn edited_plan(answer: &str) -> Result<Option<String>, String> {
    match read_verdict(&Value::from(answer)) {
        Verdict::Approve | Verdict::Reject(_) => Ok(None),
        Verdict::Edit(file) => Ok(Some(file)),
        Verdict::Unclear(why) => Err(why),
    }
}

fn is_plan_file(text: &str) -> bool {
    let table = text.lines().any(|line| {
        let line = line.trim_start();
        line.starts_with("[tasks.") || line.starts_with("[tasks]")
    });
    table || (text.starts_with('{') && text.contains("\"tasks\""))
}

#[cfg(test)]
mod tests {
    use super::{Verdict, read_verdict};
    use serde_json::json;

    #[test]
    fn answers_are_read_or_reported_as_unclear() {
        let reject = |why: &str| Verdict::Reject(why.to_owned());
        let table = [
            (json!("approve"), Verdict::Approve),
            (json!(" Yes!\n"), Verdict::Approve),
            (json!(true), Verdict::Approve),
            (json!("no"), reject("")),
            (json!("Reject: fewer tasks"), reject("fewer tasks")),
            (json!("no, use git\nnot svn"), reject("use git\nnot svn")),
            (
                json!("[tasks.a]\nask = 'x'"),
                Verdict::Edit("[tasks.a]\nask = 'x'".to_owned()),
            ),
            (
                json!("{\"tasks\": {}}"),
                Verdict::Edit("{\"tasks\": {}}".to_owned()),
            ),
        ];
        for (answer, wanted) in table {
            assert_eq!(read_verdict(&answer), wanted, "{answer}");
        }
        for unclear in [
            json!("notify me"),
            json!("no idea"),
            json!("yes, but"),
            json!(""),
            json!(7),
        ] {
            let verdict = read_verdict(&unclear);
            assert!(
                matches!(verdict, Verdict::Unclear(_)),
                "{unclear}: {verdict:?}"
            );
        }
    }
}
