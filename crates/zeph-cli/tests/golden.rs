//! Golden transcripts in `tests/cmd`: commands and their output.

/// One temporary database for all transcripts, without the settings of the user who runs the tests.
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
