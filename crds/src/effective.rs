//! What an agent's calls use: its own settings, its tenant's and agency's defaults, and what is built in. Pure.
//!
//! This is the one place that knows the order. The operator validates by it and hands out keys by it, the API makes
//! calls of it, and the kubectl plugin explains it.
//!
//! The unit is the block (`llm`, `limits`, `greeting`, …): the first level that states a block gives all of it. Fields
//! of two levels are never mixed. A provider's model, address and key belong together, and a key that an agency wrote
//! beside an address must not meet an address that a tenant wrote.

use std::sync::LazyLock;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::voice_agent::{
    BargeIn, Closed, Goodbye, Greeting, Limits, Llm, Messages, Prompt, Silence, Stt, Tts, Turn, TurnStrategy, Vad,
};
use crate::{AgencySpec, TenantSpec, VoiceAgentSpec, names};

/// The level that decided a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Origin {
    /// The agent's own spec.
    Agent,
    /// `spec.defaults` of its tenant.
    TenantDefault,
    /// `spec.defaults` of its agency.
    AgencyDefault,
    /// Nobody states it.
    BuiltIn,
}

impl Origin {
    /// For people.
    #[must_use]
    pub const fn as_text(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::TenantDefault => "tenant default",
            Self::AgencyDefault => "agency default",
            Self::BuiltIn => "built-in",
        }
    }

    /// Where a field of a block is written, seen from the agent: `spec.llm.baseUrl`,
    /// `the agency's spec.defaults.llm.baseUrl`.
    #[must_use]
    pub fn path(self, field: &str) -> String {
        match self {
            Self::Agent | Self::BuiltIn => format!("spec.{field}"),
            Self::TenantDefault => format!("the tenant's spec.defaults.{field}"),
            Self::AgencyDefault => format!("the agency's spec.defaults.{field}"),
        }
    }

    /// Whether a Secret that is named at this level lies in the agency's namespace. Agencies and tenants are the
    /// agency's to write; agents are the tenant's.
    #[must_use]
    pub const fn keys_are_the_agencys(self) -> bool {
        matches!(self, Self::TenantDefault | Self::AgencyDefault)
    }
}

/// A block and the level that decided it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sourced<T> {
    /// The block.
    pub value: T,
    /// Who states it.
    pub origin: Origin,
}

macro_rules! blocks {
    ($($(#[$doc:meta])* $field:ident, $name:literal: $ty:ty = $built_in:expr;)*) => {
        /// What an agent's calls use.
        #[derive(Clone, Debug, PartialEq)]
        pub struct Effective<'a> {
            $($(#[$doc])* pub $field: Sourced<&'a $ty>,)*
            /// What happens outside of business hours; nothing is built in.
            pub closed: Option<Sourced<&'a Closed>>,
        }

        struct BuiltIn {
            $($field: $ty,)*
        }

        static BUILT_IN: LazyLock<BuiltIn> = LazyLock::new(|| BuiltIn { $($field: $built_in,)* });

        /// Names of all blocks that have a built-in value, as they are written in `spec` and `spec.defaults`.
        pub const BLOCKS: &[&str] = &[$($name),*];

        /// What the calls of `agent` use.
        #[must_use]
        pub fn effective<'a>(agency: &'a AgencySpec, tenant: &'a TenantSpec, agent: &'a VoiceAgentSpec) -> Effective<'a> {
            let (by_agency, by_tenant) = (&agency.defaults, &tenant.defaults);
            Effective {
                $($field: settle(&agent.$field, &by_tenant.$field, &by_agency.$field, &BUILT_IN.$field),)*
                closed: stated(&agent.closed, &by_tenant.closed, &by_agency.closed),
            }
        }

        impl Effective<'_> {
            /// The level that decided each block, in the order of [`BLOCKS`]; then `closed`, if it is stated.
            #[must_use]
            pub fn origins(&self) -> Vec<(&'static str, Origin)> {
                let mut origins = vec![$(($name, self.$field.origin)),*];
                origins.extend(self.closed.map(|closed| ("closed", closed.origin)));
                origins
            }

            /// All blocks, as a spec would write them.
            ///
            /// # Errors
            /// None that a valid block can cause.
            pub fn to_value(&self) -> Result<Value, serde_json::Error> {
                let mut all = Map::new();
                $(all.insert($name.to_owned(), serde_json::to_value(self.$field.value)?);)*
                if let Some(closed) = self.closed {
                    all.insert("closed".to_owned(), serde_json::to_value(closed.value)?);
                }
                Ok(Value::Object(all))
            }
        }
    };
}

blocks! {
    /// Who the agent is.
    persona, "persona": String = String::new();
    /// What the language model is told.
    prompt, "prompt": Prompt = Prompt::default();
    /// How the call begins.
    greeting, "greeting": Greeting = Greeting::default();
    /// Language of the conversation.
    language, "language": String = "en-US".to_owned();
    /// Speech recognition.
    stt, "stt": Stt = Stt::default();
    /// The language model.
    llm, "llm": Llm = Llm::default();
    /// Speech synthesis.
    tts, "tts": Tts = Tts::default();
    /// Voice activity detection.
    vad, "vad": Vad = Vad::default();
    /// When the caller has finished.
    turn, "turn": Turn = Turn::default();
    /// Whether and when the caller can interrupt.
    barge_in, "bargeIn": BargeIn = BargeIn::default();
    /// What ends the call.
    goodbye, "goodbye": Goodbye = Goodbye::default();
    /// What happens when the caller says nothing.
    silence, "silence": Silence = Silence::default();
    /// Limits of one call.
    limits, "limits": Limits = Limits::default();
    /// What is said when something goes wrong.
    messages, "messages": Messages = Messages::default();
}

fn settle<'a, T>(
    agent: &'a Option<T>,
    tenant: &'a Option<T>,
    agency: &'a Option<T>,
    built_in: &'static T,
) -> Sourced<&'a T> {
    stated(agent, tenant, agency).unwrap_or(Sourced { value: built_in, origin: Origin::BuiltIn })
}

fn stated<'a, T>(agent: &'a Option<T>, tenant: &'a Option<T>, agency: &'a Option<T>) -> Option<Sourced<&'a T>> {
    let levels = [(agent, Origin::Agent), (tenant, Origin::TenantDefault), (agency, Origin::AgencyDefault)];
    levels.into_iter().find_map(|(block, origin)| Some(Sourced { value: block.as_ref()?, origin }))
}

/// A Secret that the agent's calls need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecretUse<'a> {
    /// The field that names it, below `spec` or `spec.defaults`: `llm.secretRef`.
    pub field: &'static str,
    /// The level that names it.
    pub origin: Origin,
    /// Name of the Secret.
    pub name: &'a str,
    /// Name of the provider, which is the value that the Secret's label `voxplane.dev/provider` must have.
    pub provider: &'static str,
    /// Address that the key is sent to, if it is a custom one. It stands in the same block as the Secret's name.
    pub base_url: Option<&'a str>,
}

impl SecretUse<'_> {
    /// The name under which pods find the key.
    #[must_use]
    pub fn credential(&self) -> String {
        names::credential(self.name, self.origin.keys_are_the_agencys())
    }
}

impl<'a> Effective<'a> {
    /// Milliseconds of silence that end the caller's turn: the turn's own value, else the voice activity detection's.
    #[must_use]
    pub fn end_of_turn_silence_ms(&self) -> i32 {
        self.turn.value.silence_ms.unwrap_or_else(|| self.vad.value.parameters().min_silence_ms)
    }

    /// The most milliseconds of silence that are waited for; `None`: it is always the same.
    #[must_use]
    pub fn longest_silence_ms(&self) -> Option<i32> {
        let turn = self.turn.value;
        (turn.strategy == TurnStrategy::Adaptive).then(|| turn.max_silence_ms.unwrap_or(Turn::MAX_SILENCE_MS))
    }

    /// The Secrets that the providers need.
    #[must_use]
    pub fn secrets(&self) -> Vec<SecretUse<'a>> {
        let (stt, llm, tts) = (self.stt, self.llm, self.tts);
        [
            ("stt.secretRef", stt.origin, &stt.value.secret_ref, stt.value.provider.as_str(), None),
            (
                "llm.secretRef",
                llm.origin,
                &llm.value.secret_ref,
                llm.value.provider.as_str(),
                llm.value.base_url.as_deref(),
            ),
            ("tts.secretRef", tts.origin, &tts.value.secret_ref, tts.value.provider.as_str(), None),
        ]
        .into_iter()
        .filter_map(|(field, origin, secret, provider, base_url)| {
            Some(SecretUse { field, origin, name: &secret.as_ref()?.name, provider, base_url })
        })
        .collect()
    }

    /// The name under which pods find the key of a stage (`stt.secretRef`, …); empty: it needs none.
    #[must_use]
    pub fn credential(&self, field: &str) -> String {
        let found = self.secrets().into_iter().find(|secret| secret.field == field);
        found.map(|secret| secret.credential()).unwrap_or_default()
    }
}
