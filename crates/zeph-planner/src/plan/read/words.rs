//! The words that models use for the fields of plans, tasks and arguments.

use std::collections::HashMap;
use std::sync::LazyLock;

use zeph_diagnostics::suggest;

/// The fields of an object, each with other words for it, the likeliest first.
pub(super) struct Table {
    pub(super) fields: &'static [(&'static str, &'static [&'static str])],
    /// The field and the rank of each word, with and without underscores.
    index: LazyLock<HashMap<String, (&'static str, usize)>>,
}

/// The fields of a plan.
pub(super) static PLAN: Table = Table {
    fields: PLAN_FIELDS,
    index: LazyLock::new(|| index(PLAN_FIELDS)),
};
/// The fields of a task.
pub(super) static TASK: Table = Table {
    fields: TASK_FIELDS,
    index: LazyLock::new(|| index(TASK_FIELDS)),
};
/// The fields of an argument.
pub(super) static ARGUMENT: Table = Table {
    fields: ARGUMENT_FIELDS,
    index: LazyLock::new(|| index(ARGUMENT_FIELDS)),
};

const PLAN_FIELDS: &[(&str, &[&str])] = &[
    (
        "reasoning",
        &[
            "rationale",
            "explanation",
            "thoughts",
            "thought",
            "thinking",
            "analysis",
            "reason",
            "overview",
            "summary",
            "description",
        ],
    ),
    (
        "tasks",
        &[
            "task",
            "steps",
            "subtasks",
            "sub_tasks",
            "task_list",
            "tasklist",
            "plan_steps",
            "step_list",
            "items",
            "nodes",
            "jobs",
            "actions",
            "todos",
            "todo",
            "work_items",
            "activities",
            "plan",
        ],
    ),
];

const TASK_FIELDS: &[(&str, &[&str])] = &[
    (
        "name",
        &[
            "task_name",
            "step_name",
            "id",
            "task_id",
            "step_id",
            "identifier",
            "key",
            "slug",
            "title",
            "label",
        ],
    ),
    (
        "needs",
        &[
            "need",
            "needed",
            "depends_on",
            "dependencies",
            "dependency",
            "depends",
            "deps",
            "requires",
            "require",
            "required",
            "required_tasks",
            "prerequisites",
            "prerequisite",
            "prereqs",
            "after",
            "parents",
            "parent",
            "predecessors",
            "upstream",
            "blocked_by",
            "waits_for",
            "wait_for",
            "run_after",
            "runs_after",
            "start_after",
            "depends_upon",
            "depends_on_tasks",
            "task_dependencies",
        ],
    ),
    ("kind", &["type", "task_type", "task_kind", "kind_of_task"]),
    (
        "prompt",
        &[
            "instruction",
            "instructions",
            "task_prompt",
            "agent_prompt",
            "directive",
            "task_description",
            "description",
            "task",
            "details",
            "detail",
            "content",
            "text",
            "query",
            "question",
            "message",
            "objective",
            "action",
            "work",
        ],
    ),
    (
        "agent",
        &[
            "agents",
            "agent_name",
            "agent_id",
            "assigned_agent",
            "assigned_to",
            "assignee",
            "assign_to",
            "sub_agent",
            "executor",
            "worker",
            "role",
            "owner",
            "performed_by",
            "handler",
            "actor",
        ],
    ),
    (
        "tools",
        &[
            "tool",
            "allowed_tools",
            "tool_names",
            "tools_allowed",
            "tools_needed",
            "needed_tools",
            "required_tools",
            "tools_required",
            "tool_list",
            "use_tools",
            "uses_tools",
            "permitted_tools",
            "enabled_tools",
            "available_tools",
            "tools_to_use",
        ],
    ),
    ("command", &["cmd", "command_name", "command_template"]),
    (
        "arguments",
        &[
            "args",
            "argument",
            "arg",
            "parameters",
            "parameter",
            "params",
            "command_arguments",
            "command_args",
        ],
    ),
    ("trigger", &["trigger_rule", "start_when", "starts_when"]),
    (
        "on_failure",
        &[
            "on_fail",
            "on_error",
            "if_it_fails",
            "if_failed",
            "failure_rule",
            "failure_policy",
            "failure_strategy",
            "failure_mode",
            "failure_handling",
            "error_handling",
        ],
    ),
    (
        "expected_tokens",
        &[
            "estimated_tokens",
            "tokens",
            "token_estimate",
            "estimated_output_tokens",
            "output_tokens",
            "expected_output_tokens",
            "expected_length",
        ],
    ),
];

const ARGUMENT_FIELDS: &[(&str, &[&str])] = &[
    (
        "name",
        &["key", "argument", "arg", "parameter", "param", "id"],
    ),
    ("value", &["val", "content", "text"]),
];

fn index(
    fields: &'static [(&'static str, &'static [&'static str])],
) -> HashMap<String, (&'static str, usize)> {
    let all = fields.iter().flat_map(|(field, words)| {
        let words = std::iter::once(field).chain(*words).enumerate();
        words.flat_map(move |(rank, word)| {
            [(*word).to_owned(), word.replace('_', "")].map(|word| (word, (*field, rank)))
        })
    });
    all.collect()
}

/// A key in lower case, with `_` between its words: `dependsOn`, `Depends On` and `DEPENDS-ON:` are the same.
pub(super) fn fold(key: &str) -> String {
    let mut folded = String::new();
    let mut was_lower = false;
    for c in key.chars() {
        if c.is_alphanumeric() {
            if c.is_uppercase() && was_lower {
                folded.push('_');
            }
            folded.extend(c.to_lowercase());
            was_lower = c.is_lowercase() || c.is_ascii_digit();
        } else {
            if !folded.is_empty() && !folded.ends_with('_') {
                folded.push('_');
            }
            was_lower = false;
        }
    }
    folded.truncate(folded.trim_end_matches('_').len());
    folded
}

/// Whether a word is in a list of words with blanks between them.
pub(super) fn is_one_of(words: &str, word: &str) -> bool {
    words.split_ascii_whitespace().any(|one| one == word)
}

/// The field of a key, and its rank among the words for it; 0 is the field's own name.
pub(super) fn field_of(table: &Table, key: &str) -> Option<(&'static str, usize)> {
    // Most keys are written as they should be.
    let found = table.index.get(key);
    found
        .or_else(|| table.index.get(&fold(key).replace('_', "")))
        .copied()
}

/// The field that a misspelt key is close to.
pub(super) fn near(table: &Table, folded: &str) -> Option<&'static str> {
    let all = table.fields.iter().flat_map(|(field, words)| {
        let words = words.iter().map(move |word| (*word, *field));
        std::iter::once((*field, *field)).chain(words)
    });
    let word = suggest(folded, all.clone().map(|(word, _)| word))?;
    all.into_iter()
        .find(|(one, _)| *one == word)
        .map(|(_, field)| field)
}

#[cfg(test)]
mod tests {
    use super::{PLAN, TASK, field_of, fold, near};

    #[test]
    fn keys_are_the_same_in_every_style() {
        for key in [
            "dependsOn",
            "Depends On",
            "DEPENDS-ON:",
            "**depends_on**",
            " depends on",
        ] {
            assert_eq!(fold(key), "depends_on", "{key}");
            assert_eq!(
                field_of(&TASK, key).map(|one| one.0),
                Some("needs"),
                "{key}"
            );
        }
        assert_eq!(fold("expectedTokens2x"), "expected_tokens2x");
        assert_eq!(field_of(&TASK, "DEPENDSON").map(|one| one.0), Some("needs"));
        assert_eq!(field_of(&PLAN, "Steps"), Some(("tasks", 2)));
        assert_eq!(field_of(&TASK, "priority"), None);
    }

    #[test]
    fn a_misspelt_key_is_near_its_field() {
        for (key, field) in [
            ("t_ols", "tools"),
            ("neds", "needs"),
            ("allowed_toolz", "tools"),
        ] {
            assert_eq!(near(&TASK, key), Some(field), "{key}");
        }
        assert_eq!(near(&TASK, "priority"), None);
    }

    #[test]
    fn no_word_stands_for_two_fields() {
        let mut words: Vec<&str> = TASK
            .fields
            .iter()
            .flat_map(|(field, words)| std::iter::once(field).chain(words.iter()))
            .copied()
            .collect();
        words.sort_unstable();
        assert!(words.windows(2).all(|two| two[0] != two[1]), "{words:?}");
    }
}
