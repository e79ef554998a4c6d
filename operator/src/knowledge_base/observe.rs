//! Everything that is read for a knowledge base.

use voxplane_crds::KnowledgeBase;
use voxplane_store::resources::ResourceKind;

use crate::context::Context;
use crate::error::Error;
use crate::home::{self, Home};
use crate::identity::{Identity, identify};
use crate::status::Problem;

/// What was seen.
#[derive(Debug)]
pub struct Observed {
    /// Its tenant, or why it has none.
    pub home: Result<Home, Problem>,
    /// Its id; `None` while its tenant is not accepted.
    pub identity: Option<Identity>,
}

/// Reads everything.
///
/// # Errors
/// When the database fails.
pub async fn read(base: &KnowledgeBase, ctx: &Context) -> Result<Observed, Error> {
    let home = home::find(ctx.stores(), &base.metadata);
    let identity = match &home {
        Ok(home) => {
            let (agency, tenant) = (Some(home.agency_id), Some(home.tenant_id));
            Some(identify(ctx, base, ResourceKind::KnowledgeBase, agency, tenant).await?)
        }
        Err(_) => None,
    };
    Ok(Observed { home, identity })
}
