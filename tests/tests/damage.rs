//! Damages to a database are reported, and the judge notices one that is not.

#![allow(clippy::unwrap_used, reason = "the panic of a test is its report")]

use zeph_tests::crash::binary::build;
use zeph_tests::damage::{DamageCounts, Scene, play};

#[test]
fn damage_is_reported_or_changes_nothing_and_silent_damage_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let mut scene = Scene::at_rest(&build().unwrap(), path("rest")).unwrap();
    let mut counts = DamageCounts::default();
    for seed in 0..60 {
        play(&scene, &path("copy"), seed, &mut counts).unwrap();
    }
    assert!(counts.reported > 30 && counts.harmless > 0, "{counts:?}");
    // What was read before is another text now, as if damage had changed it without a word.
    scene.reference.push('x');
    let silent = (0..60).find_map(|seed| play(&scene, &path("copy"), seed, &mut counts).err());
    let silent = silent.unwrap();
    assert!(silent.contains("nothing reports it"), "{silent}");
}
