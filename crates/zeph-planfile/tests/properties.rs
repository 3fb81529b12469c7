//! Properties: any bytes are read as a plan or refused, and both formats agree.

use std::collections::BTreeMap;

use proptest::prelude::*;
use zeph_planfile::{Format, Plan};

/// Reads, binds and builds; every span must lie in the text.
fn exercise(bytes: &[u8], format: Format) -> bool {
    let errors = match Plan::load_bytes(bytes, format, "plan") {
        Err(errors) => errors,
        Ok(plan) => match plan.bind(&BTreeMap::new()).and_then(|bound| bound.graph()) {
            Ok(_) => return true,
            Err(errors) => errors,
        },
    };
    let text = errors.as_slice()[0]
        .source
        .as_ref()
        .map_or("", |source| source.text());
    for one in &errors {
        if let Some(span) = one.span {
            assert!(
                text.get(span.start..span.end).is_some(),
                "{span:?} of {text:?}"
            );
        }
        assert!(!one.message.is_empty());
    }
    assert!(!errors.to_string().is_empty());
    false
}

/// Fragments of plans, so that random plans are close to valid ones.
fn piece() -> impl Strategy<Value = String> {
    let words = [
        "[tasks.a]\n",
        "[tasks.b]\n",
        "[params]\n",
        "[defaults]\n",
        "[lanes]\n",
        "[",
        "]",
        "{",
        "}",
        "run = ['x']\n",
        "run = ['sh', '-c', '${{ tasks.a.stdout }}']\n",
        "shell = 'x'\n",
        "needs = ['a', 'b']\n",
        "ask = 'x'\n",
        "retry = 3\n",
        "timeout = '1s'\n",
        "p = 1\n",
        "env = { A = '${{ params.p }}' }\n",
        "stdin = '${{",
        " }}'\n",
        "goal = \"x\"\n",
        "'",
        "\"",
        "on_failure = { value = [1, {a = '$${{'}] }\n",
        "=",
        "\n",
        ",",
        "é",
        "\u{202e}",
        "\\u0000",
        "{\"tasks\":",
        "{\"a\":{\"run\":[\"x\"]}}",
        "}",
        "null",
        "1e9",
        "\"needs\":[\"a\"]",
        "matrix = { os = ['x', 1], exclude = [{ os = 1 }] }\n",
        "run = ['x', '${{ matrix.os }}', '${{ tasks.a|length }}']\n",
        "plan = 'x.toml'\n",
        "include = 'x.toml'\n",
        "when = '${{ matrix.os == 1 }}'\n",
        "tasks:\n",
        "  a:\n",
        "    run: [x]\n",
        "    needs: [b]\n",
        "  - ",
        ": ",
    ];
    prop::sample::select(words.to_vec()).prop_map(str::to_owned)
}

/// A name that is valid for tasks, parameters and lanes.
fn name() -> impl Strategy<Value = String> {
    "[a-z_][a-z0-9_-]{0,8}"
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        exercise(&bytes, Format::Toml);
        exercise(&bytes, Format::Json);
        exercise(&bytes, Format::Yaml);
    }

    #[test]
    fn anything_like_a_plan_is_read_or_refused(pieces in prop::collection::vec(piece(), 0..24)) {
        let text = pieces.concat();
        exercise(text.as_bytes(), Format::Toml);
        exercise(text.as_bytes(), Format::Json);
        exercise(text.as_bytes(), Format::Yaml);
    }

    #[test]
    fn any_expression_is_read_or_refused(expression in "[a-z0-9 .'\"|(){}\\[\\]~+*,:=-]{0,40}") {
        let plan = serde_json::json!({
            "params": { "p": 1 },
            "tasks": { "b": {}, "a": { "needs": ["b"], "run": ["x", format!("${{{{{expression}}}}}")] } },
        });
        exercise(plan.to_string().as_bytes(), Format::Json);
    }

    /// A parameter's value is never expanded, even if it looks like an expression.
    #[test]
    fn values_are_never_templates(value in "[${} a-z.]{0,20}") {
        let plan = "[params]\np = 'x'\n[tasks.a]\nrun = ['echo', '<${{ params.p }}>']\ndescription = '${{ params.p }}'";
        let plan = Plan::load(plan, Format::Toml, "plan").unwrap();
        let given = BTreeMap::from([("p".to_owned(), value.clone())]);
        let spec = plan.bind(&given).unwrap().spec().clone();
        prop_assert_eq!(&spec.tasks[0].metadata["description"], &value);
        let json = serde_json::to_value(&spec.tasks[0].work).unwrap();
        let argument = json["params"]["argv"][1].as_str().unwrap();
        prop_assert_eq!(argument, format!("<{}>", value.replace("${{", "$${{")));
    }

    /// The two formats are one schema: the same plan gives the same graph.
    #[test]
    fn both_formats_agree(names in prop::collection::btree_set(name(), 1..6), retries in 0u32..5) {
        let mut toml = String::new();
        let mut json = serde_json::Map::new();
        let mut before: Vec<&String> = Vec::new();
        for name in &names {
            let needs: Vec<&String> = before.clone();
            toml.push_str(&format!("[tasks.{name}]\nneeds = {needs:?}\nrun = ['echo', '{name}']\nretry = {retries}\n"));
            json.insert(name.clone(), serde_json::json!({ "needs": needs, "run": ["echo", name], "retry": retries }));
            before.push(name);
        }
        let json = serde_json::json!({ "tasks": json }).to_string();
        let mut specs = [(toml, Format::Toml), (json, Format::Json)].map(|(text, format)| {
            Plan::load(&text, format, "plan").unwrap().spec()
        });
        for task in specs.iter_mut().flat_map(|spec| &mut spec.tasks) {
            task.span = None;
            task.needs_spans.clear();
        }
        prop_assert_eq!(&specs[0], &specs[1]);
    }
}

#[test]
fn large_plans_are_read_in_linear_time() {
    let count = 20_000;
    let mut text = String::new();
    for at in 0..count {
        let need = if at == 0 {
            String::new()
        } else {
            format!("'t{}'", (at - 1) / 10)
        };
        text.push_str(&format!(
            "[tasks.t{at}]\nneeds = [{need}]\nrun = ['echo', '{at}']\n"
        ));
    }
    assert!(exercise(text.as_bytes(), Format::Toml));
}

#[test]
fn noise_has_a_bounded_answer() {
    let text = "[tasks.a]\nx = 1\n".to_owned() + &"y' = [\n".repeat(200_000);
    assert!(!exercise(text.as_bytes(), Format::Toml));
    let unknown: String = (0..50_000).map(|at| format!("k{at} = 1\n")).collect();
    let errors = Plan::load(&unknown, Format::Toml, "plan").unwrap_err();
    assert_eq!(errors.as_slice().len(), 1_000);
}
