use serde_json::json;

use super::*;
use crate::fixture::{ACME, DENTAL, FAQ, Fixture, RECEPTION};

fn compiled(fixture: &Fixture) -> wire::CallConfig {
    let agent = fixture.directory.agent("vx-acme--dental", "reception").unwrap();
    let (agency, tenant) = fixture.directory.owners("vx-acme--dental").unwrap();
    let bases = fixture.directory.bases_of(&agent);
    let settings = voxplane_crds::effective(&agency.spec, &tenant.spec, &agent.spec);
    compile(ACME, DENTAL, RECEPTION, &tenant, &agent, &settings, &bases)
}

#[test]
fn defaults_and_set_fields_arrive() {
    let config = compiled(&Fixture::new());
    assert_eq!(config.timezone, "Europe/Berlin");
    assert_eq!(config.greeting.as_ref().unwrap().text, "Hello");
    assert_eq!(config.disclosure, "You are talking to an automated assistant.");
    let vad = config.vad.unwrap();
    assert_eq!((vad.threshold, vad.min_speech_ms, vad.min_silence_ms), (0.5, 250, 350), "preset CallCentre");
    assert_eq!(config.turn.unwrap().silence_ms, 350, "the turn's silence is the preset's unless set");
    assert_eq!(config.tts.as_ref().unwrap().speed, 1.0);
    assert_eq!(config.limits.as_ref().unwrap().max_duration_ms, 1_800_000);
    let knowledge = config.knowledge.unwrap();
    assert_eq!(knowledge.knowledge_base_ids, [FAQ.to_string()], "a missing knowledge base is left out");
    assert_eq!(knowledge.top_k, 4);
}

#[test]
fn secrets_travel_by_name_only() {
    let mut fixture = Fixture::new();
    let spec = json!({"llm": {"provider": "openai-compatible", "model": "m", "baseUrl": "https://llm.example.com/v1",
                              "secretRef": {"name": "llm-key"}}});
    fixture.agent("vx-acme--dental", "reception", RECEPTION, spec);
    let llm = compiled(&fixture).llm.unwrap();
    assert_eq!((llm.provider.as_str(), llm.credential.as_str()), ("openai-compatible", "llm-key"));
}

#[test]
fn defaults_of_tenant_and_agency_reach_the_next_call() {
    let mut fixture = Fixture::new();
    fixture.agent("vx-acme--dental", "reception", RECEPTION, json!({}));
    let model = json!({"provider": "openai-compatible", "model": "m", "baseUrl": "https://llm.example.com/v1",
                       "secretRef": {"name": "llm-key"}});
    fixture.agency("acme", ACME, json!({"defaults": {"llm": model, "tts": {"voice": "rms"}, "language": "fr-FR"}}));
    fixture.tenant("acme", "dental", DENTAL, json!({"defaults": {"tts": {"voice": "awb", "speedPercent": 90}}}));
    let config = compiled(&fixture);
    assert_eq!(config.language, "fr-FR");
    let tts = config.tts.unwrap();
    assert_eq!((tts.voice.as_str(), tts.speed), ("awb", 0.9), "the tenant's block");
    assert_eq!(config.llm.unwrap().credential, "agency_llm-key", "the name that the agency's key has in the pod");
    assert_eq!(config.greeting.unwrap().text, "Hello, how can I help you?", "nobody states it");

    fixture.agency("acme", ACME, json!({"defaults": {"greeting": {"text": "Bonjour"}}}));
    let config = compiled(&fixture);
    assert_eq!((config.greeting.unwrap().text.as_str(), config.language.as_str()), ("Bonjour", "en-US"));
}

#[test]
fn the_hash_follows_the_content_and_nothing_else() {
    let mut fixture = Fixture::new();
    let first = hash(&compiled(&fixture));
    assert_eq!(hash(&compiled(&fixture)), first);
    assert_eq!(first.len(), 64);
    fixture.agent("vx-acme--dental", "reception", RECEPTION, json!({"greeting": {"text": "Good morning"}}));
    assert_ne!(hash(&compiled(&fixture)), first);
}

/// The hash promises to be the same on every replica; a map with two entries would break that.
#[test]
fn no_map_is_filled() {
    let config = compiled(&Fixture::new());
    assert!(config.stt.unwrap().options.is_empty());
    assert!(config.llm.unwrap().options.is_empty());
    assert!(config.tts.unwrap().options.is_empty());
}
