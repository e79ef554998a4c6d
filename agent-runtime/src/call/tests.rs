//! A call with a bug in it.

use std::path::Path;

use futures::future::BoxFuture;
use prometheus_client::registry::Registry as MetricsRegistry;
use voxplane_control::v1::{Caller, LiveKitAccess, TtsConfig};
use voxplane_platform::egress::Egress;
use voxplane_platform::health::Health;
use voxplane_session::SessionConfig;

use super::*;
use crate::config::ControlConfig;
use crate::control_client::{ControlClient, Identity};
use crate::providers::tts::{TtsAudio, TtsProvider, TtsRequest};
use crate::providers::{ProviderError, Result};
use crate::slots::Slots;
use crate::spool::CallKey;

/// Fails, and panics when it is asked for its name so that the failure can be told.
struct Broken;

impl TtsProvider for Broken {
    fn name(&self) -> &'static str {
        panic!("a bug")
    }

    fn synthesize(&self, _: TtsRequest) -> BoxFuture<'_, Result<TtsAudio>> {
        Box::pin(async { Err(ProviderError::Unauthorized) })
    }
}

fn deps(spool: Arc<Spool>) -> (Arc<Deps>, Outgoing) {
    let health = Health::new();
    let token_file = "/nowhere/token".into();
    let config = ControlConfig { url: "http://127.0.0.1:1".to_owned(), ca: None, token_file };
    let identity = Identity { capabilities: Vec::new(), credentials_dir: "/nowhere".into() };
    let (ready, connected) = (health.check("control"), health.optional("control-connection"));
    let (_client, outgoing, knowledge) =
        ControlClient::new(config, identity, Slots::new(1), spool.clone(), ready, connected);
    let tools = ToolClient::new(Egress::default()).unwrap();
    let metrics = Metrics::new(&mut MetricsRegistry::default());
    let registry = Registry::from_env(Path::new("/nowhere"), "/nowhere");
    (Arc::new(Deps { registry, knowledge, tools, spool, metrics }), outgoing)
}

#[tokio::test]
async fn a_bug_ends_the_call_with_an_event_and_no_other_call() {
    let spool = Arc::new(Spool::open(None).unwrap());
    let (deps, outgoing) = deps(spool.clone());
    let key = CallKey { call_id: "0197a1b2-0000-7000-8000-000000000001".into(), epoch: 1 };
    let call = Call {
        key,
        // Nobody listens there: neither joining nor hanging up can work.
        access: LiveKitAccess { url: "ws://127.0.0.1:1".to_owned(), ..LiveKitAccess::default() },
        caller: Caller::default(),
        session: SessionConfig::default(),
        tts: Arc::new(Broken),
        voice: TtsConfig::default(),
        language: String::new(),
        conversation: None,
    };
    let (_sender, inbox) = mpsc::channel(1);
    assert_eq!(run(call, deps, outgoing, inbox).await, "error");
    let events = spool.take_batch(99);
    let last = events.last().unwrap();
    assert_eq!((last.r#type.as_str(), last.payload_json.as_str()), ("call.ended", r#"{"reason":"error"}"#));
}
