//! Everything that is read for an agency.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::{Api, ResourceExt as _};
use voxplane_crds::agency::CarrierConnection;
use voxplane_crds::{Agency, names};
use voxplane_store::resources::ResourceKind;
use voxplane_telephony::E164;

use crate::caller_ids;
use crate::context::Context;
use crate::error::Error;
use crate::identity::{Identity, identify};
use crate::namespaces::ensure::look_up;
use crate::watch::Stores;

/// What was seen.
#[derive(Clone, Debug)]
pub struct Observed {
    /// Its id.
    pub identity: Identity,
    /// The namespace of the agency's name, whoever made it.
    pub namespace: Option<Namespace>,
    /// How many tenants it has.
    pub tenants: usize,
    /// The Secrets that its connections name, by name; absent if missing.
    pub secrets: BTreeMap<String, Secret>,
    /// The numbers its tenants have, by connection.
    pub numbers: BTreeMap<String, BTreeSet<E164>>,
    /// The numbers that those who are called may see, by connection.
    pub caller_ids: BTreeMap<String, BTreeSet<E164>>,
    /// The namespace of the platform itself.
    pub system_namespace: String,
}

/// Reads everything.
///
/// # Errors
/// When the API server or the database fails.
pub async fn read(agency: &Agency, ctx: &Context) -> Result<Observed, Error> {
    let name = agency.name_any();
    let identity = identify(ctx, agency, ResourceKind::Agency, None, None).await?;
    let own = names::agency_namespace(&name);
    let namespace = look_up(&own, ctx).await?;
    let stores = ctx.stores();
    let all_numbers = stores.numbers.state();
    let claims = ctx.router.court.judgement(stores);
    let numbers = agency
        .spec
        .carriers
        .iter()
        .map(|carrier| (carrier.name.clone(), claims.of_carrier(&all_numbers, &name, &carrier.name)))
        .collect();
    let caller_ids = caller_ids::of_agency(&name, &claims, &all_numbers);
    let secrets = if namespace.is_some() { secrets(agency, &own, ctx).await? } else { BTreeMap::new() };
    Ok(Observed {
        identity,
        tenants: Stores::keys_within(&stores.tenants, &own).len(),
        namespace,
        secrets,
        numbers,
        caller_ids,
        system_namespace: ctx.settings.system_namespace.clone(),
    })
}

async fn secrets(agency: &Agency, namespace: &str, ctx: &Context) -> Result<BTreeMap<String, Secret>, Error> {
    let api = Api::<Secret>::namespaced(ctx.client.clone(), namespace);
    let mut found = BTreeMap::new();
    let own = agency.spec.carriers.iter().filter_map(CarrierConnection::secret_ref);
    let outbound = agency.spec.carriers.iter().filter_map(CarrierConnection::outbound_secret_ref);
    for (_, reference, _) in own.chain(outbound) {
        let read = api.get_opt(&reference.name).await;
        let read = match read {
            // Our rights in a namespace begin with the RoleBinding that the first pass makes.
            Err(kube::Error::Api(status)) if status.is_forbidden() && !bound(ctx, namespace) => None,
            other => other.map_err(Error::kubernetes(format!("read Secret {namespace}/{}", reference.name)))?,
        };
        if let Some(secret) = read {
            found.insert(reference.name.clone(), secret);
        }
    }
    Ok(found)
}

fn bound(ctx: &Context, namespace: &str) -> bool {
    ctx.stores().namespaces.get(&kube::runtime::reflector::ObjectRef::new(namespace)).is_some()
}
