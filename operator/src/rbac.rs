//! The rights the operator needs, and which code needs them.
//!
//! # In the whole cluster: ClusterRole `voxplane-operator`
//!
//! - `voxplane.dev` agencies, tenants, voiceagents, phonenumbers, knowledgebases: get, list, watch, patch. The watches of
//!   [`watch`](crate::watch); patch sets finalizers in [`apply`](crate::apply). Specs are never written.
//! - the same without agencies: delete. An agency takes its tenants with it, a tenant its resources
//!   ([`agency`](crate::agency), [`tenant`](crate::tenant)).
//! - the same, `/status`: patch. [`kind`](crate::kind).
//! - namespaces: get, list, watch, create, patch, delete. [`agency`](crate::agency), [`tenant`](crate::tenant).
//! - `rbac.authorization.k8s.io` rolebindings: get, create, patch. The first thing in a namespace just made
//!   ([`namespaces`](crate::namespaces)).
//! - `rbac.authorization.k8s.io` clusterroles named `voxplane-agency-admin`, `voxplane-agency-edit`,
//!   `voxplane-agency-view`, `voxplane-tenant-admin`, `voxplane-tenant-edit`, `voxplane-tenant-view`,
//!   `voxplane-runtime-manager`, `voxplane-knowledge-reader`: bind. No other role can be given away
//!   ([`members`](crate::members)).
//! - `apps` deployments, and pods: list, watch. [`voice_agent`](crate::voice_agent), [`pool`](crate::pool).
//! - nodes: list, watch. Which take no new pods; their metadata, and of the closed ones only
//!   ([`pool::closed_nodes`](crate::pool::closed_nodes)).
//! - `events.k8s.io` events: create, patch. [`events`](crate::events).
//!
//! # In the namespaces of agencies and tenants: ClusterRole `voxplane-runtime-manager`, bound by the operator itself
//!
//! - secrets: get, create, patch, delete. Keys that agents and carriers name, and the assembled set. Never listed.
//! - serviceaccounts, configmaps: get, create, patch, delete. The pool's account, the control authorities.
//! - resourcequotas, limitranges: get, create, patch.
//! - `networking.k8s.io` networkpolicies: get, list, create, patch, delete. Withdrawn allowances are removed.
//! - `policy` poddisruptionbudgets, `apps` deployments: get, create, patch, delete. The pools, and how many pods they
//!   have.
//! - pods: get, patch. The marks of busy pods and of those on closed nodes ([`pool`](crate::pool)).
//!
//! # In the platform's own namespace: Role `voxplane-operator`
//!
//! - `coordination.k8s.io` leases: get, create, update. Leader election ([`run`](crate::run)).
//! - secrets: create; get and patch of `voxplane-control-tls` and `voxplane-control-ca`
//!   ([`control_tls`](crate::control_tls)).
