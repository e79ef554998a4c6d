//! Voice agents.

use serde_json::{Value, json};
use voxplane_crds::VoiceAgent;

use super::{object, refused};

#[test]
fn a_language_model_has_what_its_provider_needs() {
    let service = json!({"llm": {"provider": "openai-compatible", "model": "m", "baseUrl": "http://llm/v1"}});
    assert_eq!(verdict!(VoiceAgent, "a", service), "");
    assert_eq!(verdict!(VoiceAgent, "a", json!({})), "");
    for part in [json!({"model": "m"}), json!({"baseUrl": "http://llm/v1"}), json!({})] {
        let mut llm = part.clone();
        llm["provider"] = "openai-compatible".into();
        refused(&verdict!(VoiceAgent, "a", json!({"llm": llm})), "needs `model` and `baseUrl`");
    }
    for extra in [json!({"baseUrl": "http://llm/v1"}), json!({"secretRef": {"name": "key"}})] {
        refused(&verdict!(VoiceAgent, "a", json!({"llm": extra})), "runs inside the pod");
    }
}

#[test]
fn voice_activity_is_a_preset_or_custom() {
    assert_eq!(verdict!(VoiceAgent, "a", json!({"vad": {"preset": "Noisy"}})), "");
    assert_eq!(verdict!(VoiceAgent, "a", json!({"vad": {"custom": {"thresholdPercent": 60}}})), "");
    let both = json!({"vad": {"preset": "Noisy", "custom": {}}});
    refused(&verdict!(VoiceAgent, "a", both), "exclude each other");
}

#[test]
fn the_most_silence_belongs_to_adaptive_turns() {
    let turn = |turn: Value| verdict!(VoiceAgent, "a", json!({"turn": turn}));
    assert_eq!(turn(json!({"strategy": "Adaptive"})), "");
    assert_eq!(turn(json!({"strategy": "Adaptive", "silenceMs": 400, "maxSilenceMs": 1200})), "");
    refused(&turn(json!({"maxSilenceMs": 1200})), "belongs to the strategy `Adaptive`");
    let crossed = json!({"strategy": "Adaptive", "silenceMs": 900, "maxSilenceMs": 800});
    refused(&turn(crossed), "`silenceMs` is at most `maxSilenceMs`");
}

fn runtime(runtime: &Value) -> String {
    verdict!(VoiceAgent, "a", json!({"runtime": runtime}))
}

#[test]
fn accelerators_are_those_of_a_device_plugin() {
    assert_eq!(runtime(&json!({"gpu": {}})), "");
    assert_eq!(runtime(&json!({"gpu": {"resourceName": "amd.com/gpu", "count": 2}})), "");
    for native in ["kubernetes.io/gpu", "requests.kubernetes.io/gpu"] {
        refused(&runtime(&json!({"gpu": {"resourceName": native}})), "nothing of `kubernetes.io`");
    }
}

#[test]
fn tolerations_are_ones_that_kubernetes_takes() {
    let toleration = |toleration: Value| runtime(&json!({"tolerations": [toleration]}));
    for good in [
        json!({"operator": "Exists"}),
        json!({"key": "gpu", "value": "true", "effect": "NoSchedule"}),
        json!({"key": "gpu", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60}),
    ] {
        assert_eq!(toleration(good.clone()), "", "{good}");
    }
    refused(&toleration(json!({"value": "true"})), "set `operator: Exists`");
    refused(&toleration(json!({"key": "gpu", "operator": "Exists", "value": "true"})), "remove one of them");
    for effect in [
        json!({"key": "a", "tolerationSeconds": 1}),
        json!({"key": "a", "effect": "NoSchedule", "tolerationSeconds": 1}),
    ] {
        refused(&toleration(effect), "`effect: NoExecute`");
    }
}

#[test]
fn a_model_volume_has_one_source_and_it_is_no_secret_and_no_path_of_the_host() {
    let volumes = |volume: Value| runtime(&json!({"volumes": [volume]}));
    for source in [
        json!({"name": "m", "persistentVolumeClaim": {"name": "models"}}),
        json!({"name": "m", "configMap": {"name": "words"}}),
        json!({"name": "m", "image": {"reference": "registry.example.com/m:1"}}),
    ] {
        assert_eq!(volumes(source.clone()), "", "{source}");
    }
    let two = json!({"name": "m", "configMap": {"name": "a"}, "persistentVolumeClaim": {"name": "b"}});
    refused(&volumes(two), "exactly one source");
    for forbidden in
        [json!({"hostPath": {"path": "/"}}), json!({"secret": {"secretName": "keys"}}), json!({"projected": {}})]
    {
        let mut volume = forbidden.clone();
        volume["name"] = "m".into();
        refused(&volumes(volume), "exactly one source");
    }
}

#[test]
fn the_bounds_of_scaling_agree() {
    let scaling = |scaling: Value| runtime(&json!({"scaling": scaling}));
    assert_eq!(scaling(json!({"mode": "Operator"})), "");
    assert_eq!(scaling(json!({"mode": "Operator", "min": 2, "max": 2, "warmMinimum": 0, "headroomSlots": 3})), "");
    refused(&scaling(json!({"min": 3, "max": 2})), "`min` is at most `max`");
    refused(&scaling(json!({"min": 11})), "`min` is at most `max`");
    refused(&scaling(json!({"warmMinimum": 2})), "`warmMinimum` is at most `min`");
    refused(&scaling(json!({"headroomSlots": 1, "headroomPercent": 1})), "exclude each other");
}

#[test]
fn what_happens_when_closed_is_one_thing() {
    let closed = |closed: Value| json!({"closed": closed});
    for good in
        [json!({"message": "We are closed."}), json!({"greeting": "Closed."}), json!({"agentRef": {"name": "n"}})]
    {
        assert_eq!(verdict!(VoiceAgent, "a", closed(good.clone())), "", "{good}");
    }
    for bad in [json!({}), json!({"message": "We are closed.", "agentRef": {"name": "n"}})] {
        refused(&verdict!(VoiceAgent, "a", closed(bad)), "give exactly one of `message`");
    }
}

#[test]
fn a_tool_does_one_thing_and_a_secret_stays_out_of_addresses() {
    let tool = |more: Value| {
        let mut tool = json!({"name": "book", "description": "Books a table."});
        tool.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        verdict!(VoiceAgent, "a", json!({"tools": [tool]}))
    };
    let url = "https://api.example.com/v1/{{ args.id }}";
    for good in [
        json!({"builtin": "EndCall", "say": {"onStart": "Right."}}),
        json!({"http": {"url": url}}),
        json!({"http": {"url": url, "method": "GET", "retries": 2}}),
        json!({"http": {"url": url, "retries": 2}, "effect": "Idempotent"}),
    ] {
        assert_eq!(tool(good.clone()), "", "{good}");
    }
    refused(&tool(json!({})), "give exactly one of `http`");
    refused(&tool(json!({"http": {"url": url}, "builtin": "EndCall"})), "give exactly one of `http`");
    refused(&tool(json!({"builtin": "EndCall", "effect": "Read"})), "remove `parameters` and `effect`");
    refused(&tool(json!({"builtin": "EndCall", "say": {"onComplete": "Done."}})), "remove `say.onComplete`");
    refused(&tool(json!({"http": {"url": url, "retries": 1}})), "is never tried twice");
    refused(
        &tool(json!({"http": {"url": url, "method": "GET", "retries": 1}, "effect": "Once"})),
        "is never tried twice",
    );
    for secret in ["?k={{ secret.k }}", "?k={{secret.k}}"] {
        refused(&tool(json!({"http": {"url": format!("https://a.example{secret}")}})), "belongs into a header");
    }
}
