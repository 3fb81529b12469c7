//! The first steps: a new plan, plans in YAML, the schema.

use super::support::{Scene, code};

#[test]
fn a_new_plan_is_valid_and_runs() {
    let scene = Scene::new("");
    let new = scene.zeph(&["new", "weekly"]);
    assert_eq!(code(&new), 0, "{new:?}");
    assert!(new.out.contains("zeph run weekly.toml"), "{new:?}");
    let valid = scene.zeph(&["validate", "weekly.toml"]);
    assert_eq!(
        (code(&valid), valid.out.contains("warning")),
        (0, false),
        "{valid:?}"
    );
    let run = scene.zeph(&["run", "weekly.toml", "-p", "name=Ada", "--name", "r"]);
    assert_eq!(code(&run), 0, "{run:?}");
    let logs = scene.zeph(&["logs", "r", "report"]);
    assert!(logs.out.contains("11 bytes, 2 tests"), "{logs:?}");
    let again = scene.zeph(&["new", "weekly.toml"]);
    assert_eq!(code(&again), 2, "{again:?}");
    assert!(again.err.contains("nothing was changed"), "{again:?}");
    assert_eq!(code(&scene.zeph(&["new", "weekly.json"])), 2);
    let json = scene.zeph(&["new", "--json", "other"]);
    assert_eq!(json.out, "{\"file\":\"other.toml\"}\n");
}

#[test]
fn a_yaml_plan_runs_also_from_stdin_and_shows_its_problems() {
    let scene = Scene::new("");
    let plan =
        "tasks:\n  a:\n    shell: echo ${{ matrix.n }} >> log\n    matrix: { n: [one, two] }\n";
    scene.file("plan.yaml", plan);
    let run = scene.zeph(&["run", "plan.yaml"]);
    assert_eq!(code(&run), 0, "{run:?}");
    let run = scene.zeph_with_stdin(&["run", "-"], plan);
    assert_eq!(code(&run), 0, "{run:?}");
    assert_eq!(scene.log(), ["one", "one", "two", "two"]);
    scene.file("plan.yaml", "tasks:\n  a:\n    rn: [x]\n");
    let wrong = scene.zeph(&["validate", "plan.yaml"]);
    assert_eq!(code(&wrong), 2, "{wrong:?}");
    assert!(
        wrong.err.contains("plan.yaml:3:5") && wrong.err.contains("^^"),
        "{wrong:?}"
    );
}

#[test]
fn the_schema_is_json() {
    let scene = Scene::new("");
    let schema = scene.zeph(&["schema"]);
    assert_eq!(code(&schema), 0, "{schema:?}");
    let schema: serde_json::Value = serde_json::from_str(&schema.out).unwrap();
    assert!(schema["$defs"]["task"]["properties"]["needs"].is_object());
}
