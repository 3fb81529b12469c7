//! Commands in settings files: places and arguments, and whose command counts.
#![allow(clippy::unwrap_used)]

use zeph_config::{Layers, WithheldReason};

#[test]
fn places_and_descriptions_of_arguments_must_agree() {
    let file = r#"[commands.a]
about = "Lists"
run = ["ls", "{dir}", "{n}", "{n}"]
args.n = { about = "how many", integer = [1, 5] }
args.unused = { about = "nothing", text = 10 }
"#;
    let errors = Layers::new().project_file(file, "p.toml").resolve();
    let errors = errors.unwrap_err().to_string();
    assert_eq!(
        errors.lines().collect::<Vec<_>>(),
        [
            "p.toml:3:7: [missing_key] `commands.a.args` does not describe {dir} (add `dir = { about = \"…\", text = 200 }`)",
            "p.toml:4:10: [bad_value] `commands.a.args.n` has several places in `run` (let one element of `run` end in {n})",
            "p.toml:5:15: [bad_value] `commands.a.args.unused` has no place in `run` (let one element of `run` end in {unused})",
        ]
    );
}

#[test]
fn a_command_of_a_project_never_replaces_the_users() {
    let command = |program: &str| format!("[commands.lint]\nabout = 'L'\nrun = ['{program}']\n");
    let resolved = Layers::new()
        .project_file(command("theirs"), "p.toml")
        .user_file(command("mine"), "u.toml")
        .resolve()
        .unwrap();
    assert_eq!(resolved.config.commands["lint"].run, ["mine"]);
    assert_eq!(resolved.withheld[0].reason, WithheldReason::UsersCommand);
}
