//! Tables of named things in several files: commands, and servers of tools.

use std::collections::BTreeMap;

use crate::layers::{FileKind, Withheld, WithheldReason};

/// Adds what a file has in a table. What the user's file has, a project's file never replaces, and an
/// untrusted one adds nothing. Returns what does not count.
pub(crate) fn add<T>(
    table: &str,
    known: &mut BTreeMap<String, T>,
    found: BTreeMap<String, T>,
    kind: FileKind,
    shown: impl Fn(&T) -> String,
) -> Vec<Withheld> {
    let mut withheld = Vec::new();
    for (name, one) in found {
        let reason = match kind {
            FileKind::User => None,
            FileKind::Project => known
                .contains_key(&name)
                .then_some(WithheldReason::UsersCommand),
            FileKind::Untrusted => Some(WithheldReason::NeedsTrust),
        };
        match reason {
            None => drop(known.insert(name, one)),
            Some(reason) => withheld.push(Withheld {
                key: format!("{table}.{name}"),
                value: shown(&one),
                reason,
            }),
        }
    }
    withheld
}
