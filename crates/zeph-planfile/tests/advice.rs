//! Advice for people who come from other tools, and for values that would decide what runs.

use zeph_planfile::{Format, Plan};

fn check(table: &[(&str, &str)]) {
    for (text, expected) in table {
        let found = Plan::load(text, Format::Toml, "plan").map_or_else(
            |errors| {
                let codes: Vec<&str> = errors.iter().map(|one| one.code.text()).collect();
                codes.join(" ")
            },
            |_| String::new(),
        );
        assert_eq!(found, *expected, "{text}");
    }
}

/// The help of the only problem of a plan.
fn help_of(text: &str) -> String {
    let errors = Plan::load(text, Format::Toml, "plan").expect_err("it has a problem");
    assert_eq!(errors.len(), 1, "{text}: {errors}");
    errors.as_slice()[0].help.clone().unwrap_or_default()
}

#[test]
fn words_of_other_tools_are_answered_with_our_own() {
    for (key, wanted) in [
        ("depends_on = ['b']", "`needs = "),
        ("dependsOn = ['b']", "`needs = "),
        ("if = 'x == 1'", "`when = "),
        ("strategy = { matrix = { a = [1] } }", "`matrix = "),
        ("script = 'x'", "`shell = "),
        ("working_dir = 'x'", "`cwd = "),
        ("working-directory = 'x'", "`cwd = "),
        ("continue_on_error = true", "`on_failure = \"skip\"`"),
        ("env_file = '.env'", "at the top of the plan"),
        ("cmd = 'x'", "`run = "),
        ("retries = 3", "`retry = 3`"),
        ("trigger_rule = 'all_done'", "\"none_failed\""),
        ("image = 'x'", "docker"),
        ("nedds = ['b']", "did you mean \"needs\"?"),
    ] {
        let help = help_of(&format!("[tasks.a]\nrun = ['x']\n{key}\n[tasks.b]"));
        assert!(help.contains(wanted), "{key}: {help}");
    }
    for (word, wanted) in [
        ("always", "`after = \"all_done\"`"),
        ("on_failure", "`after = \"any_failed\"`"),
        ("success", "`after = \"all_success\"`"),
        ("all_dne", "did you mean \"all_done\"?"),
    ] {
        let help = help_of(&format!("[tasks.a]\nafter = '{word}'"));
        assert!(help.contains(wanted), "{word}: {help}");
    }
    for (line, wanted) in [
        ("schedule = '* * * * *'", "cron"),
        ("variables = { a = 1 }", "`[params]`"),
        ("parallelism = 3", "`max_parallel = 4`"),
        ("concurrency = 'x'", "`group = "),
        ("max_active_runs = 1", "`on_conflict = "),
    ] {
        let help = help_of(&format!("{line}\n[tasks.a]"));
        assert!(help.contains(wanted), "{line}: {help}");
    }
    for (plan, wanted) in [
        (
            "[params]\na = { required = true }\n[tasks.a]",
            "without `default`",
        ),
        ("[params]\na = { enum = ['x'] }\n[tasks.a]", "`choices = "),
        (
            "[tasks.a]\nrun = ['x']\nretry = { max = 2, delay = '1s' }",
            "`base = ",
        ),
        (
            "[tasks.a]\nrun = ['x']\nretry = { max = 2, on_codes = [75] }",
            "`retry_codes = [75]`",
        ),
        (
            "[tasks.a]\nrun = ['x']\non_failure = 'continue'",
            "`on_failure = \"skip\"`",
        ),
        (
            "[tasks.a]\nrun = ['x']\non_failure = 'skp'",
            "did you mean \"skip\"?",
        ),
        (
            "[tasks.a]\nask = { text = 'x', options = ['a'] }",
            "`choices = ",
        ),
        (
            "[tasks.a]\nrun = ['x']\napprove = { text = 'x', timeout = '1h' }",
            "`after = ",
        ),
        ("[defaults]\nretries = 3\n[tasks.a]", "`retry = 3`"),
    ] {
        let help = help_of(plan);
        assert!(help.contains(wanted), "{plan}: {help}");
    }
    let help = help_of("jobs:\n  build:\n    steps:\n      - run: make\n");
    assert!(help.contains("`*.yaml`"), "{help}");
}

#[test]
fn names_say_which_letters() {
    let help = help_of("[tasks.\"prüfen\"]");
    assert!(help.contains("a-z, A-Z, 0-9"), "{help}");
}

#[test]
fn variables_of_parameters_and_commands_are_names() {
    check(&[
        ("[params]\na = { env = 'A' }\n[tasks.a]", ""),
        ("[params]\na = { env = '$A' }\n[tasks.a]", "bad_value"),
        ("[params]\na = { env = 1 }\n[tasks.a]", "wrong_type"),
        ("[tasks.a]\nrun = ['x']\npass_env = ['A', 'B']", ""),
        ("[defaults]\npass_env = ['A']\n[tasks.a]", ""),
        (
            "[tasks.a]\nrun = ['x']\npass_env = ['A=B', '']",
            "bad_value bad_value",
        ),
        ("[tasks.a]\nrun = ['x']\npass_env = 'A'", "wrong_type"),
        ("[tasks.a]\nask = 'x'\npass_env = ['A']", "misplaced_key"),
    ]);
}

#[test]
fn outputs_do_not_decide_what_runs_by_a_variable_or_by_input() {
    let list = "[tasks.list]\nrun = ['ls']\n[tasks.use]\nneeds = ['list']\n";
    let value = "${{ tasks.list.stdout }}";
    for (task, expected) in [
        (
            format!("run = ['x']\nenv = {{ PATH = '{value}' }}"),
            "unsafe_interpolation",
        ),
        (
            format!("shell = 'x'\nenv = {{ BASH_ENV = 'a{value}' }}"),
            "unsafe_interpolation",
        ),
        (format!("run = ['x']\nenv = {{ TITLE = '{value}' }}"), ""),
        ("run = ['x']\nenv = { PATH = '/bin' }".to_owned(), ""),
        (
            format!("shell = '. /dev/stdin'\nstdin = '{value}'"),
            "unsafe_interpolation",
        ),
        (
            format!("run = ['sh', '-c', '. /dev/stdin']\nstdin = '{value}'"),
            "unsafe_interpolation",
        ),
        (
            format!("shell = 'cat | sh'\nstdin = '{value}'"),
            "unsafe_interpolation",
        ),
        (format!("shell = 'wc -l'\nstdin = '{value}'"), ""),
        (format!("run = ['make', '{value}']"), "unsafe_interpolation"),
        (
            format!("run = ['make', 'VERSION={value}']"),
            "unsafe_interpolation",
        ),
    ] {
        check(&[(&*format!("{list}{task}"), expected)]);
    }
    let params = "[params]\nx = '/bin'\n[tasks.a]\nrun = ['make', '${{ params.x }}']\nenv = { PATH = '${{ params.x }}' }";
    check(&[(params, "")]);
}
