//! Where pods run, what they get there, and what replaces them.

use k8s_openapi::api::apps::v1::RollingUpdateDeployment;
use k8s_openapi::api::core::v1::{PodSpec, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use voxplane_crds::tenant::GpuQuota;

use super::*;

fn granted(count: i32, agents: Vec<VoiceAgent>) -> Observed {
    let mut seen = seen(agents);
    let gpu = GpuQuota { resource_name: "nvidia.com/gpu".to_owned(), count };
    seen.home.as_mut().unwrap().tenant.spec.quotas.gpus = vec![gpu];
    seen
}

fn of(seen: &Observed) -> Deployment {
    build::all(&validate::check(&seen.agents[0], seen).unwrap()).deployment
}

fn template(spec: &str) -> PodTemplateSpec {
    of(&granted(4, vec![agent(NAMESPACE, "a", spec)])).spec.unwrap().template
}

fn pod(spec: &str) -> PodSpec {
    template(spec).spec.unwrap()
}

/// The hash of the template decides whether pods are replaced: what it holds must be there for a reason.
#[test]
fn only_what_a_pod_is_made_of_replaces_it() {
    let plain = template("{}");
    for harmless in [
        "{runtime: {replicas: 7}}",
        "{runtime: {scaling: {mode: Operator, min: 2, max: 9, headroomSlots: 3}}}",
        "{runtime: {replicas: 0, scaling: {mode: External}}}",
        "{limits: {maxDurationSeconds: 1900}, persona: other, paused: true}",
        "{messages: {busy: 'Call later.'}, silence: {maxPrompts: 1}, bargeIn: {enabled: false}}",
    ] {
        assert!(template(harmless) == plain, "{harmless} replaces pods");
    }
    let changes = [
        "{runtime: {callsPerReplica: 5}}",
        "{runtime: {gpu: {}}}",
        "{runtime: {gpu: {count: 2}}}",
        "{runtime: {image: 'r:2'}}",
        "{runtime: {resources: {requests: {cpu: '1'}}}}",
        "{runtime: {nodeSelector: {disk: ssd}}}",
        "{runtime: {tolerations: [{operator: Exists}]}}",
        "{runtime: {topologySpread: {over: Zone}}}",
        "{runtime: {topologySpread: {whenUnsatisfiable: DoNotSchedule}}}",
        "{runtime: {runtimeClassName: nvidia}}",
        "{runtime: {priorityClassName: calls}}",
        "{runtime: {volumes: [{name: m, configMap: {name: words}}]}}",
        "{limits: {maxDurationSeconds: 14000}}",
    ];
    let mut seen = vec![plain];
    for change in changes {
        let changed = template(change);
        assert!(!seen.contains(&changed), "{change} must reach the pods");
        seen.push(changed);
    }
}

#[test]
fn a_pod_gets_what_the_agent_asks_of_the_scheduler() {
    let pod = pod("{runtime: {gpu: {count: 2}, nodeSelector: {'example.com/pool': gpu}, runtimeClassName: nvidia, \
         priorityClassName: calls, tolerations: [{key: gpu, value: 'yes', effect: NoSchedule}], \
         topologySpread: {over: Zone, whenUnsatisfiable: DoNotSchedule}, volumes: [\
         {name: voices, persistentVolumeClaim: {name: models}}, {name: words, configMap: {name: words}}, \
         {name: ears, image: {reference: 'r/m:1'}}]}}");
    assert_eq!(pod.node_selector.unwrap()["example.com/pool"], "gpu");
    assert_eq!(
        (pod.runtime_class_name.as_deref(), pod.priority_class_name.as_deref()),
        (Some("nvidia"), Some("calls"))
    );
    let toleration = &pod.tolerations.unwrap()[0];
    assert_eq!((toleration.operator.as_deref(), toleration.value.as_deref()), (Some("Equal"), Some("yes")));
    let spread: Vec<_> = pod
        .topology_spread_constraints
        .unwrap()
        .into_iter()
        .map(|one| (one.topology_key, one.when_unsatisfiable))
        .collect();
    let pair = |key: &str, when: &str| (key.to_owned(), when.to_owned());
    assert_eq!(
        spread,
        [pair("topology.kubernetes.io/zone", "DoNotSchedule"), pair("kubernetes.io/hostname", "ScheduleAnyway")]
    );
    let container = &pod.containers[0];
    let resources = container.resources.as_ref().unwrap();
    for list in [&resources.requests, &resources.limits] {
        assert_eq!(list.as_ref().unwrap()["nvidia.com/gpu"].0, "2");
    }
    assert!(resources.requests.as_ref().unwrap().contains_key("cpu"), "the computed requests stay");
    let models: Vec<_> = container
        .volume_mounts
        .iter()
        .flatten()
        .filter(|mount| mount.name.starts_with("model-"))
        .map(|mount| (mount.mount_path.as_str(), mount.read_only))
        .collect();
    assert_eq!(models, [("/models/voices", Some(true)), ("/models/words", Some(true)), ("/models/ears", Some(true))]);
    let claim = pod.volumes.unwrap().into_iter().find_map(|volume| volume.persistent_volume_claim).unwrap();
    assert_eq!((claim.claim_name.as_str(), claim.read_only), ("models", Some(true)));
    assert!(container.startup_probe.is_some() && container.readiness_probe.is_some());
}

/// The strictest Pod Security Standard, as the API server checks it for the namespace (policy of Kubernetes 1.33).
#[test]
fn pods_stay_restricted_whatever_is_asked_for() {
    let everything = "{runtime: {gpu: {}, runtimeClassName: nvidia, priorityClassName: calls, \
                      tolerations: [{operator: Exists}], volumes: [{name: a, persistentVolumeClaim: {name: m}}, \
                      {name: b, configMap: {name: w}}, {name: c, image: {reference: 'r/m:1'}}]}}";
    for spec in ["{}", everything] {
        let pod = pod(spec);
        assert!(pod.host_network.is_none() && pod.host_pid.is_none() && pod.host_ipc.is_none());
        let security = pod.security_context.as_ref().unwrap();
        assert_eq!(security.run_as_non_root, Some(true));
        assert_eq!(security.seccomp_profile.as_ref().unwrap().type_, "RuntimeDefault");
        for volume in serde_json::to_value(&pod.volumes).unwrap().as_array().unwrap() {
            let kinds: Vec<_> = volume.as_object().unwrap().keys().filter(|key| *key != "name").cloned().collect();
            let allowed = ["configMap", "emptyDir", "image", "persistentVolumeClaim", "projected", "secret"];
            assert!(kinds.len() == 1 && allowed.contains(&kinds[0].as_str()), "{volume}");
        }
        for container in &pod.containers {
            let security = container.security_context.as_ref().unwrap();
            assert_eq!(security.allow_privilege_escalation, Some(false));
            assert_eq!(security.capabilities.as_ref().unwrap().drop.as_deref(), Some(&["ALL".to_owned()][..]));
            assert!(container.ports.iter().flatten().all(|port| port.host_port.is_none()));
        }
        // The only Secret is the operator's own.
        let secrets: Vec<_> = pod.volumes.iter().flatten().filter_map(|volume| volume.secret.as_ref()).collect();
        assert_eq!(secrets.len(), 1);
        assert_eq!(secrets[0].secret_name.as_deref(), Some("voxplane-runtime-credentials"));
    }
}

fn surge(seen: &Observed) -> (i32, i32) {
    let strategy = of(seen).spec.unwrap().strategy.unwrap();
    let RollingUpdateDeployment { max_surge, max_unavailable } = strategy.rolling_update.unwrap();
    let number = |value: Option<IntOrString>| match value.unwrap() {
        IntOrString::Int(number) => number,
        IntOrString::String(text) => panic!("{text}"),
    };
    (number(max_surge), number(max_unavailable))
}

#[test]
fn a_rollout_surges_unless_the_gpus_do_not_suffice() {
    let with_gpu = || agent(NAMESPACE, "a", "{runtime: {replicas: 2, gpu: {}}}");
    assert_eq!(surge(&seen(vec![agent(NAMESPACE, "a", "{runtime: {replicas: 2}}")])), (1, 0));
    assert_eq!(surge(&granted(3, vec![with_gpu()])), (1, 0));
    let full = granted(2, vec![with_gpu()]);
    assert_eq!(surge(&full), (0, 1));
    let plan = validate::check(&full.agents[0], &full);
    let status = status::compute(&full.agents[0], &full, &plan, now());
    let programmed = voxplane_crds::conditions::find(&status.conditions, types::PROGRAMMED).unwrap();
    assert_eq!(programmed.status, "True");
    assert!(programmed.message.contains("maxSurge 0") && programmed.message.contains("spec.quotas.gpus"));
    // A pool beside it takes its part of the grant.
    let neighbour = agent(NAMESPACE, "b", "{runtime: {placement: Dedicated, replicas: 1, gpu: {}}}");
    assert_eq!(surge(&granted(3, vec![with_gpu(), neighbour.clone()])), (0, 1));
    assert_eq!(surge(&granted(4, vec![with_gpu(), neighbour])), (1, 0));
}

fn problem(seen: &Observed, index: usize) -> (&'static str, String) {
    let problem = validate::check(&seen.agents[index], seen).unwrap_err();
    (problem.reason, problem.message)
}

#[test]
fn what_cannot_be_scheduled_is_refused_with_the_fix() {
    let (reason, message) = problem(&seen(vec![agent(NAMESPACE, "a", "{runtime: {gpu: {}}}")]), 0);
    assert_eq!(reason, reasons::QUOTA_EXCEEDED);
    assert!(message.contains("spec.runtime.gpu") && message.contains("spec.quotas.gpus of the Tenant"), "{message}");
    let other = "{runtime: {gpu: {resourceName: amd.com/gpu}}}";
    assert_eq!(problem(&granted(9, vec![agent(NAMESPACE, "a", other)]), 0).0, reasons::QUOTA_EXCEEDED);
    let hidden = "{runtime: {resources: {limits: {nvidia.com/gpu: '1'}}}}";
    let (reason, message) = problem(&seen(vec![agent(NAMESPACE, "a", hidden)]), 0);
    assert_eq!(reason, reasons::INVALID);
    assert!(message.contains("spec.runtime.gpu"), "{message}");
    for key in ["", "a b", "/a", "a/", "Up.example/x", "-a"] {
        let spec = format!("{{runtime: {{nodeSelector: {{'{key}': x}}}}}}");
        assert_eq!(problem(&seen(vec![agent(NAMESPACE, "a", &spec)]), 0).0, reasons::INVALID, "{key}");
    }
}

#[test]
fn agents_that_share_pods_agree_on_them_or_one_gets_its_own() {
    let aged = |name: &str, spec: &str, day: u8| {
        let mut agent = agent(NAMESPACE, name, spec);
        let time = format!("2026-01-{day:02}T00:00:00Z").parse().unwrap();
        agent.metadata.creation_timestamp = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(time));
        agent
    };
    let older = aged("z", "{runtime: {nodeSelector: {disk: ssd}}}", 1);
    let younger = aged("a", "{runtime: {nodeSelector: {disk: hdd}}}", 2);
    let both = seen(vec![younger, older.clone()]);
    let (reason, message) = problem(&both, 0);
    assert_eq!(reason, reasons::INVALID);
    assert!(message.contains("spec.runtime.nodeSelector") && message.contains("Dedicated"), "{message}");
    assert_eq!(validate::check(&both.agents[1], &both).unwrap().pool.shape.scheduling.node_selector["disk"], "ssd");
    let apart = aged("a", "{runtime: {placement: Dedicated, nodeSelector: {disk: hdd}}}", 2);
    let apart = seen(vec![apart, older]);
    assert_eq!(validate::check(&apart.agents[0], &apart).unwrap().pool.shape.scheduling.node_selector["disk"], "hdd");
    let silent = seen(vec![aged("a", "{}", 1), aged("b", "{runtime: {gpu: {}}}", 2)]);
    assert_eq!(scheduling::of_pool(&pool::by_age(&silent.agents)).gpu.unwrap().count, 1, "who says nothing goes along");
}
