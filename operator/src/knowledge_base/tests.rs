//! What a knowledge base holds, and what is said about it.

use uuid::Uuid;
use voxplane_crds::KnowledgeBase;
use voxplane_crds::conditions::{reasons, types};
use voxplane_store::StoreError;
use voxplane_store::knowledge::KnowledgeStats;
use voxplane_store::knowledge::origins::Origin;

use super::embed::{Maker, Progress};
use super::gather::{Failure, Gathered};
use super::observe::Observed;
use super::store::{NotStored, Stored};
use super::validate::{self, Valid, address_key, document};
use super::{Done, keys, status};
use crate::database::DatabaseAway;
use crate::identity::Identity;
use crate::status::Problem;
use crate::testing::{condition, home, now, object};

fn base(spec: &str) -> KnowledgeBase {
    object(&format!("{{metadata: {{name: faq, namespace: vx-brightline--dental-clinic}}, spec: {{{spec}}}}}"))
}

fn inline(text: &str) -> KnowledgeBase {
    base(&format!("sources: [{{name: hours, inline: {{text: '{text}'}}}}]"))
}

fn page(url: &str) -> KnowledgeBase {
    base(&format!("sources: [{{name: site, type: Url, url: {{url: '{url}'}}}}]"))
}

fn seen() -> Observed {
    Observed {
        home: Ok(home("brightline", "dental-clinic")),
        identity: Some(Identity::Registered(Uuid::from_u128(0xe))),
        secret: None,
        origins: Vec::new(),
    }
}

fn done(chunks: i32, embedded: i32) -> Done {
    let stats = KnowledgeStats { documents: 1, chunks };
    let stored = Stored { stats, embedded, content_hash: "h".to_owned() };
    Done { gathered: Gathered::default(), progress: Progress::default(), stored: Ok(stored) }
}

fn said(base: &KnowledgeBase, maker: &Maker, done: &Done) -> (String, String, String) {
    let plan = validate::check(base, &seen());
    let status = status::compute(base, &seen(), &plan, maker, Some(done), now());
    let ready = voxplane_crds::conditions::find(&status.conditions, types::READY).unwrap();
    (ready.status.clone(), ready.reason.clone(), ready.message.clone())
}

#[test]
fn the_hash_follows_the_content_and_how_it_is_cut() {
    let hash = |base: &KnowledgeBase| validate::check(base, &seen()).unwrap().documents[0].hash.clone();
    assert_eq!(hash(&inline("We open at eight.")), hash(&inline("We open at eight.")));
    assert_ne!(hash(&inline("We open at eight.")), hash(&inline("We open at nine.")));
    let cut = base("sources: [{name: hours, inline: {text: 'We open at eight.'}}], chunking: {preset: Faq}");
    assert_ne!(hash(&inline("We open at eight.")), hash(&cut));
}

#[test]
fn what_was_fetched_is_kept_as_long_as_it_fits() {
    let url = "https://clinic.example/faq";
    let Valid { plan, places, .. } = validate::check(&page(url), &seen()).unwrap();
    assert_eq!((places[0].since(), places[0].validators()), (None, None));
    let stored = document("site", &address_key(&places[0].url), Default::default(), "# Hours\nNine to five.", &plan);
    let origin = Origin {
        source: "site".to_owned(),
        content_hash: stored.hash,
        etag: Some("1".to_owned()),
        last_modified: None,
        fetched_at: Some(now()),
    };
    let seen = Observed { origins: vec![origin], ..seen() };
    let place = |base: &KnowledgeBase| validate::check(base, &seen).unwrap().places[0].clone();
    assert!(place(&page(url)).fits && place(&page(url)).validators().is_some());
    let moved = place(&page("https://clinic.example/other"));
    assert!(!moved.fits && moved.validators().is_none());
    assert_eq!(moved.since(), Some(now()), "used until the new address answers");
}

#[test]
fn numbers_appear_only_when_stored() {
    let base = inline("We open at eight.");
    let plan = validate::check(&base, &seen());
    let good = status::compute(&base, &seen(), &plan, &Maker::Nobody, Some(&done(1, 0)), now());
    assert_eq!(condition(&good, types::READY).0, "True");
    assert_eq!((good.documents, good.chunks, good.embedded, good.embedding_model.clone()), (1, 1, 0, None));
    assert!(good.content_hash.is_some());

    let not_stored = |error| Done { stored: Err(error), ..done(0, 0) };
    let away = not_stored(NotStored::from(DatabaseAway::NotConfigured("no database".to_owned())));
    let unknown = status::compute(&base, &seen(), &plan, &Maker::Nobody, Some(&away), now());
    assert_eq!(condition(&unknown, types::READY), ("Unknown".into(), reasons::DATABASE_UNAVAILABLE.into()));
    assert_eq!(unknown.content_hash, None);

    let too_many = StoreError::Invalid { field: "chunks", message: "too many".to_owned() };
    let too_many = not_stored(NotStored::from(too_many));
    let invalid = status::compute(&base, &seen(), &plan, &Maker::Nobody, Some(&too_many), now());
    assert_eq!(condition(&invalid, types::PROGRAMMED), ("False".into(), reasons::INVALID.into()));
}

#[test]
fn what_is_in_the_way_is_named() {
    let base = page("https://clinic.example/faq");
    let failure = |since| Done {
        gathered: Gathered {
            failures: vec![Failure { source: "site".to_owned(), why: "it answered with status 500".to_owned(), since }],
            ..Gathered::default()
        },
        ..done(3, 0)
    };
    let (status, reason, message) = said(&base, &Maker::Nobody, &failure(Some(now())));
    assert_eq!((status.as_str(), reason.as_str()), ("False", reasons::SOURCE_UNAVAILABLE));
    let expected = format!("spec.sources[site].url: it answered with status 500; agents use the text of {}", now());
    assert_eq!(message, expected);
    assert!(said(&base, &Maker::Nobody, &failure(None)).2.ends_with("nothing is stored of it"));

    let missing = Maker::Missing("spec.embedding.provider: minilm is not there".to_owned());
    let (_, reason, message) = said(&base, &missing, &done(3, 0));
    assert_eq!(reason, reasons::EMBEDDING_UNAVAILABLE);
    assert!(message.contains("found by their words only"), "{message}");
    let slow = Done { progress: Progress { failure: Some("asked too often".to_owned()), again: None }, ..done(3, 1) };
    assert_eq!(said(&base, &Maker::Nobody, &slow).1, reasons::EMBEDDING_UNAVAILABLE);

    let problem = Problem::new(reasons::REF_NOT_FOUND, "spec.embedding.secretRef: there is no Secret");
    assert_eq!(said(&base, &Maker::Unresolved(problem), &done(3, 0)).1, reasons::REF_NOT_FOUND);
}

#[test]
fn a_service_needs_a_secret_that_is_meant_for_it() {
    let base = base(
        "embedding: {provider: openai-compatible, model: m, dimensions: 384, baseUrl: 'https://a.example/v1', \
         secretRef: {name: key}}",
    );
    let voxplane_knowledge::settings::Wish::Service(service) = voxplane_knowledge::settings::wish(&base.spec) else {
        panic!("a service is asked for")
    };
    let missing = keys::permitted(&service, None).unwrap_err();
    assert_eq!(missing.reason, reasons::REF_NOT_FOUND);
    assert!(missing.message.starts_with("spec.embedding.secretRef: there is no Secret"), "{}", missing.message);
    let secret = |endpoints: &str| -> k8s_openapi::api::core::v1::Secret {
        let text = format!(
            "{{metadata: {{name: key, labels: {{voxplane.dev/provider: openai-compatible}}}}, \
             type: voxplane.dev/credentials, data: {{api-key: c2stMQ==, allowed-endpoints: '{endpoints}'}}}}"
        );
        serde_yaml_ng::from_str(&text).unwrap()
    };
    // https://b.example/v1
    let elsewhere = keys::permitted(&service, Some(&secret("aHR0cHM6Ly9iLmV4YW1wbGUvdjE="))).unwrap_err();
    assert_eq!(elsewhere.reason, reasons::REF_NOT_PERMITTED);
    assert!(elsewhere.message.contains("spec.embedding.baseUrl"), "{}", elsewhere.message);
    // https://a.example/v1
    let key = keys::permitted(&service, Some(&secret("aHR0cHM6Ly9hLmV4YW1wbGUvdjE="))).unwrap();
    assert_eq!((key.text(), key.endpoints()), (Some("sk-1"), &["https://a.example/v1".to_owned()][..]));
}
