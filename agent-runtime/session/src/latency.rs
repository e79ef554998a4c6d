//! Where the time between the caller's last word and the agent's first goes.

use serde::Serialize;

use crate::time::{CallTime, millis};

/// The stages of one answered turn, in milliseconds. A stage that was not reached is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TurnLatency {
    /// From the last voiced sample to the silence being long enough: the caller is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_of_turn_ms: Option<u64>,
    /// From the last voiced sample to the final transcript. The recogniser works while the silence runs; the answer
    /// begins at the later of the two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stt_ms: Option<u64>,
    /// From asking for passages to having them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retrieval_ms: Option<u64>,
    /// From asking the model to its first token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub llm_first_token_ms: Option<u64>,
    /// From asking the voice for the first clause to its first audio.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tts_first_audio_ms: Option<u64>,
    /// From the last voiced sample to the first sample of the answer being sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_ms: Option<u64>,
}

/// When each stage of a turn was reached.
#[derive(Debug, Clone, Default)]
pub(crate) struct LatencyMarks {
    pub(crate) speech_end: CallTime,
    pub(crate) silence_over: CallTime,
    pub(crate) begun: CallTime,
    pub(crate) stt_final: Option<CallTime>,
    pub(crate) retrieved: Option<CallTime>,
    pub(crate) generate: Option<CallTime>,
    pub(crate) first_token: Option<CallTime>,
    pub(crate) synthesize: Option<CallTime>,
    pub(crate) first_audio: Option<CallTime>,
    pub(crate) first_sample: Option<CallTime>,
}

impl LatencyMarks {
    pub(crate) fn measure(&self) -> TurnLatency {
        let between = |from: Option<CallTime>, to: Option<CallTime>| Some(millis(to?.since(from?)));
        TurnLatency {
            end_of_turn_ms: between(Some(self.speech_end), Some(self.silence_over)),
            stt_ms: between(Some(self.speech_end), self.stt_final),
            retrieval_ms: between(Some(self.begun), self.retrieved),
            llm_first_token_ms: between(self.generate, self.first_token),
            tts_first_audio_ms: between(self.synthesize, self.first_audio),
            total_ms: between(Some(self.speech_end), self.first_sample),
        }
    }
}
