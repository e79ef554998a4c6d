//! What is printed: layouts side by side.

use std::{fs, time::Duration};

use crate::{calls::Times, layout::Layout, programming::Effort, scope::Scope};

/// What was measured of a layout.
pub struct Measured {
    /// What it took to program it.
    pub effort: Effort,
    /// Its calls.
    pub calls: Vec<Times>,
    /// How long it took to read everything.
    pub reads: Vec<Duration>,
    /// How long it took to add a number.
    pub more: Vec<Duration>,
}

/// What is measured, and on what.
pub fn heading(scope: &Scope) {
    println!(
        "{} calls of each layout, one at a time; up to {} numbers, once over {} trunks",
        scope.calls, scope.numbers, scope.trunks
    );
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!(
        "{cores} cores for LiveKit, LiveKit SIP, Redis and this program; load {}",
        load.split(' ').next().unwrap_or("unknown")
    );
}

/// A layout, before it is measured.
pub fn begins(layout: &Layout) {
    println!("\n== {}", layout.name());
}

/// What it took to program it.
pub fn programmed(effort: &Effort) {
    let Effort { made, wanted, requests, took } = effort;
    println!("   programmed    {requests} requests, {:.1} s", took.as_secs_f64());
    if made < wanted {
        println!("                 {made} of {wanted} trunks: time was over");
    }
}

/// How it went.
pub fn measured(measured: &Result<Measured, String>) {
    let measured = match measured {
        Ok(measured) => measured,
        Err(error) => return println!("   failed        {error}"),
    };
    let (ringing, offered) = (times(&measured.calls, |call| call.ringing), times(&measured.calls, |call| call.offered));
    println!("   180 after     {} ms (median), {} to {} ms", median(&ringing), first(&ringing), last(&ringing));
    println!("   offered after {} ms (median), {} to {} ms", median(&offered), first(&offered), last(&offered));
    println!("   read all      {} ms (median of {})", median(&measured.reads), measured.reads.len());
    println!("   one more      {} ms (median of {})", median(&measured.more), measured.more.len());
}

/// All layouts, as a table for docs/benchmarks.md.
pub fn table(rows: &[(Layout, Result<Measured, String>)]) {
    println!("\n| | requests to program | time | 180 after | offered after | read all | one number more |");
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    for (layout, measured) in rows {
        let Ok(Measured { effort, calls, reads, more }) = measured else {
            println!("| {} | failed | | | | | |", layout.name());
            continue;
        };
        let Effort { made, wanted, requests, took } = effort;
        let part = if made < wanted { format!(" ({made} trunks)") } else { String::new() };
        println!(
            "| {}{part} | {requests} | {:.1} s | {} ms | {} ms | {} ms | {} ms |",
            layout.name(),
            took.as_secs_f64(),
            median(&times(calls, |call| call.ringing)),
            median(&times(calls, |call| call.offered)),
            median(reads),
            median(more),
        );
    }
}

fn times(calls: &[Times], of: impl Fn(&Times) -> Duration) -> Vec<Duration> {
    let mut times: Vec<Duration> = calls.iter().map(of).collect();
    times.sort();
    times
}

/// Of an even count the larger one of the two in the middle.
fn median(times: &[Duration]) -> u128 {
    let mut times = times.to_vec();
    times.sort();
    times.get(times.len() / 2).map_or(0, Duration::as_millis)
}

fn first(times: &[Duration]) -> u128 {
    times.first().map_or(0, Duration::as_millis)
}

fn last(times: &[Duration]) -> u128 {
    times.last().map_or(0, Duration::as_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle_whatever_the_order() {
        let times = |all: &[u64]| all.iter().map(|one| Duration::from_millis(*one)).collect::<Vec<_>>();
        assert_eq!(median(&times(&[9, 1, 5])), 5);
        assert_eq!((median(&times(&[4, 2])), median(&[])), (4, 0));
    }
}
