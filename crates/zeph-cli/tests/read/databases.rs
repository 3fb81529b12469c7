//! Files that are not databases: the commands create and change nothing, and report the reason.

use std::fs;

use serde_json::json;

use crate::kit::Home;

const READING: &[&[&str]] = &[
    &["list"],
    &["status"],
    &["show", "r"],
    &["logs", "r"],
    &["why", "r", "t"],
    &["verify"],
    &["answer", "r", "1", "yes"],
    &["cancel", "r"],
    &["pause", "r"],
    &["delete", "r"],
];

#[test]
fn without_a_database_there_are_no_runs_and_none_is_made() {
    let home = Home::new();
    let list = home.zeph(&["list"]);
    assert_eq!((list.code, list.out.as_str()), (0, ""), "{list:?}");
    assert!(
        list.err.starts_with("no runs yet; `zeph run PLAN`"),
        "{list:?}"
    );
    let list = home.zeph(&["list", "--json"]);
    assert_eq!(list.json(), json!([]));
    // A database that is named, perhaps with a typing error, must exist.
    for args in READING {
        let ended = home.zeph(&[*args, &["--db", "mistyped.db"][..]].concat());
        assert_eq!(ended.code, 2, "{args:?}: {ended:?}");
        assert!(
            ended
                .err
                .contains("there is no run database at mistyped.db"),
            "{args:?}: {ended:?}"
        );
    }
    assert!(!home.db().exists(), "no command made one");
    assert!(!home.path("mistyped.db").exists(), "no command made one");
}

#[test]
fn what_is_not_a_database_is_reported_and_left_as_it_is() {
    let garbage: Vec<u8> = (0..4096u32).map(|i| (i * 7 % 251) as u8).collect();
    let cases: [(&[u8], &str); 2] = [
        (b"", "the file is empty"),
        (&garbage, "it is not a SQLite file"),
    ];
    for (bytes, reason) in cases {
        let home = Home::new();
        fs::write(home.db(), bytes).unwrap();
        for args in READING {
            let ended = home.zeph(args);
            assert_eq!(ended.code, 8, "{args:?}: {ended:?}");
            assert!(ended.err.contains(reason), "{args:?}: {ended:?}");
            assert_eq!(fs::read(home.db()).unwrap(), bytes, "{args:?} touched it");
        }
        assert_eq!(home.json(8, &["list"])["error"]["code"], "not_a_database");
    }
}

#[test]
fn a_folder_is_not_a_database() {
    let home = Home::new();
    fs::create_dir(home.db()).unwrap();
    for args in READING {
        let ended = home.zeph(args);
        assert_eq!(ended.code, 8, "{args:?}: {ended:?}");
        assert!(ended.err.contains("it is a folder"), "{args:?}: {ended:?}");
    }
    assert_eq!(fs::read_dir(home.db()).unwrap().count(), 0);
}
