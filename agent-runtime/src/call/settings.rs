//! From the API's `StartCall` to a call that can run: the engine's configuration and the call's providers.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;
use voxplane_control::v1::{
    CallConfig, Caller, LiveKitAccess, StartCall, SttConfig, TtsConfig, call_refused::Reason, caller::Transport,
    greeting, turn_config::Strategy,
};
use voxplane_session::{BargeInRules, GoodbyeRules, GreetingMode, SessionConfig, SilenceRules, TurnRules, VoiceRules};

use super::Deps;
use super::flow;
use super::hands::Hands;
use super::mind::Mind;
use crate::providers::ProviderError;
use crate::providers::stt::SttProvider;
use crate::providers::tts::TtsProvider;
use crate::providers::vad::Vad;
use crate::spool::CallKey;
use crate::tools::ToolSet;

/// Time from sending until the caller hears it.
/// Measured through LiveKit SIP 1.0.0: 105 to 190 ms, typically 130 (docs/adr/0005).
const SIP_DELAY: Duration = Duration::from_millis(130);
const WEBRTC_DELAY: Duration = Duration::from_millis(40);

/// Everything one call needs.
pub struct Call {
    pub(crate) key: CallKey,
    pub(super) access: LiveKitAccess,
    pub(super) caller: Caller,
    pub(super) session: SessionConfig,
    pub(super) tts: Arc<dyn TtsProvider>,
    pub(super) voice: TtsConfig,
    pub(super) language: String,
    /// Absent when the call only hears why it is refused.
    pub(super) conversation: Option<Conversation>,
}

/// What a call needs beyond a voice.
pub(super) struct Conversation {
    pub(super) stt: Arc<dyn SttProvider>,
    pub(super) stt_config: SttConfig,
    pub(super) vad: Vad,
    pub(super) mind: Mind,
    pub(super) hands: Hands,
}

/// Why a call is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// For the API.
    pub reason: Reason,
    /// For people; names the field and the fix where there is one.
    pub message: String,
}

impl Refusal {
    fn config(field: &str, message: &str) -> Self {
        Self { reason: Reason::UnsupportedConfig, message: format!("{field}: {message}") }
    }
}

impl From<ProviderError> for Refusal {
    fn from(error: ProviderError) -> Self {
        let reason = match &error {
            ProviderError::Config { field, .. } if field.ends_with("secretRef") => Reason::CredentialsMissing,
            _ => Reason::UnsupportedConfig,
        };
        Self { reason, message: voxplane_platform::error_chain::describe(&error) }
    }
}

/// Checks a call and finds its providers.
///
/// # Errors
/// [`Refusal`] names what is missing or wrong; the API then tries another pod or refuses the caller.
pub fn prepare(start: StartCall, deps: &Deps) -> Result<Call, Refusal> {
    // The id names a file of the spool.
    Uuid::parse_str(&start.call_id).map_err(|_| Refusal::config("call_id", "is no UUID"))?;
    let access = start.livekit.ok_or_else(|| Refusal::config("livekit", "is missing"))?;
    let caller = start.caller.ok_or_else(|| Refusal::config("caller", "is missing"))?;
    let mut config = start.config.unwrap_or_default();
    let key = CallKey { call_id: start.call_id, epoch: start.epoch };
    let mut session = session_config(&config)?;
    session.path_delay = if caller.transport() == Transport::Webrtc { WEBRTC_DELAY } else { SIP_DELAY };
    session.refusal = Some(start.refusal_message).filter(|message| !message.is_empty());
    session.validate().map_err(|error| Refusal::config(error.field, error.fix))?;

    let (tools, broken) = ToolSet::new(std::mem::take(&mut config.tools));
    for tool in broken {
        // The agent's status says what is wrong. The call goes on without it.
        tracing::warn!(call.id = key.call_id, tool, "a tool is left out: it is not set up correctly");
    }
    session.tools = tools.rules();
    let voice = config.tts.take().ok_or_else(|| Refusal::config("tts", "is missing"))?;
    let tts = deps.registry.tts(&voice)?;
    let language = config.language.clone();
    let conversation =
        if session.refusal.is_some() { None } else { Some(conversation(config, key.clone(), tools, deps)?) };
    Ok(Call { key, access, caller, session, tts, voice, language, conversation })
}

fn conversation(config: CallConfig, key: CallKey, tools: ToolSet, deps: &Deps) -> Result<Conversation, Refusal> {
    let registry = &deps.registry;
    let system = system_prompt(&config);
    let mut stt_config = config.stt.ok_or_else(|| Refusal::config("stt", "is missing"))?;
    add_goodbyes(&mut stt_config, &config.goodbye.unwrap_or_default().phrases);
    let llm_config = config.llm.ok_or_else(|| Refusal::config("llm", "is missing"))?;
    let stt = registry.stt(&stt_config)?;
    let llm = registry.llm(&llm_config)?;
    let vad = registry.vad()?.open();
    let top_k = config.knowledge.map_or(0, |knowledge| knowledge.top_k.max(1));
    let hands = Hands::new(tools.clone(), deps.tools.clone(), registry.credentials().clone(), key.clone());
    let mind = Mind::new(llm, &llm_config, system, deps.knowledge.clone(), key, top_k, tools);
    Ok(Conversation { stt, stt_config, vad, mind, hands })
}

/// The engine's configuration. Absent parts keep the engine's defaults.
fn session_config(config: &CallConfig) -> Result<SessionConfig, Refusal> {
    let defaults = SessionConfig::default();
    let vad = config.vad.as_ref();
    let voice = vad.map_or(defaults.voice, |vad| VoiceRules {
        threshold: vad.threshold as f32,
        min_speech: ms(vad.min_speech_ms),
        min_silence: ms(vad.min_silence_ms),
        prefix_padding: ms(vad.prefix_padding_ms),
    });
    let mut turn = TurnRules { silence: voice.min_silence, ..defaults.turn };
    if let Some(settings) = &config.turn {
        if settings.silence_ms > 0 {
            turn.silence = ms(settings.silence_ms);
        }
        // By number: a strategy that this runtime does not know reads as none.
        turn.longest_silence = match Strategy::try_from(settings.strategy) {
            Ok(Strategy::Fixed | Strategy::Unspecified) => None,
            Ok(Strategy::Adaptive) => Some(ms(settings.max_silence_ms).max(turn.silence)),
            Err(_) => return Err(Refusal::config("turn.strategy", "this runtime knows Fixed and Adaptive only")),
        };
    }
    let greeting = config.greeting.clone().unwrap_or_default();
    let limit = config.limits.as_ref().map(|limits| limits.max_duration_ms).filter(|limit| *limit > 0);
    let max_duration = limit.map_or(defaults.max_duration, ms);
    let message = config.limits.as_ref().map(|limits| limits.max_duration_message.clone());
    Ok(SessionConfig {
        greeting_mode: match greeting.mode() {
            greeting::Mode::CallerFirst => GreetingMode::CallerFirst,
            greeting::Mode::AgentFirst | greeting::Mode::Unspecified => GreetingMode::AgentFirst,
        },
        flow: flow::of(config).map_err(|error| Refusal::config("flow", &error.to_string()))?,
        greeting: greeting.text,
        disclosure: config.disclosure.clone(),
        consent_message: config.consent_message.clone(),
        error_message: some(&config.error_message).unwrap_or(defaults.error_message),
        tools: defaults.tools,
        retrieval: config.knowledge.as_ref().is_some_and(|knowledge| !knowledge.knowledge_base_ids.is_empty()),
        voice,
        turn,
        barge_in: config.barge_in.as_ref().map_or(defaults.barge_in, |rules| BargeInRules {
            enabled: rules.enabled,
            min_words: rules.min_words,
            min_speech: ms(rules.min_speech_ms),
        }),
        silence: config.silence.as_ref().map_or(defaults.silence, |rules| SilenceRules {
            prompt_after: (rules.prompt_after_ms > 0).then(|| ms(rules.prompt_after_ms)),
            prompt: rules.prompt.clone(),
            max_prompts: rules.max_prompts,
            farewell: rules.farewell.clone(),
        }),
        goodbye: config.goodbye.as_ref().map_or(defaults.goodbye, |rules| GoodbyeRules {
            phrases: rules.phrases.clone(),
            message: rules.message.clone(),
        }),
        max_duration,
        max_duration_message: message.and_then(|text| some(&text)).unwrap_or(defaults.max_duration_message),
        refusal: None,
        path_delay: defaults.path_delay,
        timeouts: defaults.timeouts,
    })
}

/// A recogniser with a closed vocabulary has to know how callers take their leave.
fn add_goodbyes(config: &mut SttConfig, goodbyes: &[String]) {
    if config.phrases.is_empty() {
        return;
    }
    let known = |phrases: &[String], new: &str| phrases.iter().any(|phrase| phrase.eq_ignore_ascii_case(new));
    for goodbye in goodbyes {
        if !known(&config.phrases, goodbye) {
            config.phrases.push(goodbye.clone());
        }
    }
}

/// What the model is told before the conversation.
fn system_prompt(config: &CallConfig) -> String {
    let who =
        format!("You are {}, a voice agent on the telephone.", some(&config.agent_name).unwrap_or("an agent".into()));
    let how = format!(
        "Answer in the language {} in one to three short spoken sentences, without lists or markup.",
        some(&config.language).unwrap_or("en-US".into())
    );
    let parts = [who.as_str(), config.persona.trim(), config.system_prompt.trim(), how.as_str()];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n")
}

fn some(text: &str) -> Option<String> {
    (!text.trim().is_empty()).then(|| text.to_owned())
}

fn ms(value: u32) -> Duration {
    Duration::from_millis(value.into())
}

#[cfg(test)]
mod tests {
    use voxplane_control::v1::{Greeting, LimitsConfig, TurnConfig, VadConfig};

    use super::*;

    #[test]
    fn an_empty_configuration_gives_the_defaults() {
        let session = session_config(&CallConfig::default()).unwrap();
        assert_eq!(session.validate(), Ok(()));
        assert_eq!(session.turn.silence, session.voice.min_silence, "the voice's silence ends the turn");
    }

    #[test]
    fn what_the_api_sends_arrives() {
        let config = CallConfig {
            greeting: Some(Greeting { mode: greeting::Mode::CallerFirst.into(), text: "Hi".into() }),
            vad: Some(VadConfig { threshold: 0.7, min_speech_ms: 300, min_silence_ms: 400, prefix_padding_ms: 200 }),
            turn: Some(TurnConfig { strategy: Strategy::Adaptive.into(), silence_ms: 650, max_silence_ms: 1_200 }),
            limits: Some(LimitsConfig { max_duration_ms: 60_000, max_duration_message: String::new() }),
            ..CallConfig::default()
        };
        let session = session_config(&config).unwrap();
        assert_eq!(session.greeting_mode, GreetingMode::CallerFirst);
        assert_eq!(session.voice.min_silence, ms(400));
        assert_eq!((session.turn.silence, session.turn.longest_silence), (ms(650), Some(ms(1_200))));
        assert_eq!(session.max_duration, ms(60_000));
        assert!(!session.max_duration_message.is_empty(), "never dead air");
    }

    #[test]
    fn a_strategy_of_a_later_version_is_refused() {
        let turn = TurnConfig { strategy: 99, ..TurnConfig::default() };
        assert!(session_config(&CallConfig { turn: Some(turn), ..CallConfig::default() }).is_err());
    }

    #[test]
    fn a_closed_vocabulary_learns_the_goodbyes_an_open_one_stays_open() {
        let goodbyes = ["Goodbye".to_owned(), "that is all".to_owned()];
        let mut closed = SttConfig { phrases: vec!["goodbye".into()], ..SttConfig::default() };
        add_goodbyes(&mut closed, &goodbyes);
        assert_eq!(closed.phrases, ["goodbye", "that is all"]);
        let mut open = SttConfig::default();
        add_goodbyes(&mut open, &goodbyes);
        assert!(open.phrases.is_empty());
    }

    #[test]
    fn the_model_learns_who_it_is_and_how_to_speak() {
        let config =
            CallConfig { agent_name: "Mia".into(), system_prompt: " Book visits. ".into(), ..CallConfig::default() };
        let prompt = system_prompt(&config);
        assert!(prompt.starts_with("You are Mia,") && prompt.contains("\n\nBook visits.\n\n"), "{prompt}");
    }
}
