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

    /// A write to another system (`target`: `livekit`, `pod_labels`, …).
    pub fn wrote(&self, target: &'static str, ok: bool) {
        let outcome = if ok { "ok" } else { "failed" };
        self.writes.get_or_create(&TargetLabels { target, outcome }).inc();
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
    fn an_unfinished_pass_counts_as_abandoned() {
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        metrics.pass("agency").finish("ok");
        drop(metrics.pass("agency"));
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        assert!(text.contains(r#"voxplane_operator_passes_total{kind="agency",outcome="ok"} 1"#), "{text}");
        assert!(text.contains(r#"voxplane_operator_passes_total{kind="agency",outcome="abandoned"} 1"#), "{text}");
    }
}
