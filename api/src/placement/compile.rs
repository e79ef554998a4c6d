//! Custom resources → the configuration of one call. Pure.

pub mod flow;

use std::sync::Arc;

use kube::ResourceExt as _;
use prost::Message as _;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;
use voxplane_control::v1 as wire;
use voxplane_crds::voice_agent::{GreetingMode, TurnStrategy};
use voxplane_crds::{Effective, KnowledgeBase, Tenant, VoiceAgent};

use super::tools;
use crate::cluster::id_of;

/// Audio kept from before speech was noticed, so that the first sound of a word is not lost. The recogniser's own
/// examples use 150 to 300 ms.
const PREFIX_PADDING_MS: u32 = 200;

/// Compiles the configuration of one call of `agent`, whose settings are `settings`.
pub fn compile(
    agency_id: Uuid,
    tenant_id: Uuid,
    agent_id: Uuid,
    tenant: &Tenant,
    agent: &VoiceAgent,
    settings: &Effective<'_>,
    bases: &[Arc<KnowledgeBase>],
) -> wire::CallConfig {
    let spec = &agent.spec;
    wire::CallConfig {
        agency_id: agency_id.to_string(),
        tenant_id: tenant_id.to_string(),
        agent_id: agent_id.to_string(),
        agent_name: if spec.display_name.is_empty() { agent.name_any() } else { spec.display_name.clone() },
        language: settings.language.value.clone(),
        timezone: tenant.spec.timezone.clone(),
        persona: settings.persona.value.clone(),
        system_prompt: settings.prompt.value.system.clone(),
        greeting: Some(wire::Greeting {
            mode: match settings.greeting.value.mode {
                GreetingMode::AgentFirst => wire::greeting::Mode::AgentFirst,
                GreetingMode::CallerFirst => wire::greeting::Mode::CallerFirst,
            }
            .into(),
            text: settings.greeting.value.text.clone(),
        }),
        disclosure: tenant.spec.compliance.disclosure.clone().unwrap_or_default(),
        consent_message: tenant.spec.compliance.consent_message.clone().unwrap_or_default(),
        stt: Some(stt(settings)),
        llm: Some(llm(settings)),
        tts: Some(tts(settings)),
        vad: Some(vad(settings)),
        turn: Some(wire::TurnConfig {
            strategy: match settings.turn.value.strategy {
                TurnStrategy::Fixed => wire::turn_config::Strategy::Fixed,
                TurnStrategy::Adaptive => wire::turn_config::Strategy::Adaptive,
            }
            .into(),
            silence_ms: positive(settings.end_of_turn_silence_ms()),
            max_silence_ms: settings.longest_silence_ms().map(positive).unwrap_or_default(),
        }),
        barge_in: Some(wire::BargeInConfig {
            enabled: settings.barge_in.value.enabled,
            min_words: positive(settings.barge_in.value.min_words),
            min_speech_ms: positive(settings.barge_in.value.min_speech_ms),
        }),
        silence: Some(wire::SilenceConfig {
            prompt_after_ms: seconds(settings.silence.value.prompt_after_seconds),
            prompt: settings.silence.value.prompt.clone(),
            max_prompts: positive(settings.silence.value.max_prompts),
            farewell: settings.silence.value.farewell.clone(),
        }),
        goodbye: Some(wire::GoodbyeConfig {
            phrases: settings.goodbye.value.phrases.clone(),
            message: settings.goodbye.value.message.clone(),
        }),
        limits: Some(wire::LimitsConfig {
            max_duration_ms: seconds(settings.limits.value.max_duration_seconds),
            max_duration_message: settings.limits.value.max_duration_message.clone(),
        }),
        knowledge: Some(wire::KnowledgeConfig {
            knowledge_base_ids: bases
                .iter()
                .filter_map(|base| id_of(base.status.as_ref()))
                .map(|id| id.to_string())
                .collect(),
            top_k: bases.iter().map(|base| positive(base.spec.retrieval.top_k)).max().unwrap_or_default(),
        }),
        error_message: settings.messages.value.error.clone(),
        tools: tools::compile(&spec.tools),
        flow: None,
        variables: Vec::new(),
    }
}

fn stt(settings: &Effective<'_>) -> wire::SttConfig {
    let stt = settings.stt.value;
    wire::SttConfig {
        provider: stt.provider.as_str().to_owned(),
        model: stt.model.clone().unwrap_or_default(),
        credential: settings.credential("stt.secretRef"),
        phrases: stt.options.phrases.clone(),
        ..wire::SttConfig::default()
    }
}

fn llm(settings: &Effective<'_>) -> wire::LlmConfig {
    let llm = settings.llm.value;
    wire::LlmConfig {
        provider: llm.provider.as_str().to_owned(),
        model: llm.model.clone().unwrap_or_default(),
        base_url: llm.base_url.clone().unwrap_or_default(),
        credential: settings.credential("llm.secretRef"),
        temperature: percent(llm.options.temperature_percent),
        max_tokens: positive(llm.options.max_tokens),
        ..wire::LlmConfig::default()
    }
}

fn tts(settings: &Effective<'_>) -> wire::TtsConfig {
    let tts = settings.tts.value;
    wire::TtsConfig {
        provider: tts.provider.as_str().to_owned(),
        voice: tts.voice.clone(),
        credential: settings.credential("tts.secretRef"),
        speed: percent(tts.speed_percent),
        ..wire::TtsConfig::default()
    }
}

fn vad(settings: &Effective<'_>) -> wire::VadConfig {
    let parameters = settings.vad.value.parameters();
    wire::VadConfig {
        threshold: percent(parameters.threshold_percent),
        min_speech_ms: positive(parameters.min_speech_ms),
        min_silence_ms: positive(parameters.min_silence_ms),
        prefix_padding_ms: PREFIX_PADDING_MS,
    }
}

/// SHA-256 of the encoded message, in hex. The encoding is deterministic as long as no map has two entries; none of
/// ours has any.
pub fn hash(config: &wire::CallConfig) -> String {
    hex::encode(Sha256::digest(config.encode_to_vec()))
}

/// The schema allows no negative numbers; should one slip in, it means none.
fn positive(value: i32) -> u32 {
    u32::try_from(value).unwrap_or(0)
}

fn seconds(value: i32) -> u32 {
    positive(value).saturating_mul(1_000)
}

fn percent(value: i32) -> f64 {
    f64::from(value) / 100.0
}

#[cfg(test)]
mod tests;
