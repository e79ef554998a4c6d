//! The members of agencies and tenants as the subjects of RoleBindings. Pure.
//!
//! The operator binds fixed ClusterRoles only, and may bind no others: whatever a list of members says, nobody gets more
//! than these give, and only in the namespaces of the agency or tenant whose list it is.

use k8s_openapi::api::rbac::v1::Subject;
use voxplane_crds::members::{Member, MemberKind, MemberRole};
use voxplane_crds::names;

/// The ClusterRole in a tenant's namespace.
#[must_use]
pub const fn in_tenant(role: MemberRole) -> &'static str {
    match role {
        MemberRole::Admin => names::TENANT_ADMIN_ROLE,
        MemberRole::Editor => names::TENANT_EDIT_ROLE,
        MemberRole::Viewer => names::TENANT_VIEW_ROLE,
    }
}

/// The ClusterRole in an agency's namespace.
#[must_use]
pub const fn in_agency(role: MemberRole) -> &'static str {
    match role {
        MemberRole::Admin => names::AGENCY_ADMIN_ROLE,
        MemberRole::Editor => names::AGENCY_EDIT_ROLE,
        MemberRole::Viewer => names::AGENCY_VIEW_ROLE,
    }
}

/// The role in names of groups.
#[must_use]
pub const fn word(role: MemberRole) -> &'static str {
    match role {
        MemberRole::Admin => "admin",
        MemberRole::Editor => "edit",
        MemberRole::Viewer => "view",
    }
}

/// The members with a role, each once.
#[must_use]
pub fn subjects(members: &[Member], role: MemberRole) -> Vec<Subject> {
    let mut subjects = Vec::new();
    for member in members.iter().filter(|member| member.role == role) {
        let subject = subject(member);
        if !subjects.contains(&subject) {
            subjects.push(subject);
        }
    }
    subjects
}

fn subject(member: &Member) -> Subject {
    let kind = match member.kind {
        MemberKind::User => "User",
        MemberKind::Group => "Group",
        MemberKind::ServiceAccount => "ServiceAccount",
    };
    let is_account = member.kind == MemberKind::ServiceAccount;
    Subject {
        // Accounts are of the core group, whose name is empty.
        api_group: (!is_account).then(|| "rbac.authorization.k8s.io".to_owned()),
        kind: kind.to_owned(),
        name: member.name.clone(),
        namespace: is_account.then(|| member.namespace.clone()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_are_bound_by_what_they_are_and_only_with_their_role() {
        let members: Vec<Member> = serde_json::from_value(json!([
            {"kind": "User", "name": "ada@example.com", "role": "Admin"},
            {"kind": "Group", "name": "support", "role": "Editor"},
            {"kind": "ServiceAccount", "name": "sync", "namespace": "ci", "role": "Admin"},
            {"kind": "User", "name": "ada@example.com", "role": "Admin"},
        ]))
        .unwrap();
        let admins = serde_json::to_value(subjects(&members, MemberRole::Admin)).unwrap();
        let expected = json!([
            {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "ada@example.com"},
            {"kind": "ServiceAccount", "name": "sync", "namespace": "ci"},
        ]);
        assert_eq!(admins, expected, "each once, though the agency and the tenant name them");
        let names = |role| subjects(&members, role).into_iter().map(|subject| subject.name).collect::<Vec<_>>();
        assert_eq!(names(MemberRole::Editor), ["support"]);
        assert!(names(MemberRole::Viewer).is_empty());
    }
}
