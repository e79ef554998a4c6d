//! What every controller works with.

use std::sync::Arc;

use k8s_openapi::jiff::Timestamp;
use kube::Client;

use crate::carriers::Carriers;
use crate::config::Settings;
use crate::control_tls::ControlCa;
use crate::database::Database;
use crate::events::Events;
use crate::identity::Ids;
use crate::knowledge_base::Tools;
use crate::livekit::{LiveKit, Programmed};
use crate::metrics::Metrics;
use crate::phone_number::fallback::memory::Fallbacks;
use crate::pool::Pools;
use crate::watch::{Router, Stores};

/// What every controller works with.
pub struct Context {
    /// The API server.
    pub client: Client,
    /// Configuration.
    pub settings: Settings,
    /// Caches and queues.
    pub router: Arc<Router>,
    /// Postgres.
    pub database: Database,
    /// Carriers that sell numbers.
    pub carriers: Carriers,
    /// What is remembered of what carriers were told about fallbacks.
    pub fallbacks: Fallbacks,
    /// LiveKit, if configured.
    pub livekit: Option<LiveKit>,
    /// What is known to be programmed in LiveKit.
    pub programmed: Programmed,
    /// What connected runtime pods have reported.
    pub pools: Pools,
    /// The certificate authority of the control port.
    pub control_ca: ControlCa,
    /// Ids that were registered since the process started.
    pub ids: Ids,
    /// What knowledge bases are filled with.
    pub knowledge: Tools,
    /// Events.
    pub events: Events,
    /// Metrics.
    pub metrics: Metrics,
}

impl Context {
    /// The caches.
    #[must_use]
    pub fn stores(&self) -> &Stores {
        &self.router.stores
    }

    /// The time, for conditions.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").field("settings", &self.settings).finish_non_exhaustive()
    }
}
