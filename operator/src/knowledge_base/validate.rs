//! What a knowledge base should hold. Pure.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use uuid::Uuid;
use voxplane_crds::KnowledgeBase;
use voxplane_crds::conditions::reasons;
use voxplane_crds::knowledge_base::{Source, UrlSource};
use voxplane_knowledge::chunk::{self, Passage, Plan};
use voxplane_knowledge::document::{self, Format};
use voxplane_knowledge::fetch::Validators;
use voxplane_knowledge::{hash, settings};
use voxplane_store::knowledge::Chunk;
use voxplane_store::knowledge::origins::Origin;

use super::observe::Observed;
use crate::identity::Identity;
use crate::status::Problem;

/// A knowledge base that can be stored.
#[derive(Clone, Debug)]
pub struct Valid {
    /// Its id.
    pub id: Uuid,
    /// The texts that stand in it.
    pub documents: Vec<Document>,
    /// The texts that are elsewhere.
    pub places: Vec<Place>,
    /// How texts are cut.
    pub plan: Plan,
}

/// A text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Name of the source.
    pub source: String,
    /// Hash of the text and of how it is cut.
    pub hash: String,
    /// Its passages.
    pub passages: Vec<Chunk>,
}

/// Where a text is fetched.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// Name of the source.
    pub source: String,
    /// What the resource says of it.
    pub url: UrlSource,
    /// What was fetched for this source last.
    pub stored: Option<Origin>,
    /// Whether that came from this address and is cut as it should be.
    pub fits: bool,
}

/// Part of every hash: raise it when texts are read or cut differently, so that everything is cut again.
const READER: &str = "headed-2";

/// Judges a knowledge base.
///
/// # Errors
/// A problem for `Accepted`.
pub fn check(base: &KnowledgeBase, seen: &Observed) -> Result<Valid, Problem> {
    seen.home.as_ref().map_err(Clone::clone)?;
    let identity = seen.identity.as_ref();
    let Some(id) = identity.and_then(Identity::id) else {
        let why = identity.and_then(Identity::database_problem).unwrap_or_default();
        return Err(Problem::unknown(reasons::DATABASE_UNAVAILABLE, format!("no id can be given: {why}")));
    };
    let plan = settings::plan(&base.spec.chunking);
    let mut valid = Valid { id, documents: Vec::new(), places: Vec::new(), plan };
    for source in &base.spec.sources {
        match source {
            Source { inline: Some(inline), url: None, name, .. } => {
                let format = settings::format(inline.format);
                valid.documents.push(document(name, "", format, &inline.text, &plan));
            }
            Source { inline: None, url: Some(url), name, .. } => {
                let fetched = |origin: &&Origin| origin.source == *name && origin.fetched_at.is_some();
                let stored = seen.origins.iter().find(fetched).cloned();
                let fits = stored
                    .as_ref()
                    .is_some_and(|origin| origin.content_hash.starts_with(&how(name, &address_key(url), &plan)));
                valid.places.push(Place { source: name.clone(), url: url.clone(), stored, fits });
            }
            Source { name, .. } => {
                let message = format!("spec.sources[{name}]: needs one block, `inline` or `url`, as its type says");
                return Err(Problem::new(reasons::INVALID, message));
            }
        }
    }
    Ok(valid)
}

/// A text, cut. `address`: where it came from, if from elsewhere.
#[must_use]
pub fn document(source: &str, address: &str, format: Format, text: &str, plan: &Plan) -> Document {
    let passages = chunk::split(&document::read(format, text), plan);
    let passages: Vec<Chunk> = passages.iter().map(Passage::text).map(stored).collect();
    let how = how(source, address, plan);
    let what = hash(&[&format.to_string(), text]);
    Document { source: source.to_owned(), hash: format!("{how}{what}"), passages }
}

fn stored(text: String) -> Chunk {
    Chunk { hash: hash(&[&text]), text }
}

/// The first half of a document's hash: everything but the text.
fn how(source: &str, address: &str, plan: &Plan) -> String {
    hash(&[READER, source, address, &plan.key()])
}

/// What names the place and the wish of a format in hashes.
#[must_use]
pub fn address_key(url: &UrlSource) -> String {
    format!("{:?} {}", url.format, url.url)
}

impl Place {
    /// How often the text is fetched.
    #[must_use]
    pub fn refresh(&self) -> Duration {
        Duration::from_secs(60 * u64::from(self.url.refresh_minutes.unsigned_abs().max(5)))
    }

    /// When what is stored was last known to be as its server has it.
    #[must_use]
    pub fn since(&self) -> Option<Timestamp> {
        self.stored.as_ref().and_then(|stored| stored.fetched_at)
    }

    /// What to ask the server with whether the text changed.
    #[must_use]
    pub fn validators(&self) -> Option<Validators> {
        let stored = self.stored.as_ref().filter(|_| self.fits)?;
        Some(Validators { etag: stored.etag.clone(), last_modified: stored.last_modified.clone() })
    }
}
