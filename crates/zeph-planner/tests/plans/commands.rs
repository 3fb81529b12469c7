//! Command templates: valid and invalid ones, and the values that their arguments accept.

use std::collections::BTreeMap;

use zeph_planner::plan::{ArgumentKind, CommandTemplate, Commands};

fn template(program: &str) -> CommandTemplate {
    CommandTemplate::new("tool", "does something").fixed(program)
}

fn text() -> ArgumentKind {
    ArgumentKind::text(10)
}

#[test]
fn templates_are_checked_when_they_are_registered() {
    let table = [
        (
            CommandTemplate::new("a b", "x").fixed("p"),
            "a name has 1 to 64",
        ),
        (
            CommandTemplate::new("tool", " ").fixed("p"),
            "its description",
        ),
        (
            CommandTemplate::new("tool", "a\nb").fixed("p"),
            "its description",
        ),
        (CommandTemplate::new("tool", "x"), "not a fixed program"),
        (
            CommandTemplate::new("tool", "x").value("", "p", "x", text()),
            "not a fixed program",
        ),
        (template(""), "no name"),
        (template("p").value("", "a b", "x", text()), "a name has"),
        (template("p").value("", "a", "", text()), "no description"),
        (
            template("p")
                .value("", "a", "x", text())
                .value("", "A", "x", text()),
            "the same name",
        ),
        (
            template("sh").fixed("-c").value("", "a", "x", text()),
            "runs its arguments",
        ),
        (
            template("/usr/bin/env").value("", "a", "x", text()),
            "runs its arguments",
        ),
        (
            template("C:\\Windows\\PowerShell.EXE").value("", "a", "x", text()),
            "runs its arguments",
        ),
    ];
    for (template, why) in table {
        let error = template.checked().unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
    // The host is responsible for a fixed script, which has no argument of a model.
    assert!(template("sh").fixed("-c").fixed("date").checked().is_ok());
    let mut commands = Commands::none();
    commands.add(template("p")).unwrap();
    let twice = CommandTemplate::new("Tool", "does something").fixed("p");
    assert!(commands.add(twice).is_err());
    assert!(ArgumentKind::pattern("(").is_err());
}

/// The last element of the command line with a value, or the error.
fn last(template: CommandTemplate, value: &str) -> Result<String, String> {
    let values = BTreeMap::from([("a".to_owned(), value.to_owned())]);
    let mut argv = template
        .checked()
        .unwrap()
        .resolve(&values)
        .map_err(|wrong| wrong[0].1.clone().unwrap_or_else(|| "missing".to_owned()))?;
    Ok(argv.pop().unwrap())
}

#[test]
fn values_are_held_to_their_kind() {
    let place = |kind| template("p").value("", "a", "x", kind);
    let good = [
        (text(), "a b;$(c)", "a b;$(c)"),
        (ArgumentKind::pattern("[a-z]+|7").unwrap(), "7", "7"),
        (ArgumentKind::choice(["eu", "us"]), "us", "us"),
        (ArgumentKind::integer(-5, 5), "-3", "-3"),
        (ArgumentKind::integer(0, 9), "+7", "7"),
        (ArgumentKind::path("docs/"), "a/b.md", "docs/a/b.md"),
        (ArgumentKind::path("docs"), ".hidden", "docs/.hidden"),
        (ArgumentKind::path(""), "etc/passwd", "etc/passwd"),
        (ArgumentKind::path("/"), "etc/motd", "/etc/motd"),
    ];
    for (kind, value, wanted) in good {
        assert_eq!(last(place(kind), value).as_deref(), Ok(wanted), "{value}");
    }
    let bad = [
        (text(), "-rf"),
        (text(), ""),
        (text(), "12345678901"),
        (text(), "a\u{200B}b"),
        (ArgumentKind::pattern("[a-z]+|7").unwrap(), "a7"),
        (ArgumentKind::choice(["eu", "us"]), "EU"),
        (ArgumentKind::choice(["-x"]), "-x"),
        (ArgumentKind::integer(0, 9), "9223372036854775808"),
        (ArgumentKind::integer(0, 9), " 3"),
        (ArgumentKind::path("docs"), ""),
        (ArgumentKind::path("docs"), ".."),
        (ArgumentKind::path("docs"), "a/../b"),
        (ArgumentKind::path("docs"), "./a"),
        (ArgumentKind::path("docs"), "a\\..\\b"),
    ];
    for (kind, value) in bad {
        assert!(last(place(kind), value).is_err(), "{value:?}");
    }
}

#[test]
fn a_dash_needs_the_hosts_word() {
    let behind = || template("p").fixed("--").value("", "a", "x", text());
    assert!(
        last(behind(), "-rf")
            .unwrap_err()
            .contains("starts with \"-\"")
    );
    assert_eq!(last(behind().dash(), "-rf").as_deref(), Ok("-rf"));
    let joined = template("p").value("--since=", "a", "x", text());
    assert_eq!(last(joined, "2026").as_deref(), Ok("--since=2026"));
}

#[test]
fn what_is_optional_may_be_left_out_whole() {
    let template = template("p")
        .optional("--x=", "a", "x", text())
        .fixed("end");
    let argv = template.checked().unwrap().resolve(&BTreeMap::new());
    assert_eq!(argv.unwrap(), ["p", "end"]);
}

#[test]
fn a_place_may_be_what_an_interpreter_works_on_and_not_what_it_runs() {
    let with = |argv: &[&str], prefix: &str| {
        let mut template = CommandTemplate::new("count", "counts");
        for text in argv {
            template = template.fixed(*text);
        }
        let kind = ArgumentKind::integer(1, 9);
        template
            .value(prefix, "what", "what to count", kind)
            .checked()
    };
    assert!(with(&["python3.12", "count.py"], "").is_ok());
    assert!(with(&["perl", "-w", "count.pl"], "--from=").is_ok());
    for argv in [
        &["python3.12", "-c"][..],
        &["/usr/bin/perl", "-n", "-e"],
        &["node.exe"],
        &["Rscript", "-e"],
        &["pythonw"],
        &["timeout", "9"],
        &["gawk"],
    ] {
        assert!(with(argv, "").is_err(), "{argv:?}");
    }
    assert!(with(&["ruby"], "-e").is_err());
}
