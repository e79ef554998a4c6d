//! A Prometheus registry that starts with build information.

use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

/// Identifies what is running; becomes the labels of `voxplane_build_info`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Build {
    /// The binary, e.g. `voxplane-api`.
    pub service: &'static str,
    /// Its version, normally `env!("CARGO_PKG_VERSION")`.
    pub version: &'static str,
    /// The source revision, normally `option_env!("VOXPLANE_REVISION").unwrap_or("unknown")`.
    pub revision: &'static str,
}

/// A registry holding `voxplane_build_info`. Register everything else, then hand it to
/// [`AdminServer::bind`](crate::admin::AdminServer::bind).
#[must_use]
pub fn registry(build: Build) -> Registry {
    let mut registry = Registry::default();
    let labels = vec![("service", build.service), ("version", build.version), ("revision", build.revision)];
    registry.register("voxplane_build", "What is running", Info::new(labels));
    registry
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn build_information_is_a_metric() {
        let registry = registry(Build { service: "voxplane-test", version: "1.2.3", revision: "abc" });
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        assert!(
            text.contains(r#"voxplane_build_info{service="voxplane-test",version="1.2.3",revision="abc"} 1"#),
            "{text}"
        );
    }
}
