use super::*;

/// The values of the constants in the module `reasons`, as its source has them: a constant cannot be forgotten here.
fn declared() -> Vec<&'static str> {
    let source = include_str!("../../conditions.rs");
    let module = source.split_once("pub mod reasons {").unwrap().1.split_once("\n}").unwrap().0;
    let values = module.lines().filter_map(|line| line.trim().strip_prefix("pub const "));
    values.map(|line| line.split('"').nth(1).unwrap()).collect()
}

#[test]
fn every_reason_is_registered_once() {
    let mut declared = declared();
    assert!(declared.len() >= 25, "only {declared:?} were found in the source");
    let mut registered: Vec<_> = ALL.iter().map(|entry| entry.reason).collect();
    declared.sort_unstable();
    registered.sort_unstable();
    assert_eq!(registered, declared, "add an entry with cause and remedy to conditions/registry.rs");
}

#[test]
fn whoever_has_to_do_something_is_told_what() {
    for entry in ALL {
        assert!(entry.cause.ends_with('.'), "{}: the cause is a sentence", entry.reason);
        assert_eq!(entry.remedy.is_empty(), entry.meaning == Meaning::Good, "{}", entry.reason);
        assert!(entry.remedy.is_empty() || entry.remedy.ends_with('.'), "{}: the remedy is a sentence", entry.reason);
    }
}

#[test]
fn reasons_are_found_by_name() {
    assert_eq!(find("NumberNotGranted").map(|entry| entry.meaning), Some(Meaning::Broken));
    assert_eq!(find("Paused").map(|entry| entry.meaning), Some(Meaning::Intended));
    assert!(find("FromTheFuture").is_none());
}
