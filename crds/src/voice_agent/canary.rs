//! An image that is tried on a share of the calls.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::Slots;
use crate::defaults::defaults;

/// An image that is tried on a share of the calls, on pods of its own beside those of the pool.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Canary {
    /// Container image of these pods. Setting it needs the right `set-limits`, as `image` does.
    #[schemars(length(min = 1, max = 255), pattern(r"^[^\s]+$"))]
    pub image: String,
    /// How many of a hundred new calls they get, as long as they have room; and how many pods there are of them for a
    /// hundred of the pool, at least one. Omitted: 10.
    #[serde(default = "default::percent")]
    #[schemars(range(min = 1, max = 50))]
    pub percent: i32,
}

impl Canary {
    /// Pods beside a pool of `replicas`: at least one, unless the pool has none.
    #[must_use]
    pub fn pods_beside(&self, replicas: i32) -> i32 {
        if replicas <= 0 { 0 } else { replicas.saturating_mul(self.percent).saturating_add(99) / 100 }
    }
}

/// The pods with the image that is tried.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CanaryStatus {
    /// Their pool, as `<namespace>/<deployment>`.
    #[serde(default)]
    #[schemars(length(max = 127))]
    pub pool: String,
    /// Their image.
    #[serde(default)]
    #[schemars(length(max = 255))]
    pub image: String,
    /// Pods.
    #[serde(default)]
    pub replicas: i32,
    /// Pods that are ready.
    #[serde(default)]
    pub ready_replicas: i32,
    /// Calls they can carry and carry. Omitted: no pod has reported yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slots: Option<Slots>,
}

defaults! {
    percent: i32 = 10;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_canary_has_its_share_of_pods_and_at_least_one() {
        let pods = |percent, replicas| Canary { image: "r:2".to_owned(), percent }.pods_beside(replicas);
        assert_eq!([pods(10, 1), pods(10, 10), pods(10, 11), pods(50, 3), pods(1, 100)], [1, 1, 2, 2, 1]);
        assert_eq!(pods(50, 0), 0, "a pool without pods takes no calls, and nothing is tried on it");
    }
}
