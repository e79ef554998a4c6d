//! Who may manage and look at a tenant's resources. The roles are fixed and give no access to Secrets, pods or
//! ServiceAccounts; who is in the groups is up to the identity provider.

use std::collections::BTreeMap;

use k8s_openapi::api::rbac::v1::RoleBinding;
use voxplane_crds::names;

use super::super::validate::Valid;
use crate::namespaces::{binding, group, meta};

/// Bindings of the groups `voxplane:<agency>:<tenant>:admin` and `:view`, and of the agency's `voxplane:<agency>:admin`
/// and `:view`. A colon cannot occur in a name, so no two groups are written alike.
pub fn bindings(valid: &Valid, own: &BTreeMap<String, String>) -> Vec<RoleBinding> {
    let Valid { agency, tenant, namespace, .. } = valid;
    let people = |role: &str, what: &str| {
        let groups =
            vec![group(format!("voxplane:{agency}:{tenant}:{what}")), group(format!("voxplane:{agency}:{what}"))];
        binding(meta(namespace, role, own), role, groups)
    };
    vec![people(names::TENANT_ADMIN_ROLE, "admin"), people(names::TENANT_VIEW_ROLE, "view")]
}
