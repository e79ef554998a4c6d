//! The process: start, leader election, controllers, stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use k8s_controller::LeaderElection;
use kube::Client;
use kube::client::ClientBuilder;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use voxplane_crds::{Agency, KnowledgeBase, PhoneNumber, Tenant, VoiceAgent};
use voxplane_platform::admin::{AdminError, AdminServer};
use voxplane_platform::health::{Check, Health};
use voxplane_platform::metrics::{Build, registry};
use voxplane_store::StoreError;

use crate::carriers::Carriers;
use crate::config::Settings;
use crate::context::Context;
use crate::control_tls::{ControlCa, keeper::Keeper};
use crate::database::Database;
use crate::events::Events;
use crate::identity::Ids;
use crate::kind;
use crate::knowledge_base::Tools;
use crate::livekit::{LiveKit, Programmed, keeper};
use crate::metrics::Metrics;
use crate::phone_number::fallback::memory::Fallbacks;
use crate::pool::{Pools, sessions};
use crate::requests::Counting;
use crate::watch::{Router, Stores, Writers};

/// Name of the lease that the replicas compete for.
const LEASE: &str = "voxplane-operator";
/// Passes under way may take this long to finish after SIGTERM; the pod's grace period must be longer.
const STOP_WITHIN: Duration = Duration::from_secs(20);

/// Passes begin without the control port's authorities if these are not there after this time.
const AUTHORITIES_WITHIN: Duration = Duration::from_secs(5);

/// Why the process ended before it was told to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// No cluster is configured.
    #[error("no access to a Kubernetes cluster: run in a pod, or set KUBECONFIG")]
    Cluster(#[source] Box<kube::Error>),
    /// The database URL cannot be used.
    #[error("VOXPLANE_DATABASE_URL")]
    Database(#[source] StoreError),
    /// No connections to other services can be made.
    #[error("TLS cannot be set up")]
    Http(#[source] reqwest::Error),
    /// The admin server does not run.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// Another replica took the lease, or the API server was away for too long.
    #[error("lost the lease {LEASE}: another replica may lead now")]
    LeadershipLost,
}

/// Runs until `stop` is cancelled.
///
/// # Errors
/// [`RunError`].
pub async fn run(settings: Settings, stop: CancellationToken) -> Result<(), RunError> {
    tracing::info!(?settings, "starting");
    let mut registry = registry(Build {
        service: "voxplane-operator",
        version: env!("CARGO_PKG_VERSION"),
        revision: option_env!("VOXPLANE_REVISION").unwrap_or("unknown"),
    });
    let metrics = Metrics::register(&mut registry);
    let health = Health::new();
    let checks = Checks::register(&health);
    let admin = AdminServer::bind(settings.admin_address, health, registry).await?;
    let admin_stop = CancellationToken::new();
    let serving = tokio::spawn(admin.serve(admin_stop.clone()));
    let result = match connect(&metrics).await {
        Ok(client) => Box::pin(lead(settings, client, metrics, checks, &stop)).await,
        Err(error) => Err(RunError::Cluster(Box::new(error))),
    };
    // Last, so that probes are answered until the end.
    admin_stop.cancel();
    if let Ok(served) = serving.await {
        served?;
    }
    result
}

/// A client whose requests are counted.
async fn connect(metrics: &Metrics) -> Result<Client, kube::Error> {
    let config = kube::Config::infer().await.map_err(kube::Error::InferConfig)?;
    Ok(ClientBuilder::try_from(config)?.with_layer(&Counting::new(metrics.clone())).build())
}

/// What is shown at /readyz. Only the watches are required: without Postgres or LiveKit the operator keeps what exists,
/// and a restart would not bring them back.
#[derive(Clone)]
struct Checks {
    leader: Check,
    watches: Check,
    database: Check,
    livekit: Check,
    control_tls: Check,
}

impl Checks {
    fn register(health: &Health) -> Self {
        Self {
            leader: health.optional("leader"),
            watches: health.check("watches"),
            database: health.optional("database"),
            livekit: health.optional("livekit"),
            control_tls: health.optional("control-tls"),
        }
    }

    fn standby(&self) {
        let waiting = "standby: another replica leads";
        for check in [&self.leader, &self.watches, &self.database, &self.livekit, &self.control_tls] {
            check.pass_with(waiting);
        }
    }
}

async fn lead(
    settings: Settings,
    client: Client,
    metrics: Metrics,
    checks: Checks,
    stop: &CancellationToken,
) -> Result<(), RunError> {
    let election = LeaderElection::new(client.clone(), &settings.system_namespace, LEASE, &settings.instance);
    checks.standby();
    let (context, writers) = prepare(settings, client, metrics.clone()).await?;
    let leads = AtomicBool::new(false);
    let leading = async {
        tracing::info!("leading");
        leads.store(true, Ordering::Relaxed);
        metrics.leader(true);
        checks.leader.pass_with("leading");
        checks.watches.fail("listing");
        work(context, writers, &checks, stop).await;
    };
    let stopped = async {
        stop.cancelled().await;
        if leads.load(Ordering::Relaxed) {
            // The work ends by itself, and the lease is given up then.
            tokio::time::sleep(STOP_WITHIN).await;
            tracing::warn!(within = ?STOP_WITHIN, "passes did not finish in time");
        }
    };
    let outcome = tokio::select! {
        outcome = election.with_lease(leading) => outcome,
        () = stopped => Some(()),
    };
    metrics.leader(false);
    match outcome {
        Some(()) => Ok(()),
        None => Err(RunError::LeadershipLost),
    }
}

async fn prepare(settings: Settings, client: Client, metrics: Metrics) -> Result<(Arc<Context>, Writers), RunError> {
    let (stores, writers) = Stores::new();
    let database = Database::open(settings.database_url.as_ref()).await.map_err(RunError::Database)?;
    let livekit = settings.livekit.as_ref().map(|livekit| LiveKit::new(livekit, metrics.clone()));
    let context = Context {
        events: Events::new(client.clone(), &settings.instance),
        router: Arc::new(Router::new(stores)),
        database,
        carriers: Carriers::default(),
        fallbacks: Fallbacks::default(),
        livekit,
        programmed: Programmed::default(),
        pools: Pools::default(),
        control_ca: ControlCa::default(),
        ids: Ids::default(),
        knowledge: Tools::new(&settings).map_err(RunError::Http)?,
        metrics,
        client,
        settings,
    };
    Ok((Arc::new(context), writers))
}

/// Everything the leader does, until `stop` is cancelled. Dropped when the lease is lost: every task goes with it.
async fn work(ctx: Arc<Context>, writers: Writers, checks: &Checks, stop: &CancellationToken) {
    // The first passes should know whether the database is there.
    ctx.database.ask().await;
    let mut tasks = JoinSet::new();
    let watching = Arc::clone(&ctx.router).watch(ctx.client.clone(), writers, stop.clone());
    tasks.spawn(watching);
    tasks.spawn(ctx.database.clone().observe(Arc::clone(&ctx.router), checks.database.clone(), stop.clone()));
    tasks.spawn(sessions::observe(Arc::clone(&ctx), stop.clone()));
    tasks.spawn({
        let (ctx, check, stop) = (Arc::clone(&ctx), checks.control_tls.clone(), stop.clone());
        let keeper = Keeper::new(ctx.client.clone(), &ctx.settings.system_namespace);
        async move { keeper.run(&ctx.control_ca, &ctx.router, &check, &stop).await }
    });
    tasks.spawn({
        let (ctx, check, stop) = (Arc::clone(&ctx), checks.livekit.clone(), stop.clone());
        async move {
            match &ctx.livekit {
                Some(livekit) => keeper::run(livekit, &ctx, &check, &stop).await,
                None => check.pass_with("off: VOXPLANE_LIVEKIT_URL is not set; no telephone number works"),
            }
        }
    });
    let ready = async {
        let ready = ctx.stores().wait_until_ready().await;
        // What is about to be known need not be called unknown in the status of every tenant.
        let _ = tokio::time::timeout(AUTHORITIES_WITHIN, ctx.control_ca.known()).await;
        ready
    };
    tokio::select! {
        ready = ready => if ready.is_ok() {
            checks.watches.pass();
            start_controllers(&mut tasks, &ctx, stop);
        },
        () = stop.cancelled() => {}
    }
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            // A bug of ours: everything stops, and the next leader starts afresh.
            tracing::error!(%error, "a task of the leader failed; stopping");
            stop.cancel();
        }
    }
}

fn start_controllers(tasks: &mut JoinSet<()>, ctx: &Arc<Context>, stop: &CancellationToken) {
    let stores = ctx.stores().clone();
    let (agencies, tenants) = (stores.agencies.store(), stores.tenants.store());
    let (agents, numbers, knowledge) = (stores.agents.store(), stores.numbers.store(), stores.knowledge.store());
    let (ctx, stop) = (|| Arc::clone(ctx), || stop.clone());
    tasks.spawn(kind::run::<Agency>(ctx(), agencies, |ctx| &ctx.router.queues.agencies, stop()));
    tasks.spawn(kind::run::<Tenant>(ctx(), tenants, |ctx| &ctx.router.queues.tenants, stop()));
    tasks.spawn(kind::run::<VoiceAgent>(ctx(), agents, |ctx| &ctx.router.queues.agents, stop()));
    tasks.spawn(kind::run::<PhoneNumber>(ctx(), numbers, |ctx| &ctx.router.queues.numbers, stop()));
    tasks.spawn(kind::run::<KnowledgeBase>(ctx(), knowledge, |ctx| &ctx.router.queues.knowledge, stop()));
}
