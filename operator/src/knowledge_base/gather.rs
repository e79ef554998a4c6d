//! Fetches the texts that are elsewhere, when their time has come.

use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::jiff::Timestamp;
use voxplane_knowledge::fetch::{Fetched, Validators};
use voxplane_knowledge::settings;
use voxplane_platform::error_chain::describe;

use super::tools::{TRY_AGAIN, Tools};
use super::validate::{Document, Place, Valid, address_key, document};

/// Texts fetched at a time, and in one pass: a pass must end in time.
const AT_A_TIME: usize = 8;

/// What there is of all sources after a pass.
#[derive(Clone, Debug, Default)]
pub struct Gathered {
    /// Texts that may have changed.
    pub documents: Vec<Document>,
    /// Sources whose text stays as it is stored.
    pub kept: Vec<String>,
    /// Sources that were asked now and answered, and what to ask them with next time.
    pub confirmed: Vec<(String, Validators)>,
    /// What could not be fetched.
    pub failures: Vec<Failure>,
    /// The oldest of the times at which sources were last known to be as stored; none: there are none, or one never was.
    pub last_refresh: Option<Timestamp>,
    /// When to look again.
    pub again: Option<Duration>,
}

/// A text that could not be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Name of the source.
    pub source: String,
    /// Why.
    pub why: String,
    /// From when the text is that is used meanwhile.
    pub since: Option<Timestamp>,
}

enum Outcome {
    /// Its time has not come.
    NotDue,
    /// Others are asked first.
    Later,
    Answered(Fetched),
    Failed(String),
}

/// Fetches what is due; everything else stays.
pub async fn gather(valid: &Valid, tools: &Tools, now: Timestamp) -> Gathered {
    let mut asked = 0;
    let outcomes = valid.places.iter().map(|place| {
        let due = place.since().is_none_or(|at| !place.fits || wait(place, at, now).is_zero());
        let recent = tools.recent_failure(valid.id, &place.url.url).filter(|_| due);
        let turn = due && recent.is_none() && asked < AT_A_TIME;
        asked += usize::from(turn);
        async move {
            match recent {
                Some(why) => Outcome::Failed(why),
                None if turn => ask(place, valid, tools).await,
                None if due => Outcome::Later,
                None => Outcome::NotDue,
            }
        }
    });
    let outcomes: Vec<Outcome> =
        futures::stream::iter(outcomes.collect::<Vec<_>>()).buffered(AT_A_TIME).collect().await;
    sort(valid, outcomes, now)
}

async fn ask(place: &Place, valid: &Valid, tools: &Tools) -> Outcome {
    let (format, known) = (settings::url_format(place.url.format), place.validators());
    match tools.fetcher.fetch(&place.url.url, format, known.as_ref()).await {
        Ok(fetched) => Outcome::Answered(fetched),
        Err(error) => {
            tracing::info!(source = place.source, error = describe(&error), "a text could not be fetched");
            let why = error.to_string();
            tools.failed(valid.id, &place.url.url, why.clone());
            Outcome::Failed(why)
        }
    }
}

/// What the answers mean. Pure.
fn sort(valid: &Valid, outcomes: Vec<Outcome>, now: Timestamp) -> Gathered {
    let mut gathered = Gathered { documents: valid.documents.clone(), ..Gathered::default() };
    let mut times = Vec::new();
    let again = |gathered: &mut Gathered, wait: Duration| {
        gathered.again = Some(gathered.again.map_or(wait, |other| other.min(wait)));
    };
    for (place, outcome) in valid.places.iter().zip(outcomes) {
        let since = place.since();
        let source = place.source.clone();
        if !matches!(outcome, Outcome::Answered(Fetched::Text { .. })) && since.is_some() {
            gathered.kept.push(source.clone());
        }
        match outcome {
            Outcome::NotDue => {
                times.push(since);
                again(&mut gathered, since.map_or(TRY_AGAIN, |at| wait(place, at, now)));
            }
            Outcome::Later => {
                times.push(since);
                again(&mut gathered, Duration::from_secs(1));
            }
            Outcome::Answered(answer) => {
                times.push(Some(now));
                again(&mut gathered, place.refresh());
                let validators = match answer {
                    Fetched::Unchanged => place.validators(),
                    Fetched::Text { text, format, validators } => {
                        let made = document(&source, &address_key(&place.url), format, &text, &valid.plan);
                        gathered.documents.push(made);
                        Some(validators)
                    }
                };
                gathered.confirmed.push((source, validators.unwrap_or_default()));
            }
            Outcome::Failed(why) => {
                times.push(since);
                again(&mut gathered, TRY_AGAIN);
                gathered.failures.push(Failure { source, why, since });
            }
        }
    }
    let known: Option<Vec<Timestamp>> = times.into_iter().collect();
    gathered.last_refresh = known.and_then(|times| times.into_iter().min());
    gathered
}

/// How long until a text is fetched again; zero: now.
fn wait(place: &Place, fetched_at: Timestamp, now: Timestamp) -> Duration {
    let age = Duration::try_from(now.duration_since(fetched_at)).unwrap_or_default();
    place.refresh().saturating_sub(age)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::jiff::SignedDuration;
    use voxplane_crds::knowledge_base::UrlSource;
    use voxplane_knowledge::chunk::{Plan, Strategy};
    use voxplane_knowledge::document::Format;
    use voxplane_store::knowledge::origins::Origin;

    use super::*;
    use crate::testing::now;

    fn place(source: &str, minutes_ago: Option<i64>) -> Place {
        let fetched_at = minutes_ago.map(|minutes| now() - SignedDuration::from_mins(minutes));
        let stored = fetched_at.map(|_| Origin { fetched_at, etag: Some("1".to_owned()), ..Origin::default() });
        let url = UrlSource { url: "https://a.example/".to_owned(), format: Default::default(), refresh_minutes: 60 };
        Place { source: source.to_owned(), url, fits: stored.is_some(), stored }
    }

    fn valid(places: Vec<Place>) -> Valid {
        Valid { id: uuid::Uuid::nil(), documents: Vec::new(), places, plan: Plan::new(Strategy::Semantic, 150, 0) }
    }

    #[test]
    fn what_is_due_is_asked_and_the_rest_waits() {
        let later = wait(&place("a", Some(50)), place("a", Some(50)).since().unwrap(), now());
        assert_eq!(later, Duration::from_secs(600));
        let valid =
            valid(vec![place("new", None), place("same", Some(70)), place("down", Some(90)), place("fresh", Some(50))]);
        let text =
            Fetched::Text { text: "Nine to five.".to_owned(), format: Format::Text, validators: Validators::default() };
        let outcomes = vec![
            Outcome::Answered(text),
            Outcome::Answered(Fetched::Unchanged),
            Outcome::Failed("it is away".to_owned()),
            Outcome::NotDue,
        ];
        let gathered = sort(&valid, outcomes, now());
        assert_eq!(gathered.documents.iter().map(|one| one.source.as_str()).collect::<Vec<_>>(), ["new"]);
        assert_eq!(gathered.kept, ["same", "down", "fresh"], "what failed stays as it is");
        let unchanged = Validators { etag: Some("1".to_owned()), last_modified: None };
        assert_eq!(gathered.confirmed, [("new".to_owned(), Validators::default()), ("same".to_owned(), unchanged)]);
        assert_eq!(gathered.failures.len(), 1);
        assert_eq!(gathered.last_refresh, valid.places[2].since(), "the oldest");
        assert_eq!(gathered.again, Some(TRY_AGAIN));
    }

    #[test]
    fn a_source_that_never_came_has_no_refresh() {
        let gathered = sort(&valid(vec![place("new", None)]), vec![Outcome::Failed("it is away".to_owned())], now());
        assert!(gathered.kept.is_empty() && gathered.last_refresh.is_none());
        assert_eq!(gathered.failures[0].since, None);
    }
}
