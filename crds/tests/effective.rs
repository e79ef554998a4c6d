//! Which level decides what an agent uses.
// Helpers of tests may panic as the tests themselves may.
#![allow(clippy::unwrap_used, clippy::panic)]

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use voxplane_crds::effective::BLOCKS;
use voxplane_crds::{AgencySpec, Origin, TenantSpec, VoiceAgentSpec, effective};

/// A block that tells which level wrote it.
fn block(name: &str, level: i32) -> Value {
    match name {
        "persona" => json!(format!("level {level}")),
        "language" => json!(format!("en-{level:03}")),
        "prompt" => json!({"system": format!("level {level}")}),
        "greeting" => json!({"text": format!("level {level}")}),
        "stt" => json!({"model": format!("m{level}"), "secretRef": {"name": format!("s{level}")}}),
        "llm" => json!({"provider": "openai-compatible", "model": format!("m{level}"),
                        "baseUrl": format!("https://{level}.example.com/v1"), "secretRef": {"name": "key"}}),
        "tts" => json!({"voice": format!("v{level}")}),
        "vad" => json!({"custom": {"minSilenceMs": 300 + level}}),
        "turn" => json!({"silenceMs": 300 + level}),
        "bargeIn" => json!({"minWords": level}),
        "goodbye" => json!({"message": format!("level {level}")}),
        "silence" => json!({"maxPrompts": level}),
        "limits" => json!({"maxDurationSeconds": 100 + level}),
        "messages" => json!({"busy": format!("level {level}")}),
        other => panic!("{other} is new: say what it looks like"),
    }
}

/// The blocks that a level states, one bit each.
fn stated(bits: u32, level: i32) -> Map<String, Value> {
    let chosen = BLOCKS.iter().enumerate().filter(|(index, _)| bits >> index & 1 == 1);
    chosen.map(|(_, name)| ((*name).to_owned(), block(name, level))).collect()
}

fn read<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

proptest! {
    /// Whoever comes first among agent, tenant, agency and what is built in gives the whole block: the result is what
    /// an agent with just this block would use, and no field of another level is in it.
    #[test]
    fn the_first_level_that_states_a_block_gives_all_of_it(agent in 0_u32..1 << 14, tenant in 0_u32..1 << 14, agency in 0_u32..1 << 14) {
        prop_assert_eq!(BLOCKS.len(), 14);
        let of_agency: AgencySpec = read(json!({"defaults": stated(agency, 3)}));
        let of_tenant: TenantSpec = read(json!({"defaults": stated(tenant, 2)}));
        let of_agent: VoiceAgentSpec = read(Value::Object(stated(agent, 1)));
        let found = effective(&of_agency, &of_tenant, &of_agent);
        let (values, origins) = (found.to_value().unwrap(), found.origins());

        for (index, name) in BLOCKS.iter().enumerate() {
            let has = |bits: u32| bits >> index & 1 == 1;
            let (origin, level) = match (has(agent), has(tenant), has(agency)) {
                (true, ..) => (Origin::Agent, 1),
                (_, true, _) => (Origin::TenantDefault, 2),
                (_, _, true) => (Origin::AgencyDefault, 3),
                _ => (Origin::BuiltIn, 0),
            };
            prop_assert_eq!(origins[index], (*name, origin));
            let alone = if level == 0 { json!({}) } else { json!({*name: block(name, level)}) };
            let alone: VoiceAgentSpec = read(alone);
            let (nobody, no_tenant) = (AgencySpec::default(), TenantSpec::default());
            prop_assert_eq!(&values[*name], &effective(&nobody, &no_tenant, &alone).to_value().unwrap()[*name]);
        }
        for secret in found.secrets() {
            let level = if secret.origin == Origin::Agent { 1 } else if secret.origin == Origin::TenantDefault { 2 } else { 3 };
            let own = format!("https://{level}.example.com/v1");
            prop_assert!(secret.base_url.is_none_or(|url| url == own), "a key meets only the address beside it");
            prop_assert_eq!(secret.credential().starts_with("agency_"), secret.origin != Origin::Agent);
        }
    }
}

/// An object that was stored when the schema filled in every block: it says the same as ever, and inherits nothing.
#[test]
fn an_agent_stored_with_the_former_defaults_keeps_what_it_says() {
    let (nobody, no_tenant, empty) = (AgencySpec::default(), TenantSpec::default(), VoiceAgentSpec::default());
    let built_in = effective(&nobody, &no_tenant, &empty).to_value().unwrap();
    let stored: VoiceAgentSpec = read(built_in.clone());
    let agency: AgencySpec = read(json!({"defaults": stated((1 << 14) - 1, 3)}));
    let found = effective(&agency, &no_tenant, &stored);
    assert_eq!(found.to_value().unwrap(), built_in);
    assert!(found.origins().iter().all(|(_, origin)| *origin == Origin::Agent));
}

#[test]
fn fields_are_named_where_they_are_written() {
    let paths = [Origin::Agent, Origin::TenantDefault, Origin::AgencyDefault].map(|origin| origin.path("llm.baseUrl"));
    assert_eq!(
        paths,
        ["spec.llm.baseUrl", "the tenant's spec.defaults.llm.baseUrl", "the agency's spec.defaults.llm.baseUrl"]
    );
}
