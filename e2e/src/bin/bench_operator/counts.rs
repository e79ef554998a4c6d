//! What was counted: by the operator about itself, by the API server, and by Postgres.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use http::Request;
use kube::Client;
use sqlx::{Connection as _, PgConnection};

/// Verbs that may change something in the cluster.
const WRITES: [&str; 5] = ["create", "update", "apply", "patch", "delete"];

/// Counters at one moment, or the difference of two.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Requests of the operator to the API server, by verb and resource.
    pub requests: BTreeMap<(String, String), u64>,
    /// Passes of the operator, by kind.
    pub passes: BTreeMap<String, u64>,
    /// Passes that failed.
    pub failed: u64,
    /// Writes of the operator to LiveKit.
    pub livekit: u64,
}

impl Counts {
    /// From the operator's metrics.
    pub fn parse(text: &str) -> Self {
        let mut counts = Self::default();
        for sample in text.lines().filter_map(Sample::parse) {
            let label = |name: &str| sample.labels.get(name).cloned().unwrap_or_default();
            match sample.name {
                "voxplane_operator_kubernetes_requests_total" => {
                    counts.requests.insert((label("verb"), label("resource")), sample.value);
                }
                "voxplane_operator_passes_total" => {
                    *counts.passes.entry(label("kind")).or_default() += sample.value;
                    if label("outcome") != "ok" {
                        counts.failed += sample.value;
                    }
                }
                "voxplane_operator_writes_total" if label("target") == "livekit" => counts.livekit += sample.value,
                _ => {}
            }
        }
        counts
    }

    /// What happened since `earlier`.
    pub fn since(&self, earlier: &Self) -> Self {
        let less = |now: u64, before: Option<&u64>| now.saturating_sub(before.copied().unwrap_or_default());
        let requests = self.requests.iter().map(|(key, now)| (key.clone(), less(*now, earlier.requests.get(key))));
        let passes = self.passes.iter().map(|(key, now)| (key.clone(), less(*now, earlier.passes.get(key))));
        Self {
            requests: requests.filter(|(_, count)| *count > 0).collect(),
            passes: passes.filter(|(_, count)| *count > 0).collect(),
            failed: self.failed.saturating_sub(earlier.failed),
            livekit: self.livekit.saturating_sub(earlier.livekit),
        }
    }

    /// Requests that may write, but for the renewal of the lease.
    pub fn writes(&self) -> u64 {
        let writes = self.requests.iter().filter(|((verb, resource), _)| is_write(verb) && resource != "leases");
        writes.map(|(_, count)| count).sum()
    }

    /// Writes of the status of agents.
    pub fn agent_status(&self) -> u64 {
        self.requests.get(&("apply".to_owned(), "voiceagents/status".to_owned())).copied().unwrap_or_default()
    }

    /// All passes.
    pub fn all_passes(&self) -> u64 {
        self.passes.values().sum()
    }
}

/// Whether a verb may change something.
pub fn is_write(verb: &str) -> bool {
    WRITES.contains(&verb)
}

/// Writes of agents' statuses that the API server answered, whoever sent them: a check of the operator's own count.
pub async fn status_writes_served(client: &Client) -> Result<u64> {
    let text =
        client.request_text(Request::get("/metrics").body(Vec::new())?).await.context("the API server's metrics")?;
    let served = text.lines().filter(|line| line.starts_with("apiserver_request_total")).filter_map(Sample::parse);
    let is = |sample: &Sample<'_>, name: &str, value: &str| sample.labels.get(name).is_some_and(|found| found == value);
    Ok(served
        .filter(|sample| is(sample, "resource", "voiceagents") && is(sample, "subresource", "status"))
        .filter(|sample| !is(sample, "verb", "GET"))
        .map(|sample| sample.value)
        .sum())
}

/// Transactions of the database since it was made.
pub async fn transactions(superuser: &str) -> Result<u64> {
    let mut connection = PgConnection::connect(superuser).await.context("connecting to Postgres")?;
    let count: i64 = sqlx::query_scalar(
        "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()",
    )
    .fetch_one(&mut connection)
    .await?;
    Ok(u64::try_from(count).unwrap_or_default())
}

/// A line of the Prometheus text format with a counter.
struct Sample<'a> {
    name: &'a str,
    labels: BTreeMap<String, String>,
    value: u64,
}

impl<'a> Sample<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (name, rest) = line.split_once('{')?;
        let (labels, value) = rest.rsplit_once('}')?;
        // None of the labels we read has a comma or a quote in its value.
        let labels = labels.split(',').filter_map(|pair| {
            let (name, value) = pair.split_once('=')?;
            Some((name.to_owned(), value.trim_matches('"').to_owned()))
        });
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counters are whole and positive")]
        let value = value.trim().parse::<f64>().ok()? as u64;
        Some(Self { name, labels: labels.collect(), value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_read_and_their_difference_has_only_what_moved() {
        let at = |status: u64, lease: u64| {
            Counts::parse(&format!(
                "# HELP x y\nvoxplane_operator_kubernetes_requests_total{{verb=\"apply\",resource=\"voiceagents/status\"}} \
                 {status}\nvoxplane_operator_kubernetes_requests_total{{verb=\"update\",resource=\"leases\"}} {lease}\n\
                 voxplane_operator_passes_total{{kind=\"voice-agent\",outcome=\"ok\"}} 5\n"
            ))
        };
        let between = at(12, 9).since(&at(10, 4));
        assert_eq!((between.writes(), between.agent_status(), between.all_passes()), (2, 2, 0));
        assert_eq!(at(10, 5).since(&at(10, 4)).writes(), 0, "the lease is renewed all the time");
    }
}
