//! Trunks and rules in LiveKit, made by the operator's own code as the operator makes them.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use prometheus_client::registry::Registry;
use voxplane_e2e::env::LabEnv;
use voxplane_operator::{
    config::LiveKitSettings,
    livekit::{
        LiveKit,
        desired::{Access, STRANGERS, Wanted},
        strangers,
    },
    metrics::Metrics,
};
use voxplane_telephony::{E164, SipCarrier};

use crate::layout::{Layout, holder};

/// Name of each agency's carrier connection.
const CARRIER: &str = "main";
/// Trunks that are made at the same time, as an operator does that works on several agencies.
const AT_ONCE: usize = 2;
/// Deletions at the same time: LiveKit compares nothing for them.
const DELETIONS_AT_ONCE: usize = 8;
/// Requests for a trunk with its rule.
const REQUESTS: usize = 2;
/// How long LiveKit may still work on what failed.
const SETTLES: Duration = Duration::from_secs(30);
/// How often the operator's reading and adding is repeated.
const REPEATS: u32 = 3;

/// LiveKit, as the operator programs it.
pub struct Programming {
    livekit: LiveKit,
    carrier: SipCarrier,
}

/// What it took to make it.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Trunks with a rule that were made.
    pub made: usize,
    /// Trunks with a rule that should have been made.
    pub wanted: usize,
    /// Requests to LiveKit.
    pub requests: usize,
    /// How long it took.
    pub took: Duration,
}

impl Programming {
    /// Nothing is made yet.
    pub fn new(env: &LabEnv) -> Result<Self> {
        let settings = LiveKitSettings {
            url: env.livekit_url.clone(),
            key: env.livekit_api_key.clone(),
            secret: env.livekit_api_secret.clone().into(),
        };
        let metrics = Metrics::register(&mut Registry::default());
        // The lab's own network is where its callers are.
        let carrier = SipCarrier::new(&["10.243.0.0/16".to_owned()], None, 20)?;
        Ok(Self { livekit: LiveKit::new(&settings, metrics), carrier })
    }

    /// The rule that is there in every installation.
    pub async fn strangers(&self) -> Result<()> {
        let rules = self.livekit.rules().await?;
        Ok(strangers::ensure(&self.livekit, &rules).await?)
    }

    /// Makes a layout's trunks and rules, or what can be made of them in `limit`.
    pub async fn program(&self, layout: &Layout, limit: Duration) -> Result<Effort> {
        let started = Instant::now();
        let make = |trunk| async move {
            if started.elapsed() > limit {
                return Ok(false);
            }
            self.make(layout, trunk).await.map(|()| true)
        };
        let made = stream::iter((0..layout.trunks()).map(make)).buffered(AT_ONCE);
        let made = made.try_fold(0_usize, |count, made| async move { Ok(count + usize::from(made)) }).await?;
        let wanted = usize::try_from(layout.trunks())?;
        Ok(Effort { made, wanted, requests: made * REQUESTS, took: started.elapsed() })
    }

    async fn make(&self, layout: &Layout, trunk: u32) -> Result<()> {
        let holder = holder(trunk);
        let wanted = holder.trunk(&self.wanted(layout.on(trunk)?), None).context("a connection without a trunk")?;
        let id = self.livekit.create_trunk(wanted).await?;
        self.livekit.create_rule(holder.rule(CARRIER, &id)).await?;
        Ok(())
    }

    /// How long it takes to read all trunks and rules, which the operator does at every change, and again and again.
    pub async fn reads(&self) -> Result<Vec<Duration>> {
        let mut times = Vec::new();
        for _ in 0..REPEATS {
            let started = Instant::now();
            self.livekit.look().await?;
            times.push(started.elapsed());
        }
        Ok(times)
    }

    /// One number after another is added, as the operator does it when somebody claims one: to the first trunk, or each
    /// with a trunk and a rule of its own. Returns how long each took.
    pub async fn one_more(&self, layout: &Layout) -> Result<Vec<Duration>> {
        let mut times = Vec::new();
        let mut numbers = layout.on(0)?;
        for (number, trunk) in layout.spare(REPEATS)?.into_iter().zip(layout.trunks()..) {
            let (trunk, wanted) = if layout.is_one_per_number() {
                (trunk, BTreeSet::from([number]))
            } else {
                numbers.insert(number);
                (0, numbers.clone())
            };
            let started = Instant::now();
            let outcome = self.livekit.converge(&holder(trunk), &[self.wanted(wanted)]).await?;
            times.push(started.elapsed());
            let problem = outcome.connections.into_iter().find_map(|connection| connection.problem);
            ensure!(problem.is_none(), "{}", problem.unwrap_or_default());
        }
        Ok(times)
    }

    /// Takes all trunks and rules away, but the rule for calls that match no trunk. LiveKit finishes also what nobody
    /// waits for any more; after a failure it is given the time.
    pub async fn remove(&self, after_failure: bool) -> Result<()> {
        if after_failure {
            tokio::time::sleep(SETTLES).await;
        }
        let found = self.livekit.look().await?;
        let rules = found.rules.into_iter().filter(|rule| rule.name != STRANGERS).map(|rule| rule.sip_dispatch_rule_id);
        let rules = stream::iter(rules).map(|id| async move { self.livekit.delete_rule(&id).await });
        rules.buffer_unordered(DELETIONS_AT_ONCE).try_collect::<()>().await?;
        let trunks =
            stream::iter(found.trunks).map(|trunk| async move { self.livekit.delete_trunk(&trunk.sip_trunk_id).await });
        Ok(trunks.buffer_unordered(DELETIONS_AT_ONCE).try_collect::<()>().await?)
    }

    fn wanted(&self, numbers: BTreeSet<E164>) -> Wanted {
        Wanted { carrier: CARRIER.to_owned(), access: Access::Known(self.carrier.clone()), numbers, outbound: None }
    }
}
