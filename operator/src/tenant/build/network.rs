//! What a tenant's pods may reach: nothing, but for DNS, the API's control port and what the installation allows.

use std::collections::BTreeMap;

use k8s_openapi::api::networking::v1::{
    IPBlock, NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicyPort,
    NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use voxplane_crds::labels;

use super::super::validate::Valid;
use crate::config::EgressAllowance;
use crate::namespaces;

/// Port of the API's control service.
const CONTROL_PORT: i32 = 9443;
/// Admin port of runtime pods: metrics are scraped from the platform's namespace. Probes come from the node, which
/// network policies do not hold back.
const ADMIN_PORT: i32 = 9090;

/// All policies of a tenant, in a fixed order.
pub fn policies(valid: &Valid, own: &BTreeMap<String, String>) -> Vec<NetworkPolicy> {
    let policy = |name: &str, spec: NetworkPolicySpec| NetworkPolicy {
        metadata: namespaces::meta(&valid.namespace, name, own),
        spec: Some(spec),
    };
    let mut policies = vec![
        policy(
            "default-deny",
            NetworkPolicySpec {
                policy_types: Some(vec!["Ingress".to_owned(), "Egress".to_owned()]),
                ..NetworkPolicySpec::default()
            },
        ),
        policy(
            "allow-dns",
            egress(NetworkPolicyEgressRule {
                to: Some(vec![NetworkPolicyPeer {
                    namespace_selector: Some(namespace_named("kube-system")),
                    pod_selector: Some(selector([("k8s-app", "kube-dns")])),
                    ..NetworkPolicyPeer::default()
                }]),
                ports: Some(vec![port("UDP", 53, None), port("TCP", 53, None)]),
            }),
        ),
        policy(
            "allow-control",
            egress(NetworkPolicyEgressRule {
                to: Some(vec![NetworkPolicyPeer {
                    namespace_selector: Some(namespace_named(&valid.system_namespace)),
                    ..NetworkPolicyPeer::default()
                }]),
                ports: Some(vec![port("TCP", CONTROL_PORT, None)]),
            }),
        ),
        policy(
            "allow-metrics",
            NetworkPolicySpec {
                pod_selector: Some(runtime_pods()),
                policy_types: Some(vec!["Ingress".to_owned()]),
                ingress: Some(vec![NetworkPolicyIngressRule {
                    from: Some(vec![NetworkPolicyPeer {
                        namespace_selector: Some(namespace_named(&valid.system_namespace)),
                        ..NetworkPolicyPeer::default()
                    }]),
                    ports: Some(vec![port("TCP", ADMIN_PORT, None)]),
                }]),
                ..NetworkPolicySpec::default()
            },
        ),
    ];
    policies.extend(valid.egress.iter().enumerate().map(|(index, allowance)| {
        // Two allowances may have the same name (several ranges of one service).
        policy(&format!("allow-{}-{index}", allowance.name), egress(allowed(allowance)))
    }));
    policies
}

fn allowed(allowance: &EgressAllowance) -> NetworkPolicyEgressRule {
    let ports: Vec<_> = allowance
        .ports
        .iter()
        .map(|range| port(&range.protocol, i32::from(range.port), range.end_port.map(i32::from)))
        .collect();
    NetworkPolicyEgressRule {
        to: Some(vec![NetworkPolicyPeer {
            ip_block: Some(IPBlock { cidr: allowance.cidr.clone(), ..IPBlock::default() }),
            ..NetworkPolicyPeer::default()
        }]),
        ports: (!ports.is_empty()).then_some(ports),
    }
}

fn egress(rule: NetworkPolicyEgressRule) -> NetworkPolicySpec {
    NetworkPolicySpec {
        pod_selector: Some(runtime_pods()),
        policy_types: Some(vec!["Egress".to_owned()]),
        egress: Some(vec![rule]),
        ..NetworkPolicySpec::default()
    }
}

fn runtime_pods() -> LabelSelector {
    selector([(labels::COMPONENT, labels::COMPONENT_RUNTIME)])
}

/// The label that Kubernetes itself puts on every namespace; nobody can give it to another.
fn namespace_named(name: &str) -> LabelSelector {
    selector([("kubernetes.io/metadata.name", name)])
}

fn selector<const N: usize>(labels: [(&str, &str); N]) -> LabelSelector {
    LabelSelector {
        match_labels: Some(labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into()),
        ..LabelSelector::default()
    }
}

fn port(protocol: &str, port: i32, end: Option<i32>) -> NetworkPolicyPort {
    NetworkPolicyPort { protocol: Some(protocol.to_owned()), port: Some(IntOrString::Int(port)), end_port: end }
}
