//! How many pods somebody asked for, and whether the Deployment has one more for a while. Pure.
//!
//! The one more is written down in the Deployment itself: a new leader finds it there, and whoever goes on from what is
//! deployed does not take it for a wish.

use k8s_openapi::api::apps::v1::Deployment;
use kube::ResourceExt as _;
use voxplane_crds::labels;

/// Pods that were asked for. `None`: the Deployment does not say.
#[must_use]
pub fn wanted(deployment: &Deployment) -> Option<i32> {
    let deployed = deployment.spec.as_ref()?.replicas?;
    Some(if has_one_more(deployment) { deployed - 1 } else { deployed })
}

/// Whether it has one pod more than was asked for. An annotation that does not fit the number is old: somebody has
/// changed the number since.
#[must_use]
pub fn has_one_more(deployment: &Deployment) -> bool {
    let written = deployment.annotations().get(labels::WANTED_REPLICAS).and_then(|count| count.parse::<i32>().ok());
    let deployed = deployment.spec.as_ref().and_then(|spec| spec.replicas);
    written.is_some_and(|written| written.checked_add(1) == deployed)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::json;

    /// A pool's Deployment that somebody asked to have `wanted` pods.
    pub(crate) fn deployment(deployed: i32, wanted: Option<&str>) -> Deployment {
        serde_json::from_value(json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {
                "name": "voxplane-runtime",
                "annotations": wanted.map(|wanted| json!({ labels::WANTED_REPLICAS: wanted })),
            },
            "spec": {"replicas": deployed, "selector": {}, "template": {}},
        }))
        .unwrap()
    }

    #[test]
    fn the_one_more_is_not_read_back_as_a_wish() {
        let of = |deployment: &Deployment| (wanted(deployment), has_one_more(deployment));
        assert_eq!(of(&deployment(4, Some("3"))), (Some(3), true));
        assert_eq!(of(&deployment(4, None)), (Some(4), false));
        assert_eq!(of(&deployment(0, Some("3"))), (Some(0), false), "the pool was told to have none");
        assert_eq!(of(&deployment(4, Some("many"))), (Some(4), false));
        assert_eq!(of(&Deployment::default()), (None, false));
    }
}
