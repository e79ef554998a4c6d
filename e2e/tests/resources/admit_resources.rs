//! What the API server accepts and refuses: the samples, the defaults, bad objects with their messages. Needs the
//! resource definitions; no pod has to run.

use anyhow::{Context as _, Result};
use kube::{
    ResourceExt as _,
    api::{DeleteParams, Patch, PatchParams},
};
use serde_json::{Value, json};
use voxplane_e2e::{
    admission::{api, client, dry_run, object, verdict},
    cluster::documents,
    world::repository,
};

#[tokio::test]
async fn the_samples_are_accepted() -> Result<()> {
    let client = client(None).await?;
    let samples = repository().join("manifests/samples");
    let mut seen = Vec::new();
    for scenario in std::fs::read_dir(&samples)? {
        for file in std::fs::read_dir(scenario?.path())? {
            let path = file?.path();
            for sample in documents(&std::fs::read_to_string(&path)?)? {
                let kind = sample.types.as_ref().context("a sample has a kind")?.kind.clone();
                // Another name: the sample itself may exist already.
                let said = verdict(&client, &kind, &format!("{}-x", sample.name_any()), &sample.data["spec"]).await?;
                assert_eq!(said, "", "{}", path.display());
                seen.push(kind);
            }
        }
    }
    for kind in ["Agency", "Tenant", "VoiceAgent", "PhoneNumber", "KnowledgeBase"] {
        assert!(seen.iter().any(|other| other == kind), "no sample of a {kind} was found below {}", samples.display());
    }
    Ok(())
}

/// The server fills in what the types' `Default` says, so that what the controllers compute with is what users see.
#[tokio::test]
async fn the_servers_defaults_are_the_types_defaults() -> Result<()> {
    let client = client(None).await?;
    for (kind, spec, expected) in [
        ("Agency", json!({}), serde_json::to_value(voxplane_crds::AgencySpec::default())?),
        ("Tenant", json!({}), serde_json::to_value(voxplane_crds::TenantSpec::default())?),
        ("VoiceAgent", json!({}), serde_json::to_value(voxplane_crds::VoiceAgentSpec::default())?),
        ("KnowledgeBase", json!({}), serde_json::to_value(voxplane_crds::KnowledgeBaseSpec::default())?),
        (
            "PhoneNumber",
            json!({"number": "+15550177", "carrier": "c", "agentRef": {"name": "a"}}),
            json!({"number": "+15550177", "carrier": "c", "agentRef": {"name": "a"}, "overflow": {}, "deletionPolicy": "Retain"}),
        ),
    ] {
        let created = api(&client, kind).create(&dry_run(), &object(kind, "defaults", &spec)).await?;
        assert_eq!(created.data["spec"], expected, "{kind}");
    }
    Ok(())
}

#[tokio::test]
async fn bad_objects_are_refused_with_the_fix() -> Result<()> {
    let client = client(None).await?;
    let number = |number: &str| json!({"number": number, "carrier": "c", "agentRef": {"name": "a"}});
    let carrier = |sip: Value| json!({"carriers": [{"name": "c", "type": "sip", "sip": sip}]});
    let goto_connect = |changed: Value| {
        let mut block = json!({"secretRef": {"name": "s"}, "extensionId": "1", "allowedAddresses": ["203.0.113.7"]});
        block.as_object_mut().unwrap().extend(changed.as_object().unwrap().clone());
        json!({"carriers": [{"name": "c", "type": "gotoConnect", "gotoConnect": block}]})
    };
    let grant = |pattern: &str| {
        let sip = json!({"allowedAddresses": ["203.0.113.7"]});
        json!({"carriers": [{"name": "c", "type": "sip", "sip": sip, "numbers": [{"pattern": pattern}]}]})
    };
    let llm = |llm: Value| json!({"llm": llm});
    let runtime = |runtime: Value| json!({"runtime": runtime});
    let text = |length: usize| json!({"name": format!("s{length}"), "inline": {"text": "x".repeat(length)}});
    let long = "a".repeat(41);
    let cases: Vec<(&str, &str, Value, &str)> = vec![
        // names
        ("Agency", &long[..21], json!({}), "at most 20 characters"),
        ("Agency", "a--b", json!({}), "lower-case letters, digits and single dashes"),
        ("Agency", "a.b", json!({}), "lower-case letters, digits and single dashes"),
        ("Tenant", &long[..31], json!({}), "at most 30 characters"),
        ("Tenant", "a--b", json!({}), "lower-case letters, digits and single dashes"),
        ("VoiceAgent", &long, json!({}), "at most 40 characters"),
        ("KnowledgeBase", &long, json!({}), "at most 40 characters"),
        ("PhoneNumber", &long, number("+15550100"), "at most 40 characters"),
        // Agency
        ("Agency", "a", json!({"carriers": [{"name": "c", "type": "sip"}]}), "needs the block `sip`"),
        ("Agency", "a", json!({"carriers": [{"name": "c", "type": "pigeon"}]}), "supported values: \"sip\""),
        ("Agency", "a", carrier(json!({})), "without `allowedAddresses` or `authSecretRef`"),
        ("Agency", "a", carrier(json!({"allowedAddresses": ["sip.example.com"]})), "is an IP address"),
        ("Agency", "a", carrier(json!({"allowedAddresses": ["0.0.0.0/0"]})), "the whole Internet"),
        (
            "Agency",
            "a",
            carrier(json!({"allowedAddresses": ["203.0.113.7"], "ringingTimeoutSeconds": 60})),
            "should be less than or equal to 20",
        ),
        ("Agency", "a", grant("5550100"), "should match"),
        (
            "Agency",
            "a",
            json!({"carriers": [{"name": "c", "type": "sip", "sip": {"allowedAddresses": ["1.2.3.4"]}},
            {"name": "c", "type": "sip", "sip": {"allowedAddresses": ["1.2.3.4"]}}]}),
            "Duplicate value",
        ),
        ("Agency", "a", json!({"quotas": {"maxTenants": -1}}), "should be greater than or equal to 0"),
        ("Agency", "a", json!({"contact": {"email": "nobody"}}), "should match"),
        // Tenant
        (
            "Tenant",
            "t",
            json!({"quotas": {"concurrentCalls": {"guaranteed": 5, "max": 4}}}),
            "`guaranteed` is at most `max`",
        ),
        ("Tenant", "t", json!({"timezone": "Mars Time"}), "should match"),
        ("Tenant", "t", json!({"compliance": {"retentionDays": 0}}), "should be greater than or equal to 1"),
        // VoiceAgent
        ("VoiceAgent", "a", json!({"vad": {"preset": "Noisy", "custom": {}}}), "exclude each other"),
        ("VoiceAgent", "a", json!({"vad": {"preset": "Loud"}}), "Unsupported value"),
        ("VoiceAgent", "a", llm(json!({"provider": "openai-compatible"})), "needs `model` and `baseUrl`"),
        ("VoiceAgent", "a", llm(json!({"baseUrl": "http://llm/v1"})), "runs inside the pod"),
        (
            "VoiceAgent",
            "a",
            llm(json!({"provider": "openai-compatible", "model": "m", "baseUrl": "llm.example.com"})),
            "should match",
        ),
        ("VoiceAgent", "a", json!({"stt": {"options": {"phrases": ["stop", "stop"]}}}), "Duplicate value"),
        ("VoiceAgent", "a", json!({"prompt": {"system": "x".repeat(65_537)}}), "may not be more than 65536"),
        ("VoiceAgent", "a", json!({"knowledgeBases": [{"name": "k"}, {"name": "k"}]}), "Duplicate value"),
        ("VoiceAgent", "a", json!({"language": "English"}), "should match"),
        ("VoiceAgent", "a", json!({"runtime": {"callsPerReplica": 0}}), "should be greater than or equal to 1"),
        ("VoiceAgent", "a", json!({"runtime": {"resources": {"limits": {"cpu": "plenty"}}}}), "should match"),
        ("VoiceAgent", "a", runtime(json!({"gpu": {"resourceName": "gpu"}})), "should match"),
        (
            "VoiceAgent",
            "a",
            runtime(json!({"gpu": {"resourceName": "kubernetes.io/gpu"}})),
            "nothing of `kubernetes.io`",
        ),
        ("VoiceAgent", "a", runtime(json!({"nodeSelector": {"a": "b c"}})), "should match"),
        ("VoiceAgent", "a", runtime(json!({"tolerations": [{"value": "v"}]})), "set `operator: Exists`"),
        ("VoiceAgent", "a", runtime(json!({"scaling": {"min": 11}})), "`min` is at most `max`"),
        (
            "VoiceAgent",
            "a",
            runtime(json!({"scaling": {"headroomSlots": 1, "headroomPercent": 10}})),
            "exclude each other",
        ),
        ("VoiceAgent", "a", runtime(json!({"volumes": [{"name": "m"}]})), "exactly one source"),
        ("VoiceAgent", "a", runtime(json!({"topologySpread": {"over": "Rack"}})), "Unsupported value"),
        // accounts at carriers
        ("Agency", "a", json!({"carriers": [{"name": "c", "type": "twilio"}]}), "needs the block `twilio`"),
        ("Agency", "a", json!({"carriers": [{"name": "c", "type": "telnyx"}]}), "needs the block `telnyx`"),
        ("Agency", "a", json!({"carriers": [{"name": "c", "type": "gotoConnect"}]}), "needs the block `gotoConnect`"),
        ("Agency", "a", goto_connect(json!({"allowedAddresses": []})), "should have at least 1 items"),
        ("Agency", "a", goto_connect(json!({"allowedAddresses": ["::/0"]})), "the whole Internet"),
        ("Agency", "a", goto_connect(json!({"accountKey": "acme"})), "should match"),
        ("Agency", "a", goto_connect(json!({"extensionId": "a/b"})), "should match"),
        (
            "Agency",
            "a",
            json!({"carriers": [{"name": "c", "type": "telnyx", "sip": {"allowedAddresses": ["203.0.113.7"]},
                                 "telnyx": {"secretRef": {"name": "s"}, "connectionId": "1"}}]}),
            "only that type may have it",
        ),
        // PhoneNumber
        ("PhoneNumber", "n", json!({"carrier": "c", "agentRef": {"name": "a"}}), "give either `number`"),
        (
            "PhoneNumber",
            "n",
            json!({"number": "+15550100", "search": {}, "carrier": "c", "agentRef": {"name": "a"}}),
            "give either `number`",
        ),
        ("PhoneNumber", "n", number("15550100"), "should match"),
        ("PhoneNumber", "n", number("+1 555 0100"), "should match"),
        ("PhoneNumber", "n", json!({"number": "+15550100"}), "spec.carrier: Required value"),
        ("PhoneNumber", "n", json!({"number": "+15550100", "carrier": "c"}), "give either `agentRef`"),
        (
            "PhoneNumber",
            "n",
            json!({"number": "+15550100", "carrier": "c", "squad": {"agents": [{"name": "a"}, {"name": "a"}]}}),
            "Duplicate value",
        ),
        // Who an agency is
        ("Agency", "a", json!({"company": {"website": "http://a.example"}}), "should match"),
        ("Agency", "a", json!({"company": {"website": "https://-a.example"}}), "should match"),
        ("Agency", "a", json!({"billing": {"email": "nobody"}}), "should match"),
        ("Agency", "a", json!({"branding": {"logoUrl": "logo.svg"}}), "should match"),
        ("Agency", "a", json!({"branding": {"colours": {"primary": "red"}}}), "should match"),
        ("Tenant", "t", json!({"websiteUrl": "javascript:alert(1)"}), "should match"),
        // KnowledgeBase
        ("KnowledgeBase", "k", json!({"sources": [{"name": "a"}]}), "needs the block `inline`"),
        ("KnowledgeBase", "k", json!({"sources": [text(200_001)]}), "may not be more than 200000"),
        (
            "KnowledgeBase",
            "k",
            json!({"sources": [text(190_000), text(190_001), text(190_002), text(190_003), text(190_004)]}),
            "more than 900,000 characters",
        ),
    ];
    let mut wrong = vec![];
    for (kind, name, spec, expected) in &cases {
        let said = verdict(&client, kind, name, spec).await?;
        if !said.contains(expected) {
            let spec: String = spec.to_string().chars().take(120).collect();
            wrong.push(format!("{kind} {name} {spec}\n  expected: {expected}\n  said:     {said}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// A misspelt field is lost in silence unless the client asks for strictness, as kubectl does.
#[tokio::test]
async fn a_misspelt_field_is_named() -> Result<()> {
    let client = client(None).await?;
    let parameters = PatchParams::apply("kubectl").dry_run().validation_strict();
    let misspelt = object("VoiceAgent", "a", &json!({"gretting": {"text": "Hello"}}));
    let error = api(&client, "VoiceAgent").patch("a", &parameters, &Patch::Apply(&misspelt)).await;
    let said = error.expect_err("a misspelt field was accepted").to_string();
    assert!(said.contains("gretting"), "{said}");
    Ok(())
}

#[tokio::test]
async fn a_number_never_changes() -> Result<()> {
    let client = client(None).await?;
    let numbers = api(&client, "PhoneNumber");
    let spec = json!({"number": "+15550188", "carrier": "none", "agentRef": {"name": "nobody"}});
    let apply = PatchParams::apply("test").force();
    numbers.patch("immutable", &apply, &Patch::Apply(object("PhoneNumber", "immutable", &spec))).await?;

    let change = |spec: Value| Patch::Merge(json!({"spec": spec}));
    let dry = PatchParams { dry_run: true, ..PatchParams::default() };
    let other = numbers.patch("immutable", &dry, &change(json!({"number": "+15550189"}))).await;
    let agent = numbers.patch("immutable", &dry, &change(json!({"agentRef": {"name": "somebody"}}))).await;
    numbers.delete("immutable", &DeleteParams::default()).await?;

    let said = other.expect_err("the number was changed").to_string();
    assert!(said.contains("`number` cannot be changed: create another PhoneNumber"), "{said}");
    agent.context("another agent may answer")?;
    Ok(())
}

/// A number that was bought must not be bought once more because somebody edits what was looked for.
#[tokio::test]
async fn what_a_bought_number_was_looked_for_with_never_changes() -> Result<()> {
    let client = client(None).await?;
    let numbers = api(&client, "PhoneNumber");
    let spec = json!({"search": {"areaCode": "404"}, "carrier": "none", "agentRef": {"name": "nobody"}});
    let apply = PatchParams::apply("test").force();
    numbers.patch("searched", &apply, &Patch::Apply(object("PhoneNumber", "searched", &spec))).await?;

    let dry = PatchParams { dry_run: true, ..PatchParams::default() };
    let mut said = Vec::new();
    for change in [
        json!({"search": {"areaCode": "212"}}),
        json!({"carrier": "other"}),
        json!({"search": null, "number": "+15550188"}),
    ] {
        let answer = numbers.patch("searched", &dry, &Patch::Merge(json!({"spec": change}))).await;
        said.push(answer.err().map_or_else(String::new, |error| error.to_string()));
    }
    numbers.delete("searched", &DeleteParams::default()).await?;
    assert!(said[0].contains("`search` cannot be changed"), "{}", said[0]);
    assert!(said[1].contains("`carrier` cannot be changed"), "{}", said[1]);
    assert!(said[2].contains("cannot be changed"), "{}", said[2]);
    Ok(())
}
