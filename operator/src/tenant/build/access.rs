//! Who may manage and look at a tenant's resources. The roles are fixed and give no access to Secrets, pods or
//! ServiceAccounts.

use std::collections::BTreeMap;

use k8s_openapi::api::rbac::v1::RoleBinding;
use voxplane_crds::members::MemberRole;

use super::super::validate::Valid;
use crate::members;
use crate::namespaces::{binding, group, meta};

/// One binding per role: of the members with it, and of the groups `voxplane:<agency>:<tenant>:<role>` and
/// `voxplane:<agency>:<role>`, where the role is `admin`, `edit` or `view` and who is in them is up to the identity
/// provider. A colon cannot occur in a name, so no two groups are written alike.
pub fn bindings(valid: &Valid, own: &BTreeMap<String, String>) -> Vec<RoleBinding> {
    let Valid { agency, tenant, namespace, .. } = valid;
    let people = |role: MemberRole| {
        let (what, cluster_role) = (members::word(role), members::in_tenant(role));
        let mut subjects =
            vec![group(format!("voxplane:{agency}:{tenant}:{what}")), group(format!("voxplane:{agency}:{what}"))];
        subjects.extend(members::subjects(&valid.members, role));
        binding(meta(namespace, cluster_role, own), cluster_role, subjects)
    };
    MemberRole::ALL.map(people).into()
}
