//! What the lab promises about itself: labs live side by side, and nothing is left of them, however they end.
#![cfg(feature = "root-tests")]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// A directory of labs that no other test sees, on a disk that can hold overlays.
struct Labs {
    root: tempfile::TempDir,
}

impl Labs {
    fn new() -> Self {
        Self { root: tempfile::Builder::new().prefix("voxplane-lab-test-").tempdir_in("/var/tmp").unwrap() }
    }

    fn lab(&self, name: &str, arguments: &[&str]) -> Output {
        let mut lab = Command::new(env!("CARGO_BIN_EXE_lab"));
        lab.args(["--name", name]).args(arguments).env("VOXPLANE_LAB_DIR", self.root.path()).output().unwrap()
    }

    /// What `lab status` says of a part; all of it, if that says nothing.
    fn state(&self, name: &str, part: &str) -> String {
        let answer = self.succeed(name, &["status"]);
        let row = answer.lines().find_map(|line| line.trim_start().strip_prefix(part)?.strip_prefix(' '));
        row.unwrap_or(&answer).trim().to_owned()
    }

    fn succeed(&self, name: &str, arguments: &[&str]) -> String {
        let output = self.lab(name, arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "lab {arguments:?}: {errors}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn pid(&self, name: &str) -> String {
        fs::read_to_string(self.root.path().join(name).join("init.pid")).unwrap()
    }

    fn address(&self, name: &str) -> String {
        let env: serde_json::Value = serde_json::from_str(&self.succeed(name, &["env", "--json"])).unwrap();
        env["nodeAddress"].as_str().unwrap().to_owned()
    }
}

impl Drop for Labs {
    fn drop(&mut self) {
        for entry in fs::read_dir(self.root.path()).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if !name.starts_with('.') {
                self.lab(&name, &["down"]);
            }
        }
    }
}

/// Everything on the host that belongs to a lab: processes, interfaces, routes, mounts, control groups.
fn traces(labs: &Labs, name: &str, address: &str) -> Vec<String> {
    let run = |program: &str, arguments: &[&str]| {
        String::from_utf8(Command::new(program).args(arguments).output().unwrap().stdout).unwrap()
    };
    let dir = labs.root.path().join(name).display().to_string();
    let network = address.trim_end_matches('1');
    let mut traces = Vec::new();
    let mut collect = |text: String, sign: &str| {
        traces.extend(text.lines().filter(|line| line.contains(sign)).map(str::to_owned));
    };
    collect(run("ps", &["-eo", "pid,args"]), &dir);
    collect(run("ps", &["-eo", "pid,args"]), &format!("keeper --name {name}"));
    collect(run("ip", &["-o", "address"]), network);
    collect(run("ip", &["route"]), network);
    collect(fs::read_to_string("/proc/mounts").unwrap(), &dir);
    collect(run("find", &["/sys/fs/cgroup", "-maxdepth", "3", "-name", &format!("voxplane-lab-{name}")]), "voxplane");
    traces
}

fn wait_for_no_traces(labs: &Labs, name: &str, address: &str) {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let left = traces(labs, name, address);
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < deadline, "left of lab {name}: {left:#?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn labs_live_side_by_side_and_down_removes_everything() {
    let labs = Labs::new();
    labs.succeed("rt-a", &["up", "--only", "redis"]);
    labs.succeed("rt-b", &["up", "--only", "redis"]);
    let (a, b) = (labs.address("rt-a"), labs.address("rt-b"));
    assert_ne!(a, b);
    assert!(!traces(&labs, "rt-a", &a).is_empty(), "the search for traces must find a running lab");
    for name in ["rt-a", "rt-b"] {
        // The same port in both: each lab has its own network.
        assert_eq!(labs.state(name, "redis"), "ready");
    }
    labs.succeed("rt-a", &["down"]);
    wait_for_no_traces(&labs, "rt-a", &a);
    assert!(!labs.root.path().join("rt-a").exists());
    assert_eq!(labs.state("rt-b", "redis"), "ready", "the other lab is untouched");
}

#[test]
fn killing_the_first_process_leaves_nothing_and_the_next_up_starts_afresh() {
    let labs = Labs::new();
    labs.succeed("rt-kill", &["up", "--only", "redis"]);
    let address = labs.address("rt-kill");
    let killed = Command::new("kill").args(["-9", &labs.pid("rt-kill")]).status().unwrap();
    assert!(killed.success());
    wait_for_no_traces(&labs, "rt-kill", &address);
    let refused = labs.lab("rt-kill", &["exec", "--", "true"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("lab up --name rt-kill"), "the error names the fix");
    labs.succeed("rt-kill", &["up", "--only", "redis"]);
    assert_eq!(labs.state("rt-kill", "redis"), "ready");
}

#[test]
fn up_is_idempotent_and_a_dead_part_is_reported_and_restarted() {
    let labs = Labs::new();
    labs.succeed("rt-part", &["up", "--only", "redis"]);
    let before = labs.pid("rt-part");
    labs.succeed("rt-part", &["up", "--only", "redis"]);
    assert_eq!(labs.pid("rt-part"), before, "the running lab was kept");
    labs.succeed("rt-part", &["exec", "--", "sh", "-c", "kill -9 $(pidof redis-server)"]);
    let status = labs.lab("rt-part", &["status"]);
    let text = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(!status.status.success() && text.contains("redis ended: ended by signal 9"), "{text}");
    labs.succeed("rt-part", &["up", "--only", "redis"]);
    assert_eq!(labs.state("rt-part", "redis"), "ready");
}

#[test]
fn the_host_sees_nothing_of_the_labs_mounts() {
    let labs = Labs::new();
    labs.succeed("rt-mount", &["up", "--only", "redis"]);
    let inside = labs.succeed("rt-mount", &["exec", "--", "cat", "/proc/mounts"]);
    assert!(inside.contains("upperdir="), "the lab replaces directories: {inside}");
    labs.succeed("rt-mount", &["exec", "--", "sh", "-c", "mkdir -p /var/lib/rt-mount /etc/rt-mount /run/rt-mount"]);
    for dir in ["/var/lib/rt-mount", "/etc/rt-mount", "/run/rt-mount"] {
        assert!(!Path::new(dir).exists(), "{dir} was written to the host");
    }
}
