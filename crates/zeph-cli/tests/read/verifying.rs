//! `verify`: sound runs, damaged ones, and a head hash from an earlier call.

use std::fs;

use serde_json::{Value, json};

use crate::kit::{Home, simple};

#[test]
fn a_sound_run_tells_its_head_and_passes_against_it() {
    let home = Home::new();
    home.run("r", "", simple("1"));
    let ok = home.zeph(&["verify", "r"]);
    assert_eq!(ok.code, 0, "{ok:?}");
    let head = ok.out.trim_end().rsplit(' ').next().unwrap().to_owned();
    assert!(ok.out.starts_with("ok r ") && head.len() == 64, "{ok:?}");
    assert!(ok.out.contains(" records 2 contents head "), "{ok:?}");
    assert_eq!(home.zeph(&["verify", "r", "--head", &head]).code, 0);
    let other = head.replace(|c: char| c != '0', "0");
    let rewritten = home.zeph(&["verify", "r", "--head", &other]);
    assert_eq!(rewritten.code, 8, "{rewritten:?}");
    assert!(
        rewritten.out.contains("the journal was rewritten"),
        "{rewritten:?}"
    );
    assert_eq!(home.json(0, &["verify", "r"])["head"], head);
}

#[test]
fn a_flipped_byte_names_the_run_and_the_row_and_the_others_are_sound() {
    let home = Home::new();
    home.run("good", "", simple("kept"));
    home.run("bad", "", simple("flipped"));
    // In the run's header the line break is escaped.
    flip(&home, b"it is flipped\n");
    let verify = home.zeph(&["verify"]);
    assert_eq!(verify.code, 8, "{verify:?}");
    assert!(
        verify.out.contains("\nok good ") || verify.out.starts_with("ok good "),
        "{verify:?}"
    );
    // Row 1 creates the run, 2 records that the task is ready, 3 its start, 4 its result and log.
    assert!(verify.out.contains("DAMAGED bad row 4: "), "{verify:?}");
    assert_eq!(
        verify.err,
        "2 runs, 1 damaged: restore them from a backup\n"
    );

    let lines = home.zeph(&["verify", "--json"]);
    let lines: Vec<Value> = lines
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let bad = lines.iter().find(|line| line["run"] == "bad").unwrap();
    assert_eq!((&bad["ok"], &bad["row"]), (&json!(false), &json!(4)));
    // The sound part is still readable; damaged data is not returned as valid.
    assert_eq!(home.json(0, &["list"]).as_array().map(Vec::len), Some(2));
    assert_eq!(home.json(0, &["show", "bad"])["state"], "completed");
    assert_eq!(
        home.json(8, &["show", "bad", "only"])["error"]["code"],
        "damaged"
    );
    assert_eq!(
        home.json(0, &["show", "good", "only"])["output"]["value"],
        "kept"
    );
}

#[test]
fn a_flipped_bit_in_the_journal_is_not_read_as_good() {
    let home = Home::new();
    home.run("r", "", simple("1"));
    flip(&home, b"\"type\":\"ended\"");
    for args in [
        &["verify", "r"][..],
        &["status", "r"],
        &["show", "r"],
        &["why", "r", "only"],
    ] {
        let ended = home.zeph(args);
        assert_eq!(ended.code, 8, "{args:?}: {ended:?}");
    }
}

/// Flips a bit in the middle of the only occurrence of these bytes in the file.
fn flip(home: &Home, needle: &[u8]) {
    let mut bytes = fs::read(home.db()).unwrap();
    let mut windows = bytes.windows(needle.len());
    let place = windows
        .position(|window| window == needle)
        .expect("the bytes are in the file");
    assert_eq!(
        windows.position(|window| window == needle),
        None,
        "there is one such place"
    );
    bytes[place + needle.len() / 2] ^= 1;
    fs::write(home.db(), &bytes).unwrap();
}

#[test]
fn the_file_alone_has_everything_when_the_last_command_has_ended() {
    let home = Home::new();
    let plan = home.db().with_file_name("plan.toml");
    fs::write(&plan, "[tasks.a]\nrun = [\"true\"]\n").unwrap();
    let run = home.zeph(&["run", plan.to_str().unwrap(), "--name", "r"]);
    assert_eq!(run.code, 0, "{run:?}");
    for beside in ["-wal", "-shm", "-last"] {
        let name = format!("runs.db{beside}");
        assert!(!home.db().with_file_name(&name).exists(), "{name}");
    }
    let copy = home.db().with_file_name("copy.db");
    fs::copy(home.db(), &copy).unwrap();
    let copy = copy.to_str().unwrap();
    assert_eq!(
        home.json(0, &["show", "r", "--db", copy])["state"],
        "completed"
    );
}

#[test]
fn damage_that_belongs_to_no_run_is_found_and_named() {
    let home = Home::new();
    home.run("r", "", simple("1"));
    // The last frames of a log are lost: what the note says is missing.
    let half = format!("{:<255}\n", format!("row r 99 {} 0", "0".repeat(64)));
    fs::write(home.db().with_file_name("runs.db-last"), half.repeat(2)).unwrap();
    let verify = home.zeph(&["verify"]);
    assert_eq!(verify.code, 8, "{verify:?}");
    assert!(
        verify.out.contains("DAMAGED file: the log of "),
        "{verify:?}"
    );
    assert!(verify.out.contains("row 99 of run r"), "{verify:?}");
    let list = home.zeph(&["list"]);
    assert!(list.err.contains("row 99 of run r"), "{list:?}");
    let resume = home.zeph(&["resume", "r"]);
    assert_eq!(resume.code, 8, "{resume:?}");
    assert_eq!(
        home.json(8, &["resume", "r"])["error"]["code"],
        "log_damaged"
    );
}

#[test]
fn a_damaged_request_is_named_and_dropped_before_the_run_goes_on() {
    let home = Home::new();
    let plan = home.db().with_file_name("plan.toml");
    fs::write(&plan, "[tasks.amount]\nask = \"How much?\"\n").unwrap();
    let run = home.zeph(&["run", plan.to_str().unwrap(), "--name", "r"]);
    assert_eq!(run.code, 5, "{run:?}");
    let answer = home.zeph(&["answer", "r", "1", "100"]);
    assert_eq!(answer.code, 0, "{answer:?}");
    let mut bytes = fs::read(home.db()).unwrap();
    let posted = br#""text":"100""#;
    let at = bytes
        .windows(posted.len())
        .position(|bytes| bytes == posted);
    bytes[at.expect("the file has the request") + 8] ^= 8;
    fs::write(home.db(), bytes).unwrap();
    let verify = home.zeph(&["verify"]);
    assert_eq!(verify.code, 8, "{verify:?}");
    assert!(
        verify.out.contains("request 1 is not as it was posted"),
        "{verify:?}"
    );
    let error = &home.json(8, &["resume", "r"])["error"];
    assert_eq!(error["code"], "damaged_requests", "{error}");
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("request 1 in its inbox"),
        "{error}"
    );
    // The question is still open: nothing was answered with another number.
    assert_eq!(home.zeph(&["resume", "r"]).code, 5);
    assert_eq!(home.zeph(&["verify"]).code, 0);
}
