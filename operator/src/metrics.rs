//! Metrics of the controllers. Labels are kinds, steps and outcomes: never a name or a number.

use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// How a pass ended.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct PassLabels {
    kind: &'static str,
    outcome: &'static str,
}

/// One step of a pass.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct StepLabels {
    kind: &'static str,
    step: &'static str,
}

/// One kind of resource.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct KindLabels {
    kind: &'static str,
}

/// An outcome of something outside of a pass.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct TargetLabels {
    target: &'static str,
    outcome: &'static str,
}

/// A kind of request to the API server.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RequestLabels {
    verb: &'static str,
    resource: String,
}

/// A request to another system.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ExternalLabels {
    system: &'static str,
    operation: &'static str,
    outcome: &'static str,
}

/// A kind of request to another system.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OperationLabels {
    system: &'static str,
    operation: &'static str,
}

/// All metrics of the operator. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Metrics {
    passes: Family<PassLabels, Counter>,
    steps: Family<StepLabels, Histogram, fn() -> Histogram>,
    backing_off: Family<KindLabels, Gauge>,
    queued: Family<KindLabels, Gauge>,
    leader: Gauge,
    writes: Family<TargetLabels, Counter>,
    requests: Family<RequestLabels, Counter>,
    external: Family<ExternalLabels, Counter>,
    request_durations: Family<OperationLabels, Histogram, fn() -> Histogram>,
    last_pass: Gauge<f64, AtomicU64>,
}

impl Metrics {
    /// Registers everything.
    #[must_use]
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            passes: Family::default(),
            // 1 ms to 32 s: from a pass that changes nothing to one that waits for an external service.
            steps: Family::new_with_constructor(|| Histogram::new(exponential_buckets(0.001, 2.0, 16))),
            backing_off: Family::default(),
            queued: Family::default(),
            leader: Gauge::default(),
            writes: Family::default(),
            requests: Family::default(),
            external: Family::default(),
            // 5 ms to 40 s: from LiveKit's memory to a carrier's time-out.
            request_durations: Family::new_with_constructor(|| Histogram::new(exponential_buckets(0.005, 2.0, 14))),
            last_pass: Gauge::default(),
        };
        let operator = registry.sub_registry_with_prefix("voxplane_operator");
        operator.register("passes", "Passes over resources by outcome", metrics.passes.clone());
        operator.register("step_duration_seconds", "Duration of the steps of a pass", metrics.steps.clone());
        operator.register("objects_in_backoff", "Objects whose last pass failed", metrics.backing_off.clone());
        operator.register("queue_depth", "Objects waiting for a pass", metrics.queued.clone());
        operator.register("leader", "1 while this replica holds the lease", metrics.leader.clone());
        operator.register("writes", "Writes to other systems by outcome", metrics.writes.clone());
        let requests = metrics.requests.clone();
        operator.register("kubernetes_requests", "Requests to the API server by verb and resource", requests);
        let (external, durations) = (metrics.external.clone(), metrics.request_durations.clone());
        operator.register("external_requests", "Requests to LiveKit and carriers by outcome", external);
        operator.register("external_request_duration_seconds", "Time until LiveKit or a carrier answered", durations);
        operator.register("last_pass_timestamp_seconds", "When a pass last ended", metrics.last_pass.clone());
        metrics
    }

    /// Begins a pass over one object of `kind`.
    #[must_use]
    pub fn pass(&self, kind: &'static str) -> Pass {
        Pass { metrics: self.clone(), kind, started: Instant::now(), outcome: "abandoned" }
    }

    /// How long a step of a pass took.
    pub fn step(&self, kind: &'static str, step: &'static str, took: Duration) {
        self.steps.get_or_create(&StepLabels { kind, step }).observe(took.as_secs_f64());
    }

    /// Whether this replica leads.
    pub fn leader(&self, leads: bool) {
        self.leader.set(i64::from(leads));
    }

    /// How many objects of `kind` wait after a failure and how many wait for a pass.
    pub fn waiting(&self, kind: &'static str, backing_off: usize, queued: usize) {
        let gauge = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.backing_off.get_or_create(&KindLabels { kind }).set(gauge(backing_off));
        self.queued.get_or_create(&KindLabels { kind }).set(gauge(queued));
    }

    /// A request to the API server: `verb` and `resource` as its own metrics name them.
    pub fn asked(&self, verb: &'static str, resource: String) {
        self.requests.get_or_create(&RequestLabels { verb, resource }).inc();
    }

    /// Begins a request to `system`: `livekit`, or a type of carrier.
    #[must_use]
    pub fn asks(&self, system: &'static str, operation: &'static str) -> Asked {
        Asked { metrics: self.clone(), system, operation, started: Instant::now(), outcome: "abandoned" }
    }

    /// A write to another system (`target`: `livekit`, `pod_labels`, …).
    pub fn wrote(&self, target: &'static str, ok: bool) {
        let outcome = if ok { "ok" } else { "failed" };
        self.writes.get_or_create(&TargetLabels { target, outcome }).inc();
    }
}

/// Measures one request. Dropped without [`Asked::answered`], it counts as abandoned.
#[derive(Debug)]
pub struct Asked {
    metrics: Metrics,
    system: &'static str,
    operation: &'static str,
    started: Instant,
    outcome: &'static str,
}

impl Asked {
    /// The request ended with `outcome`: `ok`, or the name of an error.
    pub fn answered(mut self, outcome: &'static str) {
        self.outcome = outcome;
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        let Self { metrics, system, operation, started, outcome } = self;
        metrics.external.get_or_create(&ExternalLabels { system, operation, outcome }).inc();
        let labels = OperationLabels { system, operation };
        metrics.request_durations.get_or_create(&labels).observe(started.elapsed().as_secs_f64());
    }
}

/// Measures one pass. Dropped without [`Pass::finish`], it counts as abandoned (timeout, lost leadership).
#[derive(Debug)]
pub struct Pass {
    metrics: Metrics,
    kind: &'static str,
    started: Instant,
    outcome: &'static str,
}

impl Pass {
    /// The pass ended with `outcome`: `ok`, or the reason of an error.
    pub fn finish(mut self, outcome: &'static str) {
        self.outcome = outcome;
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let Self { metrics, kind, started, outcome } = self;
        metrics.passes.get_or_create(&PassLabels { kind, outcome }).inc();
        metrics.step(kind, "pass", started.elapsed());
        if let Ok(now) = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH) {
            metrics.last_pass.set(now.as_secs_f64());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_unfinished_counts_as_abandoned() {
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        metrics.asks("twilio", "order").answered("CarrierRateLimited");
        drop(metrics.asks("twilio", "order"));
        metrics.pass("agency").finish("ok");
        drop(metrics.pass("agency"));
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        assert!(text.contains(r#"voxplane_operator_passes_total{kind="agency",outcome="ok"} 1"#), "{text}");
        assert!(text.contains(r#"voxplane_operator_passes_total{kind="agency",outcome="abandoned"} 1"#), "{text}");
        let requests = r#"voxplane_operator_external_requests_total{system="twilio",operation="order""#;
        for outcome in ["CarrierRateLimited", "abandoned"] {
            assert!(text.contains(&format!(r#"{requests},outcome="{outcome}"}} 1"#)), "{text}");
        }
        assert!(text.contains("voxplane_operator_external_request_duration_seconds_count"), "{text}");
    }
}
