//! Reports for CI services.

use std::fs;

use super::support::{Scene, code};

const PLAN: &str = r#"
    goal = "Check <all>"
    [tasks.lint]
    shell = "true"
    [tasks.flaky]
    retry = { max = 1, base = "1ms" }
    shell = 'test "$ZEPH_ATTEMPT" -gt 1'
    [tasks.test]
    on_failure = "skip"
    shell = 'echo "a < b & \"c\"" >&2; exit 3'
    [tasks.publish]
    needs = ["test"]
    run = ["true"]
"#;

#[test]
fn a_run_leaves_a_junit_report_and_a_stored_run_has_the_same() {
    let scene = Scene::new(PLAN);
    let run = [
        "run",
        "plan.toml",
        "--name",
        "r",
        "--junit",
        "out.xml",
        "--label",
        "team=core",
    ];
    let ended = scene.zeph(&run);
    assert_eq!(code(&ended), 4, "{ended:?}");
    let xml = fs::read_to_string(scene.path("out.xml")).unwrap();
    for wanted in [
        "<testsuites name=\"r\" tests=\"4\" failures=\"1\" errors=\"0\" skipped=\"1\"",
        "<testsuite name=\"Check &lt;all&gt;\"",
        "<property name=\"team\" value=\"core\"/>",
        "<testcase name=\"lint\"",
        "<flakyFailure message=\"completed in attempt 2, after 1 failures\"/>",
        "type=\"exit_code\"",
        "<system-err>a &lt; b &amp; \"c\"",
        "<skipped message=\"",
    ] {
        assert!(xml.contains(wanted), "{wanted}: {xml}");
    }
    let stored = scene.zeph(&["junit", "r"]);
    assert_eq!(stored.out, xml);
    scene.file("fixed.toml", &PLAN.replace("exit 3", "exit 0"));
    let retry = [
        "retry",
        "r",
        "--plan",
        "fixed.toml",
        "--junit",
        "out.xml",
        "--name",
        "s",
    ];
    let retried = scene.zeph(&retry);
    assert_eq!(code(&retried), 0, "{retried:?}");
    let xml = fs::read_to_string(scene.path("out.xml")).unwrap();
    assert!(
        xml.contains("failures=\"0\" errors=\"0\" skipped=\"0\""),
        "{xml}"
    );
    let refused = scene.zeph(&["run", "plan.toml", "--name", "t", "--junit", "no/out.xml"]);
    assert_eq!(code(&refused), 2, "{refused:?}");
    assert_eq!(code(&scene.zeph(&["show", "t"])), 2, "nothing was run");
}

#[test]
fn times_are_in_the_zone_of_tz_and_name_it() {
    let scene = Scene::new("[tasks.one]\nrun = [\"true\"]\n");
    assert_eq!(code(&scene.zeph(&["run", "plan.toml", "--name", "r"])), 0);
    for (zone, names) in [
        ("Europe/Berlin", ["CET", "CEST"]),
        ("EST5EDT,M3.2.0,M11.1.0", ["EST", "EDT"]),
    ] {
        if zone.contains('/') && !std::path::Path::new("/usr/share/zoneinfo").exists() {
            continue;
        }
        let show = scene.start_with(&["show", "r"], &[("TZ", zone)]).wait();
        let named = names
            .iter()
            .any(|name| show.out.contains(&format!(" {name} (")));
        assert!(named, "{zone}: {show:?}");
    }
}
