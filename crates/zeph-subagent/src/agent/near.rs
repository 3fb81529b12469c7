//! Suggestions: the known name that somebody may have meant.

use super::defect::show;
use crate::AgentDefect;

/// Longer texts are no typing errors, and comparing them costs the product of their lengths.
const LONGEST: usize = 64;
/// How many names one suggestion looks at.
const MOST_COMPARED: usize = 1_000;

/// The name that may have been meant: at most a third of its characters differ.
pub(crate) fn near<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if wanted.len() > LONGEST {
        return None;
    }
    let folded = wanted.to_lowercase();
    let count = wanted.chars().count();
    let most = (count / 3).max(1);
    let names = names.into_iter().take(MOST_COMPARED);
    let fitting = names.filter(|name| {
        // Names that differ in length by more than that need no comparison.
        let apart = name.chars().count().abs_diff(count);
        name.len() <= LONGEST && *name != wanted && apart <= most
    });
    let compared = fitting.map(|name| {
        let distance = strsim::damerau_levenshtein(&folded, &name.to_lowercase());
        (distance, name)
    });
    let nearest = compared.filter(|(distance, _)| *distance <= most).min();
    nearest.map(|(_, name)| name)
}

/// Helps with the nearest name, else with the list of names when it is short.
pub(crate) fn suggest<'a>(
    defect: AgentDefect,
    wanted: &str,
    names: impl IntoIterator<Item = &'a str> + Clone,
) -> AgentDefect {
    const LISTED: usize = 12;
    if let Some(near) = near(wanted, names.clone()) {
        return defect.help(format!("did you mean {}?", show(near)));
    }
    let listed: Vec<String> = names
        .into_iter()
        .take(LISTED + 1)
        .map(|name| format!("`{}`", zeph_common::escape_terminal(name)))
        .collect();
    match listed.len() {
        0 => defect.help("none is known"),
        1..=LISTED => defect.help(format!("known are {}", listed.join(", "))),
        _ => defect.help(format!("known are {}, …", listed[..LISTED].join(", "))),
    }
}
