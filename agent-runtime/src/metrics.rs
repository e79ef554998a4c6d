//! What is counted. A pod serves one pool and with it one tenant, so the tenant is a label of the scrape, not of ours.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use voxplane_platform::health::Check;
use voxplane_session::{LedgerEvent, Stage, ToolStatus, TurnLatency};

use crate::providers::llm::Usage;

const CALL_SECONDS: [f64; 8] = [30.0, 60.0, 120.0, 300.0, 600.0, 1_200.0, 1_800.0, 3_600.0];
const TOOL_SECONDS: [f64; 8] = [0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0];
const LATENCY_SECONDS: [f64; 12] = [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.5, 2.5, 5.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StatusLabel {
    status: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TypeLabel {
    r#type: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EventTypeLabel {
    event_type: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RoleLabel {
    role: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ToolLabel {
    status: &'static str,
    error: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ErrorLabel {
    service: &'static str,
    error_type: String,
}

/// The process's metrics. Clones share them.
#[derive(Clone)]
pub struct Metrics {
    shared: Arc<Shared>,
}

struct Shared {
    calls: Family<StatusLabel, Counter>,
    active: Gauge,
    duration: Histogram,
    turn: Histogram,
    stt: Histogram,
    retrieval: Histogram,
    llm: Histogram,
    tts: Histogram,
    barge_ins: Counter,
    turns: Family<RoleLabel, Counter>,
    speech: Family<EventTypeLabel, Counter>,
    errors: Family<ErrorLabel, Counter>,
    tokens: Family<TypeLabel, Counter>,
    tools: Family<ToolLabel, Counter>,
    tool: Histogram,
    cut_by_drain: Counter,
    /// Follows the joins: the first real test of LiveKit's media ports.
    livekit: Mutex<Option<Check>>,
}

/// Counts a call as active until it is dropped, however it ends.
pub struct ActiveCall {
    shared: Arc<Shared>,
    started: Instant,
}

impl Metrics {
    /// Metrics registered with `registry`.
    pub fn new(registry: &mut Registry) -> Self {
        let latency = || Histogram::new(LATENCY_SECONDS);
        let shared = Shared {
            calls: Family::default(),
            active: Gauge::default(),
            duration: Histogram::new(CALL_SECONDS),
            turn: latency(),
            stt: latency(),
            retrieval: latency(),
            llm: latency(),
            tts: latency(),
            barge_ins: Counter::default(),
            turns: Family::default(),
            speech: Family::default(),
            errors: Family::default(),
            tokens: Family::default(),
            tools: Family::default(),
            tool: Histogram::new(TOOL_SECONDS),
            cut_by_drain: Counter::default(),
            livekit: Mutex::default(),
        };
        let s = &shared;
        registry.register("voiceai_calls", "Calls that ended, by reason", s.calls.clone());
        registry.register("voiceai_calls_active", "Calls in progress", s.active.clone());
        registry.register("voiceai_call_duration_seconds", "Length of calls", s.duration.clone());
        registry.register(
            "voiceai_turn_latency_seconds",
            "Caller's last sample to the answer's first, at the pod",
            s.turn.clone(),
        );
        registry.register("voiceai_stt_latency_seconds", "Caller's last sample to the final transcript", s.stt.clone());
        registry.register("voiceai_rag_latency_seconds", "End of turn to passages", s.retrieval.clone());
        registry.register("voiceai_llm_ttfb_seconds", "Request to first token", s.llm.clone());
        registry.register("voiceai_tts_latency_seconds", "First clause to first audio", s.tts.clone());
        registry.register("voiceai_barge_ins", "Interruptions", s.barge_ins.clone());
        registry.register("voiceai_turns", "Turns, by who spoke", s.turns.clone());
        registry.register("voiceai_vad_detections", "Changes between speech and silence", s.speech.clone());
        registry.register("voiceai_errors", "Failures, by part and kind", s.errors.clone());
        registry.register("voiceai_llm_tokens", "Tokens as the vendor counts them", s.tokens.clone());
        registry.register("voxplane_tool_uses", "Uses of tools, by how they ended", s.tools.clone());
        registry.register("voxplane_tool_seconds", "From the wish to use a tool to its result", s.tool.clone());
        registry.register("voxplane_calls_cut_by_drain", "Calls that a drain ended by force", s.cut_by_drain.clone());
        Self { shared: Arc::new(shared) }
    }

    /// Reports joins and failures to join to this check from now on.
    pub fn report_livekit(&self, check: Check) {
        *self.shared.livekit.lock().unwrap_or_else(PoisonError::into_inner) = Some(check);
    }

    /// A call begins.
    pub fn call_started(&self) -> ActiveCall {
        self.shared.active.inc();
        ActiveCall { shared: self.shared.clone(), started: Instant::now() }
    }

    /// A room was joined: signalling and media work.
    pub(crate) fn livekit_joined(&self) {
        self.with_livekit(Check::pass);
    }

    /// A room could not be joined; the text names the address or port.
    pub(crate) fn livekit_failed(&self, error: &str) {
        self.error("livekit", "join");
        self.with_livekit(|check| check.fail(error));
    }

    fn with_livekit(&self, report: impl FnOnce(&Check)) {
        if let Some(check) = &*self.shared.livekit.lock().unwrap_or_else(PoisonError::into_inner) {
            report(check);
        }
    }

    pub(crate) fn speech(&self, event_type: &'static str) {
        self.shared.speech.get_or_create(&EventTypeLabel { event_type }).inc();
    }

    pub(crate) fn error(&self, service: &'static str, error_type: &str) {
        let label = ErrorLabel { service, error_type: error_type.to_owned() };
        self.shared.errors.get_or_create(&label).inc();
    }

    pub(crate) fn tokens(&self, usage: Usage) {
        for (kind, count) in [("input", usage.input), ("output", usage.output)] {
            self.shared.tokens.get_or_create(&TypeLabel { r#type: kind }).inc_by(count);
        }
    }

    pub(crate) fn cut_by_drain(&self, calls: u32) {
        self.shared.cut_by_drain.inc_by(calls.into());
    }

    /// What the ledger is told is counted, too.
    pub(crate) fn event(&self, event: &LedgerEvent) {
        let s = &self.shared;
        match event {
            LedgerEvent::TurnCompleted { latency, .. } => self.turn(latency),
            LedgerEvent::BargeInCommitted { .. } => {
                s.barge_ins.inc();
            }
            LedgerEvent::CallerSaid { backchannel: false, .. } => {
                s.turns.get_or_create(&RoleLabel { role: "user" }).inc();
            }
            LedgerEvent::AgentSaid { .. } => {
                s.turns.get_or_create(&RoleLabel { role: "assistant" }).inc();
            }
            LedgerEvent::ToolResult { status, error, ms, .. } => {
                let status = match status {
                    ToolStatus::Ok => "ok",
                    ToolStatus::Failed => "failed",
                    ToolStatus::Unknown => "unknown",
                };
                s.tools.get_or_create(&ToolLabel { status, error: error.unwrap_or_default() }).inc();
                s.tool.observe(*ms as f64 / 1_000.0);
            }
            LedgerEvent::ProviderFailed { stage, .. } => self.error(stage_name(*stage), "failed"),
            _ => {}
        }
    }

    fn turn(&self, latency: &TurnLatency) {
        let s = &self.shared;
        let stages = [
            (&s.turn, latency.total_ms),
            (&s.stt, latency.stt_ms),
            (&s.retrieval, latency.retrieval_ms),
            (&s.llm, latency.llm_first_token_ms),
            (&s.tts, latency.tts_first_audio_ms),
        ];
        for (histogram, ms) in stages {
            if let Some(ms) = ms {
                histogram.observe(ms as f64 / 1_000.0);
            }
        }
    }
}

impl ActiveCall {
    /// The call ended for this reason.
    pub fn finished(self, reason: &str) {
        self.shared.calls.get_or_create(&StatusLabel { status: reason.to_owned() }).inc();
        self.shared.duration.observe(self.started.elapsed().as_secs_f64());
    }
}

impl Drop for ActiveCall {
    fn drop(&mut self) {
        self.shared.active.dec();
    }
}

fn stage_name(stage: Stage) -> &'static str {
    match stage {
        Stage::Answer => "answer",
        Stage::Stt => "stt",
        Stage::Llm => "llm",
        Stage::Tts => "tts",
        Stage::Playout => "playout",
    }
}
