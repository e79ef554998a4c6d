//! The parts of a pod that say where it may run, and which model files it sees there. Pods stay within Pod Security
//! `restricted` whatever an agent asks for: claims and images are read-only, and there is no way to ask for a path of the
//! host, a Secret or a token.

use k8s_openapi::api::core::v1::{
    ConfigMapVolumeSource, ImageVolumeSource, PersistentVolumeClaimVolumeSource, Toleration as PodToleration,
    TopologySpreadConstraint, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use voxplane_crds::labels;
use voxplane_crds::voice_agent::scheduling::{MODELS_PREFIX, TolerationOperator, Topology, WhenUnsatisfiable};
use voxplane_crds::voice_agent::{ModelVolume, Toleration};

use super::super::validate::Pool;
use super::deployment::mount;

const HOST: &str = "kubernetes.io/hostname";
const ZONE: &str = "topology.kubernetes.io/zone";

/// The loss of a node should not take all pods of a pool: over hosts they are always spread, as far as possible. What
/// the agent asks for comes first.
pub fn spread(pool: &Pool) -> Vec<TopologySpreadConstraint> {
    let constraint = |key: &str, when: WhenUnsatisfiable| TopologySpreadConstraint {
        max_skew: 1,
        topology_key: key.to_owned(),
        when_unsatisfiable: when.as_str().to_owned(),
        label_selector: Some(LabelSelector {
            match_labels: Some(labels::pool_selector(&pool.agency, &pool.tenant, pool.id.deployment())),
            ..LabelSelector::default()
        }),
        // Pods of an older version do not count: else a rollout would be spread around them.
        match_label_keys: Some(vec!["pod-template-hash".to_owned()]),
        // A closed node is no place that a substitute would have to be spread to. Where it only costs points, the pods
        // of existing pools are left alone.
        node_taints_policy: (when == WhenUnsatisfiable::DoNotSchedule).then(|| "Honor".to_owned()),
        ..TopologySpreadConstraint::default()
    };
    let over_hosts = constraint(HOST, WhenUnsatisfiable::ScheduleAnyway);
    match &pool.shape.scheduling.topology_spread {
        Some(asked) if asked.over == Topology::Zone => vec![constraint(ZONE, asked.when_unsatisfiable), over_hosts],
        Some(asked) => vec![constraint(HOST, asked.when_unsatisfiable)],
        None => vec![over_hosts],
    }
}

/// Taints that the pods put up with; nothing rather than an empty list, which would count as a difference.
pub fn tolerations(asked: &[Toleration]) -> Option<Vec<PodToleration>> {
    let tolerate = |toleration: &Toleration| PodToleration {
        key: toleration.key.clone(),
        operator: Some(match toleration.operator {
            TolerationOperator::Equal => "Equal".to_owned(),
            TolerationOperator::Exists => "Exists".to_owned(),
        }),
        value: toleration.value.clone(),
        effect: toleration.effect.map(|effect| effect.as_str().to_owned()),
        toleration_seconds: toleration.toleration_seconds,
    };
    (!asked.is_empty()).then(|| asked.iter().map(tolerate).collect())
}

/// The prefix keeps them apart from the pod's own volumes.
fn volume_name(volume: &ModelVolume) -> String {
    format!("model-{}", volume.name)
}

/// The volumes with model files.
pub fn model_volumes(volumes: &[ModelVolume]) -> impl Iterator<Item = Volume> {
    volumes.iter().map(|volume| Volume {
        name: volume_name(volume),
        persistent_volume_claim: volume
            .persistent_volume_claim
            .as_ref()
            .map(|claim| PersistentVolumeClaimVolumeSource { claim_name: claim.name.clone(), read_only: Some(true) }),
        config_map: volume
            .config_map
            .as_ref()
            .map(|map| ConfigMapVolumeSource { name: map.name.clone(), ..ConfigMapVolumeSource::default() }),
        image: volume.image.as_ref().map(|image| ImageVolumeSource {
            reference: Some(image.reference.clone()),
            ..ImageVolumeSource::default()
        }),
        ..Volume::default()
    })
}

/// Where they appear.
pub fn model_mounts(volumes: &[ModelVolume]) -> impl Iterator<Item = VolumeMount> {
    volumes.iter().map(|volume| mount(&volume_name(volume), &format!("{MODELS_PREFIX}/{}", volume.name), true))
}
