//! Laws: words that the code of a storey must not say, whatever its manifest allows.

use crate::finding::Finding;
use crate::layering;
use crate::source::{self, Source};

/// Words forbidden in the code of some crates.
struct Law {
    crates: &'static [&'static str],
    words: &'static [&'static str],
    why: &'static str,
}

/// Tests may say these words, for a test has to make threads and clocks to prove their absence.
const LAWS: [Law; 6] = [
    Law {
        crates: &["zeph-graph", "zeph-scheduler"],
        words: &["tokio", "sqlx"],
        why: "the lower storeys know no runtime and no database",
    },
    Law {
        crates: &["zeph-graph", "zeph-scheduler"],
        words: &["Instant", "SystemTime"],
        why: "time is an argument",
    },
    Law {
        crates: &["zeph-graph", "zeph-scheduler"],
        words: &["thread", "thread_local", "rand", "getrandom", "RandomState"],
        why: "what decides must be deterministic",
    },
    Law {
        crates: &["zeph-scheduler"],
        words: &["HashMap", "HashSet"],
        why: "only ordered maps give the same journal twice",
    },
    Law {
        crates: &["zeph-graph", "zeph-scheduler"],
        words: &["serde_json"],
        why: "JSON is known to the wire module of zeph-graph only",
    },
    Law {
        crates: &["zeph-runtime"],
        words: &["sqlx"],
        why: "the engine knows the store port, not the store",
    },
];

/// Macros that print; a library reports through events and errors.
const PRINTERS: [&str; 5] = ["println", "eprintln", "print", "eprint", "dbg"];

/// Everything that the code of one file says and must not.
pub(crate) fn check(source: &Source) -> Vec<Finding> {
    let Some((name, file)) = place(&source.path) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for (number, line) in source.numbered().filter(|(_, line)| !line.test) {
        for law in &LAWS {
            if !law.crates.contains(&name) {
                continue;
            }
            for word in law.words {
                if source::names(&line.code, word) && !(*word == "serde_json" && is_wire(file)) {
                    let what = format!("`{word}` must not be named here: {}", law.why);
                    found.push(Finding::at(&source.path, number, what));
                }
            }
        }
        if !layering::is_app(name) && prints(&line.code) {
            let what = "a library must not print";
            found.push(Finding::at(&source.path, number, what));
        }
    }
    found
}

/// The crate of a source file, and the path of the file in its `src` folder.
fn place(path: &str) -> Option<(&str, &str)> {
    path.strip_prefix("crates/")?.split_once("/src/")
}

fn is_wire(file: &str) -> bool {
    file == "wire.rs" || file.starts_with("wire/")
}

fn prints(code: &str) -> bool {
    PRINTERS.iter().any(|name| {
        let call = format!("{name}!");
        code.match_indices(&call).any(|(at, _)| {
            let before = code[..at].chars().next_back();
            !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(path: &str, text: &str) -> usize {
        check(&Source::new(path, text)).len()
    }

    const SCHEDULER: &str = "crates/zeph-scheduler/src/lib.rs";
    const GRAPH: &str = "crates/zeph-graph/src/lib.rs";

    #[test]
    fn the_lower_storeys_have_no_clock_thread_or_chance() {
        assert_eq!(complaints(SCHEDULER, "use std::time::Instant;"), 1);
        assert_eq!(complaints(GRAPH, "use std::{thread, fmt};"), 1);
        assert_eq!(complaints(GRAPH, "let x = rand::random();"), 1);
        assert_eq!(complaints(GRAPH, "/// Unlike an Instant.\nfn f() {}"), 0);
        assert_eq!(
            complaints("crates/zeph-runtime/src/lib.rs", "Instant::now()"),
            0
        );
    }

    #[test]
    fn the_lower_storeys_know_no_runtime_and_no_database() {
        assert_eq!(complaints(SCHEDULER, "use tokio::sync::mpsc;"), 1);
        assert_eq!(
            complaints("crates/zeph-runtime/src/a.rs", "sqlx::query(q)"),
            1
        );
        assert_eq!(
            complaints("crates/zeph-runtime/src/a.rs", "tokio::spawn(f)"),
            0
        );
    }

    #[test]
    fn only_the_wire_speaks_json() {
        let text = "serde_json::to_string(&x)";
        assert_eq!(complaints(GRAPH, text), 1);
        assert_eq!(complaints("crates/zeph-graph/src/wire/read.rs", text), 0);
        assert_eq!(complaints("crates/zeph-graph/src/wire.rs", text), 0);
    }

    #[test]
    fn the_scheduler_keeps_its_maps_in_order() {
        assert_eq!(complaints(SCHEDULER, "let m = HashMap::new();"), 1);
        assert_eq!(complaints(SCHEDULER, "let m = BTreeMap::new();"), 0);
        assert_eq!(complaints(GRAPH, "let m = HashMap::new();"), 0);
    }

    #[test]
    fn libraries_do_not_print() {
        assert_eq!(
            complaints("crates/zeph-memory/src/a.rs", "println!(\"x\");"),
            1
        );
        assert_eq!(
            complaints("crates/zeph-memory/src/a.rs", "pretty_print!(x);"),
            0
        );
        assert_eq!(
            complaints("crates/zeph-cli/src/a.rs", "eprintln!(\"x\");"),
            0
        );
    }

    #[test]
    fn tests_may_say_what_they_test() {
        let text = "#[cfg(test)]\nmod tests {\n    use std::thread;\n}\n";
        assert_eq!(complaints(SCHEDULER, text), 0);
        assert_eq!(
            complaints("crates/zeph-graph/tests/a.rs", "use std::thread;"),
            0
        );
    }
}
