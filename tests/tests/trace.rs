//! Failing calls and losses of power break no promise, and the judges notice a disk that lies.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, reason = "the panic of a test is its report")]

use zeph_tests::crash::binary::build;
use zeph_tests::trace::faults::{FaultCounts, Trial};
use zeph_tests::trace::power::{Honesty, Recording};

#[test]
fn what_is_acknowledged_survives_a_loss_of_power_unless_the_disk_lies() {
    let folder = tempfile::tempdir().unwrap();
    let recording = Recording::of_many_commands(&build().unwrap(), &folder.path().join("session"));
    let recording = recording.unwrap();
    let state = folder.path().join("state");
    let mut looked_up = 0;
    for number in (0..recording.len()).step_by(11) {
        looked_up += recording.play(number, 1, Honesty::Honest, &state).unwrap();
    }
    assert!(looked_up > 100, "{looked_up}");
    let honesty = Honesty::IgnoresSyncsOf("-wal");
    let lost =
        (0..recording.len()).find_map(|number| recording.play(number, 1, honesty, &state).err());
    let lost = lost.unwrap();
    // What was acknowledged is missed, or the log shows that its end is gone.
    let is_noticed = lost.contains("Acknowledged") || lost.contains("log");
    assert!(is_noticed, "{lost}");
}

#[test]
fn a_failing_call_breaks_no_promise_and_a_write_that_only_pretends_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let trial = Trial::stage(&build().unwrap(), &folder.path().join("scenes")).unwrap();
    let copy = folder.path().join("copy");
    let mut counts = FaultCounts::default();
    for fault in trial.draw(Some(12), 1) {
        trial.play(fault, &copy, &mut counts).unwrap();
    }
    assert!(counts.done() > 6, "{counts:?}");
    // A full quota is reported as a full disk, when a database is created, opened and
    // written, and when the lock of an owner is taken.
    for fault in [
        "run/write/1",
        "resume/write/1",
        "resume/write/13",
        "run/write/60",
    ] {
        let fault = format!("{fault}/EDQUOT/lasting").parse().unwrap();
        trial.play(fault, &copy, &mut counts).unwrap();
    }
    // The writes of a resume report success and leave nothing.
    let lies = (0..3).map(|nth| format!("resume/write/{nth}/lie/lasting").parse().unwrap());
    let broken: Vec<String> = lies
        .filter_map(|fault| trial.play(fault, &copy, &mut counts).err())
        .collect();
    assert!(!broken.is_empty());
}
