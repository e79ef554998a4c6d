//! The supervisor with real processes. A file of its own, because its reaper collects every child of the process.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use voxplane_lab::init::protocol::{Exit, ProcessSpec, ProcessState};
use voxplane_lab::init::supervisor::Supervisor;

/// One reaper for all tests: it collects the children of the whole process.
fn supervisor() -> Arc<Supervisor> {
    static SHARED: OnceLock<Arc<Supervisor>> = OnceLock::new();
    let make = || {
        let supervisor = Arc::new(Supervisor::default());
        let reaper = Arc::clone(&supervisor);
        std::thread::spawn(move || reaper.reap_forever());
        supervisor
    };
    Arc::clone(SHARED.get_or_init(make))
}

fn shell(dir: &std::path::Path, name: &str, script: &str) -> ProcessSpec {
    ProcessSpec {
        name: name.to_owned(),
        argv: vec!["/bin/sh".into(), "-c".into(), script.into()],
        env: BTreeMap::from([("PATH".into(), "/usr/bin:/bin".into())]),
        cwd: dir.to_owned(),
        user: None,
        log: dir.join(format!("{name}.log")),
    }
}

#[test]
fn exit_states_and_output_are_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let exit = supervisor().run(&shell(dir.path(), "three", "echo out; echo err >&2; exit 3"), Duration::from_secs(5));
    assert_eq!(exit.unwrap(), Exit::Code(3));
    let log = std::fs::read_to_string(dir.path().join("three.log")).unwrap();
    assert!(log.contains("out") && log.contains("err"), "{log}");
}

#[test]
fn a_command_that_hangs_is_killed_with_its_children() {
    let dir = tempfile::tempdir().unwrap();
    let started = Instant::now();
    let exit = supervisor().run(&shell(dir.path(), "hang", "sleep 60 & sleep 60"), Duration::from_millis(200));
    assert_eq!(exit.unwrap(), Exit::TimedOut);
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_process_that_ignores_the_polite_signal_is_stopped_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let supervisor = supervisor();
    supervisor.spawn(&shell(dir.path(), "stubborn", "trap '' TERM; while :; do sleep 0.1; done")).unwrap();
    assert!(supervisor.spawn(&shell(dir.path(), "stubborn", "true")).unwrap_err().contains("already running"));
    std::thread::sleep(Duration::from_millis(100));
    supervisor.stop("stubborn", Duration::from_millis(200)).unwrap();
    assert_eq!(supervisor.list()["stubborn"], ProcessState::Exited { exit: Exit::Signal(9) });
}

#[test]
fn a_missing_program_is_an_error_with_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let mut spec = shell(dir.path(), "none", "");
    spec.argv = vec!["/no/such/program".into()];
    assert!(supervisor().spawn(&spec).unwrap_err().contains("/no/such/program"));
}

#[test]
fn a_program_that_cannot_be_started_is_told_apart_while_others_come_and_go() {
    let dir = tempfile::tempdir().unwrap();
    let supervisor = supervisor();
    supervisor.spawn(&shell(dir.path(), "busy", "while :; do /bin/true; done")).unwrap();
    let mut spec = shell(dir.path(), "nobody", "");
    spec.argv = vec!["/no/such/program".into()];
    // With a user of its own a process is started another way by the standard library.
    spec.user = Some((nix::unistd::getuid().as_raw(), nix::unistd::getgid().as_raw()));
    for _ in 0..200 {
        let error = supervisor.spawn(&spec).unwrap_err();
        assert!(error.contains("/no/such/program"), "{error}");
    }
    supervisor.stop("busy", Duration::from_secs(5)).unwrap();
    supervisor.stop("busy", Duration::from_secs(5)).unwrap();
}
