//! The process: what is started, in which order, and how it stops.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Json;
use axum::routing::get;
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use voxplane_platform::admin::AdminServer;
use voxplane_platform::health::Health;
use voxplane_platform::metrics::{Build, registry};
use voxplane_platform::shutdown::Tasks;

use crate::call::Deps;
use crate::calls::Calls;
use crate::config::Config;
use crate::control_client::{ControlClient, Identity};
use crate::drain::drain;
use crate::metrics::Metrics;
use crate::providers::Registry;
use crate::self_check;
use crate::slots::Slots;
use crate::spool::Spool;
use crate::tools::ToolClient;

const BUILD: Build = Build {
    service: "voxplane-agent-runtime",
    version: env!("CARGO_PKG_VERSION"),
    revision: match option_env!("VOXPLANE_REVISION") {
        Some(revision) => revision,
        None => "unknown",
    },
};
/// What this runtime can do beyond the version of the contract.
const FEATURES: [&str; 5] = ["feature/dtmf", "feature/flow", "feature/refusal-message", "feature/say", "feature/tools"];
/// After the drain, for tasks to notice that it is over.
const STOP_GRACE: Duration = Duration::from_secs(3);

/// Runs until `stop` is cancelled and everything is handed over.
///
/// # Errors
/// When something the process cannot work without cannot be started; the text says what.
pub async fn run(config: Config, stop: CancellationToken) -> anyhow::Result<()> {
    let health = Health::new();
    let mut metrics_registry = registry(BUILD);
    let metrics = Metrics::new(&mut metrics_registry);
    let slots = Slots::new(config.slots);

    // Everything below stops after the drain, not with the signal.
    let tasks = Tasks::new(CancellationToken::new());
    let state = State { slots: slots.clone() };
    let admin = AdminServer::bind(config.admin_address, health.clone(), metrics_registry)
        .await?
        .merge(axum::Router::new().route("/state", get(move || async move { Json(state.report()) })));
    let admin_stop = tasks.token().clone();
    tasks.spawn_critical("admin", admin.serve(admin_stop));

    let spool_check = health.optional("event-spool");
    let spool = match &config.spool_dir {
        Some(directory) => Spool::open(Some(directory)).inspect(|_| spool_check.pass())?,
        None => {
            spool_check.pass_with("in memory only: VOXPLANE_SPOOL_DIR is not set");
            Spool::open(None)?
        }
    };
    let spool = Arc::new(spool);

    let providers = health.check("providers");
    let models = (config.models_dir.clone(), config.credentials_dir.clone());
    let loaded = tokio::task::spawn_blocking(move || Registry::from_env(&models.0, models.1));
    let registry = loaded.await.context("loading the models failed")?;
    for state in registry.states() {
        match state.off {
            None => tracing::info!(provider = state.name, "provider is ready"),
            Some(reason) => tracing::warn!(provider = state.name, reason, "provider is off"),
        }
    }
    let capabilities = registry.capabilities();
    match registry.vad() {
        Ok(_) => providers.pass_with(capabilities.join(", ")),
        Err(error) => providers.fail(voxplane_platform::error_chain::describe(&error)),
    }

    let livekit = health.optional("livekit");
    livekit.pass_with("not tried yet");
    metrics.report_livekit(livekit.clone());
    if let Some(url) = config.livekit_probe.clone() {
        tasks.spawn("livekit-probe", self_check::probe(url, livekit));
    }

    let tools = ToolClient::new(config.tool_egress.clone()).context("the HTTP client for tools cannot be made")?;
    let identity = Identity {
        capabilities: capabilities.into_iter().chain(FEATURES.map(str::to_owned)).collect(),
        credentials_dir: config.credentials_dir.clone(),
    };
    let (ready, connected) = (health.check("control"), health.optional("control-connection"));
    let (client, outgoing, knowledge) =
        ControlClient::new(config.control.clone(), identity, slots.clone(), spool.clone(), ready, connected);
    let deps = Arc::new(Deps { registry, knowledge, tools, spool: spool.clone(), metrics: metrics.clone() });
    let calls = Calls::new(deps, slots.clone(), tasks.clone(), outgoing);
    let (host, client_stop) = (Arc::new(calls.clone()), tasks.token().clone());
    // Without it the pod would look well, and never get or keep a call.
    tasks.spawn_critical("control", async move {
        client.run(host, client_stop).await;
        Ok::<(), Infallible>(())
    });

    tracing::info!(pool = config.pool, slots = config.slots, "running");
    tokio::select! {
        () = stop.cancelled() => drain(&calls, &slots, &spool, &metrics, config.drain_grace).await,
        // A part the process needs has failed and said so.
        () = tasks.token().cancelled() => {}
    }
    tasks.stop(STOP_GRACE).await?;
    Ok(())
}

#[derive(Clone)]
struct State {
    slots: Slots,
}

#[derive(Serialize)]
struct Report {
    state: &'static str,
    slots: u32,
    busy: u32,
}

impl State {
    fn report(&self) -> Report {
        let state = if self.slots.is_draining() { "draining" } else { "accepting" };
        Report { state, slots: self.slots.total(), busy: self.slots.busy() }
    }
}
