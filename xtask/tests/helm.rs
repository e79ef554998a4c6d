//! Promises of the charts that show only when Helm runs: what renders, what is refused, and in which words. Helm is
//! found through the variable HELM (`eval "$(lab tools --env)"`) or on the PATH.
#![cfg(feature = "test-helm")]
// Helpers of tests may panic as the tests themselves may.
#![allow(clippy::unwrap_used, clippy::panic)]

use serde::Deserialize as _;
use serde_json::Value;
use std::{collections::BTreeSet, env, fs, path::PathBuf, process::Command};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What Helm prints, or its complaint.
fn helm(arguments: &[&str]) -> Result<String, String> {
    let program = env::var_os("HELM").filter(|helm| !helm.is_empty()).map_or_else(|| PathBuf::from("helm"), Into::into);
    let mut command = Command::new(&program);
    command.args(arguments).current_dir(root().join("charts"));
    let output = command.output().unwrap_or_else(|error| {
        panic!("cannot run {}: {error}; set HELM: eval \"$(lab tools --env)\"", program.display())
    });
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

/// The chart with the values of the reference install and more.
fn render(more: &[&str]) -> Result<Vec<Value>, String> {
    let mut arguments = vec!["template", "voxplane", "voxplane", "--namespace", "voxplane-system"];
    arguments.extend(["--kube-version", "1.33.0", "--values", "../manifests/install/values.yaml"]);
    arguments.extend(more);
    let text = helm(&arguments)?;
    let documents = serde_yaml_ng::Deserializer::from_str(&text).map(|document| Value::deserialize(document).unwrap());
    Ok(documents.filter(|document| !document.is_null()).collect())
}

fn named<'a>(objects: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let found = objects.iter().find(|object| object["kind"] == kind && object["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("no {kind} {name} is rendered"))
}

fn kinds(objects: &[Value]) -> BTreeSet<&str> {
    objects.iter().filter_map(|object| object["kind"].as_str()).collect()
}

const MONITORING: [&str; 2] = [
    "--set",
    "monitoring.serviceMonitor.enabled=true,monitoring.runtimePodMonitor.enabled=true,monitoring.rules.enabled=true",
];

#[test]
fn the_charts_are_clean() {
    for (chart, values) in [("voxplane-crds", None), ("voxplane", Some("../manifests/install/values.yaml"))] {
        let mut arguments = vec!["lint", "--strict", chart];
        arguments.extend(values.iter().flat_map(|values| ["--values", *values]));
        helm(&arguments).unwrap_or_else(|error| panic!("{chart}: {error}"));
    }
}

#[test]
fn every_combination_of_switches_renders() {
    let switches =
        ["networkPolicy.enabled", "policies.enabled", "monitoring.serviceMonitor.enabled", "monitoring.rules.enabled"];
    for bits in 0..1 << switches.len() {
        let set: Vec<String> =
            switches.iter().enumerate().map(|(bit, switch)| format!("{switch}={}", bits >> bit & 1 == 1)).collect();
        let set = set.join(",");
        for sizes in ["operator.replicas=1,api.replicas=1", "operator.replicas=2,api.replicas=3"] {
            let objects = render(&["--set", &set, "--set", sizes]).unwrap_or_else(|error| panic!("{set}: {error}"));
            for object in &objects {
                assert!(object["apiVersion"].is_string() && object["metadata"]["name"].is_string(), "{set}: {object}");
            }
            let mut ids = BTreeSet::new();
            for object in &objects {
                let id =
                    format!("{} {} {}", object["kind"], object["metadata"]["namespace"], object["metadata"]["name"]);
                assert!(ids.insert(id.clone()), "{set}: {id} is rendered twice");
            }
        }
    }
}

#[test]
fn what_is_off_renders_nothing() {
    let kinds_of =
        |more: &[&str]| -> Vec<String> { kinds(&render(more).unwrap()).into_iter().map(str::to_owned).collect() };
    let plain = kinds_of(&[]);
    for kind in ["ServiceMonitor", "PodMonitor", "PrometheusRule", "PodDisruptionBudget"] {
        assert!(!plain.iter().any(|rendered| rendered == kind), "{kind} without being asked for");
    }
    let all = kinds_of(&[&MONITORING[..], &["--values", "voxplane/values-ha.yaml"]].concat());
    for kind in ["ServiceMonitor", "PodMonitor", "PrometheusRule", "PodDisruptionBudget"] {
        assert!(all.iter().any(|rendered| rendered == kind), "{kind} although it is asked for");
    }
    let without = kinds_of(&["--set", "networkPolicy.enabled=false,policies.enabled=false"]);
    for kind in ["NetworkPolicy", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"] {
        assert!(!without.iter().any(|rendered| rendered == kind), "{kind} although it is off");
    }
}

#[test]
fn high_availability_spreads_and_protects() {
    let values = ["--values", "voxplane/values-ha.yaml", "--set", "api.priorityClassName=calls"];
    let objects = render(&values).unwrap();
    for name in ["voxplane-api", "voxplane-operator"] {
        let deployment = named(&objects, "Deployment", name);
        assert!(deployment["spec"]["replicas"].as_i64().unwrap() > 1, "{name}");
        let spread = &deployment["spec"]["template"]["spec"]["topologySpreadConstraints"];
        assert_eq!(spread[0]["topologyKey"], "kubernetes.io/hostname", "{name}");
        assert_eq!(spread[0]["whenUnsatisfiable"], "DoNotSchedule", "{name}");
        assert_eq!(spread[1]["topologyKey"], "topology.kubernetes.io/zone", "{name}");
        let selector = &deployment["spec"]["selector"]["matchLabels"];
        assert_eq!(&spread[0]["labelSelector"]["matchLabels"], selector, "{name}");
        assert_eq!(
            &named(&objects, "PodDisruptionBudget", name)["spec"]["selector"]["matchLabels"],
            selector,
            "{name}"
        );
    }
    let api = named(&objects, "Deployment", "voxplane-api");
    assert_eq!(api["spec"]["template"]["spec"]["priorityClassName"], "calls");
}

/// What a person reads who has misspelt something.
#[test]
fn wrong_values_are_refused_by_name() {
    for (wrong, words) in [
        ("api.replcas=3", "additional properties 'replcas' not allowed"),
        ("monitring.rules.enabled=true", "additional properties 'monitring' not allowed"),
        ("api.replicas=many", "at '/api/replicas': got string, want integer"),
        ("operator.replicas=6", "at '/operator/replicas': maximum: got 6, want 5"),
        ("api.service.type=Ingress", "at '/api/service/type'"),
        ("image.pullPolicy=Sometimes", "at '/image/pullPolicy'"),
        ("livekit.url=livekit:7880", "at '/livekit/url'"),
        ("livekit.sipAddress=sip:host@x", "at '/livekit/sipAddress'"),
        ("auth.bootstrapPassword=short", "at '/auth/bootstrapPassword'"),
        ("runtime.egress[0].cidr=example.com", "at '/runtime/egress/0"),
        ("runtime.toolEgress.allowedCidrs[0]=crm.example", "at '/runtime/toolEgress/allowedCidrs/0'"),
        ("api.spread=Sometimes", "at '/api/spread'"),
        ("monitoring.serviceMonitor.interval=often", "at '/monitoring/serviceMonitor/interval'"),
    ] {
        let error = render(&["--set", wrong]).err().unwrap_or_else(|| panic!("{wrong} is accepted"));
        assert!(error.contains(words), "{wrong}: the message does not say {words:?}:\n{error}");
    }
}

#[test]
fn a_missing_connection_is_named() {
    for (section, words) in [
        ("postgres", "postgres: set `postgres.existingSecret`, or `postgres.ownerUrl`"),
        ("livekit", "livekit: set `livekit.existingSecret`, or `livekit.url`"),
    ] {
        let error = render(&["--set", &format!("{section}.existingSecret=")]).unwrap_err();
        assert!(error.contains(words), "{error}");
    }
}

/// Every value has a description, and the schema has every value.
#[test]
fn the_schema_describes_every_value() {
    let read = |file: &str| fs::read_to_string(root().join("charts/voxplane").join(file)).unwrap();
    let schema: Value = serde_json::from_str(&read("values.schema.json")).unwrap();
    let values: Value = serde_yaml_ng::from_str(&read("values.yaml")).unwrap();
    described("", &schema);
    covered("", &values, &schema);
}

fn described(path: &str, schema: &Value) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        assert!(property["description"].as_str().is_some_and(|text| text.ends_with('.')), "{path} has no description");
        if property["type"] == "object" && property["properties"].is_object() {
            assert_eq!(property["additionalProperties"], false, "{path} takes anything");
        }
        described(&path, property);
        described(&format!("{path}[]"), &property["items"]);
    }
}

fn covered(path: &str, values: &Value, schema: &Value) {
    for (name, value) in values.as_object().into_iter().flatten() {
        let property = &schema["properties"][name];
        assert!(property.is_object(), "{path}.{name} is not in the schema");
        if property["properties"].is_object() {
            covered(&format!("{path}.{name}"), value, property);
        }
    }
}

fn alerts() -> Vec<Value> {
    let objects = render(&MONITORING).unwrap();
    let rule = named(&objects, "PrometheusRule", "voxplane");
    rule["spec"]["groups"][0]["rules"].as_array().unwrap().clone()
}

#[test]
fn every_alert_has_a_section_in_the_runbook() {
    let runbook = fs::read_to_string(root().join("docs/runbooks/alerts.md")).unwrap();
    let sections: BTreeSet<&str> = runbook.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    let alerts = alerts();
    for alert in &alerts {
        let name = alert["alert"].as_str().unwrap();
        assert!(sections.contains(name), "docs/runbooks/alerts.md has no section {name}");
        let link = alert["annotations"]["runbook"].as_str().unwrap();
        assert_eq!(link, format!("docs/runbooks/alerts.md#{}", name.to_lowercase()));
        assert!(["critical", "warning"].contains(&alert["labels"]["severity"].as_str().unwrap()), "{name}");
    }
    assert_eq!(sections.len(), alerts.len(), "a section about an alert that is not there");
    let published =
        ["--set", "monitoring.rules.enabled=true,monitoring.rules.runbookUrl=https://docs.example.com/runbooks/"];
    let objects = render(&published).unwrap();
    let rule = &named(&objects, "PrometheusRule", "voxplane")["spec"]["groups"][0]["rules"][0];
    assert_eq!(rule["annotations"]["runbook_url"], "https://docs.example.com/runbooks/alerts.md#voxplaneapidown");
}

/// Alerts on metrics that nobody reports never fire.
#[test]
fn alerts_ask_for_metrics_and_labels_that_exist() {
    let source: String = ["api/src/metrics.rs", "operator/src/metrics.rs", "agent-runtime/src/metrics.rs"]
        .map(|file| fs::read_to_string(root().join(file)).unwrap())
        .concat();
    let words: String =
        ["api/src/placement/placer.rs", "store/src/calls/mod.rs", "store/src/ids.rs", "operator/src/livekit"]
            .iter()
            .map(|path| text_below(&root().join(path)))
            .collect();
    let mut seen = 0;
    for alert in alerts() {
        let expression = alert["expr"].as_str().unwrap();
        let names = expression.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
        for name in names.filter(|name| name.starts_with("voiceai_") || name.starts_with("voxplane_")) {
            let base = ["_total", "_bucket"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
            let short = ["voiceai_", "voxplane_operator_"].iter().find_map(|start| base.strip_prefix(start));
            let registered =
                [Some(base), short].iter().flatten().any(|name| source.contains(&format!("register(\"{name}\"")));
            assert!(registered, "{}: nobody reports {name}", alert["alert"]);
            seen += 1;
        }
        for (label, values) in expression.split(['{', ',']).filter_map(matcher) {
            for value in values.split('|').filter(|_| ["outcome", "status"].contains(&label)) {
                let known = source.contains(&format!("\"{value}\"")) || words.contains(&format!("\"{value}\""));
                assert!(known, "{}: {label} is never {value}", alert["alert"]);
            }
        }
    }
    assert!(seen >= 9, "only {seen} metrics were found in the alerts");
}

/// `outcome=~"refused|failed"` → (`outcome`, `refused|failed`).
fn matcher(text: &str) -> Option<(&str, &str)> {
    let (label, value) = text.split_once('=')?;
    let value = value.trim_start_matches('~').strip_prefix('"')?;
    Some((label.trim(), value.split('"').next()?))
}

fn text_below(path: &std::path::Path) -> String {
    if path.is_dir() {
        return fs::read_dir(path).unwrap().map(|entry| text_below(&entry.unwrap().path())).collect();
    }
    fs::read_to_string(path).unwrap_or_default()
}

#[test]
fn the_test_hook_is_a_restricted_pod_that_the_reference_install_leaves_out() {
    let objects = render(&[]).unwrap();
    let test = named(&objects, "Pod", "voxplane-test");
    assert_eq!(test["metadata"]["annotations"]["helm.sh/hook"], "test");
    let (spec, container) = (&test["spec"], &test["spec"]["containers"][0]);
    assert_eq!(spec["securityContext"]["runAsNonRoot"], true);
    assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
    assert_eq!(container["securityContext"]["capabilities"]["drop"][0], "ALL");
    assert_eq!(spec["automountServiceAccountToken"], false);
    // The chart's network policies select by this label and would cut it off from the API.
    assert_ne!(test["metadata"]["labels"]["app.kubernetes.io/name"], "voxplane");
    let install = fs::read_to_string(root().join("manifests/install/voxplane.yaml")).unwrap();
    assert!(!install.contains("helm.sh/hook"), "manifests/install/voxplane.yaml is for people without Helm");
}

/// The notes with some values. Helm shows them at an installation only, so a copy of the chart renders them as an object.
fn notes(set: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("voxplane");
    let copied = Command::new("cp").arg("-r").arg(root().join("charts/voxplane")).arg(&copy).status().unwrap();
    assert!(copied.success());
    let object = r#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "notes"},
        "data": {"notes": {{ include (print $.Template.BasePath "/NOTES.txt") . | toJson }}}}"#;
    fs::write(copy.join("templates/notes.yaml"), object).unwrap();
    let arguments = ["template", "voxplane", copy.to_str().unwrap(), "--kube-version", "1.33.0", "--set", set];
    let arguments =
        [&arguments[..], &["--values", "../manifests/install/values.yaml", "--show-only", "templates/notes.yaml"]];
    let object: Value = serde_yaml_ng::from_str(&helm(&arguments.concat()).unwrap()).unwrap();
    object["data"]["notes"].as_str().unwrap().to_owned()
}

#[test]
fn the_notes_say_what_is_on_and_warn() {
    let plain = notes("api.replicas=1");
    assert!(plain.contains("off more than one API") && plain.contains("on  network policies"), "{plain}");
    assert!(!plain.contains("WARNING"), "{plain}");
    let risky = notes("policies.enabled=false,monitoring.serviceMonitor.enabled=true");
    assert!(risky.contains("off admission policies") && risky.contains("Whoever may write a Tenant"), "{risky}");
    assert!(risky.contains("networkPolicy.metricsFrom is empty"), "{risky}");
}

/// Helm never touches a chart's folder `crds` after the first installation, and without the annotation it would delete
/// the definitions, and with them every object, when the chart is uninstalled.
#[test]
fn definitions_are_upgraded_with_their_chart_and_outlive_it() {
    assert!(!root().join("charts/voxplane-crds/crds").exists(), "Helm does not upgrade what lies in `crds`");
    let text = helm(&["template", "voxplane-crds", "voxplane-crds", "--kube-version", "1.33.0"]).unwrap();
    let rendered: Vec<Value> =
        serde_yaml_ng::Deserializer::from_str(&text).map(|document| Value::deserialize(document).unwrap()).collect();
    let rendered: Vec<&Value> = rendered.iter().filter(|document| !document.is_null()).collect();
    let known: BTreeSet<String> = voxplane_crds::all_crds().into_iter().filter_map(|crd| crd.metadata.name).collect();
    let names: BTreeSet<String> =
        rendered.iter().map(|crd| crd["metadata"]["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(names, known);
    for crd in rendered {
        let name = &crd["metadata"]["name"];
        assert_eq!(crd["metadata"]["annotations"]["helm.sh/resource-policy"], "keep", "{name}");
        for release in fs::read_dir(root().join("crds/tests/released")).unwrap() {
            let path = release.unwrap().path().join("crds");
            let plural = crd["spec"]["names"]["plural"].as_str().unwrap();
            // A kind that is newer than the release has no file there.
            let Ok(text) = fs::read_to_string(path.join(format!("{plural}.yaml"))) else { continue };
            let then: Value = serde_yaml_ng::from_str(&text).unwrap();
            for version in then["spec"]["versions"].as_array().unwrap() {
                let mut now = crd["spec"]["versions"].as_array().unwrap().iter();
                let served = now.any(|now| now["name"] == version["name"] && now["served"] == true);
                assert!(served, "{name}: {} of {} is not served any more", version["name"], path.display());
            }
        }
    }
}

/// One version for both: `helm list` then says whether the definitions are as new as the operator.
#[test]
fn both_charts_have_the_same_version() {
    let chart = |name: &str| -> Value {
        serde_yaml_ng::from_str(&fs::read_to_string(root().join("charts").join(name).join("Chart.yaml")).unwrap())
            .unwrap()
    };
    let (definitions, product) = (chart("voxplane-crds"), chart("voxplane"));
    for key in ["version", "appVersion", "kubeVersion"] {
        assert_eq!(definitions[key], product[key], "{key}");
    }
}
