//! The phases of the benchmark, one after another.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use kube::Client;
use voxplane_crds::conditions::reasons;
use voxplane_e2e::env::LabEnv;

use crate::{
    counts::{self, Counts},
    fleet::Fleet,
    operator::{Operator, Program, Usage},
    prepare::Databases,
    report::{self, Changes, Converged, Phase},
    scope::Scope,
    watching::Watching,
};

/// Nothing happens any more when no agent has changed for this long.
const QUIET: Duration = Duration::from_secs(10);
/// How often counters are looked at while something is waited for.
const LOOK: Duration = Duration::from_millis(250);
/// Longest wait for one edited agent.
const ONE_CHANGE: Duration = Duration::from_secs(60);

/// A running benchmark.
pub struct Bench {
    client: Client,
    databases: Databases,
    fleet: Fleet,
    scope: Scope,
    program: Program,
    operator: Option<Operator>,
}

/// Everything at one moment.
struct Moment {
    at: Instant,
    counts: Counts,
    usage: Usage,
    transactions: u64,
    changes: u64,
}

impl Bench {
    /// Starts the operator.
    pub async fn start(env: LabEnv, client: Client, databases: Databases, fleet: Fleet, scope: Scope) -> Result<Self> {
        let program = Program::new(scope.operator.clone(), &env, &databases)?;
        report::program(program.path(), program.log());
        let operator = Some(program.start()?);
        Ok(Self { client, databases, fleet, scope, program, operator })
    }

    /// Ends the operator.
    pub async fn stop(&mut self) -> Result<()> {
        match self.operator.take() {
            Some(operator) => operator.stop().await,
            None => Ok(()),
        }
    }

    /// Every phase.
    pub async fn run(&mut self) -> Result<()> {
        self.tenants().await?;
        // Stopped meanwhile, so that what is measured is the operator and not who makes the objects.
        self.stop().await?;
        let took = self.fleet.agents().await?;
        let rate = report::created(self.scope.all_agents(), took);
        let watching = Watching::start(self.client.clone());
        let start = Instant::now();
        self.operator = Some(self.program.start()?);
        self.converge(&watching, start, rate).await?;
        self.steady(&watching).await?;
        self.edits(&watching).await?;
        self.suspension(&watching, true).await?;
        self.suspension(&watching, false).await?;
        self.restart(&watching).await
    }

    async fn tenants(&mut self) -> Result<()> {
        let before = self.now(None).await?;
        self.fleet.tenants().await?;
        let after = self.now(None).await?;
        report::phase(&phase("tenants", &before, &after), self.scope.all_tenants(), "tenant");
        Ok(())
    }

    async fn converge(&mut self, watching: &Watching, start: Instant, rate: f64) -> Result<()> {
        let served = counts::status_writes_served(&self.client).await?;
        let before = Moment {
            at: start,
            counts: Counts::default(),
            usage: Usage::default(),
            transactions: counts::transactions(&self.databases.superuser).await?,
            changes: watching.changes(),
        };
        let expected = self.scope.all_agents();
        let mut all_current = None;
        let is_quiet = self
            .until(|| {
                if all_current.is_none() && watching.current() == expected {
                    all_current = Some(start.elapsed());
                }
                all_current.is_some() && watching.last_change().is_some_and(|last| last.elapsed() > QUIET)
            })
            .await?;
        let after = self.now(Some(watching)).await?;
        report::phase(&phase("converge", &before, &after), expected, "agent");
        let last = watching.last_change().map(|last| last.duration_since(start));
        report::converged(&Converged {
            all_current,
            last_write: last.filter(|_| is_quiet),
            current: watching.current(),
            agents: expected,
            peak: after.usage.peak,
            status_writes: after.counts.agent_status(),
            status_writes_served: counts::status_writes_served(&self.client).await?.saturating_sub(served),
            creation_rate: rate,
        });
        Ok(())
    }

    async fn steady(&mut self, watching: &Watching) -> Result<()> {
        let before = self.now(Some(watching)).await?;
        tokio::time::sleep(Duration::from_secs(self.scope.steady)).await;
        let after = self.now(Some(watching)).await?;
        let phase = phase("steady state", &before, &after);
        report::phase(&phase, self.scope.all_agents(), "agent");
        report::steady(&phase);
        Ok(())
    }

    async fn edits(&mut self, watching: &Watching) -> Result<()> {
        let before = self.now(Some(watching)).await?;
        let apart = (self.scope.all_agents() / self.scope.changes.max(1)).max(1);
        let mut times = Vec::new();
        let mut missed = 0;
        for (namespace, name) in self.fleet.names().step_by(apart).take(self.scope.changes) {
            let started = Instant::now();
            let generation = self.fleet.edit(&namespace, &name, "Good day, what can I do for you?").await?;
            if watching.caught_up(&namespace, &name, generation, ONE_CHANGE).await {
                times.push(started.elapsed());
            } else {
                missed += 1;
            }
        }
        self.settle(watching).await?;
        let after = self.now(Some(watching)).await?;
        let changes = times.len() + missed;
        report::phase(&phase("one field of an agent", &before, &after), changes, "change");
        report::changes(&Changes { times, missed, status_writes: after.counts.since(&before.counts).agent_status() });
        Ok(())
    }

    async fn suspension(&mut self, watching: &Watching, suspended: bool) -> Result<()> {
        let before = self.now(Some(watching)).await?;
        let agents = self.scope.tenants * self.scope.agents;
        let prefix = self.fleet.suspend(suspended).await?;
        let mut done = None;
        self.until(|| {
            if watching.with_reason(&prefix, reasons::SUSPENDED, suspended) == agents {
                done.get_or_insert_with(Instant::now);
            }
            done.is_some()
        })
        .await?;
        self.settle(watching).await?;
        let after = self.now(Some(watching)).await?;
        let name = if suspended { "suspend an agency" } else { "take it back" };
        report::phase(&phase(name, &before, &after), agents, "agent of it");
        report::suspended(done.map(|done| done.duration_since(before.at)), agents);
        Ok(())
    }

    async fn restart(&mut self, watching: &Watching) -> Result<()> {
        self.stop().await?;
        let mut before = self.now(None).await?;
        before.changes = watching.changes();
        self.operator = Some(self.program.start()?);
        let deadline = before.at + Duration::from_secs(self.scope.limit);
        let expected = u64::try_from(self.scope.all_agents())?;
        let mut looked = None;
        while looked.is_none() && Instant::now() < deadline {
            tokio::time::sleep(LOOK).await;
            let passes = self.counts().await?.passes.get("voice-agent").copied().unwrap_or_default();
            looked = (passes >= expected).then(|| before.at.elapsed());
        }
        self.settle(watching).await?;
        let after = self.now(Some(watching)).await?;
        let phase = phase("restart", &before, &after);
        report::phase(&phase, self.scope.all_agents(), "agent");
        report::restarted(looked, &phase);
        Ok(())
    }

    /// Waits until no agent has changed for a while.
    async fn settle(&mut self, watching: &Watching) -> Result<()> {
        let asked = Instant::now();
        self.until(|| watching.last_change().is_none_or(|last| last.max(asked).elapsed() > QUIET)).await.map(drop)
    }

    /// Waits until something holds. False: not within the limit.
    async fn until(&mut self, mut holds: impl FnMut() -> bool) -> Result<bool> {
        let deadline = Instant::now() + Duration::from_secs(self.scope.limit);
        while !holds() {
            if Instant::now() > deadline {
                return Ok(false);
            }
            if let Some(operator) = &mut self.operator {
                operator.usage().context("while waiting; its log says why")?;
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(true)
    }

    async fn counts(&self) -> Result<Counts> {
        Ok(match &self.operator {
            Some(operator) => Counts::parse(&operator.metrics().await?),
            None => Counts::default(),
        })
    }

    async fn now(&mut self, watching: Option<&Watching>) -> Result<Moment> {
        let usage = self.operator.as_mut().map(Operator::usage).transpose()?.unwrap_or_default();
        Ok(Moment {
            at: Instant::now(),
            counts: self.counts().await?,
            usage,
            transactions: counts::transactions(&self.databases.superuser).await?,
            changes: watching.map_or(0, Watching::changes),
        })
    }
}

fn phase(name: &'static str, before: &Moment, after: &Moment) -> Phase {
    Phase {
        name,
        took: after.at.duration_since(before.at),
        counts: after.counts.since(&before.counts),
        cpu: after.usage.cpu - before.usage.cpu,
        peak: after.usage.peak,
        resident: after.usage.resident,
        transactions: after.transactions.saturating_sub(before.transactions),
        changes: after.changes.saturating_sub(before.changes),
    }
}
