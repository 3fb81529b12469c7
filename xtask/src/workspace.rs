//! The workspace from `cargo metadata`: its crates and their dependencies.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::Value;

use crate::cargo::Call;

/// The parts of `cargo metadata` that the checks use.
#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) target: PathBuf,
    pub(crate) crates: Vec<Crate>,
}

/// One crate of the workspace.
#[derive(Debug, Default)]
pub(crate) struct Crate {
    pub(crate) name: String,
    pub(crate) manifest: PathBuf,
    pub(crate) features: Vec<String>,
    pub(crate) deps: Vec<Dep>,
    /// Names of its direct and indirect normal and build dependencies.
    pub(crate) reach: BTreeSet<String>,
}

/// One dependency as the manifest declares it.
#[derive(Debug)]
pub(crate) struct Dep {
    pub(crate) name: String,
    pub(crate) kind: DepKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DepKind {
    Normal,
    Build,
    Dev,
}

impl Workspace {
    /// Loads the workspace of the current folder.
    pub(crate) fn load() -> Result<Self, String> {
        let here = std::env::current_dir().map_err(|err| format!("current folder: {err}"))?;
        let text = Call::cargo("metadata --format-version 1").output(&here)?;
        let value = serde_json::from_str(&text).map_err(|err| format!("cargo metadata: {err}"))?;
        read(&value).ok_or_else(|| "cargo metadata has an unknown shape".to_owned())
    }

    /// The crate of that name.
    pub(crate) fn find(&self, name: &str) -> Result<&Crate, String> {
        let found = self.crates.iter().find(|each| each.name == name);
        found.ok_or_else(|| format!("the workspace has no crate `{name}`"))
    }
}

fn read(value: &Value) -> Option<Workspace> {
    let members: BTreeSet<&str> = strings(&value["workspace_members"]);
    let packages = value["packages"].as_array()?;
    let names: BTreeMap<&str, &str> = packages
        .iter()
        .filter_map(|package| Some((package["id"].as_str()?, package["name"].as_str()?)))
        .collect();
    let edges = edges(value)?;
    let mut crates = Vec::new();
    for package in packages {
        let id = package["id"].as_str()?;
        if members.contains(id) {
            let mut each = read_crate(package)?;
            each.reach = reach(id, &edges, &names);
            crates.push(each);
        }
    }
    Some(Workspace {
        root: PathBuf::from(value["workspace_root"].as_str()?),
        target: PathBuf::from(value["target_directory"].as_str()?),
        crates,
    })
}

fn strings(value: &Value) -> BTreeSet<&str> {
    let array = value.as_array().into_iter().flatten();
    array.filter_map(Value::as_str).collect()
}

fn read_crate(package: &Value) -> Option<Crate> {
    let mut deps = Vec::new();
    for dep in package["dependencies"].as_array()? {
        let kind = match dep["kind"].as_str() {
            None => DepKind::Normal,
            Some("build") => DepKind::Build,
            Some(_) => DepKind::Dev,
        };
        let name = dep["name"].as_str()?.to_owned();
        deps.push(Dep { name, kind });
    }
    Some(Crate {
        name: package["name"].as_str()?.to_owned(),
        manifest: PathBuf::from(package["manifest_path"].as_str()?),
        features: package["features"].as_object()?.keys().cloned().collect(),
        deps,
        reach: BTreeSet::new(),
    })
}

/// The normal and build dependencies of each package.
fn edges(value: &Value) -> Option<BTreeMap<&str, Vec<&str>>> {
    let mut edges: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for node in value["resolve"]["nodes"].as_array()? {
        let targets = edges.entry(node["id"].as_str()?).or_default();
        for dep in node["deps"].as_array()? {
            let shipped = dep["dep_kinds"]
                .as_array()?
                .iter()
                .any(|kind| kind["kind"].as_str() != Some("dev"));
            if shipped {
                targets.push(dep["pkg"].as_str()?);
            }
        }
    }
    Some(edges)
}

fn reach(
    from: &str,
    edges: &BTreeMap<&str, Vec<&str>>,
    names: &BTreeMap<&str, &str>,
) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let mut open = vec![from];
    while let Some(id) = open.pop() {
        for next in edges.get(id).into_iter().flatten() {
            if seen.insert(*next) {
                open.push(next);
            }
        }
    }
    let name = |id: &&str| names.get(id).map(|name| (*name).to_owned());
    seen.iter().filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn metadata() -> Value {
        let package = |id: &str, deps: Value| {
            json!({"id": id, "name": id, "manifest_path": "Cargo.toml",
                   "features": {"full": []}, "dependencies": deps})
        };
        let dep = |name: &str, kind: Value| json!({"name": name, "kind": kind});
        json!({
            "workspace_root": "here", "target_directory": "here/target",
            "workspace_members": ["a"],
            "packages": [
                package("a", json!([dep("b", json!(null)), dep("d", json!("dev"))])),
                package("b", json!([])), package("c", json!([])), package("d", json!([])),
            ],
            "resolve": {"nodes": [
                {"id": "a", "deps": [
                    {"pkg": "b", "dep_kinds": [{"kind": null}]},
                    {"pkg": "d", "dep_kinds": [{"kind": "dev"}]}]},
                {"id": "b", "deps": [{"pkg": "c", "dep_kinds": [{"kind": "build"}]}]},
            ]},
        })
    }

    #[test]
    fn reach_has_indirect_dependencies_without_those_of_tests() {
        let workspace = read(&metadata()).unwrap();
        let a = workspace.find("a").unwrap();
        let reach: Vec<&str> = a.reach.iter().map(String::as_str).collect();
        assert_eq!(reach, ["b", "c"]);
        assert_eq!(a.features, ["full"]);
        assert_eq!(a.deps[1].kind, DepKind::Dev);
        assert!(workspace.find("b").is_err(), "only members have an entry");
    }

    #[test]
    fn an_unknown_shape_is_an_error() {
        assert!(read(&json!({"packages": 3})).is_none());
    }
}
