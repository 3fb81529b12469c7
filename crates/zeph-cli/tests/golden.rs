//! Golden transcripts: what is typed and what is seen, in `tests/cmd`.

/// One database for all transcripts, thrown away afterwards; no settings of the person who tests.
#[test]
fn transcripts() {
    let home = tempfile::tempdir().unwrap();
    let path = |name: &str| home.path().join(name).display().to_string();
    trycmd::TestCases::new()
        .env("HOME", path(""))
        .env("XDG_CONFIG_HOME", path("config"))
        .env("XDG_STATE_HOME", path("state"))
        .env("NO_COLOR", "1")
        .case("tests/cmd/*.trycmd");
}
