//! What is printed: what was reached beside what is aimed at.

use std::{path::Path, time::Duration};

use crate::{
    counts::{Counts, is_write},
    scope::Scope,
};

/// Aims for 10,000 agents in 500 tenants.
const CONVERGE: f64 = 60.0;
const MEMORY: f64 = 200.0;

/// What happened in a phase.
pub struct Phase {
    /// Its name.
    pub name: &'static str,
    /// How long it took.
    pub took: Duration,
    /// What the operator did.
    pub counts: Counts,
    /// Seconds of the operator on the processor.
    pub cpu: f64,
    /// The most memory of the operator so far, in MiB.
    pub peak: f64,
    /// Its memory at the end, in MiB.
    pub resident: f64,
    /// Transactions of the database.
    pub transactions: u64,
    /// Changes of agents that a watch showed.
    pub changes: u64,
}

/// How agents came to be as they should.
pub struct Converged {
    /// When every agent had a status for its generation.
    pub all_current: Option<Duration>,
    /// When the last agent changed.
    pub last_write: Option<Duration>,
    /// Agents with such a status at the end.
    pub current: usize,
    /// Agents.
    pub agents: usize,
    /// The most memory of the operator in MiB.
    pub peak: f64,
    /// Status writes the operator counted.
    pub status_writes: u64,
    /// Status writes the API server counted.
    pub status_writes_served: u64,
    /// Agents that were made per second before.
    pub creation_rate: f64,
}

/// How edits went.
pub struct Changes {
    /// From the edit to the status of its generation.
    pub times: Vec<Duration>,
    /// Edits that were not followed in time.
    pub missed: usize,
    /// Status writes.
    pub status_writes: u64,
}

/// What is measured.
pub fn heading(scope: &Scope) {
    println!(
        "{} agencies x {} tenants x {} agents = {} agents in {} tenants, {:?}{}",
        scope.agencies,
        scope.tenants,
        scope.agents,
        scope.all_agents(),
        scope.all_tenants(),
        scope.placement,
        if scope.secrets { ", with keys" } else { "" },
    );
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!(
        "{cores} cores for the operator, the API server, etcd, the controllers, Postgres, LiveKit and this program"
    );
}

/// Which program is measured.
pub fn program(path: &Path, log: &Path) {
    println!("{}, log in {}", path.display(), log.display());
}

/// How fast the API server took the agents, with nothing else to do. Returns agents per second.
pub fn created(agents: usize, took: Duration) -> f64 {
    let rate = per(agents as f64, took.as_secs_f64());
    println!("\n== agents made, operator stopped: {:.1} s, {rate:.0} per second", took.as_secs_f64());
    rate
}

/// Everything of a phase; `objects` are what it was about.
pub fn phase(phase: &Phase, objects: usize, object: &str) {
    let seconds = phase.took.as_secs_f64();
    let all: u64 = phase.counts.requests.values().sum();
    println!("\n== {}: {seconds:.1} s", phase.name);
    println!("   operator      {:.1} s of CPU, {:.0} MiB, at most {:.0} MiB", phase.cpu, phase.resident, phase.peak);
    println!(
        "   passes        {} ({:.2} per {object}), {} failed",
        phase.counts.all_passes(),
        per(phase.counts.all_passes() as f64, objects as f64),
        phase.counts.failed
    );
    println!("   Postgres      {} transactions; LiveKit {} writes", phase.transactions, phase.counts.livekit);
    println!("   API requests  {all} ({:.2} per {object})", per(all as f64, objects as f64));
    let mut requests: Vec<_> = phase.counts.requests.iter().collect();
    requests.sort_by_key(|((verb, _), count)| (!is_write(verb), std::cmp::Reverse(**count)));
    for ((verb, resource), count) in requests {
        println!("     {verb:<7} {resource:<28} {count:>9}  {:>8.3}", per(*count as f64, objects as f64));
    }
}

/// Beside the aims.
pub fn converged(reached: &Converged) {
    let time = |time: Option<Duration>| match time {
        Some(time) => format!("{:.1} s", time.as_secs_f64()),
        None => format!("not in time: {} of {}", reached.current, reached.agents),
    };
    let scale = reached.agents as f64 / 10_000.0;
    println!("   reached                           aim");
    println!("   every status current   {:<10} {:.1} s", time(reached.all_current), CONVERGE * scale);
    println!("   last write             {:<10} {:.1} s", time(reached.last_write), CONVERGE * scale);
    println!("   memory                 {:<10} {MEMORY:.0} MiB for 10000 agents", format!("{:.0} MiB", reached.peak));
    let per_agent = per(reached.status_writes as f64, reached.agents as f64);
    println!(
        "   status writes          {per_agent:.2} per agent  (the API server counted {})",
        reached.status_writes_served
    );
    println!(
        "   for comparison: at the {:.0} per second at which agents were made, one write to each takes {:.1} s",
        reached.creation_rate,
        per(reached.agents as f64, reached.creation_rate)
    );
}

/// Beside the aim: nothing is written.
pub fn steady(phase: &Phase) {
    println!("   reached                           aim");
    println!("   changes of agents      {:<10} 0", phase.changes);
    println!(
        "   requests that write    {:<10} 0  (applying what is there already changes nothing)",
        phase.counts.writes()
    );
    println!("   CPU                    {:.2} %", 100.0 * per(phase.cpu, phase.took.as_secs_f64()));
}

/// Beside the aim: one status write per change.
pub fn changes(changes: &Changes) {
    let mut times = changes.times.clone();
    times.sort();
    let at = |part: f64| times.get((times.len() as f64 * part) as usize).map_or(f64::NAN, Duration::as_secs_f64) * 1e3;
    println!("   reached                           aim");
    let per_change = per(changes.status_writes as f64, (times.len() + changes.missed) as f64);
    println!("   status writes          {:<10} 1 per change", format!("{per_change:.2}"));
    println!(
        "   status current after   {:.0} ms (median), {:.0} ms (99 %); {} missed",
        at(0.5),
        at(0.99),
        changes.missed
    );
}

/// How long it took to tell everybody.
pub fn suspended(took: Option<Duration>, agents: usize) {
    match took {
        Some(took) => println!("   all {agents} agents say so after {:.1} s", took.as_secs_f64()),
        None => println!("   not all {agents} agents say so in time"),
    }
}

/// Beside the aim: a new leader changes nothing.
pub fn restarted(looked: Option<Duration>, phase: &Phase) {
    println!("   reached                           aim");
    match looked {
        Some(looked) => println!("   every agent looked at  {:.1} s", looked.as_secs_f64()),
        None => println!("   every agent looked at  not in time"),
    }
    println!("   changes of agents      {:<10} 0", phase.changes);
}

fn per(what: f64, whole: f64) -> f64 {
    if whole > 0.0 { what / whole } else { 0.0 }
}
