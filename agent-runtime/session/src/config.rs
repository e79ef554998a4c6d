//! What the engine must know about the agent whose call it runs.

use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use crate::flow::Flow;
use crate::tools::ToolRules;

/// Who speaks first once the call is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GreetingMode {
    /// The agent greets.
    #[default]
    AgentFirst,
    /// The agent waits for the caller.
    CallerFirst,
}

/// Everything that shapes one call. Empty texts mean "say nothing".
#[derive(Debug, Clone)]
pub struct SessionConfig {
    /// Who speaks first.
    pub greeting_mode: GreetingMode,
    /// Steps that lead the conversation, instead of the greeting and its mode.
    pub flow: Option<Arc<Flow>>,
    /// The greeting, spoken in mode [`GreetingMode::AgentFirst`].
    pub greeting: String,
    /// Spoken before anything else; cannot be interrupted.
    pub disclosure: String,
    /// Spoken after the disclosure; cannot be interrupted.
    pub consent_message: String,
    /// When set, the call consists of this text only, then the agent hangs up.
    pub refusal: Option<String>,
    /// Spoken when a provider fails for good.
    pub error_message: String,
    /// Whether the agent has knowledge to search before it answers.
    pub retrieval: bool,
    /// What the agent can do besides talking.
    pub tools: Vec<ToolRules>,
    /// What counts as caller speech.
    pub voice: VoiceRules,
    /// When the caller's turn is over.
    pub turn: TurnRules,
    /// When the caller may interrupt.
    pub barge_in: BargeInRules,
    /// What happens when the caller says nothing.
    pub silence: SilenceRules,
    /// How the caller ends the call by saying so.
    pub goodbye: GoodbyeRules,
    /// Longest call, counted from the answer.
    pub max_duration: Duration,
    /// Spoken when the longest call is reached, and when the pod has to drain.
    pub max_duration_message: String,
    /// Time from sending a sample until the caller hears it: about 130 ms over SIP, 40 ms over WebRTC.
    pub path_delay: Duration,
    /// Bounds on everything the engine waits for.
    pub timeouts: Timeouts,
}

/// Hysteresis over voice probabilities.
#[derive(Debug, Clone, Copy)]
pub struct VoiceRules {
    /// Probability (0–1) at which speech starts; it ends 0.15 below.
    pub threshold: f32,
    /// Shorter sounds are not speech.
    pub min_speech: Duration,
    /// Silence after which a stretch of speech is over and the recogniser is asked for its final text.
    pub min_silence: Duration,
    /// Audio before the onset that belongs to the speech.
    pub prefix_padding: Duration,
}

/// When silence ends the caller's turn.
#[derive(Debug, Clone, Copy)]
pub struct TurnRules {
    /// Silence after speech that ends the turn.
    pub silence: Duration,
    /// When set, callers who pause and go on are waited for longer, up to this much silence.
    pub longest_silence: Option<Duration>,
    /// A turn longer than this is answered although the caller still speaks.
    pub max_turn: Duration,
}

/// Two-stage barge-in: duck at first speech, commit on evidence, else resume.
#[derive(Debug, Clone, Copy)]
pub struct BargeInRules {
    /// Whether the caller may interrupt at all.
    pub enabled: bool,
    /// So many recognised words commit.
    pub min_words: u32,
    /// So much speech commits.
    pub min_speech: Duration,
}

/// Prompting a silent caller.
#[derive(Debug, Clone)]
pub struct SilenceRules {
    /// Silence of both sides until the agent prompts; `None` = never.
    pub prompt_after: Option<Duration>,
    /// The prompt.
    pub prompt: String,
    /// Prompts without an answer before the agent hangs up.
    pub max_prompts: u32,
    /// Spoken before hanging up on a silent caller.
    pub farewell: String,
}

/// Ending the call because the caller said goodbye.
#[derive(Debug, Clone, Default)]
pub struct GoodbyeRules {
    /// A turn that is or ends with one of these ends the call; case and punctuation do not matter.
    pub phrases: Vec<String>,
    /// Spoken before hanging up.
    pub message: String,
}

/// Bounds on everything the engine waits for. None of these is reached in a healthy call.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// First audio of the greeting, before the call is answered. Callers hear ringing meanwhile.
    pub prepare: Duration,
    /// Leg active and track subscribed after publishing.
    pub answer: Duration,
    /// Final transcript after the end of speech; then the last partial is used.
    pub stt_final: Duration,
    /// Passages; then the model answers without.
    pub retrieval: Duration,
    /// First token, and each further one.
    pub generation: Duration,
    /// Progress of a clause's synthesis.
    pub synthesis: Duration,
    /// Progress of playing audio that is there.
    pub playout: Duration,
    /// The next voice window while the caller speaks; after that its absence counts as silence.
    pub voice: Duration,
    /// How long the agent waits for a caller who keeps making sounds before it speaks all the same.
    pub hold: Duration,
    /// Pause after a key press that completes keypad input.
    pub keypad: Duration,
    /// The whole farewell.
    pub farewell: Duration,
    /// Acknowledgement of the hang-up event; then the agent hangs up all the same.
    pub record: Duration,
    /// The caller's leg being gone after the hang-up.
    pub hang_up: Duration,
    /// How long before the end of a drain the agent says goodbye.
    pub drain_margin: Duration,
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self {
            greeting_mode: GreetingMode::AgentFirst,
            flow: None,
            greeting: "Hello, how can I help you?".into(),
            disclosure: String::new(),
            consent_message: String::new(),
            refusal: None,
            error_message: "I am sorry, something went wrong on our side. Please call again later.".into(),
            retrieval: false,
            tools: Vec::new(),
            voice: VoiceRules::default(),
            turn: TurnRules::default(),
            barge_in: BargeInRules::default(),
            silence: SilenceRules::default(),
            goodbye: GoodbyeRules::default(),
            max_duration: Duration::from_secs(1_800),
            max_duration_message: "I am sorry, we have reached the end of our time. Goodbye.".into(),
            path_delay: Duration::from_millis(80),
            timeouts: Timeouts::default(),
        }
    }
}

impl Default for VoiceRules {
    fn default() -> Self {
        Self {
            threshold: 0.5,
            min_speech: Duration::from_millis(250),
            min_silence: Duration::from_millis(350),
            prefix_padding: Duration::from_millis(300),
        }
    }
}

impl Default for TurnRules {
    fn default() -> Self {
        Self { silence: Duration::from_millis(500), longest_silence: None, max_turn: Duration::from_secs(60) }
    }
}

impl Default for BargeInRules {
    fn default() -> Self {
        Self { enabled: true, min_words: 2, min_speech: Duration::from_millis(500) }
    }
}

impl Default for SilenceRules {
    fn default() -> Self {
        Self {
            prompt_after: Some(Duration::from_secs(8)),
            prompt: "Are you still there?".into(),
            max_prompts: 2,
            farewell: "I cannot hear you, so I will hang up now. Goodbye.".into(),
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            prepare: Duration::from_secs(10),
            answer: Duration::from_secs(15),
            stt_final: Duration::from_millis(1_500),
            retrieval: Duration::from_secs(1),
            generation: Duration::from_secs(8),
            synthesis: Duration::from_secs(6),
            playout: Duration::from_secs(3),
            voice: Duration::from_millis(200),
            hold: Duration::from_secs(10),
            keypad: Duration::from_millis(1_500),
            farewell: Duration::from_secs(20),
            record: Duration::from_secs(1),
            hang_up: Duration::from_secs(5),
            drain_margin: Duration::from_secs(20),
        }
    }
}

/// A configuration the engine cannot run, naming the field and the fix.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{field}: {fix}")]
pub struct ConfigError {
    /// The field, dotted.
    pub field: &'static str,
    /// What would be accepted.
    pub fix: &'static str,
}

impl SessionConfig {
    /// Checks the values a resource author can set.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let rules: [(bool, &'static str, &'static str); 9] = [
            (
                self.voice.threshold > 0.0 && self.voice.threshold < 1.0,
                "vad.threshold",
                "use a probability between 0 and 1, for example 0.5",
            ),
            (within(self.voice.min_speech, 30, 2_000), "vad.minSpeechMs", "use 30 to 2000 milliseconds"),
            (within(self.voice.min_silence, 50, 5_000), "vad.minSilenceMs", "use 50 to 5000 milliseconds"),
            (within(self.turn.silence, 50, 10_000), "turn.silenceMs", "use 50 to 10000 milliseconds"),
            (
                self.turn.longest_silence.is_none_or(|longest| within(longest, 50, 10_000)),
                "turn.maxSilenceMs",
                "use 50 to 10000 milliseconds",
            ),
            (self.barge_in.min_words >= 1, "bargeIn.minWords", "use at least 1, or set bargeIn.enabled to false"),
            (within(self.barge_in.min_speech, 50, 10_000), "bargeIn.minSpeechMs", "use 50 to 10000 milliseconds"),
            (
                self.silence.prompt_after.is_none_or(|after| within(after, 1_000, 600_000)),
                "silence.promptAfterMs",
                "use 1000 to 600000 milliseconds, or 0 for never",
            ),
            (
                within(self.max_duration, 1_000, 86_400_000),
                "limits.maxDurationMs",
                "use 1000 milliseconds to 86400000 (one day)",
            ),
        ];
        match rules.into_iter().find(|(holds, ..)| !holds) {
            Some((_, field, fix)) => Err(ConfigError { field, fix }),
            None => Ok(()),
        }
    }
}

fn within(value: Duration, low_ms: u64, high_ms: u64) -> bool {
    (Duration::from_millis(low_ms)..=Duration::from_millis(high_ms)).contains(&value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid() {
        assert_eq!(SessionConfig::default().validate(), Ok(()));
    }

    #[test]
    fn an_error_names_the_field_and_the_fix() {
        let mut config = SessionConfig::default();
        config.voice.threshold = 1.5;
        let error = config.validate().unwrap_err();
        assert_eq!(error.to_string(), "vad.threshold: use a probability between 0 and 1, for example 0.5");

        let config = SessionConfig { max_duration: Duration::ZERO, ..SessionConfig::default() };
        assert_eq!(config.validate().unwrap_err().field, "limits.maxDurationMs");
    }
}
