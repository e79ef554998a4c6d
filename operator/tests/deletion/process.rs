//! An operator that lives as often as it must: its controllers, watches and connections, as the program starts them.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::registry::Registry;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use voxplane_crds::{Agency, KnowledgeBase, PhoneNumber, Tenant, VoiceAgent, names};
use voxplane_operator::carriers::Carriers;
use voxplane_operator::config::{RuntimeSettings, Settings};
use voxplane_operator::context::Context;
use voxplane_operator::control_tls::ControlCa;
use voxplane_operator::database::Database;
use voxplane_operator::events::Events;
use voxplane_operator::identity::Ids;
use voxplane_operator::kind;
use voxplane_operator::knowledge_base::Tools;
use voxplane_operator::livekit::{LiveKit, Programmed};
use voxplane_operator::metrics::Metrics;
use voxplane_operator::phone_number::fallback::memory::Fallbacks;
use voxplane_operator::pool::Pools;
use voxplane_operator::watch::{Router, Stores};
use voxplane_platform::health::Health;

use super::cut::{Fuse, Life};
use super::{cluster, livekit, postgres};

/// Longest time until something is so, over all lives. A namespace takes the cluster ten seconds and more to empty.
const PATIENCE: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What an operator of one world is started with.
pub struct Operator {
    /// The world whose resources it sees.
    pub world: String,
    pub database_url: String,
}

impl Operator {
    /// Runs until `done`, through as many lives as that takes.
    pub async fn run(&self, fuse: &Arc<Fuse>, what: &str, done: impl AsyncFn() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let (life, mut tasks) = self.start(fuse).await;
            let result = tokio::select! {
                () = life.over.cancelled() => false,
                () = until(&done) => true,
                () = tokio::time::sleep_until(deadline) => {
                    panic!("{what}: not so after {PATIENCE:?}; carried out: {:#?}", fuse.done())
                }
            };
            life.over.cancel();
            tasks.shutdown().await;
            if result {
                return;
            }
        }
    }

    /// Runs one life until it ends, or until `done`.
    pub async fn live(&self, fuse: &Arc<Fuse>, done: impl AsyncFn() -> bool) {
        let (life, mut tasks) = self.start(fuse).await;
        tokio::select! {
            () = life.over.cancelled() => {}
            () = until(&done) => {}
            () = sleep(PATIENCE) => panic!("neither ended nor done after {PATIENCE:?}: {:#?}", fuse.done()),
        }
        life.over.cancel();
        tasks.shutdown().await;
    }

    async fn start(&self, fuse: &Arc<Fuse>) -> (Arc<Life>, JoinSet<()>) {
        let (life, mut tasks) = (Life::begin(fuse), JoinSet::new());
        let client = cluster::client(&life, &self.world).await;
        let livekit = livekit::relay(&life, &mut tasks).await;
        let database = postgres::relay(&life, &self.database_url, &mut tasks).await;
        let database = Database::open(Some(&database.into())).await.unwrap();
        database.ask().await;
        let metrics = Metrics::register(&mut Registry::default());
        let (stores, writers) = Stores::new();
        let control_ca = ControlCa::default();
        control_ca.publish("the authorities".to_owned());
        let ctx = Arc::new(Context {
            events: Events::new(client.clone(), "test"),
            router: Arc::new(Router::new(stores)),
            database,
            carriers: Carriers::default(),
            fallbacks: Fallbacks::default(),
            livekit: Some(LiveKit::new(&livekit, metrics.clone())),
            programmed: Programmed::default(),
            pools: Pools::default(),
            control_ca,
            ids: Ids::default(),
            metrics,
            client,
            knowledge: Tools::new(&settings()).unwrap(),
            settings: settings(),
        });
        let stop = CancellationToken::new();
        let check = Health::new().optional("database");
        tasks.spawn(ctx.database.clone().observe(Arc::clone(&ctx.router), check, stop.clone()));
        tasks.spawn(Arc::clone(&ctx.router).watch(ctx.client.clone(), writers, stop.clone()));
        ctx.stores().wait_until_ready().await.unwrap();
        let stores = ctx.stores().clone();
        let (ctx, stop) = (|| Arc::clone(&ctx), || stop.clone());
        tasks.spawn(kind::run::<Agency>(ctx(), stores.agencies.store(), |ctx| &ctx.router.queues.agencies, stop()));
        tasks.spawn(kind::run::<Tenant>(ctx(), stores.tenants.store(), |ctx| &ctx.router.queues.tenants, stop()));
        tasks.spawn(kind::run::<VoiceAgent>(ctx(), stores.agents.store(), |ctx| &ctx.router.queues.agents, stop()));
        tasks.spawn(kind::run::<PhoneNumber>(ctx(), stores.numbers.store(), |ctx| &ctx.router.queues.numbers, stop()));
        let bases = stores.knowledge.store();
        tasks.spawn(kind::run::<KnowledgeBase>(ctx(), bases, |ctx| &ctx.router.queues.knowledge, stop()));
        (life, tasks)
    }
}

async fn until(done: &impl AsyncFn() -> bool) {
    while !done().await {
        sleep(LOOK_EVERY).await;
    }
}

fn settings() -> Settings {
    Settings {
        admin_address: ([127, 0, 0, 1], 0).into(),
        database_url: None,
        livekit: None,
        runtime: RuntimeSettings {
            image: "voxplane.invalid/agent-runtime".to_owned(),
            pull_policy: voxplane_operator::config::PullPolicy::Never,
            control_url: "https://voxplane-api.voxplane-system.svc:9443".to_owned(),
            livekit_probe_url: None,
            tool_cidrs: Vec::new(),
        },
        system_namespace: names::SYSTEM_NAMESPACE.to_owned(),
        egress: Vec::new(),
        // No model: what is deleted here was found by its words only.
        models_dir: "/nowhere".into(),
        knowledge_allowed: Vec::new(),
        instance: "test".to_owned(),
    }
}
