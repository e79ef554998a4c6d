//! What an agent can do besides talking: its tools, which the language model calls by name.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`http`] | the request that a tool makes, taken apart and checked |
//! | [`template`] | `{{ args.NAME }}` and `{{ secret.KEY }}` |

pub mod http;
pub mod template;

use crate::defaults::defaults;
use crate::refs::LocalSecretRef;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Value of the label `voxplane.dev/provider` of Secrets that tools may use.
pub const SECRET_PROVIDER: &str = "http";

/// Something the agent can do: a request to a service of yours, or something built in.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.http) != has(self.builtin)")
        .message("give exactly one of `http` (a request to a service) and `builtin` (something the platform does)"),
    validation = Rule::new("!has(self.builtin) || !(has(self.effect) || has(self.parameters))")
        .message("a `builtin` tool has its own parameters and effect: remove `parameters` and `effect`"),
    validation = Rule::new("!has(self.builtin) || !has(self.say) || !has(self.say.onComplete)")
        .message("nothing can be said after `EndCall`: remove `say.onComplete`; the last words are `spec.goodbye.message`"),
    validation = Rule::new("!has(self.http) || self.http.retries == 0 || (has(self.effect) ? self.effect != 'Once' : self.http.method in ['GET', 'PUT', 'DELETE'])")
        .message("a tool of effect `Once` is never tried twice: remove `http.retries`, or set `effect` to `Idempotent` if the service recognises the header Idempotency-Key")
)]
pub struct Tool {
    /// Name by which the language model calls it: lower-case letters, digits and underscores.
    #[schemars(length(min = 1, max = 64), pattern(r"^[a-z][a-z0-9_]*$"))]
    pub name: String,
    /// What it does and when to use it, in a sentence or two. The language model chooses by it.
    #[schemars(length(min = 1, max = 1_024))]
    pub description: String,
    /// The arguments, as a JSON Schema of type `object`. What the model writes is checked against it before anything
    /// is sent. At most 16 KiB, without references. Omitted: the tool takes no arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::free_object")]
    pub parameters: Option<Map<String, Value>>,
    /// The request to make. Omitted: see `builtin`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpTool>,
    /// Something the platform does. Omitted: see `http`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub builtin: Option<BuiltinTool>,
    /// What doing it twice would do. Omitted: what its method says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<Effect>,
    /// What the agent says around it.
    #[serde(default)]
    #[schemars(default = "crate::defaults::object")]
    pub say: ToolSay,
    /// Whether the language model gets to know it. Omitted: true.
    #[serde(default = "default::enabled")]
    pub enabled: bool,
}

/// Something the platform does. `EndCall`: the agent takes its leave and hangs up. Omitted: see `http`.
// This text, not the field's, is what the schema of an optional enum shows.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum BuiltinTool {
    /// Takes leave and hangs up.
    EndCall,
}

/// What doing it twice would do. `Read`: nothing is changed. `Idempotent`: the same again. `Once`: something else, so it
/// is never done twice. Whatever is not `Read` is written into the call's ledger before it is done. Omitted: by the
/// method: `Read` for GET, `Idempotent` for PUT and DELETE, `Once` for POST and PATCH.
// This text, not the field's, is what the schema of an optional enum shows.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Effect {
    /// Nothing: it only reads.
    Read,
    /// The same as doing it once.
    Idempotent,
    /// Something else.
    Once,
}

/// What the agent says around a tool.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ToolSay {
    /// Spoken when it starts ("One moment, I am looking that up."). Omitted: nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 500))]
    pub on_start: String,
    /// Spoken when it succeeded, before the language model says more. Omitted: nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 500))]
    pub on_complete: String,
}

/// A request to a service. The arguments are its JSON body, or, where the method has none, its query.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!self.url.contains('{{secret') && !self.url.contains('{{ secret')")
        .message("a secret belongs into a header, never into `url`: addresses are written into logs on their way")
)]
pub struct HttpTool {
    /// Address. After the host it may hold `{{ args.NAME }}`, which is the argument, percent-encoded.
    #[schemars(length(min = 8, max = 2_048), pattern(http::URL))]
    pub url: String,
    /// Method. Omitted: `POST`.
    #[serde(default)]
    pub method: HttpMethod,
    /// Headers. Omitted: none but those of every request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub headers: Vec<HttpHeader>,
    /// Secret of type `voxplane.dev/credentials` with the label `voxplane.dev/provider: http`. Its key
    /// `allowed-endpoints` must list the scheme, host and port of `url`; header values may hold its other keys. Omitted:
    /// no header holds a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalSecretRef>,
    /// Seconds after which the agent gives up, retries included. Omitted: 10.
    #[serde(default = "default::timeout_seconds")]
    #[schemars(range(min = 1, max = 60))]
    pub timeout_seconds: i32,
    /// How often it is tried again when the service cannot be reached, is overloaded or fails (429, 5xx), as long as
    /// `timeoutSeconds` lasts. Omitted: 0.
    #[serde(default)]
    #[schemars(range(min = 0, max = 3))]
    pub retries: i32,
}

/// Methods of requests.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum HttpMethod {
    /// Reads.
    Get,
    /// Creates, or does something.
    #[default]
    Post,
    /// Replaces.
    Put,
    /// Changes.
    Patch,
    /// Removes.
    Delete,
}

/// A header of a request.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpHeader {
    /// Name.
    #[schemars(length(min = 1, max = 64), pattern("^[A-Za-z0-9-]+$"))]
    pub name: String,
    /// Value. It may hold `{{ secret.KEY }}`, a key of the Secret in `secretRef`, and `{{ args.NAME }}`.
    #[schemars(length(min = 1, max = 1_024), pattern(r"^[^\r\n]+$"))]
    pub value: String,
}

impl Effect {
    /// The value as it is written in a manifest.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "Read",
            Self::Idempotent => "Idempotent",
            Self::Once => "Once",
        }
    }
}

impl HttpMethod {
    /// As it stands in a request.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    /// What doing it twice usually does (RFC 9110, 9.2).
    #[must_use]
    pub const fn usual_effect(self) -> Effect {
        match self {
            Self::Get => Effect::Read,
            Self::Put | Self::Delete => Effect::Idempotent,
            Self::Post | Self::Patch => Effect::Once,
        }
    }
}

impl Tool {
    /// What doing it twice would do: what it says, else what its method says. Hanging up twice is hanging up.
    #[must_use]
    pub fn effect(&self) -> Effect {
        let usual = self.http.as_ref().map_or(Effect::Idempotent, |http| http.method.usual_effect());
        self.effect.unwrap_or(usual)
    }
}

defaults! {
    timeout_seconds: i32 = 10;
    enabled: bool = true;
}
