//! Backups, exports and imports, and the space that pruning gives back.

use std::os::unix::fs::PermissionsExt as _;

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
