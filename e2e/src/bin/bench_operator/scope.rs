//! How large the benchmark is.

use std::path::PathBuf;

use clap::Parser;
use voxplane_crds::voice_agent::Placement;

/// Measures the operator at scale, in a lab that runs `control-plane,postgres,livekit`.
#[derive(Clone, Debug, Parser)]
#[command(max_term_width = 100)]
pub struct Scope {
    /// Agencies.
    #[arg(long, default_value_t = 20)]
    pub agencies: usize,
    /// Tenants of each agency.
    #[arg(long, default_value_t = 25)]
    pub tenants: usize,
    /// Voice agents of each tenant.
    #[arg(long, default_value_t = 20)]
    pub agents: usize,
    /// One pool of pods per tenant, or one per agent.
    #[arg(long, value_enum, default_value = "pooled")]
    pub placement: Pools,
    /// Give every agent a key of a provider: the operator then reads Secrets.
    #[arg(long)]
    pub secrets: bool,
    /// Length of the steady state in seconds.
    #[arg(long, default_value_t = 600)]
    pub steady: u64,
    /// Agents that are edited, one after another.
    #[arg(long, default_value_t = 100)]
    pub changes: usize,
    /// The operator's program; by default the one beside this program.
    #[arg(long)]
    pub operator: Option<PathBuf>,
    /// Longest wait for one phase in seconds; what was reached by then is printed.
    #[arg(long, default_value_t = 1800)]
    pub limit: u64,
}

/// `spec.runtime.placement`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Pools {
    /// One pool per tenant.
    Pooled,
    /// One pool per agent.
    Dedicated,
}

impl Pools {
    /// As an agent says it.
    pub fn placement(self) -> Placement {
        match self {
            Self::Pooled => Placement::Pooled,
            Self::Dedicated => Placement::Dedicated,
        }
    }
}

impl Scope {
    /// All tenants.
    pub fn all_tenants(&self) -> usize {
        self.agencies * self.tenants
    }

    /// All agents.
    pub fn all_agents(&self) -> usize {
        self.all_tenants() * self.agents
    }
}
