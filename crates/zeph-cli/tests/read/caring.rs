//! Backups, exports and imports, and the space that pruning gives back.

use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::kit::{Home, asking, simple};

#[test]
fn a_backup_is_a_whole_database_for_its_owner_only() {
    let home = Home::new();
    home.run("one", "First", simple("1"));
    let alive = home.start("waits", "", asking());
    let copy = home.json(0, &["backup", "copy.db"]);
    assert_eq!(copy["runs"], 2, "{copy}");
    drop(alive);
    let rights = std::fs::metadata(home.path("copy.db"))
        .unwrap()
        .permissions();
    assert_eq!(rights.mode() & 0o777, 0o600);
    let list = home.json(0, &["list", "--db", "copy.db"]);
    assert_eq!(list.as_array().map(Vec::len), Some(2), "{list}");
    assert_eq!(home.zeph(&["verify", "--db", "copy.db"]).code, 0);
    assert_eq!(home.zeph(&["delete", "one", "--db", "copy.db"]).code, 0);
    let show = home.zeph(&["show", "one"]);
    assert_eq!(show.code, 0, "the database itself is as before: {show:?}");
    // A file is not written over.
    let again = home.zeph(&["backup", "copy.db"]);
    assert_eq!(again.code, 2, "{again:?}");
    assert!(again.err.contains("copy.db is there already"), "{again:?}");
    let nowhere = home.zeph(&["backup", "no/copy.db"]);
    assert_eq!(nowhere.code, 8, "{nowhere:?}");
    assert!(nowhere.err.contains("no/copy.db"), "{nowhere:?}");
}

#[test]
fn an_exported_run_is_the_same_in_another_database() {
    let home = Home::new();
    home.run("one", "First", simple("1"));
    home.run("waits", "", asking());
    let exported = home.json(0, &["export", "one", "one.jsonl"]);
    let imported = home.json(0, &["import", "one.jsonl", "--db", "other.db"]);
    assert_eq!(exported, imported);
    let verified = home.json(0, &["verify", "one", "--db", "other.db"]);
    assert_eq!(verified["head"], exported["head"]);
    let show = |db: &[&str]| home.json(0, &[&["show", "one"], db].concat());
    assert_eq!(show(&[]), show(&["--db", "other.db"]));
    // Through a pipe.
    let line = "zeph export one | zeph import - --db third.db";
    let piped = home.shell(line);
    assert_eq!(piped.code, 0, "{piped:?}");
    assert!(piped.out.contains("run one is imported"), "{piped:?}");

    let twice = home.json(2, &["import", "one.jsonl", "--db", "other.db"]);
    assert_eq!(twice["error"]["code"], "exists", "{twice}");
    let open = home.json(2, &["export", "waits"]);
    assert_eq!(open["error"]["code"], "open", "{open}");
    let text = std::fs::read_to_string(home.path("one.jsonl")).unwrap();
    std::fs::write(home.path("bad.jsonl"), text.replace("First", "Last")).unwrap();
    let bad = home.json(8, &["import", "bad.jsonl", "--db", "new.db"]);
    assert_eq!(bad["error"]["code"], "damaged", "{bad}");
    assert_eq!(home.json(0, &["list", "--db", "new.db"]), json!([]));
    let other = home.json(2, &["import", "copy.jsonl"]);
    assert_eq!(other["error"]["code"], "bad_file", "{other}");
}

#[test]
fn pruning_gives_the_space_back() {
    let home = Home::new();
    let large = "x".repeat(300_000);
    for number in 0..20 {
        home.run(&format!("r{number}"), "", simple(&large));
    }
    let bytes = || std::fs::metadata(home.db()).unwrap().len();
    let before = bytes();
    let pruned = home.json(0, &["prune", "--keep", "2"]);
    assert_eq!(
        pruned["runs"].as_array().map(Vec::len),
        Some(18),
        "{pruned}"
    );
    assert!(pruned["freed_bytes"].as_u64() > Some(4_000_000), "{pruned}");
    assert!(bytes() < before / 4, "{} of {before} bytes", bytes());
    assert_eq!(home.zeph(&["verify"]).code, 0);
}

#[test]
fn the_settings_are_shown_with_what_set_them() {
    let home = Home::new();
    std::fs::create_dir_all(home.path(".config/zeph")).unwrap();
    let user = "cancel_grace = '9s'\n[llm]\nproxy = 'http://me:s3cret@proxy:1'\n";
    std::fs::write(home.path(".config/zeph/config.toml"), user).unwrap();
    let shown = home.zeph(&["config", "show", "--origin", "--db", "x.db"]);
    assert_eq!(shown.code, 0, "{shown:?}");
    let line = |key: &str| {
        let mut lines = shown.out.lines();
        let line = lines.find(|line| line.starts_with(key)).unwrap();
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert!(
        line("cancel_grace").starts_with("cancel_grace 9s "),
        "{shown:?}"
    );
    assert!(
        line("cancel_grace").ends_with("config.toml:1:16"),
        "{shown:?}"
    );
    assert_eq!(line("log_bytes"), "log_bytes 256KiB default");
    assert_eq!(line("db"), "db x.db flag --db");
    assert!(!shown.out.contains("s3cret"), "{shown:?}");
    let json = home.json(0, &["config", "show"]);
    let settings = json["settings"].as_array().unwrap();
    let grace = settings
        .iter()
        .find(|one| one["key"] == "cancel_grace")
        .unwrap();
    assert_eq!(
        (&grace["value"], &grace["layer"]),
        (&json!("9s"), &json!("user_file"))
    );
    let known: Vec<&str> = zeph_config::keys().collect();
    let shown: Vec<&str> = settings
        .iter()
        .filter_map(|one| one["key"].as_str())
        .collect();
    assert_eq!(shown, known);
}

#[test]
fn the_doctor_names_what_is_wrong_and_sends_nothing() {
    let home = Home::new();
    let check = |json: &serde_json::Value, what: &str| {
        let checks = json["checks"].as_array().unwrap();
        checks
            .iter()
            .find(|one| one["check"] == what)
            .cloned()
            .unwrap()
    };
    let none = home.json(0, &["doctor"]);
    assert!(
        check(&none, "database")["text"]
            .as_str()
            .unwrap()
            .contains("none yet"),
        "{none}"
    );
    home.run("one", "First", simple("1"));
    std::fs::write(
        home.db().with_extension("db.owners").join("77.lock"),
        "pid 1\n",
    )
    .unwrap();
    let sound = home.json(0, &["doctor"]);
    assert_eq!(sound["ok"], true, "{sound}");
    assert_eq!(check(&sound, "content")["text"], "1 run, the file is whole");
    let processes = check(&sound, "processes")["text"].to_string();
    assert!(processes.contains("removed 1 lock"), "{processes}");
    let services = check(&sound, "services")["text"].to_string();
    assert!(services.contains("no key is set"), "{services}");

    std::fs::set_permissions(home.db(), PermissionsExt::from_mode(0o644)).unwrap();
    std::fs::write(home.path("zeph.toml"), "[llm]\nmodel = 'openai::tiny'\n").unwrap();
    let open = home.zeph(&["doctor"]);
    assert_eq!(open.code, 0, "warnings only: {open:?}");
    assert!(
        open.out.contains("mode 0644: others may use it"),
        "{open:?}"
    );
    assert!(
        open.out.contains("is not trusted: 1 setting ignored"),
        "{open:?}"
    );
    std::fs::write(home.db(), "no database").unwrap();
    let broken = home.json(8, &["doctor"]);
    assert_eq!(broken["ok"], false, "{broken}");
    assert_eq!(check(&broken, "content")["status"], "problem", "{broken}");
}
