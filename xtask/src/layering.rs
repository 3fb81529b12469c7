//! Layering: which crate may depend on which, and packages that a crate must not depend on.

use crate::finding::Finding;
use crate::workspace::{Crate, DepKind, Workspace};

/// The layers, lowest first. A crate may depend on crates of lower layers only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Layer {
    Base,
    Model,
    Ports,
    /// Implementations of one port each.
    Adapters,
    Engine,
    Facade,
    Apps,
}

const LAYERS: [(&str, Layer); 23] = [
    ("zeph-common", Layer::Base),
    ("zeph-diagnostics", Layer::Base),
    ("zeph-config", Layer::Model),
    ("zeph-graph", Layer::Model),
    ("zeph-scheduler", Layer::Ports),
    ("zeph-memory", Layer::Ports),
    ("zeph-executor", Layer::Ports),
    ("zeph-subagent", Layer::Ports),
    ("zeph-llm", Layer::Ports),
    ("zeph-sanitizer", Layer::Ports),
    ("zeph-memory-sqlite", Layer::Adapters),
    ("zeph-memory-postgres", Layer::Adapters),
    ("zeph-command", Layer::Adapters),
    ("zeph-mcp", Layer::Adapters),
    ("zeph-llm-genai", Layer::Adapters),
    ("zeph-runtime", Layer::Engine),
    ("zeph-planner", Layer::Engine),
    ("zeph-planfile", Layer::Engine),
    ("zeph-orchestration", Layer::Facade),
    ("zeph-cli", Layer::Apps),
    ("zeph-core", Layer::Apps),
    ("zeph-tests", Layer::Apps),
    ("xtask", Layer::Apps),
];

/// The only dependencies inside a layer, each with its reason.
const EXCEPTIONS: [(&str, &str); 3] = [
    // A setting has the type that the run's policy has.
    ("zeph-config", "zeph-graph"),
    // Messages contain text of the user, which zeph-common makes safe to print.
    ("zeph-diagnostics", "zeph-common"),
    // The Tool port of zeph-subagent is called with the executor's TaskContext.
    ("zeph-subagent", "zeph-executor"),
];

/// Packages that must not come with a crate, directly or through another package.
const FORBIDDEN: [(&str, &str); 7] = [
    ("zeph-graph", "tokio"),
    ("zeph-graph", "sqlx"),
    ("zeph-graph", "getrandom"),
    ("zeph-scheduler", "tokio"),
    ("zeph-scheduler", "sqlx"),
    ("zeph-scheduler", "getrandom"),
    ("zeph-runtime", "sqlx"),
];

/// Packages that a crate must not name in its own manifest.
const FORBIDDEN_DIRECTLY: [(&str, &str); 1] = [
    // JSON belongs to the wire module of zeph-graph.
    ("zeph-scheduler", "serde_json"),
];

/// Packages that only apps may depend on.
const APPS_ONLY: [&str; 2] = ["clap", "axum"];

/// Every dependency of the workspace that the layers forbid.
pub(crate) fn check(workspace: &Workspace) -> Vec<Finding> {
    workspace.crates.iter().flat_map(check_crate).collect()
}

fn check_crate(each: &Crate) -> Vec<Finding> {
    let Some(own) = layer(&each.name) else {
        let message = "this crate has no layer; add it to LAYERS in xtask/src/layering.rs";
        return vec![Finding::new(&each.name, message)];
    };
    let mut found = upward(each, own);
    found.extend(forbidden(each, own));
    if own == Layer::Adapters {
        found.extend(ports(each));
    }
    found
}

/// Dependencies that do not point down. Tests of the facade and the apps may use any crate.
fn upward(each: &Crate, own: Layer) -> Vec<Finding> {
    let mut found = Vec::new();
    for dep in &each.deps {
        let Some(other) = layer(&dep.name) else {
            continue;
        };
        let for_tests = dep.kind == DepKind::Dev && own >= Layer::Facade;
        let itself = dep.name == each.name;
        let excepted = EXCEPTIONS.contains(&(&each.name, &dep.name));
        if other >= own && !for_tests && !itself && !excepted {
            let name = &dep.name;
            let message = format!("layer {own:?} must not depend on {name} (layer {other:?})");
            found.push(Finding::new(&each.name, message));
        }
    }
    found
}

fn forbidden(each: &Crate, own: Layer) -> Vec<Finding> {
    let mut found = Vec::new();
    let directly = |package: &str| each.deps.iter().any(|dep| dep.name == package);
    for (name, package) in FORBIDDEN {
        if name == each.name && (directly(package) || each.reach.contains(package)) {
            let message = format!("{package} must not come with this crate");
            found.push(Finding::new(&each.name, message));
        }
    }
    for (name, package) in FORBIDDEN_DIRECTLY {
        if name == each.name && directly(package) {
            let message = format!("must not depend on {package}");
            found.push(Finding::new(&each.name, message));
        }
    }
    for package in APPS_ONLY {
        if own != Layer::Apps && directly(package) {
            let message = format!("only apps may depend on {package}");
            found.push(Finding::new(&each.name, message));
        }
    }
    found
}

fn ports(each: &Crate) -> Option<Finding> {
    let ports: Vec<&str> = each
        .deps
        .iter()
        .filter(|dep| dep.kind != DepKind::Dev && layer(&dep.name) == Some(Layer::Ports))
        .map(|dep| dep.name.as_str())
        .collect();
    if ports.len() == 1 {
        return None;
    }
    let message = format!("an adapter depends on exactly one port, not on {ports:?}");
    Some(Finding::new(&each.name, message))
}

fn layer(name: &str) -> Option<Layer> {
    let found = LAYERS.iter().find(|(each, _)| *each == name);
    found.map(|(_, layer)| *layer)
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

    fn findings(name: &str, deps: &[(&str, DepKind)]) -> usize {
        check_crate(&krate(name, deps)).len()
    }

    #[test]
    fn a_crate_depends_on_lower_layers_only() {
        let normal = DepKind::Normal;
        assert_eq!(findings("zeph-scheduler", &[("zeph-graph", normal)]), 0);
        assert_eq!(findings("zeph-graph", &[("zeph-scheduler", normal)]), 1);
        assert_eq!(findings("zeph-scheduler", &[("zeph-memory", normal)]), 1);
        let build = DepKind::Build;
        assert_eq!(findings("zeph-scheduler", &[("zeph-memory", build)]), 1);
        assert_eq!(findings("zeph-runtime", &[("serde", normal)]), 0);
        assert_eq!(findings("zeph-runtime", &[("zeph-command", normal)]), 0);
        assert_eq!(findings("zeph-command", &[("zeph-runtime", normal)]), 2);
    }

    #[test]
    fn an_exception_holds_in_one_direction() {
        let normal = DepKind::Normal;
        assert_eq!(findings("zeph-subagent", &[("zeph-executor", normal)]), 0);
        assert_eq!(findings("zeph-executor", &[("zeph-subagent", normal)]), 1);
    }

    #[test]
    fn only_tests_of_the_facade_and_the_apps_may_use_any_crate() {
        let dev = DepKind::Dev;
        assert_eq!(findings("zeph-tests", &[("zeph-cli", dev)]), 0);
        assert_eq!(findings("zeph-orchestration", &[("zeph-cli", dev)]), 0);
        assert_eq!(findings("zeph-runtime", &[("zeph-planfile", dev)]), 1);
        let normal = DepKind::Normal;
        assert_eq!(findings("zeph-tests", &[("zeph-cli", normal)]), 1);
    }

    #[test]
    fn an_adapter_depends_on_one_port() {
        let normal = DepKind::Normal;
        let memory = ("zeph-memory", normal);
        let executor = ("zeph-executor", normal);
        assert_eq!(findings("zeph-memory-sqlite", &[memory]), 0);
        assert_eq!(findings("zeph-memory-sqlite", &[memory, executor]), 1);
        assert_eq!(findings("zeph-command", &[("zeph-common", normal)]), 1);
        let dev = ("zeph-executor", DepKind::Dev);
        assert_eq!(findings("zeph-command", &[dev]), 1);
    }

    #[test]
    fn a_crate_without_a_layer_is_a_finding() {
        assert_eq!(findings("zeph-unknown", &[]), 1);
    }

    #[test]
    fn forbidden_packages_are_found_directly_and_behind_others() {
        assert_eq!(findings("zeph-graph", &[("tokio", DepKind::Dev)]), 1);
        assert_eq!(findings("zeph-memory", &[("tokio", DepKind::Normal)]), 0);
        let json = ("serde_json", DepKind::Normal);
        assert_eq!(findings("zeph-scheduler", &[json]), 1);
        let mut runtime = krate("zeph-runtime", &[]);
        assert!(check_crate(&runtime).is_empty());
        runtime.reach.insert("sqlx".to_owned());
        assert_eq!(check_crate(&runtime).len(), 1);
    }

    #[test]
    fn only_apps_parse_arguments() {
        assert_eq!(findings("zeph-cli", &[("clap", DepKind::Normal)]), 0);
        assert_eq!(findings("zeph-runtime", &[("clap", DepKind::Normal)]), 1);
    }
}
