//! The Deployment of a pool's pods. Nothing in the pod template depends on what an agent says or on the keys: a change
//! of those reaches running pods, and a change of the template would restart them.

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment};
use k8s_openapi::api::core::v1::{
    Capabilities, ConfigMapVolumeSource, Container, ContainerPort, EmptyDirVolumeSource, EnvVar, HTTPGetAction,
    Lifecycle, LifecycleHandler, PodSecurityContext, PodSpec, PodTemplateSpec, Probe, ProjectedVolumeSource,
    SeccompProfile, SecretVolumeSource, SecurityContext, ServiceAccountTokenProjection, SleepAction, Volume,
    VolumeMount, VolumeProjection,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::api::ObjectMeta;
use voxplane_crds::{labels, names};

use super::super::credentials;
use super::super::pool::DRAIN_MARGIN_SECONDS;
use super::super::validate::Pool;
use super::{meta, own_labels, scheduling};

const TOKEN_DIR: &str = "/var/run/secrets/voxplane";
const CREDENTIALS_DIR: &str = "/etc/voxplane/credentials";
const CONTROL_CA_DIR: &str = "/etc/voxplane/control-ca";
const SPOOL_DIR: &str = "/var/lib/voxplane/spool";
const MODELS_DIR: &str = "/opt/voxplane/models";
const ADMIN_PORT: i32 = 9090;
/// The user of the platform's images.
const USER: i64 = 65532;
/// How long a token is valid; the kubelet renews it at 80 %. The API's own session credential outlives it.
const TOKEN_SECONDS: i64 = 3600;
/// From the start of the process to its signal handlers, with a margin for a busy node.
const START_MARGIN_SECONDS: i64 = 2;

pub fn build(pool: &Pool) -> Deployment {
    let selector = labels::pool_selector(&pool.agency, &pool.tenant, pool.id.deployment());
    let mut metadata = meta(pool, &pool.id, pool.id.deployment());
    // On the Deployment, not on its pods: there it would restart them.
    let wanted = pool.shape.one_more.then(|| (labels::WANTED_REPLICAS.to_owned(), pool.shape.replicas.to_string()));
    let hash = (labels::CREDENTIALS_HASH.to_owned(), credentials::hash(&pool.keys));
    metadata.annotations = Some(std::iter::once(hash).chain(wanted).collect());
    let mut pod_labels = own_labels(pool);
    pod_labels.insert(labels::POOL.to_owned(), pool.id.deployment().to_owned());
    pod_labels.insert("app.kubernetes.io/name".to_owned(), "voxplane-agent-runtime".to_owned());
    Deployment {
        metadata,
        spec: Some(DeploymentSpec {
            replicas: Some(pool.shape.replicas + i32::from(pool.shape.one_more)),
            revision_history_limit: Some(2),
            selector: LabelSelector { match_labels: Some(selector), ..LabelSelector::default() },
            strategy: Some(DeploymentStrategy {
                type_: Some("RollingUpdate".to_owned()),
                rolling_update: Some(RollingUpdateDeployment {
                    max_surge: Some(IntOrString::Int(i32::from(pool.shape.surges))),
                    max_unavailable: Some(IntOrString::Int(i32::from(!pool.shape.surges))),
                }),
            }),
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta { labels: Some(pod_labels), ..ObjectMeta::default() }),
                spec: Some(pod(pool)),
            },
            ..DeploymentSpec::default()
        }),
        ..Deployment::default()
    }
}

fn pod(pool: &Pool) -> PodSpec {
    let wanted = &pool.shape.scheduling;
    PodSpec {
        service_account_name: Some(pool.id.deployment().to_owned()),
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        termination_grace_period_seconds: Some(pool.shape.grace_seconds),
        security_context: Some(PodSecurityContext {
            run_as_non_root: Some(true),
            run_as_user: Some(USER),
            run_as_group: Some(USER),
            fs_group: Some(USER),
            seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".to_owned(), ..SeccompProfile::default() }),
            ..PodSecurityContext::default()
        }),
        topology_spread_constraints: Some(scheduling::spread(pool)),
        node_selector: (!wanted.node_selector.is_empty()).then(|| wanted.node_selector.clone()),
        tolerations: scheduling::tolerations(&wanted.tolerations),
        runtime_class_name: wanted.runtime_class_name.clone(),
        priority_class_name: wanted.priority_class_name.clone(),
        containers: vec![container(pool)],
        volumes: Some(volumes(pool)),
        ..PodSpec::default()
    }
}

fn container(pool: &Pool) -> Container {
    Container {
        name: "runtime".to_owned(),
        image: Some(pool.shape.image.clone()),
        image_pull_policy: Some(pool.runtime.pull_policy.as_str().to_owned()),
        env: Some(env(pool)),
        ports: Some(vec![ContainerPort {
            name: Some("admin".to_owned()),
            container_port: ADMIN_PORT,
            protocol: Some("TCP".to_owned()),
            ..ContainerPort::default()
        }]),
        resources: Some(pool.shape.resources.clone()),
        // A process that is number 1 ignores SIGTERM until it has installed its handler, and the kubelet sends it
        // once: a pod deleted while it starts would live out its whole grace.
        lifecycle: Some(Lifecycle {
            pre_stop: Some(LifecycleHandler {
                sleep: Some(SleepAction { seconds: START_MARGIN_SECONDS }),
                ..LifecycleHandler::default()
            }),
            ..Lifecycle::default()
        }),
        // Loading the models takes a few seconds; two minutes on a slow, busy node.
        startup_probe: Some(probe("/healthz", 2, 60)),
        liveness_probe: Some(probe("/healthz", 10, 3)),
        readiness_probe: Some(probe("/readyz", 5, 3)),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            read_only_root_filesystem: Some(true),
            run_as_non_root: Some(true),
            capabilities: Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), ..Capabilities::default() }),
            ..SecurityContext::default()
        }),
        volume_mounts: Some(mounts(pool)),
        ..Container::default()
    }
}

fn mounts(pool: &Pool) -> Vec<VolumeMount> {
    let own = [
        mount("token", TOKEN_DIR, true),
        mount("credentials", CREDENTIALS_DIR, true),
        mount("control-ca", CONTROL_CA_DIR, true),
        mount("spool", SPOOL_DIR, false),
        mount("tmp", "/tmp", false),
    ];
    own.into_iter().chain(scheduling::model_mounts(&pool.shape.scheduling.volumes)).collect()
}

fn env(pool: &Pool) -> Vec<EnvVar> {
    let drain = pool.shape.grace_seconds.saturating_sub(DRAIN_MARGIN_SECONDS / 2);
    let mut env = vec![
        ("VOXPLANE_POOL", pool.id.to_string()),
        ("VOXPLANE_CONTROL_URL", pool.runtime.control_url.clone()),
        ("VOXPLANE_CONTROL_CA", format!("{CONTROL_CA_DIR}/ca.crt")),
        ("VOXPLANE_TOKEN_FILE", format!("{TOKEN_DIR}/token")),
        ("VOXPLANE_CREDENTIALS_DIR", CREDENTIALS_DIR.to_owned()),
        ("VOXPLANE_SLOTS", pool.shape.calls_per_replica.to_string()),
        ("VOXPLANE_SPOOL_DIR", SPOOL_DIR.to_owned()),
        ("VOXPLANE_MODELS_DIR", MODELS_DIR.to_owned()),
        ("VOXPLANE_DRAIN_GRACE_SECONDS", drain.to_string()),
    ];
    env.extend(pool.runtime.livekit_probe_url.clone().map(|url| ("VOXPLANE_LIVEKIT_PROBE_URL", url)));
    // Only where there are some: an installation without them keeps its pods as they are.
    let ranges = Some(pool.runtime.tool_cidrs.join(",")).filter(|ranges| !ranges.is_empty());
    env.extend(ranges.map(|ranges| ("VOXPLANE_TOOL_ALLOWED_CIDRS", ranges)));
    let value =
        |(name, value): (&str, String)| EnvVar { name: name.to_owned(), value: Some(value), ..EnvVar::default() };
    let from_pod = |name: &str, path: &str| EnvVar {
        name: name.to_owned(),
        value_from: Some(k8s_openapi::api::core::v1::EnvVarSource {
            field_ref: Some(k8s_openapi::api::core::v1::ObjectFieldSelector {
                // What the API server fills in: else it would count as a difference.
                api_version: Some("v1".to_owned()),
                field_path: path.to_owned(),
            }),
            ..Default::default()
        }),
        ..EnvVar::default()
    };
    env.into_iter()
        .map(value)
        .chain([
            from_pod("POD_NAME", "metadata.name"),
            from_pod("POD_NAMESPACE", "metadata.namespace"),
            from_pod("POD_UID", "metadata.uid"),
        ])
        .collect()
}

fn volumes(pool: &Pool) -> Vec<Volume> {
    let scratch = |name: &str, size: &str| Volume {
        name: name.to_owned(),
        empty_dir: Some(EmptyDirVolumeSource {
            size_limit: Some(Quantity(size.to_owned())),
            ..EmptyDirVolumeSource::default()
        }),
        ..Volume::default()
    };
    let token = ServiceAccountTokenProjection {
        audience: Some(labels::RUNTIME_TOKEN_AUDIENCE.to_owned()),
        expiration_seconds: Some(TOKEN_SECONDS),
        path: "token".to_owned(),
    };
    let own = [
        Volume {
            name: "token".to_owned(),
            projected: Some(ProjectedVolumeSource {
                sources: Some(vec![VolumeProjection {
                    service_account_token: Some(token),
                    ..VolumeProjection::default()
                }]),
                ..ProjectedVolumeSource::default()
            }),
            ..Volume::default()
        },
        Volume {
            name: "credentials".to_owned(),
            secret: Some(SecretVolumeSource {
                secret_name: Some(pool.id.credentials()),
                default_mode: Some(0o440),
                ..SecretVolumeSource::default()
            }),
            ..Volume::default()
        },
        Volume {
            name: "control-ca".to_owned(),
            config_map: Some(ConfigMapVolumeSource {
                name: names::CONTROL_CA_CONFIG_MAP.to_owned(),
                ..ConfigMapVolumeSource::default()
            }),
            ..Volume::default()
        },
        scratch("spool", "256Mi"),
        scratch("tmp", "64Mi"),
    ];
    own.into_iter().chain(scheduling::model_volumes(&pool.shape.scheduling.volumes)).collect()
}

pub(super) fn mount(name: &str, path: &str, read_only: bool) -> VolumeMount {
    VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        read_only: read_only.then_some(true),
        ..VolumeMount::default()
    }
}

fn probe(path: &str, period_seconds: i32, failure_threshold: i32) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::String("admin".to_owned()),
            ..HTTPGetAction::default()
        }),
        period_seconds: Some(period_seconds),
        failure_threshold: Some(failure_threshold),
        timeout_seconds: Some(2),
        ..Probe::default()
    }
}
