//! Large inputs: rejected early or read in linear time, on a stack of any size.

use std::fmt::Write as _;

use zeph_diagnostics::Code;
use zeph_planner::plan::{PlanLimits, PlanRequest, Reading, code, read_plan};
use zeph_subagent::{AgentCatalog, SubAgentDef};

use crate::support::request;

fn codes(reading: &Reading) -> Vec<Code> {
    let problems = reading.outcome.as_ref().err();
    problems.into_iter().flatten().map(|one| one.code).collect()
}

/// A request without limits.
fn wide() -> PlanRequest {
    let mut request = request();
    request.limits = PlanLimits {
        max_tasks: usize::MAX,
        max_depth: usize::MAX,
        max_width: usize::MAX,
        max_bytes: usize::MAX,
        max_prompt_bytes: usize::MAX,
        ..PlanLimits::default()
    };
    request
}

/// A chain of tasks; in reverse order; or closed to a cycle.
fn chain(tasks: usize, backwards: bool, circle: bool) -> String {
    let mut text = String::from("[");
    for place in 0..tasks {
        let number = if backwards { tasks - 1 - place } else { place };
        let need = match (number, circle) {
            (0, false) => String::new(),
            (0, true) => format!("\"t{}\"", tasks - 1),
            (number, _) => format!("\"t{}\"", number - 1),
        };
        let comma = if place == 0 { "" } else { "," };
        let _ = write!(
            text,
            r#"{comma}{{"name":"t{number}","needs":[{need}],"agent":"writer","prompt":"x"}}"#
        );
    }
    text.push(']');
    text
}

#[test]
fn a_chain_of_a_hundred_thousand_is_refused_for_its_size() {
    let text = chain(100_000, false, false);
    assert_eq!(codes(&read_plan(&text, &request())), [code::TOO_LARGE]);
    let mut request = request();
    request.limits.max_bytes = usize::MAX;
    let reading = read_plan(&text, &request);
    assert_eq!(codes(&reading), [code::TOO_MANY_TASKS]);
}

#[test]
fn a_chain_of_a_hundred_thousand_needs_no_deep_stack() {
    let read = || {
        let mut request = wide();
        let plan = read_plan(&chain(100_000, true, false), &request).outcome;
        let plan = plan.expect("it is a plan");
        assert_eq!((plan.tasks.len(), plan.estimate.depth), (100_000, 100_000));
        assert_eq!(plan.tasks[0].name, "t0");
        request.limits.max_depth = 10;
        let deep = read_plan(&chain(20_000, false, false), &request);
        assert_eq!(codes(&deep), [code::TOO_DEEP]);
        let circle = read_plan(&chain(20_000, false, true), &wide());
        assert_eq!(codes(&circle), [code::CYCLE]);
    };
    let small = std::thread::Builder::new().stack_size(256 << 10);
    small.spawn(read).unwrap().join().unwrap();
}

#[test]
fn long_texts_and_deep_nesting_are_refused() {
    let long = "x".repeat(10 << 20);
    assert_eq!(codes(&read_plan(&long, &request())), [code::TOO_LARGE]);
    let in_prompt = format!(r#"[{{"name":"a","agent":"writer","prompt":"{long}"}}]"#);
    assert_eq!(codes(&read_plan(&in_prompt, &request())), [code::TOO_LARGE]);
    let mut request = wide();
    assert!(read_plan(&in_prompt, &request).outcome.is_ok());
    request.limits.max_prompt_bytes = 1_000;
    assert_eq!(
        codes(&read_plan(&in_prompt, &request)),
        [code::TEXT_TOO_LONG]
    );
    let name = format!(r#"[{{"name":"{long}","agent":"writer","prompt":"x"}}]"#);
    assert_eq!(codes(&read_plan(&name, &wide())), [code::BAD_NAME]);
    let field = format!(r#"[{{"name":"a","agent":"writer","prompt":"x","{long}":1}}]"#);
    assert_eq!(codes(&read_plan(&field, &wide())), [code::UNKNOWN_FIELD]);
    for bracket in ["[", "{\"a\":"] {
        let deep = bracket.repeat(1 << 20);
        let reading = read_plan(&deep, &wide());
        assert_eq!(codes(&reading).len(), 1, "{bracket}");
    }
}

/// Quadratic work would take minutes here; a linear pass takes a moment.
#[test]
fn large_texts_of_every_shape_are_read_to_their_end() {
    let request = wide();
    let shapes: [fn(usize) -> String; 5] = [
        |tasks| chain(tasks, true, false),
        |tasks| chain(tasks, false, true),
        |tasks| format!("[{}]", "{\"name\":7,\"x\":1},".repeat(tasks)),
        |tasks| {
            format!(
                "[{{\"name\":\"a\",\"needs\":[{}\"a\"]}}]",
                "\"b\",".repeat(tasks)
            )
        },
        |tasks| "{\"tasks\":[{} ".repeat(tasks),
    ];
    let read = shapes.map(|shape| read_plan(&shape(20_000), &request));
    let sound = read.map(|reading| reading.outcome.is_ok());
    assert_eq!(sound, [true, false, false, false, false]);
}

#[test]
fn many_wrong_names_are_compared_with_a_large_catalogue_only_until_the_report_is_full() {
    let mut catalog = AgentCatalog::new();
    for agent in 0..100 {
        let mut def = SubAgentDef::new(format!("agent-{agent}"), "Works", "You work.");
        def.tools = (0..20).map(|tool| format!("tool-{agent}-{tool}")).collect();
        catalog.add(def).unwrap();
    }
    let request = PlanRequest::new("A goal", catalog);
    let problems = |wrong: usize| {
        let tools = vec!["\"tx\""; wrong].join(",");
        let text = format!(
            r#"[{{"name":"a","needs":[],"agent":"agent-1","prompt":"x","tools":[{tools}]}}]"#
        );
        read_plan(&text, &request).outcome.unwrap_err()
    };
    // A full report ends the search for similar names, so more wrong names add no problem and no work.
    let full = problems(300);
    assert_eq!(full.len(), 200);
    assert!(full.iter().all(|one| one.code == code::UNKNOWN_TOOL));
    let last = full.iter().last().and_then(|one| one.path.clone());
    assert_eq!(last.as_deref(), Some("/tasks/0/tools/199"));
    assert_eq!(problems(20_000), full);
}
