//! Which pools of a squad have no free call slot, whichever replica their pods are connected to.

use std::collections::HashSet;

use voxplane_crds::names::PoolId;
use voxplane_store::{AgencyId, Scope, TenantId, sessions};

use super::{PlaceError, Placer};
use crate::cluster::ids;
use crate::placement::pick::{Candidate, has_free_slot};
use crate::placement::{answers, resolve};

impl Placer {
    /// The full ones of the pools that could answer. Nothing is asked where it makes no difference: for a number with
    /// one agent, or for a squad in one pool.
    pub(super) async fn full_pools(&self, dialled: &str, trunk: Option<&str>) -> Result<HashSet<PoolId>, PlaceError> {
        let world = &self.parts.directory;
        let Some(claim) = resolve::claim_of(world, dialled, trunk) else { return Ok(HashSet::new()) };
        let mut full = answers::pools(world, &claim);
        let owners = world.owners(claim.metadata.namespace.as_deref().unwrap_or_default());
        let Some((agency, tenant)) = owners.and_then(|(agency, tenant)| ids(&agency, &tenant)) else {
            return Ok(HashSet::new());
        };
        full.retain(|pool| !self.parts.registry.candidates(pool).iter().any(Candidate::is_free));
        if full.is_empty() {
            return Ok(full);
        }
        let mut tx = self.parts.db.begin(&Scope::tenant(AgencyId(agency), TenantId(tenant))).await?;
        let mut elsewhere = HashSet::new();
        for pool in &full {
            let pods = sessions::pods(&mut tx, &pool.to_string()).await?;
            if pods.iter().any(|pod| pod.api_replica != self.parts.replica && has_free_slot(pod)) {
                elsewhere.insert(pool.clone());
            }
        }
        full.retain(|pool| !elsewhere.contains(pool));
        Ok(full)
    }
}

#[cfg(all(test, feature = "test-postgres"))]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::auth::SessionIdentity;
    use crate::testbed::{NAMESPACE, NUMBER, POOL, TRUNK, Testbed, eventually, no_livekit};

    #[tokio::test]
    async fn a_pool_is_full_when_no_replica_has_a_free_pod_of_it() {
        let mut bed = Testbed::start(no_livekit()).await;
        let (shared, own) = (PoolId::parse(POOL).unwrap(), PoolId::dedicated_in(NAMESPACE, "second"));
        let dedicated = json!({"runtime": {"placement": "Dedicated"}});
        bed.fixture.agent_on(&own.to_string(), NAMESPACE, "second", Uuid::now_v7(), dedicated);
        let squad = json!({"routing": "Priority", "agents": [{"name": "second"}, {"name": "agent"}]});
        let spec = json!({"number": NUMBER, "carrier": "sip", "squad": squad});
        bed.fixture.number(NAMESPACE, "main", Uuid::now_v7(), spec, Some(TRUNK));
        let full = async || bed.placer.full_pools(NUMBER, Some(TRUNK)).await.unwrap();
        assert_eq!(full().await, HashSet::from([shared, own.clone()]), "no pod is connected");
        let _here = bed.pod("a").await;
        assert_eq!(full().await, HashSet::from([own.clone()]));

        let other = bed.beside("api-1", no_livekit()).await;
        let identity = SessionIdentity { pod_uid: "uid-b".into(), pod_name: "b".into(), pool: own.to_string() };
        let mut hello = other.hello("b");
        let credential = other.credential(&identity);
        hello.credential = Some(voxplane_control::v1::hello::Credential::SessionCredential(credential));
        let _there = other.dial(hello).await.unwrap();
        eventually("the pod of the other replica counts", async || full().await.is_empty()).await;
    }
}
