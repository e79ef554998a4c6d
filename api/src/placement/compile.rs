//! Custom resources → the configuration of one call. Pure.

use std::sync::Arc;

use kube::ResourceExt as _;
use prost::Message as _;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;
use voxplane_control::v1 as wire;
use voxplane_crds::voice_agent::{GreetingMode, TurnStrategy};
use voxplane_crds::{KnowledgeBase, Tenant, VoiceAgent};

use crate::cluster::id_of;

/// Audio kept from before speech was noticed, so that the first sound of a word is not lost. The recogniser's own
/// examples use 150 to 300 ms.
const PREFIX_PADDING_MS: u32 = 200;

/// Compiles the configuration of one call.
pub fn compile(
    agency_id: Uuid,
    tenant_id: Uuid,
    agent_id: Uuid,
    tenant: &Tenant,
    agent: &VoiceAgent,
    bases: &[Arc<KnowledgeBase>],
) -> wire::CallConfig {
    let spec = &agent.spec;
    wire::CallConfig {
        agency_id: agency_id.to_string(),
        tenant_id: tenant_id.to_string(),
        agent_id: agent_id.to_string(),
        agent_name: if spec.display_name.is_empty() { agent.name_any() } else { spec.display_name.clone() },
        language: spec.language.clone(),
        timezone: tenant.spec.timezone.clone(),
        persona: spec.persona.clone(),
        system_prompt: spec.prompt.system.clone(),
        greeting: Some(wire::Greeting {
            mode: match spec.greeting.mode {
                GreetingMode::AgentFirst => wire::greeting::Mode::AgentFirst,
                GreetingMode::CallerFirst => wire::greeting::Mode::CallerFirst,
            }
            .into(),
            text: spec.greeting.text.clone(),
        }),
        disclosure: tenant.spec.compliance.disclosure.clone().unwrap_or_default(),
        consent_message: tenant.spec.compliance.consent_message.clone().unwrap_or_default(),
        stt: Some(stt(agent)),
        llm: Some(llm(agent)),
        tts: Some(tts(agent)),
        vad: Some(vad(agent)),
        turn: Some(wire::TurnConfig {
            strategy: match spec.turn.strategy {
                TurnStrategy::Fixed => wire::turn_config::Strategy::Fixed,
            }
            .into(),
            silence_ms: positive(spec.end_of_turn_silence_ms()),
        }),
        barge_in: Some(wire::BargeInConfig {
            enabled: spec.barge_in.enabled,
            min_words: positive(spec.barge_in.min_words),
            min_speech_ms: positive(spec.barge_in.min_speech_ms),
        }),
        silence: Some(wire::SilenceConfig {
            prompt_after_ms: seconds(spec.silence.prompt_after_seconds),
            prompt: spec.silence.prompt.clone(),
            max_prompts: positive(spec.silence.max_prompts),
            farewell: spec.silence.farewell.clone(),
        }),
        goodbye: Some(wire::GoodbyeConfig {
            phrases: spec.goodbye.phrases.clone(),
            message: spec.goodbye.message.clone(),
        }),
        limits: Some(wire::LimitsConfig {
            max_duration_ms: seconds(spec.limits.max_duration_seconds),
            max_duration_message: spec.limits.max_duration_message.clone(),
        }),
        knowledge: Some(wire::KnowledgeConfig {
            knowledge_base_ids: bases
                .iter()
                .filter_map(|base| id_of(base.status.as_ref()))
                .map(|id| id.to_string())
                .collect(),
            top_k: bases.iter().map(|base| positive(base.spec.retrieval.top_k)).max().unwrap_or_default(),
        }),
        error_message: spec.messages.error.clone(),
    }
}

fn stt(agent: &VoiceAgent) -> wire::SttConfig {
    let stt = &agent.spec.stt;
    wire::SttConfig {
        provider: stt.provider.as_str().to_owned(),
        model: stt.model.clone().unwrap_or_default(),
        credential: stt.secret_ref.as_ref().map(|secret| secret.name.clone()).unwrap_or_default(),
        phrases: stt.options.phrases.clone(),
        ..wire::SttConfig::default()
    }
}

fn llm(agent: &VoiceAgent) -> wire::LlmConfig {
    let llm = &agent.spec.llm;
    wire::LlmConfig {
        provider: llm.provider.as_str().to_owned(),
        model: llm.model.clone().unwrap_or_default(),
        base_url: llm.base_url.clone().unwrap_or_default(),
        credential: llm.secret_ref.as_ref().map(|secret| secret.name.clone()).unwrap_or_default(),
        temperature: percent(llm.options.temperature_percent),
        max_tokens: positive(llm.options.max_tokens),
        ..wire::LlmConfig::default()
    }
}

fn tts(agent: &VoiceAgent) -> wire::TtsConfig {
    let tts = &agent.spec.tts;
    wire::TtsConfig {
        provider: tts.provider.as_str().to_owned(),
        voice: tts.voice.clone(),
        credential: tts.secret_ref.as_ref().map(|secret| secret.name.clone()).unwrap_or_default(),
        speed: percent(tts.speed_percent),
        ..wire::TtsConfig::default()
    }
}

fn vad(agent: &VoiceAgent) -> wire::VadConfig {
    let parameters = agent.spec.vad.parameters();
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
