//! A plan of a model becomes a plan file and a graph: no text is lost, and none becomes code or syntax.

#![allow(
    clippy::unwrap_used,
    reason = "the helpers of a test may take its short way"
)]

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};
use zeph_config::{ArgumentConfig, ArgumentKind, CommandConfig};
use zeph_executor::{Attempt, Executor as _, TaskContext, TaskId, TaskInput, TaskOutput, closure};
use zeph_graph::wire::{GraphSpec, TaskSpec, WorkSpec};
use zeph_planfile::{Format, Plan as PlanFile, RunValues, Templated};
use zeph_planner::plan::{Commands, Plan, PlanRequest, PlannedWork, read_plan};
use zeph_subagent::{AgentCatalog, SubAgentDef};

/// A catalog with one agent and one command that accepts any text.
fn request() -> PlanRequest {
    let mut agents = AgentCatalog::new();
    agents
        .add(SubAgentDef::new("writer", "Writes", "You write."))
        .unwrap();
    let text = ArgumentConfig {
        about: "what to keep".to_owned(),
        kind: ArgumentKind::Text(200),
        optional: false,
        dash: false,
    };
    let note = CommandConfig {
        about: "keeps a note".to_owned(),
        run: vec!["./note".to_owned(), "{text}".to_owned()],
        args: [("text".to_owned(), text)].into(),
    };
    let commands = Commands::new([("note".to_owned(), note)].into()).unwrap();
    PlanRequest {
        commands: commands.into(),
        ..PlanRequest::new("A report", agents)
    }
}

/// Texts of people and models, also texts that are an expression, a table or a comment in other contexts.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[a-zA-Z ]{1,12}",
        Just("${{ tasks.a.value }}".to_owned()),
        Just("$${{ x }}".to_owned()),
        Just("$$$".to_owned()),
        Just("{{".to_owned()),
        Just("}}".to_owned()),
        Just("\"\"\"".to_owned()),
        Just("'''".to_owned()),
        Just("\\n\\u0041\\".to_owned()),
        Just("\n[tasks.x]\nrun = ['rm']\n".to_owned()),
        Just("# no comment".to_owned()),
        Just("größe 猫 👩‍👧".to_owned()),
    ];
    prop::collection::vec(piece, 1..6).prop_map(|pieces| pieces.concat())
}

/// A document of a model: tasks that depend on some earlier ones.
fn document() -> impl Strategy<Value = Value> {
    let task = (0..3u8, text(), any::<u8>(), any::<bool>());
    prop::collection::vec(task, 1..7).prop_map(|tasks| {
        let tasks = tasks
            .into_iter()
            .enumerate()
            .map(|(at, (kind, text, needs, all_done))| {
                let needs = (0..at).filter(|place| needs >> place & 1 == 1);
                let needs: Vec<String> = needs.map(|place| format!("t{place}")).collect();
                let mut task = json!({
                    "name": format!("t{at}"),
                    "needs": needs,
                    "trigger": if all_done { "all_done" } else { "all_success" },
                });
                let text = format!("{text} (part {at})");
                match kind {
                    0 => {
                        task["agent"] = json!("writer");
                        task["prompt"] = json!(text);
                    }
                    1 => {
                        task["command"] = json!("note");
                        let line = text.replace('\n', " ");
                        task["arguments"] =
                            json!([{ "name": "text", "value": format!("x{line}") }]);
                    }
                    _ => task["question"] = json!(text),
                }
                task
            });
        json!({ "reasoning": "made up", "tasks": tasks.collect::<Vec<_>>() })
    })
}

/// The graph of the plan file.
fn graph(plan: &Plan) -> GraphSpec {
    let file = plan.to_plan_file();
    let loaded = PlanFile::load(&file, Format::Toml, "plan.toml");
    let loaded = loaded.unwrap_or_else(|errors| panic!("{errors}\n{file}"));
    let bound = loaded.bind(&BTreeMap::new());
    bound
        .unwrap_or_else(|errors| panic!("{errors}\n{file}"))
        .spec()
        .clone()
}

/// The parameters of a task as its executor receives them.
async fn given(task: &TaskSpec) -> Value {
    let WorkSpec::Action { params, .. } = &task.work else {
        return Value::Null;
    };
    let echo = closure::from_fn(|_: TaskContext, input: TaskInput| async move {
        Ok(TaskOutput::from(input.params))
    });
    let run = "r".parse().unwrap();
    let cx = TaskContext::builder(run, TaskId::from_index(0), "t", Attempt::FIRST).build();
    let templated = Templated::new(echo, RunValues::default());
    let output = templated.execute(&cx, TaskInput::new(params.clone())).await;
    output.unwrap().value
}

fn check(document: &Value) -> bool {
    let Ok(plan) = read_plan(&document.to_string(), &request()).outcome else {
        return false;
    };
    let spec = graph(&plan);
    assert_eq!(spec.tasks.len(), plan.tasks.len(), "{document}");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    for (planned, task) in plan.tasks.iter().zip(&spec.tasks) {
        assert_eq!((&planned.name, &planned.needs), (&task.name, &task.needs));
        let given = runtime.block_on(given(task));
        match (&planned.work, &task.work) {
            (PlannedWork::Agent { prompt, .. }, _) => assert_eq!(given["prompt"], json!(prompt)),
            (PlannedWork::Command { argv, .. }, _) => assert_eq!(given["argv"], json!(argv)),
            (PlannedWork::Question { text }, WorkSpec::Question(asked)) => {
                assert_eq!(&asked.text, text);
            }
            (PlannedWork::Question { .. }, other) => panic!("{other:?} is no question"),
        }
    }
    true
}

#[test]
fn a_plan_of_a_model_becomes_a_file_and_a_graph_and_stays_what_it_was() {
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(400));
    let accepted = std::cell::Cell::new(0);
    let outcome = runner.run(&document(), |document| {
        accepted.set(accepted.get() + u32::from(check(&document)));
        Ok(())
    });
    outcome.unwrap();
    assert!(
        accepted.get() > 100,
        "only {} plans were accepted",
        accepted.get()
    );
}
