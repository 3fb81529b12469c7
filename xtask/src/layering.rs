//! Layering: seven storeys, arrows down only, and packages that may never get in.

use crate::finding::Finding;
use crate::workspace::{Crate, DepKind, Workspace};

/// The storeys from the ground up; an arrow must end below where it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Storey {
    Text,
    Base,
    Model,
    Ports,
    Engine,
    Door,
    Apps,
}

/// Where each crate lives. Adapters share the engine's storey.
const HOUSE: [(&str, Storey); 21] = [
    ("zeph-common", Storey::Text),
    ("zeph-diagnostics", Storey::Base),
    ("zeph-config", Storey::Model),
    ("zeph-graph", Storey::Model),
    ("zeph-scheduler", Storey::Ports),
    ("zeph-memory", Storey::Ports),
    ("zeph-executor", Storey::Ports),
    ("zeph-subagent", Storey::Ports),
    ("zeph-llm", Storey::Ports),
    ("zeph-sanitizer", Storey::Ports),
    ("zeph-runtime", Storey::Engine),
    ("zeph-planfile", Storey::Engine),
    ("zeph-planner", Storey::Engine),
    ("zeph-memory-sqlite", Storey::Engine),
    ("zeph-command", Storey::Engine),
    ("zeph-llm-genai", Storey::Engine),
    ("zeph-orchestration", Storey::Door),
    ("zeph-cli", Storey::Apps),
    ("zeph-core", Storey::Apps),
    ("zeph-tests", Storey::Apps),
    ("xtask", Storey::Apps),
];

/// Crates that implement one port, and so import exactly one.
const ADAPTERS: [&str; 3] = ["zeph-memory-sqlite", "zeph-command", "zeph-llm-genai"];

/// Packages that must not come with a crate, not even through another.
const UNREACHABLE: [(&str, &str); 5] = [
    ("zeph-graph", "tokio"),
    ("zeph-graph", "sqlx"),
    ("zeph-scheduler", "tokio"),
    ("zeph-scheduler", "sqlx"),
    ("zeph-runtime", "sqlx"),
];

/// Packages that only apps may depend on.
const APPS_ONLY: [&str; 2] = ["clap", "axum"];

/// Everything that is wrong with the arrows of the workspace.
pub(crate) fn check(workspace: &Workspace) -> Vec<Finding> {
    workspace.crates.iter().flat_map(check_crate).collect()
}

/// Whether a crate is an app: apps alone print, parse arguments and serve pages.
pub(crate) fn is_app(name: &str) -> bool {
    storey(name) == Some(Storey::Apps)
}

fn check_crate(each: &Crate) -> Vec<Finding> {
    let Some(own) = storey(&each.name) else {
        let what = "this crate has no storey; give it one in xtask/src/layering.rs";
        return vec![Finding::of(&each.name, what)];
    };
    let mut found = arrows(each, own);
    found.extend(guests(each, own));
    if ADAPTERS.contains(&each.name.as_str()) {
        found.extend(ports(each));
    }
    found
}

fn arrows(each: &Crate, own: Storey) -> Vec<Finding> {
    let mut found = Vec::new();
    for dep in &each.deps {
        let Some(other) = storey(&dep.name) else {
            continue;
        };
        let testing = dep.kind == DepKind::Dev && own >= Storey::Door;
        if other >= own && !testing && dep.name != each.name {
            let what = format!(
                "{own:?} must not depend on {} ({other:?}): arrows point down only",
                dep.name
            );
            found.push(Finding::of(&each.name, what));
        }
    }
    found
}

fn guests(each: &Crate, own: Storey) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, package) in UNREACHABLE {
        let direct = each.deps.iter().any(|dep| dep.name == package);
        if name == each.name && (direct || each.reach.contains(package)) {
            let what = format!("{package} must not come with this crate");
            found.push(Finding::of(&each.name, what));
        }
    }
    for package in APPS_ONLY {
        if own != Storey::Apps && each.deps.iter().any(|dep| dep.name == package) {
            let what = format!("only apps may depend on {package}");
            found.push(Finding::of(&each.name, what));
        }
    }
    found
}

fn ports(each: &Crate) -> Option<Finding> {
    let ports: Vec<&str> = each
        .deps
        .iter()
        .filter(|dep| dep.kind != DepKind::Dev && storey(&dep.name) == Some(Storey::Ports))
        .map(|dep| dep.name.as_str())
        .collect();
    if ports.len() == 1 {
        return None;
    }
    let what = format!("an adapter imports exactly one port, this one: {ports:?}");
    Some(Finding::of(&each.name, what))
}

fn storey(name: &str) -> Option<Storey> {
    let found = HOUSE.iter().find(|(each, _)| *each == name);
    found.map(|(_, storey)| *storey)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Dep;

    fn krate(name: &str, deps: &[(&str, DepKind)]) -> Crate {
        let dep = |(name, kind): &(&str, DepKind)| Dep {
            name: (*name).to_owned(),
            kind: *kind,
        };
        Crate {
            name: name.to_owned(),
            deps: deps.iter().map(dep).collect(),
            ..Crate::default()
        }
    }

    fn complaints(name: &str, deps: &[(&str, DepKind)]) -> usize {
        check_crate(&krate(name, deps)).len()
    }

    #[test]
    fn arrows_point_down_and_nowhere_else() {
        let normal = DepKind::Normal;
        assert_eq!(complaints("zeph-scheduler", &[("zeph-graph", normal)]), 0);
        assert_eq!(complaints("zeph-graph", &[("zeph-scheduler", normal)]), 1);
        assert_eq!(complaints("zeph-scheduler", &[("zeph-memory", normal)]), 1);
        assert_eq!(
            complaints("zeph-scheduler", &[("zeph-memory", DepKind::Build)]),
            1
        );
        assert_eq!(complaints("zeph-runtime", &[("serde", normal)]), 0);
    }

    #[test]
    fn only_the_upper_storeys_may_test_with_what_lies_beside_them() {
        let dev = DepKind::Dev;
        assert_eq!(complaints("zeph-tests", &[("zeph-cli", dev)]), 0);
        assert_eq!(complaints("zeph-orchestration", &[("zeph-cli", dev)]), 0);
        assert_eq!(
            complaints("zeph-runtime", &[("zeph-memory-sqlite", dev)]),
            1
        );
        assert_eq!(
            complaints("zeph-tests", &[("zeph-cli", DepKind::Normal)]),
            1
        );
    }

    #[test]
    fn an_adapter_imports_one_port() {
        let normal = DepKind::Normal;
        let memory = ("zeph-memory", normal);
        let subagent = ("zeph-subagent", normal);
        assert_eq!(complaints("zeph-memory-sqlite", &[memory]), 0);
        assert_eq!(complaints("zeph-memory-sqlite", &[memory, subagent]), 1);
        assert_eq!(complaints("zeph-command", &[("zeph-common", normal)]), 1);
        assert_eq!(
            complaints("zeph-command", &[("zeph-subagent", DepKind::Dev)]),
            1
        );
    }

    #[test]
    fn a_crate_without_a_storey_is_an_error() {
        assert_eq!(complaints("zeph-attic", &[]), 1);
    }

    #[test]
    fn forbidden_packages_are_found_directly_and_behind_others() {
        assert_eq!(complaints("zeph-graph", &[("tokio", DepKind::Dev)]), 1);
        assert_eq!(complaints("zeph-memory", &[("tokio", DepKind::Normal)]), 0);
        let mut runtime = krate("zeph-runtime", &[]);
        assert!(check_crate(&runtime).is_empty());
        runtime.reach.insert("sqlx".to_owned());
        assert_eq!(check_crate(&runtime).len(), 1);
    }

    #[test]
    fn only_apps_parse_arguments() {
        assert_eq!(complaints("zeph-cli", &[("clap", DepKind::Normal)]), 0);
        assert_eq!(complaints("zeph-runtime", &[("clap", DepKind::Normal)]), 1);
        assert!(is_app("zeph-cli"));
        assert!(!is_app("zeph-runtime"));
    }
}
