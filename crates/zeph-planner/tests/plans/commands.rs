//! Command templates: valid and invalid ones, and the values that their arguments accept.

use zeph_config::{ArgumentKind, CommandConfig};
use zeph_planner::plan::{Commands, PlanRequest, PlannedWork, read_plan};
use zeph_subagent::AgentCatalog;

use crate::support::command;

fn text() -> ArgumentKind {
    ArgumentKind::Text(10)
}

fn checked(name: &str, command: CommandConfig) -> Result<Commands, String> {
    let commands = Commands::new([(name.to_owned(), command)].into());
    commands.map_err(|problems| problems.to_string())
}

#[test]
fn templates_are_checked_when_they_are_registered() {
    let with = |program: &str| command("x", &[program, "{a}"], &[("a", text())]);
    let table = [
        ("a b", command("x", &["p"], &[]), "a name has 1 to 64"),
        ("tool", command(" ", &["p"], &[]), "its description"),
        ("tool", command("a\nb", &["p"], &[]), "its description"),
        ("tool", command("x", &[], &[]), "not a fixed program"),
        (
            "tool",
            command("x", &["{a}"], &[("a", text())]),
            "not a fixed program",
        ),
        ("tool", command("x", &[""], &[]), "no name"),
        (
            "tool",
            command("x", &["p"], &[("a b", text())]),
            "argument \"a b\": its name is invalid",
        ),
        (
            "tool",
            command("x", &["p", "{A}", "{a}"], &[("a", text()), ("A", text())]),
            "the same name",
        ),
        (
            "tool",
            command("x", &["p", "{b}"], &[("a", text())]),
            "not at the end of one element",
        ),
        (
            "tool",
            command("x", &["p", "{a}", "{a}"], &[("a", text())]),
            "not at the end of one element",
        ),
        (
            "tool",
            command(
                "x",
                &["p", "{a}"],
                &[("a", ArgumentKind::Pattern("a)|(b".into()))],
            ),
            "unopened group",
        ),
        (
            "tool",
            command(
                "x",
                &["p", "{a}"],
                &[("a", ArgumentKind::Pattern("(".into()))],
            ),
            "unclosed group",
        ),
        ("tool", with("sh"), "runs its arguments"),
        ("tool", with("/usr/bin/env"), "runs its arguments"),
        (
            "tool",
            with("C:\\Windows\\PowerShell.EXE"),
            "runs its arguments",
        ),
    ];
    for (name, command, why) in table {
        let error = checked(name, command).unwrap_err();
        assert!(
            error.contains(why) && error.starts_with("commands."),
            "{error}"
        );
    }
    let mut silent = with("p");
    silent.args.get_mut("a").unwrap().about = " ".to_owned();
    assert!(
        checked("tool", silent)
            .unwrap_err()
            .contains("no description")
    );
    // The host is responsible for a fixed script, which has no argument of a model.
    assert!(checked("tool", command("x", &["sh", "-c", "date"], &[])).is_ok());
    let twice = ["tool", "Tool"].map(|name| (name.to_owned(), with("p")));
    let problems = Commands::new(twice.into()).unwrap_err();
    assert!(problems.to_string().contains("the same name"), "{problems}");
}

/// The command line of a plan that gives the argument `a` that value, or its problems.
fn argv(command: CommandConfig, value: Option<&str>) -> Result<Vec<String>, String> {
    let mut request = PlanRequest::new("A goal", AgentCatalog::new());
    request.commands = checked("tool", command)?.into();
    let arguments: Vec<_> = value
        .iter()
        .map(|value| serde_json::json!({ "name": "a", "value": value }))
        .collect();
    let task = serde_json::json!({ "name": "t", "command": "tool", "arguments": arguments });
    let plan = read_plan(&serde_json::json!([task]).to_string(), &request).outcome;
    match plan
        .map_err(|problems| problems.to_string())?
        .tasks
        .remove(0)
        .work
    {
        PlannedWork::Command { argv, .. } => Ok(argv),
        other @ (PlannedWork::Agent { .. } | PlannedWork::Question { .. }) => panic!("{other:?}"),
    }
}

/// The last element of the command line with a value.
fn last(command: CommandConfig, value: &str) -> Result<String, String> {
    argv(command, Some(value)).map(|mut argv| argv.pop().unwrap())
}

#[test]
fn values_are_held_to_their_kind() {
    let place = |kind| command("x", &["p", "{a}"], &[("a", kind)]);
    let pattern = || ArgumentKind::Pattern("[a-z]+|7".into());
    let choice = |one: &[&str]| ArgumentKind::Choice(one.iter().map(|&one| one.into()).collect());
    let path = |below: &str| ArgumentKind::Path(below.into());
    let good = [
        (text(), "a b;$(c)", "a b;$(c)"),
        (pattern(), "7", "7"),
        (choice(&["eu", "us"]), "us", "us"),
        (ArgumentKind::Integer(-5, 5), "-3", "-3"),
        (ArgumentKind::Integer(0, 9), "+7", "7"),
        (path("docs/"), "a/b.md", "docs/a/b.md"),
        (path("docs"), ".hidden", "docs/.hidden"),
        (path(""), "etc/passwd", "etc/passwd"),
        (path("/"), "etc/motd", "/etc/motd"),
    ];
    for (kind, value, wanted) in good {
        assert_eq!(last(place(kind), value).as_deref(), Ok(wanted), "{value}");
    }
    let bad = [
        (text(), "-rf"),
        (text(), ""),
        (text(), "12345678901"),
        (text(), "a\u{200B}b"),
        (pattern(), "a7"),
        (choice(&["eu", "us"]), "EU"),
        (choice(&["-x"]), "-x"),
        (ArgumentKind::Integer(0, 9), "9223372036854775808"),
        (ArgumentKind::Integer(0, 9), " 3"),
        (path("docs"), ""),
        (path("docs"), ".."),
        (path("docs"), "a/../b"),
        (path("docs"), "./a"),
        (path("docs"), "a\\..\\b"),
    ];
    for (kind, value) in bad {
        assert!(last(place(kind), value).is_err(), "{value:?}");
    }
}

#[test]
fn a_dash_needs_the_hosts_word() {
    let mut behind = command("x", &["p", "--", "{a}"], &[("a", text())]);
    let refused = last(behind.clone(), "-rf").unwrap_err();
    assert!(refused.contains("starts with \"-\""), "{refused}");
    behind.args.get_mut("a").unwrap().dash = true;
    assert_eq!(last(behind, "-rf").as_deref(), Ok("-rf"));
    let joined = command("x", &["p", "--since={a}"], &[("a", text())]);
    assert_eq!(last(joined, "2026").as_deref(), Ok("--since=2026"));
}

#[test]
fn what_is_optional_may_be_left_out_whole() {
    let mut command = command("x", &["p", "--x={a}", "end"], &[("a", text())]);
    let missing = argv(command.clone(), None).unwrap_err();
    assert!(missing.contains("missing_argument"), "{missing}");
    command.args.get_mut("a").unwrap().optional = true;
    assert_eq!(argv(command, None).unwrap(), ["p", "end"]);
}

#[test]
fn a_place_may_be_what_an_interpreter_works_on_and_not_what_it_runs() {
    let with = |run: &[&str]| {
        let kind = ArgumentKind::Integer(1, 9);
        checked("count", command("counts", run, &[("what", kind)]))
    };
    assert!(with(&["python3.12", "count.py", "{what}"]).is_ok());
    assert!(with(&["perl", "-w", "count.pl", "--from={what}"]).is_ok());
    for run in [
        &["python3.12", "-c", "{what}"][..],
        &["/usr/bin/perl", "-n", "-e", "{what}"],
        &["node.exe", "{what}"],
        &["Rscript", "-e", "{what}"],
        &["pythonw", "{what}"],
        &["timeout", "9", "{what}"],
        &["gawk", "{what}"],
        &["ruby", "-e{what}"],
    ] {
        assert!(with(run).is_err(), "{run:?}");
    }
}
