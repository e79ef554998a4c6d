//! A caller's role and scope, and what each role may do (the permission matrix of the product).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// The five roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything, everywhere.
    PlatformAdmin,
    /// Everything of one agency and its tenants.
    AgencyAdmin,
    /// Reads one agency and its tenants.
    AgencyUser,
    /// Everything of one tenant.
    TenantAdmin,
    /// Reads one tenant.
    TenantUser,
}

/// One thing a route does. Named after the permission matrix; `voice_agents.*` follows the matrix' `settings.*`
/// (view: everybody; edit: administrators).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Permission {
    /// Read agencies.
    AgenciesView,
    /// Read tenants.
    TenantsView,
    /// Read phone numbers.
    PhoneNumbersView,
    /// Read calls, their transcripts and events.
    CallsView,
    /// Act on a live call, for example hang up.
    CallsControl,
    /// Read knowledge bases.
    KnowledgeView,
    /// Read voice agents.
    VoiceAgentsView,
    /// Create, change and delete voice agents.
    VoiceAgentsEdit,
}

impl Permission {
    /// Dotted name, as messages show it.
    pub fn name(self) -> &'static str {
        match self {
            Self::AgenciesView => "agencies.view",
            Self::TenantsView => "tenants.view",
            Self::PhoneNumbersView => "phone_numbers.view",
            Self::CallsView => "calls.view",
            Self::CallsControl => "calls.control",
            Self::KnowledgeView => "knowledge.view",
            Self::VoiceAgentsView => "voice_agents.view",
            Self::VoiceAgentsEdit => "voice_agents.edit",
        }
    }
}

impl Role {
    /// Whether this role has the permission at all; the scope still limits it to the caller's own resources.
    pub fn allows(self, permission: Permission) -> bool {
        use Permission as P;
        use Role as R;
        match permission {
            // An agency's users may read their own agency.
            P::AgenciesView => matches!(self, R::PlatformAdmin | R::AgencyAdmin | R::AgencyUser),
            P::TenantsView | P::PhoneNumbersView | P::CallsView | P::KnowledgeView | P::VoiceAgentsView => true,
            P::CallsControl | P::VoiceAgentsEdit => {
                matches!(self, R::PlatformAdmin | R::AgencyAdmin | R::TenantAdmin)
            }
        }
    }
}

/// How far a principal sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Everything.
    Platform,
    /// One agency and its tenants.
    Agency(Uuid),
    /// One tenant.
    Tenant {
        /// The tenant's agency.
        agency: Uuid,
        /// The tenant.
        tenant: Uuid,
    },
}

impl Reach {
    /// Whether an object of `agency` (and `tenant`, when it belongs to one) is visible.
    pub fn covers(self, agency: Option<Uuid>, tenant: Option<Uuid>) -> bool {
        match self {
            Self::Platform => true,
            Self::Agency(own) => agency == Some(own),
            Self::Tenant { agency: own, tenant: mine } => agency == Some(own) && tenant == Some(mine),
        }
    }
}

/// An authenticated caller. Its reach is decided when it is made, so a handler cannot forget it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Stable id of the caller.
    pub subject: String,
    /// E-mail address, shown by `GET /auth/me`.
    pub email: String,
    /// The role.
    pub role: Role,
    /// The agency of every role but the platform administrator.
    pub agency: Option<Uuid>,
    /// The tenant of the tenant roles.
    pub tenant: Option<Uuid>,
    reach: Reach,
}

impl Principal {
    /// `None` when role and scope do not fit each other, for example a tenant role without a tenant.
    pub fn new(subject: String, email: String, role: Role, agency: Option<Uuid>, tenant: Option<Uuid>) -> Option<Self> {
        let reach = match (role, agency, tenant) {
            (Role::PlatformAdmin, None, None) => Reach::Platform,
            (Role::AgencyAdmin | Role::AgencyUser, Some(agency), None) => Reach::Agency(agency),
            (Role::TenantAdmin | Role::TenantUser, Some(agency), Some(tenant)) => Reach::Tenant { agency, tenant },
            _ => return None,
        };
        Some(Self { subject, email, role, agency, tenant, reach })
    }

    /// How far this principal sees.
    pub fn reach(&self) -> Reach {
        self.reach
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn principal(role: Role, agency: Option<Uuid>, tenant: Option<Uuid>) -> Option<Principal> {
        Principal::new("s".into(), "a@b".into(), role, agency, tenant)
    }

    #[test]
    fn a_role_without_its_scope_is_nobody() {
        let id = Some(Uuid::nil());
        assert!(principal(Role::TenantAdmin, id, None).is_none());
        assert!(principal(Role::AgencyAdmin, None, None).is_none());
        // A platform administrator bound to an agency would be a wider token than it looks.
        assert!(principal(Role::PlatformAdmin, id, None).is_none());
        assert!(principal(Role::TenantUser, id, id).is_some());
    }

    #[test]
    fn reach_never_crosses_agencies_or_tenants() {
        let (a, b, t, u) = (Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(3), Uuid::from_u128(4));
        let tenant = Reach::Tenant { agency: a, tenant: t };
        assert!(tenant.covers(Some(a), Some(t)));
        assert!(!tenant.covers(Some(a), Some(u)));
        assert!(!tenant.covers(Some(b), Some(t)));
        assert!(!tenant.covers(Some(a), None), "an agency-level object is not the tenant's");
        assert!(Reach::Agency(a).covers(Some(a), Some(u)));
        assert!(!Reach::Agency(a).covers(Some(b), None));
        assert!(!Reach::Agency(a).covers(None, None), "an object without an id belongs to nobody yet");
    }

    #[test]
    fn readers_change_nothing() {
        for role in [Role::AgencyUser, Role::TenantUser] {
            assert!(!role.allows(Permission::VoiceAgentsEdit));
            assert!(!role.allows(Permission::CallsControl));
            assert!(role.allows(Permission::CallsView));
        }
        assert!(!Role::TenantAdmin.allows(Permission::AgenciesView));
    }
}
