//! How large the benchmark is.

use std::time::Duration;

use clap::Parser;

/// Measures call set-up with many numbers, in a lab that runs `sip`.
#[derive(Clone, Debug, Parser)]
#[command(max_term_width = 100)]
pub struct Scope {
    /// The most telephone numbers.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(100..=100_000))]
    pub numbers: u32,
    /// Carrier connections over which they are spread once: each has one trunk and one rule.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(2..=1_000))]
    pub trunks: u32,
    /// Calls of each layout, one after another; one more before them is not counted.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub calls: u32,
    /// Seconds in which a layout is programmed. What LiveKit has by then is called.
    #[arg(long, default_value_t = 600)]
    pub limit: u64,
}

impl Scope {
    /// Time in which a layout is programmed.
    pub fn limit(&self) -> Duration {
        Duration::from_secs(self.limit)
    }
}
