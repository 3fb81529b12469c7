//! Printed commands: each is pasted into a shell as it is printed, and does what it says.

use std::fs;

use crate::kit::{Ended, Home};

/// A name that a shell would split, and a flag that takes a value would not take.
const DB: &str = "my run's.db";
const CHOICES: [&str; 9] = [
    "@home",
    "two words",
    "it's $HOME",
    "-5",
    "--db",
    "staging",
    "Staging",
    "$(touch pwned)",
    "a\u{202e}b\tc",
];

/// The commands of this tool in a text: whole lines with the comment that says what a command does, after an
/// arrow or a colon, and between backticks.
fn commands(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in text.lines() {
        let ticked = line.split('`').skip(1).step_by(2);
        found.extend(
            ticked
                .filter(|text| text.starts_with("zeph "))
                .map(str::to_owned),
        );
        let after = |mark| line.rsplit_once(mark).map(|(_, rest): (&str, &str)| rest);
        let places = [Some(line.trim()), after("→ "), after(": ")];
        let mut command = places
            .into_iter()
            .flatten()
            .filter(|rest| rest.starts_with("zeph "));
        found.extend(command.next().map(str::to_owned));
    }
    found
}

fn is_placeholder(command: &str) -> bool {
    let is_upper =
        |word: &str| word.len() > 2 && word.bytes().all(|byte| byte.is_ascii_uppercase());
    command.split(' ').any(is_upper)
}

fn on(home: &Home, args: &[&str]) -> Ended {
    home.zeph(&[args, &["--db", DB]].concat())
}

#[test]
fn each_printed_answer_is_the_choice_that_it_shows() {
    let home = Home::new();
    let choices = serde_json::json!(CHOICES).to_string();
    let question = format!(r#"{{ "text": "Which?", "choices": {choices} }}"#);
    let plan = format!(r#"{{ "tasks": {{ "pick": {{ "ask": {question} }} }} }}"#);
    fs::write(home.path("plan.json"), plan).unwrap();
    for (i, choice) in CHOICES.iter().enumerate() {
        let run = format!("c{i}");
        let started = on(&home, &["run", "plan.json", "--name", &run]);
        assert_eq!(started.code, 5, "{started:?}");
        let status = on(&home, &["status", &run]);
        let printed = commands(&status.out);
        let answers: Vec<&String> = printed
            .iter()
            .filter(|line| line.contains("answer"))
            .collect();
        assert_eq!(answers.len(), CHOICES.len(), "{status:?}");
        let answered = home.shell(answers[i]);
        assert_eq!(answered.code, 0, "{}: {answered:?}", answers[i]);
        let resume = commands(&answered.out);
        let resumed = home.shell(&resume[0]);
        assert_eq!(resumed.code, 0, "{resume:?}: {resumed:?}");
        let shown = on(&home, &["show", &run, "pick", "--json"]);
        assert_eq!(shown.json()["output"]["value"], **choice, "{}", answers[i]);
    }
    assert!(!home.path("pwned").exists());
}

#[test]
fn each_printed_command_of_a_named_database_can_be_pasted() {
    let home = Home::new();
    fs::write(
        home.path("plan.toml"),
        "[tasks.ask]\nask = { text = 'Load?', answer = 'yes_no' }\n[tasks.load]\nneeds = ['ask']\nrun = ['false']\n",
    )
    .unwrap();
    let start = on(&home, &["run", "plan.toml", "--name", "r"]);
    assert_eq!(start.code, 5, "{start:?}");
    let looking: &[&[&str]] = &[
        &["list"],
        &["status", "r"],
        &["show", "r"],
        &["show", "r", "ask"],
        &["why", "r", "ask"],
        &["why", "r", "load"],
        &["answer", "r", "9", "yes"],
        &["logs", "r", "--attempt", "7"],
        // Refused while the run is open.
        &["delete", "r"],
    ];
    let mut tried = 0;
    let mut paste = |ended: &Ended| {
        for line in commands(&format!("{}{}", ended.out, ended.err)) {
            assert!(line.contains(r"--db 'my run'\''s.db'"), "{line}: {ended:?}");
            // Those that change the run are pasted in their order below.
            let is_change = [" answer ", " resume ", " retry ", " cancel ", " delete "];
            let is_change = is_change.iter().any(|word| line.contains(word));
            if !is_change && !is_placeholder(&line) {
                let pasted = home.shell(&line);
                assert_eq!(pasted.code, 0, "{line}: {pasted:?}");
                tried += 1;
            }
        }
    };
    paste(&start);
    for args in looking {
        paste(&on(&home, args));
    }
    // The whole story by pasting: the answer, the resumption, the failure, the deletion.
    let find = |text: &Ended, word: &str| {
        let all = commands(&format!("{}{}", text.out, text.err));
        all.into_iter()
            .find(|line| line.contains(word))
            .unwrap_or_else(|| panic!("{word}: {text:?}"))
    };
    let answered = home.shell(&find(&start, "answer"));
    assert_eq!(answered.code, 0, "{answered:?}");
    let failed = home.shell(&find(&answered, "resume"));
    assert_eq!(failed.code, 3, "{failed:?}");
    let retried = home.shell(&find(&failed, " retry "));
    assert_eq!(retried.code, 3, "{retried:?}");
    paste(&failed);
    for args in looking {
        paste(&on(&home, args));
    }
    assert!(tried >= 12, "only {tried} commands were printed");
}
