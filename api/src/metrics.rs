//! What this replica measures. Names are those of the product's metric list; labels are bounded.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use uuid::Uuid;

/// Seconds (the product's `LATENCY_BUCKETS`).
const LATENCY_BUCKETS: [f64; 11] = [0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0];
/// Seconds.
const DURATION_BUCKETS: [f64; 8] = [30.0, 60.0, 120.0, 300.0, 600.0, 1_200.0, 1_800.0, 3_600.0];

/// A tenant, by id: bounded by the number of tenants of the installation.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct TenantLabel {
    tenant_id: String,
}

impl From<Uuid> for TenantLabel {
    fn from(id: Uuid) -> Self {
        Self { tenant_id: id.to_string() }
    }
}

/// A tenant's calls by direction and final status.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct CallLabel {
    /// Tenant id.
    pub tenant_id: String,
    /// `inbound` or `outbound`.
    pub direction: &'static str,
    /// One of the final call statuses.
    pub status: &'static str,
}

/// A tenant's calls by direction.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct DirectionLabel {
    /// Tenant id.
    pub tenant_id: String,
    /// `inbound` or `outbound`.
    pub direction: &'static str,
}

/// A tenant's turns by speaker.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct TurnLabel {
    /// Tenant id.
    pub tenant_id: String,
    /// `user` or `assistant`.
    pub role: &'static str,
}

/// A provider.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ErrorLabel {
    /// `api`.
    pub service: &'static str,
    /// A word from a fixed list.
    pub error_type: &'static str,
}

/// Outcome of a placement.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OutcomeLabel {
    /// A word from a fixed list.
    pub outcome: &'static str,
}

type LatencyFamily = Family<TenantLabel, Histogram, fn() -> Histogram>;

/// Every metric of the API.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// Ended calls.
    pub calls_total: Family<CallLabel, Counter>,
    /// Live calls on pods of this replica.
    pub calls_active: Family<TenantLabel, Gauge>,
    /// Answer to end.
    pub call_duration: Family<DirectionLabel, Histogram, fn() -> Histogram>,
    /// Turn latency as runtimes report it.
    pub e2e_latency: LatencyFamily,
    /// Retrieval.
    pub rag_latency: Histogram,
    /// Turns.
    pub turns_total: Family<TurnLabel, Counter>,
    /// Committed barge-ins.
    pub barge_ins_total: Family<TenantLabel, Counter>,
    /// Errors of the API itself.
    pub errors_total: Family<ErrorLabel, Counter>,
    /// Runtime pods connected to this replica.
    pub runtime_sessions: Gauge,
    /// Placements by outcome.
    pub placements_total: Family<OutcomeLabel, Counter>,
    /// Job offer to accepted call.
    pub placement_seconds: Histogram,
}

fn duration() -> Histogram {
    Histogram::new(DURATION_BUCKETS)
}

fn latency() -> Histogram {
    Histogram::new(LATENCY_BUCKETS)
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            calls_total: Family::default(),
            calls_active: Family::default(),
            call_duration: Family::new_with_constructor(duration),
            e2e_latency: Family::new_with_constructor(latency),
            rag_latency: Histogram::new([0.05, 0.1, 0.2, 0.3, 0.5, 1.0]),
            turns_total: Family::default(),
            barge_ins_total: Family::default(),
            errors_total: Family::default(),
            runtime_sessions: Gauge::default(),
            placements_total: Family::default(),
            placement_seconds: latency(),
        }
    }
}

impl Metrics {
    /// Adds every metric to a registry. Counters get their `_total` from the encoder.
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("voiceai");
        registry.register("calls", "Total number of calls", self.calls_total.clone());
        registry.register("calls_active", "Currently active calls", self.calls_active.clone());
        registry.register("call_duration_seconds", "Answer to end of a call", self.call_duration.clone());
        registry.register("e2e_latency_seconds", "End-to-end turn latency", self.e2e_latency.clone());
        registry.register("rag_latency_seconds", "Retrieval of passages", self.rag_latency.clone());
        registry.register("turns", "Conversation turns", self.turns_total.clone());
        registry.register("barge_ins", "Committed barge-ins", self.barge_ins_total.clone());
        registry.register("errors", "Errors by type", self.errors_total.clone());
        registry.register("runtime_sessions", "Runtime pods connected to this replica", self.runtime_sessions.clone());
        registry.register("placements", "Placements by outcome", self.placements_total.clone());
        registry.register(
            "placement_seconds",
            "Job offer to the call accepted by a pod",
            self.placement_seconds.clone(),
        );
    }

    /// Counts an error of ours.
    pub fn error(&self, error_type: &'static str) {
        self.errors_total.get_or_create(&ErrorLabel { service: "api", error_type }).inc();
    }

    /// Counts a placement.
    pub fn placement(&self, outcome: &'static str) {
        self.placements_total.get_or_create(&OutcomeLabel { outcome }).inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_list() {
        let metrics = Metrics::default();
        let label = CallLabel { tenant_id: "t".into(), direction: "inbound", status: "completed" };
        metrics.calls_total.get_or_create(&label).inc();
        metrics.calls_active.get_or_create(&TenantLabel::from(Uuid::nil())).set(1);
        let mut registry = Registry::default();
        metrics.register(&mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        assert!(text.contains("voiceai_calls_total{tenant_id=\"t\",direction=\"inbound\",status=\"completed\"} 1"));
        assert!(text.contains("voiceai_calls_active{tenant_id="), "{text}");
    }
}
