//! A matrix from the plan file to the commands that name its cells.

use super::support::{Scene, code};

const PLAN: &str = r#"
[tasks.build]
matrix = { os = ["linux", "mac"], n = [1, 2], exclude = [{ os = "mac", n = 2 }] }
shell = 'echo built ${{ matrix.os }} ${{ matrix.n }}'

[tasks.flaky]
matrix = { os = ["linux", "mac"] }
needs = ["build"]
run = ["test", "${{ matrix.os }}", "=", "linux"]
on_failure = "skip"

[tasks.sum]
needs = ["build", "flaky"]
after = "all_done"
run = ["sh", "-c", 'echo "$1" >> log', "sh", "${{ tasks.build|map(attribute='stdout')|join(', ') }}; ${{ tasks.flaky[0].exit }} ${{ tasks.flaky[1] }}"]

[tasks.deploy]
matrix = { to = ["eu", "us"] }
needs = ["sum"]
approve = "Deploy to ${{ matrix.to }}?"
shell = 'echo deployed ${{ matrix.to }} >> log'
"#;

#[test]
fn results_are_a_list_in_order_and_cells_have_names_for_every_command() {
    let scene = Scene::new(PLAN);
    let graph = scene.zeph(&["graph", "plan.toml", "--format", "mermaid"]);
    assert_eq!(code(&graph), 0, "{graph:?}");
    assert!(
        !graph.out.contains("[\"build["),
        "a bracket would end the label: {graph:?}"
    );
    let run = scene.zeph(&["run", "plan.toml", "--name", "r"]);
    assert_eq!(code(&run), 5, "{run:?}");
    assert_eq!(
        scene.log(),
        ["built linux 1, built linux 2, built mac 1; 0 null"]
    );
    // Printed commands have the names in quotes.
    assert!(run.out.contains("ok build[linux,2]"), "{run:?}");
    let why = scene.zeph(&["why", "r", "deploy[us]"]);
    assert_eq!(code(&why), 0, "{why:?}");
    let logs = scene.zeph(&["logs", "r", "build[mac,1]"]);
    assert!(logs.out.contains("built mac 1"), "{logs:?}");
    let show = scene.zeph(&["show", "r", "sum"]);
    assert!(
        show.out.contains("built linux 1, built linux 2"),
        "{show:?}"
    );
    assert_eq!(code(&scene.zeph(&["answer", "r", "1", "yes"])), 0);
    assert_eq!(code(&scene.zeph(&["answer", "r", "2", "no"])), 0);
    let resume = scene.zeph(&["resume", "r"]);
    assert_eq!(code(&resume), 4, "{resume:?}");
    assert!(
        resume.out.contains("'flaky[mac]'"),
        "a shell reads it as one word: {resume:?}"
    );
    let deployed = scene
        .log()
        .iter()
        .filter(|line| line.starts_with("deployed"))
        .count();
    assert_eq!(deployed, 1, "{:?}", scene.log());
    let retry = scene.zeph(&["retry", "r", "--dry-run"]);
    assert_eq!(code(&retry), 0, "{retry:?}");
    assert!(retry.out.contains("flaky[mac]"), "{retry:?}");
}
