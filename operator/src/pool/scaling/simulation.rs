//! A day of calls in virtual time, against the real decision: bursts, a lunch dip, a quiet night, a campaign.
//!
//! `cargo test -p voxplane-operator simulation -- --nocapture` prints refused calls and what the pods cost beside an
//! oracle that knows every call in advance and starts pods in no time.

use std::collections::BinaryHeap;

use super::super::samples::{Sample, Samples};
use super::*;

/// From the decision to a connected pod: scheduling, start, models.
const START_SECONDS: u64 = 20;
/// Sessions are read this often.
const TICK_SECONDS: u64 = 2;

/// Random enough for arrivals, and the same on every machine.
struct Dice(u64);

impl Dice {
    /// Uniform in 0..1.
    fn roll(&mut self) -> f64 {
        // xorshift64*, Vigna 2016.
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let bits = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 40;
        f64::from(u32::try_from(bits).unwrap_or_default()) / f64::from(1_u32 << 24)
    }

    /// Exponentially distributed around a mean.
    fn around(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.roll()).ln()
    }
}

/// Calls that arrive at a rate which changes with the time of day.
struct Trace {
    name: &'static str,
    /// From which second on how many calls arrive per minute.
    rates: &'static [(u64, f64)],
    seconds: u64,
    mean_call_seconds: f64,
}

const HOUR: u64 = 3_600;

const TRACES: [Trace; 4] = [
    Trace { name: "steady", rates: &[(0, 6.0)], seconds: 4 * HOUR, mean_call_seconds: 180.0 },
    Trace {
        name: "burst",
        rates: &[(0, 1.0), (HOUR, 20.0), (HOUR + 600, 1.0)],
        seconds: 2 * HOUR,
        mean_call_seconds: 120.0,
    },
    Trace {
        name: "lunch dip",
        rates: &[(0, 8.0), (2 * HOUR, 1.5), (3 * HOUR, 8.0)],
        seconds: 5 * HOUR,
        mean_call_seconds: 180.0,
    },
    Trace {
        name: "overnight",
        rates: &[(0, 6.0), (2 * HOUR, 0.05), (10 * HOUR, 6.0)],
        seconds: 12 * HOUR,
        mean_call_seconds: 180.0,
    },
];

impl Trace {
    fn rate(&self, second: u64) -> f64 {
        self.rates.iter().take_while(|(from, _)| *from <= second).last().map_or(0.0, |(_, rate)| *rate)
    }

    /// (begin, end) of every call, by beginning.
    fn calls(&self) -> Vec<(u64, u64)> {
        let mut dice = Dice(0x5eed_0001);
        let mut calls = Vec::new();
        for second in 0..self.seconds {
            if dice.roll() < self.rate(second) / 60.0 {
                // No call ends at once, and none lasts longer than the longest that agents allow here.
                let length = dice.around(self.mean_call_seconds).clamp(5.0, 1_800.0);
                calls.push((second, second + Duration::from_secs_f64(length).as_secs()));
            }
        }
        calls
    }
}

/// A runtime pod. Calls are the seconds at which they end.
#[derive(Debug, Default)]
struct Pod {
    ready_at: u64,
    draining: bool,
    calls: Vec<u64>,
}

/// What a day came to.
#[derive(Debug, Default)]
struct Outcome {
    calls: usize,
    refused: usize,
    pod_seconds: u64,
    oracle_pod_seconds: u64,
    /// Changes of direction, from more to fewer or back.
    turns: usize,
    ups: usize,
    downs: usize,
    /// Longest time in a row with fewer free slots than the headroom, although more pods were allowed.
    longest_without_headroom: u64,
    cut: usize,
}

struct World {
    pods: Vec<Pod>,
    policy: Policy,
    samples: Samples,
    desired: i32,
}

impl World {
    fn new(policy: Policy) -> Self {
        let pods = (0..policy.min).map(|_| Pod::default()).collect();
        Self { pods, desired: policy.min, policy, samples: Samples::default() }
    }

    fn capacity(&self) -> usize {
        usize::try_from(self.policy.calls_per_replica).unwrap_or_default()
    }

    fn takes_calls(pod: &Pod, second: u64) -> bool {
        !pod.draining && pod.ready_at <= second
    }

    /// The least busy pod with a free slot, as placement does it.
    fn place(&mut self, second: u64, ends: u64) -> bool {
        let capacity = self.capacity();
        let free = self.pods.iter_mut().filter(|pod| Self::takes_calls(pod, second) && pod.calls.len() < capacity);
        match free.min_by_key(|pod| pod.calls.len()) {
            Some(pod) => {
                pod.calls.push(ends);
                true
            }
            None => false,
        }
    }

    /// Calls end; a draining pod without calls is gone.
    fn pass(&mut self, second: u64) {
        for pod in &mut self.pods {
            pod.calls.retain(|ends| *ends > second);
        }
        self.pods.retain(|pod| !pod.draining || !pod.calls.is_empty());
    }

    fn sample(&self, second: u64) -> Sample {
        let active: Vec<_> = self.pods.iter().filter(|pod| Self::takes_calls(pod, second)).collect();
        let busy = active.iter().map(|pod| pod.calls.len()).sum::<usize>();
        Sample {
            busy: i32::try_from(busy).unwrap(),
            slots: i32::try_from(active.len() * self.capacity()).unwrap(),
            is_complete: true,
        }
    }

    /// Does what the Deployment does: new pods start, of too many the ones without calls go first (deletion cost), and
    /// the rest drain.
    fn resize(&mut self, replicas: i32, second: u64) {
        let wanted = usize::try_from(replicas).unwrap();
        let mut kept: Vec<usize> = (0..self.pods.len()).filter(|index| !self.pods[*index].draining).collect();
        while kept.len() < wanted {
            self.pods.push(Pod { ready_at: second + START_SECONDS, ..Pod::default() });
            kept.push(self.pods.len() - 1);
        }
        let order = |pod: &Pod| (pod.ready_at <= second, !pod.calls.is_empty());
        kept.sort_by_key(|index| order(&self.pods[*index]));
        for index in &kept[..kept.len() - wanted] {
            self.pods[*index].draining = true;
        }
    }
}

fn run(trace: &Trace, policy: Policy) -> Outcome {
    let calls = trace.calls();
    let mut outcome = Outcome { calls: calls.len(), ..Outcome::default() };
    let mut world = World::new(policy);
    let (start, mut next, mut direction, mut without) = (Instant::now(), 0, 0_i32, 0);
    let mut oracle = BinaryHeap::new();
    for second in 0..trace.seconds {
        world.pass(second);
        while let Some((_, ends)) = calls.get(next).filter(|(begins, _)| *begins == second) {
            if !world.place(second, *ends) {
                outcome.refused += 1;
            }
            oracle.push(std::cmp::Reverse(*ends));
            next += 1;
        }
        while oracle.peek().is_some_and(|ends| ends.0 <= second) {
            oracle.pop();
        }
        let perfect = divide_up(i32::try_from(oracle.len()).unwrap(), world.policy.calls_per_replica);
        outcome.oracle_pod_seconds += u64::try_from(perfect.clamp(world.policy.min, world.policy.max)).unwrap();
        outcome.pod_seconds += u64::try_from(world.pods.len()).unwrap();
        if second % TICK_SECONDS == 0 {
            tick(&mut world, second, start, &mut outcome, &mut direction, &mut without);
        }
    }
    outcome
}

fn tick(world: &mut World, second: u64, start: Instant, out: &mut Outcome, direction: &mut i32, without: &mut u64) {
    let now = start + Duration::from_secs(second);
    let sample = world.sample(second);
    world.samples.record(now, sample);
    let in_flight: usize = world.pods.iter().map(|pod| pod.calls.len()).sum();
    let decision = decide(&world.samples, &world.policy, world.desired, now);
    let (ceiling, _) = world.policy.ceiling();
    assert!(decision.replicas <= ceiling, "never more than allowed");
    let carried = divide_up(sample.busy, world.policy.calls_per_replica);
    assert!(decision.replicas >= carried.min(ceiling), "never fewer than the calls under way need: {decision:?}");
    let change = (decision.replicas - world.desired).signum();
    if change != 0 {
        out.turns += usize::from(*direction != 0 && change != *direction);
        *direction = change;
        if change > 0 { out.ups += 1 } else { out.downs += 1 }
    }
    world.desired = decision.replicas;
    world.resize(decision.replicas, second);
    let kept: usize = world.pods.iter().map(|pod| pod.calls.len()).sum();
    out.cut += in_flight - kept;
    let short = sample.slots - sample.busy < world.policy.headroom.beside(sample.busy);
    *without = if short && decision.replicas < ceiling { *without + TICK_SECONDS } else { 0 };
    out.longest_without_headroom = out.longest_without_headroom.max(*without);
}

fn policy() -> Policy {
    Policy {
        min: 1,
        max: 30,
        warm_minimum: 1,
        is_open: true,
        headroom: Headroom::Slots(4),
        stabilisation: Duration::from_secs(300),
        calls_per_replica: 4,
        caps: Vec::new(),
    }
}

#[test]
fn days_of_calls_are_served_without_flapping() {
    println!(
        "{:<10} {:>6} {:>8} {:>9} {:>9} {:>5} {:>6} {:>6}",
        "trace", "calls", "refused", "pod-min", "oracle", "ups", "downs", "turns"
    );
    for trace in &TRACES {
        let outcome = run(trace, policy());
        println!(
            "{:<10} {:>6} {:>8} {:>9} {:>9} {:>5} {:>6} {:>6}   headroom missing for {} s at most",
            trace.name,
            outcome.calls,
            outcome.refused,
            outcome.pod_seconds / 60,
            outcome.oracle_pod_seconds / 60,
            outcome.ups,
            outcome.downs,
            outcome.turns,
            outcome.longest_without_headroom,
        );
        assert!(outcome.calls > 50, "{}: the trace has calls", trace.name);
        assert_eq!(outcome.cut, 0, "{}: fewer pods never cut a call", trace.name);
        // A pod given up was not needed for five minutes, so the direction changes at most twice in that time.
        let most = usize::try_from(trace.seconds / 300).unwrap() * 2;
        assert!(outcome.turns <= most, "{}: {} turns", trace.name, outcome.turns);
        // New pods need their start; while calls keep coming faster, several starts follow each other.
        let regained = outcome.longest_without_headroom;
        assert!(regained <= 10 * START_SECONDS, "{}: no headroom for {regained} s", trace.name);
        assert!(outcome.refused * 20 <= outcome.calls, "{}: more than 5 % were refused", trace.name);
        assert!(outcome.pod_seconds >= outcome.oracle_pod_seconds * 9 / 10, "{}: the oracle is the bound", trace.name);
        assert!(outcome.pod_seconds <= outcome.oracle_pod_seconds * 4, "{}: far too many pods", trace.name);
    }
}

/// The simulation can fail: without headroom and with hasty scale-down it shows both faults that the test above forbids.
#[test]
fn a_worse_policy_is_found_out() {
    let burst = &TRACES[1];
    let tight = Policy { headroom: Headroom::Slots(1), ..policy() };
    assert!(run(burst, tight).refused > run(burst, policy()).refused, "headroom is what saves callers in a burst");
    let steady = &TRACES[0];
    let hasty = Policy { stabilisation: Duration::ZERO, ..policy() };
    assert!(run(steady, hasty).turns > 2 * run(steady, policy()).turns, "stabilisation is what prevents flapping");
}

/// A pool at its ceiling refuses, and does not grow.
#[test]
fn the_ceiling_holds_in_a_burst() {
    let small = Policy { max: 2, ..policy() };
    let outcome = run(&TRACES[1], small);
    assert!(outcome.refused > 0);
    assert_eq!(outcome.cut, 0);
}
