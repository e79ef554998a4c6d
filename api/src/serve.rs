//! `voxplane-api serve`: everything started, watched and stopped in order. Every replica is equal.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kube::Client;
use secrecy::ExposeSecret as _;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};
use voxplane_platform::admin::{AdminError, AdminServer};
use voxplane_platform::error_chain::{ErrorChain, describe};
use voxplane_platform::health::{Check, Health};
use voxplane_platform::metrics::{Build, registry};
use voxplane_platform::shutdown::Tasks;
use voxplane_store::{DataKey, Db, DbOptions, EncryptionError, StoreError};

use crate::auth::{AuthKeys, AuthKeysError, BootstrapAdmin, TokenError, Tokens};
use crate::cluster::{Directory, DirectoryWriters, Reflectors};
use crate::config::{ConfigError, ServeArgs};
use crate::control::{
    self, ControlCertificate, ControlParts, ControlService, Knowledge, KubeClient, Registry, ServerError, TlsError,
};
use crate::lifecycle::Lifecycle;
use crate::livekit::{Rooms, Worker, WorkerStatus};
use crate::metrics::Metrics;
use crate::placement::{Placer, PlacerParts};
use crate::rest::{self, App};
use crate::sweeper::Sweeper;

/// Job offers waiting for a placement; LiveKit is told "not available" beyond that.
const OFFER_QUEUE: usize = 64;
const REPORT_QUEUE: usize = 256;
/// Files of Secrets appear when their maker has run; the pod stays up and says what it waits for.
const FILE_POLL: Duration = Duration::from_secs(2);
const DATABASE_POLL: Duration = Duration::from_secs(2);
/// Everything that runs has this long to end; the chart's grace period is longer.
const STOP_GRACE: Duration = Duration::from_secs(20);

/// Why the API does not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Configuration.
    #[error("the configuration is not usable")]
    Config(#[from] ConfigError),
    /// The Secret `voxplane-auth`.
    #[error("the authentication keys are not usable")]
    AuthKeys(#[from] AuthKeysError),
    /// The signing key in it.
    #[error("the key `signing-key.pem` of the Secret voxplane-auth is not usable")]
    SigningKey(#[from] TokenError),
    /// The data key in it.
    #[error("the key `data-key` of the Secret voxplane-auth is not usable")]
    DataKey(#[from] EncryptionError),
    /// Database.
    #[error("the database URL is not usable")]
    Store(#[from] StoreError),
    /// Kubernetes.
    #[error("there is no usable Kubernetes configuration")]
    Kube(#[from] kube::Error),
    /// Control port.
    #[error("the control port does not serve")]
    Control(#[from] ServerError),
    /// Control certificate.
    #[error("TLS of the control port is not usable")]
    Tls(#[from] TlsError),
    /// Admin port.
    #[error("the admin port does not serve")]
    Admin(#[from] AdminError),
    /// REST port.
    #[error("cannot listen on {address}")]
    Http {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// Serves until `signal`, then stops in order: not ready, keep serving, stop taking work, finish, exit.
///
/// # Errors
/// See [`ServeError`].
pub async fn run(args: &ServeArgs, signal: CancellationToken) -> Result<(), ServeError> {
    let account = args.livekit()?;
    let keys = AuthKeys::load(&args.auth_dir)?;
    let tokens = Arc::new(Tokens::from_pem(&keys.signing_key_pem)?);
    let db = connect(args, &keys).await?;
    let client = Client::try_default().await?;

    let health = Health::new();
    let metrics = Metrics::default();
    let admin_stop = CancellationToken::new();
    let admin = start_admin(args, &health, &metrics, &admin_stop).await?;

    // Everything below stops by this token, a while after the signal.
    let stop = CancellationToken::new();
    let tasks = Tasks::new(stop.clone());
    let serving = health.check("serving");

    let (directory, writers) = DirectoryWriters::empty();
    let reflectors = Reflectors::start(&client, writers, &stop);
    tasks.spawn("reflectors", reflectors.finished());
    tasks.spawn("reflector readiness", await_reflectors(directory.clone(), health.check("reflectors")));
    tasks.spawn("database readiness", watch_database(db.clone(), health.check("database"), stop.clone()));

    let rooms = Arc::new(Rooms::new(&account));
    let registry = Arc::new(Registry::default());
    let lifecycle = Arc::new(Lifecycle::new(db.clone(), Arc::clone(&rooms), metrics.clone()));
    let placer = Placer::new(PlacerParts {
        db: db.clone(),
        rooms: Arc::clone(&rooms),
        account: account.clone(),
        directory: directory.clone(),
        registry: Arc::clone(&registry),
        lifecycle: Arc::clone(&lifecycle),
        metrics: metrics.clone(),
        replica: args.replica.clone(),
    });
    let knowledge = Knowledge::new(KubeClient(client.clone()));
    tasks.spawn("knowledge model", knowledge.clone().load(args.models_dir.clone()));
    let control = Arc::new(ControlParts {
        db: db.clone(),
        kube: KubeClient(client.clone()),
        tokens: Arc::clone(&tokens),
        directory: directory.clone(),
        registry: Arc::clone(&registry),
        lifecycle: Arc::clone(&lifecycle),
        knowledge,
        metrics: metrics.clone(),
        replica: args.replica.clone(),
    });

    start_rest(
        args,
        App {
            tokens,
            admin: BootstrapAdmin::new(keys.bootstrap_email.clone(), keys.bootstrap_password.clone()),
            directory: directory.clone(),
            db: db.clone(),
            kube: client,
            health: health.clone(),
        },
        &tasks,
    )
    .await?;
    start_control(args, &control, &tasks, health.check("control")).await?;
    tasks.spawn("commands", control::deliver(control, stop.clone()));

    // Jobs are taken only when numbers can be resolved and calls stored.
    let ready = health.clone();
    let (offers, offered) = mpsc::channel(OFFER_QUEUE);
    let (reports, reported) = mpsc::channel(REPORT_QUEUE);
    let (worker, status) = Worker::new(account, offers, reported);
    tasks.spawn("worker readiness", watch_worker(status, health.check("livekit worker"), stop.clone()));
    let sweeper = Sweeper { db, rooms, placer: Arc::clone(&placer), lifecycle, registry, metrics };
    let worker_stop = stop.clone();
    tasks.spawn("worker", async move {
        if until_able(&ready, &worker_stop).await {
            worker.run(worker_stop).await;
        }
    });
    tasks.spawn("placements", Arc::clone(&placer).run(offered, reports, stop.clone()));
    tasks.spawn("handovers", Arc::clone(&placer).take_handovers(stop.clone()));
    let (able, sweeper_stop) = (health.clone(), stop.clone());
    tasks.spawn("sweeper", async move {
        if until_able(&able, &sweeper_stop).await {
            sweeper.run(sweeper_stop).await;
        }
    });
    serving.pass();
    info!("the API is starting to serve; /readyz on the admin port names what is missing");

    tokio::select! {
        () = signal.cancelled() => {}
        () = stop.cancelled() => warn!("a part the API cannot work without has ended"),
    }
    serving.fail("shutting down");
    sleep(Duration::from_secs(args.shutdown_delay_seconds)).await;
    if let Err(unfinished) = tasks.stop(STOP_GRACE).await {
        warn!(error = %ErrorChain(&unfinished), "some tasks had to be cut short");
    }
    admin_stop.cancel();
    if let Err(error) = admin.await {
        warn!(%error, "the admin server did not end cleanly");
    }
    Ok(())
}

async fn connect(args: &ServeArgs, keys: &AuthKeys) -> Result<Db, ServeError> {
    let options = DbOptions {
        application_name: format!("voxplane-api {}", args.replica),
        max_connections: args.database_connections,
        data_key: Some(DataKey::from_base64(&STANDARD.encode(keys.data_key))?),
        ..DbOptions::default()
    };
    Ok(Db::connect(args.database_url.expose_secret(), options).await?)
}

async fn start_admin(
    args: &ServeArgs,
    health: &Health,
    metrics: &Metrics,
    stop: &CancellationToken,
) -> Result<tokio::task::JoinHandle<()>, ServeError> {
    let build = Build {
        service: "voxplane-api",
        version: env!("CARGO_PKG_VERSION"),
        revision: option_env!("VOXPLANE_REVISION").unwrap_or("unknown"),
    };
    let mut registry = registry(build);
    metrics.register(&mut registry);
    let server = AdminServer::bind(args.admin_address, health.clone(), registry).await?;
    let stop = stop.clone();
    Ok(tokio::spawn(async move {
        if let Err(error) = server.serve(stop).await {
            warn!(error = %ErrorChain(&error), "the admin server ended");
        }
    }))
}

async fn start_rest(args: &ServeArgs, app: App, tasks: &Tasks) -> Result<(), ServeError> {
    let address = args.http_address;
    let listener = TcpListener::bind(address).await.map_err(|source| ServeError::Http { address, source })?;
    let stop = tasks.token().clone();
    tasks.spawn_critical("rest", async move {
        axum::serve(listener, rest::router(Arc::new(app))).with_graceful_shutdown(stop.cancelled_owned()).await
    });
    Ok(())
}

/// The port is bound at once; it serves when the operator has made the certificate.
async fn start_control(
    args: &ServeArgs,
    parts: &Arc<ControlParts>,
    tasks: &Tasks,
    check: Check,
) -> Result<(), ServeError> {
    let listener = control::bind(args.control_address).await?;
    let (dir, parts, stop) = (args.control_tls_dir.clone(), Arc::clone(parts), tasks.token().clone());
    tasks.spawn_critical("control", async move {
        let certificate = loop {
            match ControlCertificate::load(&dir) {
                Ok(certificate) => break certificate,
                Err(error) => check.fail(describe(&error)),
            }
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = sleep(FILE_POLL) => {}
            }
        };
        let tls = certificate.server_config()?;
        check.pass();
        let sessions = TaskTracker::new();
        let service = ControlService::new(parts, stop.clone(), sessions.clone());
        let reload = tokio::spawn(certificate.reload(stop.clone()));
        let served = control::serve(listener, tls, service, stop).await;
        sessions.close();
        sessions.wait().await;
        reload.abort();
        served.map_err(ServeError::from)
    });
    Ok(())
}

async fn await_reflectors(directory: Directory, check: Check) {
    check.fail("waiting for the first list of agencies");
    let waits = async {
        directory.agencies.wait_until_ready().await?;
        check.fail("waiting for the first list of tenants");
        directory.tenants.wait_until_ready().await?;
        check.fail("waiting for the first list of voice agents");
        directory.agents.wait_until_ready().await?;
        check.fail("waiting for the first list of phone numbers");
        directory.numbers.wait_until_ready().await?;
        check.fail("waiting for the first list of knowledge bases");
        directory.bases.wait_until_ready().await
    };
    match waits.await {
        Ok(()) => check.pass(),
        Err(_) => check.fail("the watches were stopped"),
    }
}

async fn watch_database(db: Db, check: Check, stop: CancellationToken) {
    loop {
        match db.ready().await {
            Ok(()) => check.pass(),
            Err(error) => check.fail(describe(&error)),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(DATABASE_POLL) => {}
        }
    }
}

/// Required once: a replica that never reached LiveKit is misconfigured. Afterwards LiveKit's absence is only reported,
/// because an unready replica would also lose REST and the runtime pods.
async fn watch_worker(mut status: watch::Receiver<WorkerStatus>, check: Check, stop: CancellationToken) {
    let mut registered = false;
    loop {
        match *status.borrow_and_update() {
            WorkerStatus::Registered => {
                registered = true;
                check.pass();
            }
            WorkerStatus::Connecting if registered => {
                check.pass_with("not registered with LiveKit now: this replica gets no new calls");
            }
            WorkerStatus::Connecting => check.fail("not registered with LiveKit"),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            changed = status.changed() => if changed.is_err() { return },
        }
    }
}

/// Waits for everything but the LiveKit worker itself; false when stopped before.
async fn until_able(health: &Health, stop: &CancellationToken) -> bool {
    loop {
        let report = health.report().to_string();
        let missing = report.lines().any(|line| line.starts_with("[-]") && !line.contains("livekit worker"));
        if !missing {
            return true;
        }
        tokio::select! {
            () = stop.cancelled() => return false,
            () = sleep(Duration::from_millis(200)) => {}
        }
    }
}
