//! Defective plans and the codes of all their problems.

use std::collections::BTreeMap;

use zeph_planfile::{Diagnostics, Format, Plan};

/// The codes of a plan, in the order of the source.
fn codes(errors: &Diagnostics) -> String {
    let codes: Vec<&str> = errors.iter().map(|one| one.code.text()).collect();
    codes.join(" ")
}

fn check(format: Format, table: &[(&str, &str)]) {
    for (text, expected) in table {
        let found = match Plan::load(text, format, "plan") {
            Ok(_) => String::new(),
            Err(errors) => {
                for one in &errors {
                    let span = one.span.unwrap_or_default();
                    assert!(text.get(span.start..span.end).is_some(), "{text}: {one:?}");
                }
                codes(&errors)
            }
        };
        assert_eq!(found, *expected, "{text}");
    }
}

#[test]
fn toml_itself() {
    check(
        Format::Toml,
        &[
            ("", "no_tasks"),
            ("goal = ", "syntax"),
            ("goal = \"a\ntasks = 1", "syntax"),
            ("goal = \ntasks = ", "syntax syntax"),
            ("goal = 'a'\ngoal = 'b'", "duplicate_key"),
            ("[tasks.a]\n[tasks.a]", "duplicate_key"),
            ("goal = 2020-01-01", "bad_value"),
            ("max_parallel = 99999999999999999999", "bad_value"),
            ("[tasks.a]\nrun = ['x', nan]", "bad_value"),
        ],
    );
    let deep = format!("a = {}1{}", "[".repeat(1_000), "]".repeat(1_000));
    let errors = Plan::load(&deep, Format::Toml, "deep").unwrap_err();
    assert_eq!(errors.as_slice()[0].code.text(), "nested_too_deeply");
}

#[test]
fn json_itself() {
    check(
        Format::Json,
        &[
            ("", "syntax"),
            ("[]", "wrong_type"),
            ("{} {}", "syntax"),
            ("{\"goal\": }", "syntax"),
            ("{\"goal\": 1e999}", "syntax"),
            ("{\"goal\": NaN}", "syntax"),
            ("{\"goal\": \"a\", \"goal\": \"b\"}", "duplicate_key"),
            ("{\"tasks\": {\"a\": {}, \"a\": {}}}", "duplicate_key"),
            ("{\"tasks\": {\"a\": null}}", "wrong_type"),
            ("```json\n{}\n```", "syntax"),
            ("{\"tasks\": {\"a\": {\"run\": [\"x\"", "syntax"),
        ],
    );
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    let errors = Plan::load(&deep, Format::Json, "deep").unwrap_err();
    assert_eq!(codes(&errors), "nested_too_deeply");
}

#[test]
fn the_top_level() {
    check(
        Format::Toml,
        &[
            ("goals = 'x'\n[tasks.a]", "unknown_key"),
            ("goal = 1\n[tasks.a]", "wrong_type"),
            ("max_parallel = 0\n[tasks.a]", "bad_value"),
            ("max_parallel = -1\n[tasks.a]", "bad_value"),
            ("max_parallel = 1.5\n[tasks.a]", "wrong_type"),
            ("timeout = '0s'\n[tasks.a]", "zero_timeout"),
            ("timeout = 5\n[tasks.a]", "bad_duration"),
            ("timeout = '5 parsecs'\n[tasks.a]", "bad_duration"),
            ("tasks = []", "wrong_type"),
            ("[[tasks]]\nrun = ['x']", "wrong_type"),
            ("lanes = 1\n[tasks.a]", "wrong_type"),
            ("[lanes]\nx = 0\n[tasks.a]", "zero_capacity"),
            ("[lanes]\nx = -1\n[tasks.a]", "bad_value"),
            ("[lanes]\n'x y' = 1\n[tasks.a]", "bad_name"),
            ("[lanes]\nx = 1\nX = 1\n[tasks.a]", "case_folded_duplicate"),
            ("[defaults]\ntimeouts = '1s'\n[tasks.a]", "unknown_key"),
            ("[defaults]\nneeds = ['a']\n[tasks.a]", "unknown_key"),
            (
                "goal = '${{ run.id }}'\n[tasks.a]",
                "expression_not_allowed",
            ),
            ("goal = '${{ params.x }}'\n[tasks.a]", "unknown_param"),
        ],
    );
}

#[test]
fn params() {
    check(
        Format::Toml,
        &[
            ("[params]\n'a b' = 1\n[tasks.a]", "bad_name"),
            ("[params]\na = [[nan]]\n[tasks.a]", "bad_value"),
            ("[params]\na = { typ = 'string' }\n[tasks.a]", "unknown_key"),
            ("[params]\na = { type = 'text' }\n[tasks.a]", "bad_value"),
            (
                "[params]\na = { type = 'integer', default = 'x' }\n[tasks.a]",
                "wrong_type",
            ),
            (
                "[params]\na = { type = 'integer', default = 1.5 }\n[tasks.a]",
                "wrong_type",
            ),
            (
                "[params]\na = { default = 'x', choices = ['y'] }\n[tasks.a]",
                "bad_param",
            ),
            ("[params]\na = { choices = [] }\n[tasks.a]", "bad_value"),
            ("[params]\na = { choices = [1] }\n[tasks.a]", "wrong_type"),
            (
                "[params]\na = { secret = true, default = 'x' }\n[tasks.a]",
                "misplaced_key",
            ),
            (
                "[params]\na = { secret = true, type = 'integer' }\n[tasks.a]",
                "bad_value",
            ),
            ("[params]\na = { secret = 'yes' }\n[tasks.a]", "wrong_type"),
            (
                "[params]\na = { env = 'A' }\nb = { secret = true, env = 'A' }\n[tasks.a]",
                "secret_exposed",
            ),
            (
                "[params]\na = '${{ params.b }}'\n[tasks.a]",
                "expression_not_allowed",
            ),
        ],
    );
}

#[test]
fn tasks() {
    check(
        Format::Toml,
        &[
            ("[tasks.'a b']\nrun = ['x']", "bad_name"),
            ("[tasks.1a]\nrun = ['x']", "bad_name"),
            ("[tasks.a]\n[tasks.A]", "case_folded_duplicate"),
            ("[tasks.a]\nrunn = ['x']", "unknown_key"),
            ("[tasks.a]\nstate = 'completed'", "unknown_key"),
            ("[tasks.a]\nrun = ['x']\nshell = 'y'", "two_kinds_of_work"),
            (
                "[tasks.a]\nrun = ['x']\nshell = 'y'\nask = 'z'",
                "two_kinds_of_work two_kinds_of_work",
            ),
            ("[tasks.a]\nrun = 'ls -l'", "wrong_type"),
            ("[tasks.a]\nrun = []", "bad_value"),
            ("[tasks.a]\nrun = ['']", "bad_value"),
            ("[tasks.a]\nrun = ['x', true]", "wrong_type"),
            ("[tasks.a]\nrun = [\"x\", \"\\u0000\"]", "bad_value"),
            ("[tasks.a]\nshell = ' '", "bad_value"),
            ("[tasks.a]\nshell = ['x']", "wrong_type"),
            ("[tasks.a]\nrun = ['x']\nstdin = 1", "wrong_type"),
            ("[tasks.a]\nrun = ['x']\nenv = ['A=b']", "wrong_type"),
            ("[tasks.a]\nrun = ['x']\nenv = { 'A=B' = 'c' }", "bad_value"),
            ("[tasks.a]\nrun = ['x']\nenv = { A = ['c'] }", "wrong_type"),
            ("[tasks.a]\nrun = ['x']\ncwd = ''", "bad_value"),
            ("[tasks.a]\nrun = ['x']\noutput = 'yaml'", "bad_value"),
            ("[tasks.a]\nrun = ['x']\nok_codes = []", "bad_value"),
            ("[tasks.a]\nrun = ['x']\nok_codes = [256]", "bad_value"),
            (
                "[tasks.a]\nrun = ['x']\nskip_codes = [9]\nretry_codes = [75, 9]",
                "bad_value",
            ),
            ("[tasks.a]\nstdin = 'x'", "misplaced_key"),
            (
                "[tasks.a]\nask = 'x'\nretry = 3\nenv = { A = 'b' }",
                "misplaced_key misplaced_key",
            ),
            ("[tasks.a]\nneeds = 'b'", "wrong_type"),
            ("[tasks.a]\nneeds = [1]", "wrong_type"),
            ("[tasks.a]\nneeds = ['b']", "unknown_dependency"),
            ("[tasks.a]\nneeds = ['a']", "self_dependency"),
            (
                "[tasks.a]\nneeds = ['b']\n[tasks.b]\nneeds = ['a']",
                "cycle",
            ),
            ("[tasks.a]\nafter = 'some_success'", "bad_value"),
            ("[tasks.a]\npriority = 3000000000", "bad_value"),
            ("[tasks.a]\nrun = ['x']\npriority = 'high'", "wrong_type"),
            ("[tasks.a]\nhint = '0s'", "zero_timeout"),
            ("[tasks.a]\ndescription = 1", "wrong_type"),
        ],
    );
}

#[test]
fn rules() {
    check(
        Format::Toml,
        &[
            ("[tasks.a]\nrun = ['x']\nretry = -1", "bad_value"),
            ("[tasks.a]\nrun = ['x']\nretry = '3'", "wrong_type"),
            ("[tasks.a]\nrun = ['x']\nretry = {}", "missing_key"),
            (
                "[tasks.a]\nrun = ['x']\nretry = { max = 3, delay = '1s' }",
                "unknown_key",
            ),
            (
                "[tasks.a]\nrun = ['x']\nretry = { max = 3, base = 1 }",
                "bad_duration",
            ),
            (
                "[tasks.a]\nrun = ['x']\nretry = { max = 3, base = '5s', cap = '1s' }",
                "retry_cap_below_base",
            ),
            ("[tasks.a]\nrun = ['x']\ntimeout = '0'", "zero_timeout"),
            (
                "[tasks.a]\nrun = ['x']\ntotal_timeout = '0s'",
                "zero_timeout",
            ),
            ("[tasks.a]\nrun = ['x']\ntimeout = '1'", "bad_duration"),
            ("[tasks.a]\nrun = ['x']\non_failure = 'ignore'", "bad_value"),
            ("[tasks.a]\nrun = ['x']\non_failure = {}", "missing_key"),
            (
                "[tasks.a]\nrun = ['x']\non_failure = { value = 1, ask = {} }",
                "misplaced_key",
            ),
            (
                "[tasks.a]\nrun = ['x']\non_failure = { ask = { default = 'skip' } }",
                "missing_key",
            ),
            (
                "[tasks.a]\nrun = ['x']\non_failure = { ask = { default = 'stop', after = '1s' } }",
                "bad_value",
            ),
            (
                "[tasks.a]\nrun = ['x']\non_failure = { ask = { default = 'skip', after = '0s' } }",
                "zero_timeout",
            ),
            ("[tasks.a]\nrun = ['x']\neffect = 'none'", "bad_value"),
            ("[tasks.a]\nrun = ['x']\nlanes = ['l']", "unknown_lane"),
            (
                "[lanes]\nl = 1\n[tasks.a]\nrun = ['x']\nlanes = ['l', 'l']",
                "duplicate_lane",
            ),
            (
                "[lanes]\nl = 1\n[tasks.a]\nrun = ['x']\nlanes = { l = 2 }",
                "bad_weight",
            ),
            (
                "[lanes]\nl = 1\n[tasks.a]\nrun = ['x']\nlanes = { l = 0 }",
                "bad_value",
            ),
            ("[tasks.a]\nrun = ['x']\nlanes = 1", "wrong_type"),
        ],
    );
}

#[test]
fn questions() {
    check(
        Format::Toml,
        &[
            ("[tasks.a]\nask = ''", "bad_value"),
            ("[tasks.a]\nask = 1", "wrong_type"),
            ("[tasks.a]\nask = { answer = 'number' }", "missing_key"),
            (
                "[tasks.a]\nask = { text = 'x', answer = 'bool' }",
                "bad_value",
            ),
            (
                "[tasks.a]\nask = { text = 'x', choices = [] }",
                "bad_choices",
            ),
            (
                "[tasks.a]\nask = { text = 'x', choices = ['a', 'a'] }",
                "bad_choices",
            ),
            (
                "[tasks.a]\nask = { text = 'x', choices = ['a'], answer = 'text' }",
                "misplaced_key",
            ),
            (
                "[tasks.a]\nask = { text = 'x', choices = ['${{ params.a }}'] }",
                "expression_not_allowed",
            ),
            (
                "[tasks.a]\nask = { text = 'x', default = 'y' }",
                "missing_key",
            ),
            (
                "[tasks.a]\nask = { text = 'x', after = '1s' }",
                "missing_key",
            ),
            (
                "[tasks.a]\nask = { text = 'x', default = 'y', after = '0s' }",
                "zero_timeout",
            ),
            (
                "[tasks.a]\nask = { text = 'x', answer = 'number', default = 'y', after = '1s' }",
                "bad_default",
            ),
            (
                "[tasks.a]\napprove = { text = 'x', default = 'maybe', after = '1s' }",
                "bad_value",
            ),
            (
                "[tasks.a]\napprove = { default = 'yes', after = '1s' }",
                "missing_key",
            ),
            (
                "[tasks.b]\n[tasks.a]\nneeds = ['b']\nask = '${{ tasks.b.state }}'",
                "expression_not_allowed",
            ),
        ],
    );
}

#[test]
fn expressions() {
    const B: &str = "[tasks.b]\nrun = ['b']\n[tasks.q]\nask = 'q'\n[tasks.n]\nrun = ['n']\noutput = 'none'\n[tasks.a]\nneeds = ['b', 'q', 'n']\nrun = ['x', ";
    let table = [
        ("'${{ params.x }}'", "unknown_param"),
        ("'${{ param.x }}'", "unknown_name"),
        ("'${{ x }}'", "unknown_name"),
        ("'${{ tasks.c.stdout }}'", "unknown_task"),
        ("'${{ tasks.a.stdout }}'", "not_a_need"),
        ("'${{ tasks.b.output }}'", "no_such_output"),
        ("'${{ tasks.b.json }}'", "no_such_output"),
        ("'${{ tasks.q.stdout }}'", "no_such_output"),
        ("'${{ tasks.n.stdout }}'", "no_such_output"),
        ("'${{ tasks.n.exit }}'", ""),
        ("'${{ tasks.b }}'", "bad_expression"),
        ("'${{ tasks[params.x].stdout }}'", "bad_expression"),
        ("'${{ run.name }}'", "unknown_name"),
        ("'${{ }}'", "bad_expression"),
        ("'${{ 1 + }}'", "bad_expression"),
        ("'${{ \"a }}'", "bad_expression"),
        ("'${{ tasks.b.stdout|shout }}'", "bad_expression"),
        ("'a ${{ tasks.b.stdout '", "bad_expression"),
        ("'$${{ tasks.c.stdout }}'", ""),
        (
            "'${{ tasks.b.stdout|trim }} ${{ tasks.q.value }} ${{ run.id }}'",
            "",
        ),
    ];
    for (argument, expected) in table {
        check(Format::Toml, &[(&format!("{B}{argument}]"), expected)]);
    }
    check(
        Format::Toml,
        &[
            (
                "[tasks.c]\nrun = ['c']\n[tasks.b]\nneeds = ['c']\nrun = ['b']\n[tasks.a]\nneeds = ['b']\nstdin = '${{ tasks.c.stdout }}'\nrun = ['x']",
                "not_a_need",
            ),
            (
                "[defaults]\ncwd = '${{ tasks.a.stdout }}'\n[tasks.a]\nrun = ['x']",
                "expression_not_allowed",
            ),
            (
                "[tasks.a]\nrun = ['x']\non_failure = { value = { x = ['${{ run.id }}'] } }",
                "expression_not_allowed",
            ),
            (
                "[params]\ns = { secret = true }\n[tasks.a]\nrun = ['x', '${{ params.s }}']",
                "secret_exposed",
            ),
            (
                "goal = '${{ params.s }}'\n[params]\ns = { secret = true }\n[tasks.a]",
                "secret_exposed",
            ),
            (
                "[params]\ns = { secret = true }\n[tasks.a]\nrun = ['x']\nenv = { S = '${{ params.s }}' }",
                "",
            ),
        ],
    );
}

#[test]
fn code() {
    const B: &str = "[params]\np = 'x'\n[tasks.b]\nrun = ['b']\n[tasks.a]\nneeds = ['b']\n";
    let unsafe_one = "unsafe_interpolation";
    let table = [
        ("shell = 'echo ${{ tasks.b.stdout }}'", unsafe_one),
        ("shell = 'echo ${{ params.p }}'", unsafe_one),
        (
            "run = ['sh', '-c', 'echo ${{ tasks.b.stdout }}']",
            unsafe_one,
        ),
        ("run = ['bash', '-lc', 'echo ${{ params.p }}']", unsafe_one),
        (
            "run = ['env', 'A=b', 'bash', '-c', '${{ tasks.b.stdout }}']",
            unsafe_one,
        ),
        (
            "run = ['python3', '-c', '${{ tasks.b.stdout }}']",
            unsafe_one,
        ),
        ("run = ['node', '-e', '${{ tasks.b.stdout }}']", unsafe_one),
        ("run = ['${{ tasks.b.stdout }}']", unsafe_one),
        ("run = ['sh']\nstdin = '${{ tasks.b.stdout }}'", unsafe_one),
        (
            "run = ['sh', '-c', 'echo \"$1\"', '_', '${{ tasks.b.stdout }}']",
            "",
        ),
        (
            "shell = 'echo \"$X\"'\nenv = { X = '${{ tasks.b.stdout }}' }",
            "",
        ),
        ("shell = 'cat'\nstdin = '${{ tasks.b.stdout }}'", ""),
        (
            "run = ['python3', '${{ params.p }}', '${{ tasks.b.stdout }}']",
            "",
        ),
    ];
    for (work, expected) in table {
        check(Format::Toml, &[(&format!("{B}{work}"), expected)]);
    }
}

#[test]
fn binding() {
    let plan = "goal = '${{ params.n + 1 }}'
        [params]
        shell = 'cat'
        option = 'x'
        n = 1
        kind = { type = 'string', choices = ['a', 'b'], default = 'a' }
        must = { type = 'boolean' }
        token = { secret = true }
        [tasks.b]
        run = ['b']
        [tasks.a]
        needs = ['b']
        run = ['${{ params.shell }}', '${{ params.option }}', '${{ tasks.b.stdout }}']
        [tasks.q]
        ask = { text = 'how many?', answer = 'number', default = '${{ params.kind if params.must else params.n }}', after = '1m' }";
    let plan = Plan::load(plan, Format::Toml, "plan").unwrap();
    let table: [(&[(&str, &str)], &str); 10] = [
        (&[("must", "false"), ("token", "t")], ""),
        (&[], "missing_param missing_param"),
        (
            &[("must", "false"), ("token", "t"), ("kin", "a")],
            "unknown_param",
        ),
        (&[("must", "yes"), ("token", "t")], "bad_param"),
        (
            &[("must", "false"), ("token", "t"), ("n", "1.5")],
            "bad_param",
        ),
        (
            &[("must", "false"), ("token", "t"), ("kind", "c")],
            "bad_param",
        ),
        (&[("must", "false"), ("token", "a\0b")], "bad_param"),
        (&[("must", "false"), ("token", "")], "bad_param"),
        (
            &[
                ("must", "false"),
                ("token", "t"),
                ("shell", "sh"),
                ("option", "-c"),
            ],
            "unsafe_interpolation unsafe_interpolation",
        ),
        (&[("must", "true"), ("token", "t")], "bad_default"),
    ];
    for (given, expected) in table {
        let owned = given
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let given: BTreeMap<String, String> = owned.collect();
        let found = plan.bind(&given).and_then(|bound| bound.graph().map(drop));
        let found = found.err().map(|errors| codes(&errors)).unwrap_or_default();
        assert_eq!(found, expected, "{given:?}");
    }
}

#[test]
fn bytes() {
    let errors = Plan::load_bytes(b"goal = 'a\xff'", Format::Toml, "plan").unwrap_err();
    assert_eq!(codes(&errors), "not_utf8");
    let large = "#".repeat(zeph_planfile::MAX_PLAN_BYTES + 1);
    let errors = Plan::load(&large, Format::Toml, "plan").unwrap_err();
    assert_eq!(codes(&errors), "too_large");
}
