//! What a knowledge base holds, and what is said about it.

use uuid::Uuid;
use voxplane_crds::KnowledgeBase;
use voxplane_crds::conditions::{reasons, types};
use voxplane_store::StoreError;
use voxplane_store::knowledge::KnowledgeStats;

use super::observe::Observed;
use super::store::NotStored;
use super::{status, validate};
use crate::database::DatabaseAway;
use crate::identity::Identity;
use crate::testing::{condition, home, now, object};

fn base(text: &str) -> KnowledgeBase {
    object(&format!(
        "{{metadata: {{name: faq, namespace: vx-brightline--dental-clinic}}, \
         spec: {{sources: [{{name: hours, inline: {{text: '{text}'}}}}]}}}}"
    ))
}

fn seen() -> Observed {
    Observed {
        home: Ok(home("brightline", "dental-clinic")),
        identity: Some(Identity::Registered(Uuid::from_u128(0xe))),
    }
}

#[test]
fn the_hash_follows_the_content() {
    let hash = |text| validate::check(&base(text), &seen()).unwrap().content_hash;
    assert_eq!(hash("We open at eight."), hash("We open at eight."));
    assert_ne!(hash("We open at eight."), hash("We open at nine."));
}

#[test]
fn numbers_appear_only_when_stored() {
    let base = base("We open at eight.");
    let plan = validate::check(&base, &seen());
    let stored = Ok(KnowledgeStats { documents: 1, chunks: 1 });
    let good = status::compute(&base, &seen(), &plan, Some(&stored), now());
    assert_eq!(condition(&good, types::READY).0, "True");
    assert_eq!((good.documents, good.chunks), (1, 1));
    assert!(good.content_hash.is_some());

    let away = Err(NotStored::from(DatabaseAway::NotConfigured("no database".to_owned())));
    let unknown = status::compute(&base, &seen(), &plan, Some(&away), now());
    assert_eq!(condition(&unknown, types::READY), ("Unknown".into(), reasons::DATABASE_UNAVAILABLE.into()));
    assert_eq!(unknown.content_hash, None);

    let too_many = Err(NotStored::from(StoreError::Invalid { field: "chunks", message: "too many".to_owned() }));
    let invalid = status::compute(&base, &seen(), &plan, Some(&too_many), now());
    assert_eq!(condition(&invalid, types::PROGRAMMED), ("False".into(), reasons::INVALID.into()));
}
