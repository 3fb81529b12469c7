//! Labels: set at the start, shown, found, and kept by a retry.

use super::goal::json_of;
use super::support::{Scene, code};

#[test]
fn labelled_runs_are_found_and_a_retry_keeps_the_labels() {
    let scene = Scene::new("[tasks.a]\nshell = 'test -e fixed'");
    let run = |name: &str, labels: &[&str]| {
        let labels = labels.iter().flat_map(|label| ["--label", label]);
        let args = ["run", "plan.toml", "--name", name];
        scene.zeph(&args.into_iter().chain(labels).collect::<Vec<_>>())
    };
    assert_eq!(code(&run("one", &["team=core", "env=test"])), 3);
    assert_eq!(code(&run("two", &["team=web"])), 3);
    assert_eq!(code(&run("three", &[])), 3);
    let found = |labels: &[&str]| {
        let labels = labels.iter().flat_map(|label| ["--label", label]);
        let args: Vec<&str> = ["list", "--json"].into_iter().chain(labels).collect();
        let list = json_of(&scene.zeph(&args));
        let runs = list.as_array().unwrap().iter();
        let names = runs.map(|run| run["run"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    assert_eq!(found(&["team"]), ["two", "one"]);
    assert_eq!(found(&["team=core"]), ["one"]);
    assert_eq!(found(&["team=core", "env=live"]), [""; 0]);
    let list = scene.zeph(&["list"]);
    assert!(list.out.contains("env=test, team=core"), "{list:?}");
    for command in ["status", "show"] {
        let shown = scene.zeph(&[command, "one"]);
        let wanted = "labels       env=test, team=core";
        assert!(shown.out.contains(wanted), "{shown:?}");
        let json = json_of(&scene.zeph(&[command, "one", "--json"]));
        assert_eq!(json["labels"]["team"], "core", "{json}");
    }
    scene.file("fixed", "");
    let retry = ["retry", "one", "--name", "again", "--label", "env=live"];
    assert_eq!(code(&scene.zeph(&retry)), 0);
    assert_eq!(found(&["team=core", "env=live"]), ["again"]);
    assert_eq!(code(&scene.zeph(&["verify"])), 0);
    for wrong in ["team", "a team=x", "=x"] {
        let refused = run("four", &[wrong]);
        assert_eq!(code(&refused), 2, "{refused:?}");
        let wanted = "a label is NAME=VALUE";
        assert!(refused.err.contains(wanted), "{refused:?}");
    }
}
