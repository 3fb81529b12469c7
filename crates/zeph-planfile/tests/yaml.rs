//! Plans in YAML, and the schema of plan files: the same keys and the same problems in every format.

#![allow(
    clippy::unwrap_used,
    reason = "the helpers of a test may take its short way"
)]

use std::path::Path;

use serde_json::{Value, json};
use zeph_diagnostics::{Diagnostics, Node, Source, read_json, read_toml, read_yaml};
use zeph_planfile::{Format, Plan, schema};

#[test]
fn a_plan_is_the_same_in_all_formats() {
    let toml = "goal = 'x ${{ params.a }}'\n[params]\na = 1\n[tasks.t]\nmatrix = { n = [1, 'two'] }\nrun = ['echo', '${{ matrix.n }}']\nretry = { max = 2, base = '1s' }\n[tasks.u]\nneeds = ['t']\nshell = \"cat\\n\"\nstdin = '${{ tasks.t|length }}'";
    let yaml = "goal: x ${{ params.a }}\nparams: { a: 1 }\ntasks:\n  t:\n    matrix:\n      n: [1, two]\n    run: [echo, '${{ matrix.n }}']\n    retry: { max: 2, base: 1s }\n  u:\n    needs:\n      - t\n    shell: |\n      cat\n    stdin: ${{ tasks.t|length }}\n";
    let json = r#"{"goal": "x ${{ params.a }}", "params": {"a": 1}, "tasks": {"t": {"matrix": {"n": [1, "two"]}, "run": ["echo", "${{ matrix.n }}"], "retry": {"max": 2, "base": "1s"}}, "u": {"needs": ["t"], "shell": "cat\n", "stdin": "${{ tasks.t|length }}"}}}"#;
    let spec = |text: &str, name: &str| {
        let plan = Plan::load(text, Format::of_name(name), name);
        let plan = plan.unwrap_or_else(|errors| panic!("{errors}"));
        let mut spec = serde_json::to_value(plan.spec()).unwrap();
        for task in spec["tasks"].as_array_mut().unwrap() {
            let fields = task.as_object_mut().unwrap();
            fields.retain(|key, _| !key.contains("span"));
        }
        spec
    };
    let expected = spec(toml, "p.toml");
    assert_eq!(spec(yaml, "p.yaml"), expected);
    assert_eq!(spec(yaml, "p.YML"), expected);
    assert_eq!(spec(json, "p.json"), expected);
    assert_eq!(Format::of_text(yaml), Format::Yaml);
}

#[test]
fn problems_of_yaml_have_codes_and_places() {
    let yaml = "goal: x\njobs: 1\ntasks:\n  a:\n    run: make all\n    timeout: 5\n  b:\n    needs: [c]\n    <<: 1\n";
    let errors = Plan::load(yaml, Format::Yaml, "p.yaml")
        .unwrap_err()
        .to_string();
    assert_eq!(errors.lines().count(), 1, "{errors}");
    assert!(errors.starts_with("p.yaml:9:5: [yaml_feature]"), "{errors}");
    let errors = Plan::load(&yaml.replace("    <<: 1\n", ""), Format::Yaml, "p.yaml").unwrap_err();
    let shown: Vec<String> = errors
        .iter()
        .map(|one| {
            format!(
                "{} {}",
                one.code,
                &yaml[one.span.unwrap().start..one.span.unwrap().end]
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            "unknown_key jobs",
            "wrong_type make all",
            "bad_duration 5",
            "unknown_dependency c"
        ]
    );
    for (text, code) in [
        ("tasks:\n  a: [", "syntax"),
        ("tasks:\n  a: {}\n  a: {}", "duplicate_key"),
        ("", "no_tasks"),
        ("- a", "wrong_type"),
    ] {
        let errors = Plan::load(text, Format::Yaml, "p.yaml").unwrap_err();
        assert_eq!(errors[0].code.text(), code, "{text}: {errors}");
    }
}

/// The JSON of a document.
fn tree(text: &str, format: Format) -> Value {
    let source = Source::new("plan", text);
    let mut problems = Diagnostics::in_source(&source);
    let root = match format {
        Format::Toml => read_toml(&source, &mut problems),
        Format::Json => read_json(&source, &mut problems),
        Format::Yaml => read_yaml(&source, (0..text.len()).into(), &mut problems),
    };
    root.as_ref()
        .map(Node::to_json)
        .unwrap_or_else(|| panic!("{problems}"))
}

/// What the schema says about a document.
fn refusal(document: &Value) -> Option<String> {
    let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
    compiler
        .add_resource("file:///plan.json", schema())
        .unwrap();
    let index = compiler.compile("file:///plan.json", &mut schemas).unwrap();
    let found = schemas.validate(document, index).err();
    found.map(|error| error.to_string())
}

#[test]
fn the_schema_accepts_the_plans_of_the_docs() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let mut plans = vec![
        (zeph_planfile::starter("plan.toml"), Format::Toml),
        (
            std::fs::read_to_string(docs.join("plans/parts/deploy.toml")).unwrap(),
            Format::Toml,
        ),
    ];
    for entry in std::fs::read_dir(docs.join("plans")).unwrap().flatten() {
        let is_plan = |ending: &std::ffi::OsStr| {
            ["toml", "json", "yaml"].contains(&&*ending.to_string_lossy())
        };
        if entry.path().extension().is_some_and(is_plan) {
            let name = entry.file_name().into_string().unwrap();
            plans.push((
                std::fs::read_to_string(entry.path()).unwrap(),
                Format::of_name(&name),
            ));
        }
    }
    let page = std::fs::read_to_string(docs.join("src/plan-file.md")).unwrap();
    for (language, format) in [
        ("toml", Format::Toml),
        ("json", Format::Json),
        ("yaml", Format::Yaml),
    ] {
        let blocks = page
            .split("\n```")
            .filter_map(|block| block.strip_prefix(&format!("{language}\n")));
        plans.extend(blocks.map(|block| (format!("{block}\n"), format)));
    }
    assert!(plans.len() >= 25, "{}", plans.len());
    for (text, format) in plans {
        let refused = refusal(&tree(&text, format));
        assert!(refused.is_none(), "{text}\n{refused:?}");
    }
}

#[test]
fn the_schema_refuses_what_the_reader_refuses() {
    let task = |task: Value| json!({ "tasks": { "a": task } });
    for wrong in [
        json!({}),
        json!({ "tasks": {} }),
        json!({ "tasks": { "a": {} }, "job": 1 }),
        json!({ "tasks": { "a": {} }, "params": { "a": { "typ": "string" } } }),
        json!({ "tasks": { "a": {} }, "params": { "a": { "type": "text" } } }),
        json!({ "tasks": { "a": {} }, "lanes": { "a": 0 } }),
        json!({ "tasks": { "a": {} }, "defaults": { "needs": [] } }),
        task(json!({ "run": "make all" })),
        task(json!({ "run": ["x"], "retry": "3" })),
        task(json!({ "run": ["x"], "retry": { "base": "1s" } })),
        task(json!({ "run": ["x"], "timeout": 5 })),
        task(json!({ "run": ["x"], "needs": "b" })),
        task(json!({ "run": ["x"], "on_failure": "continue" })),
        task(json!({ "run": ["x"], "ok_codes": [256] })),
        task(json!({ "run": ["x"], "matrix": { "os": "linux" } })),
        task(json!({ "ask": { "answer": "yes_no" } })),
    ] {
        let text = wrong.to_string();
        assert!(refusal(&wrong).is_some(), "{text}");
        assert!(Plan::load(&text, Format::Json, "p.json").is_err(), "{text}");
    }
}
