//! Reads logs: once, or as they are written.

use std::collections::BTreeSet;
use std::io::Write;
use std::time::Duration;

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::{Entry, entry, is_last, named, render};
use crate::cli::Format;
use crate::cluster::{Cluster, Source};
use crate::error::{Error, Outcome};
use crate::output::event;
use crate::paper::Paper;

/// Logs that are read at one time.
const AT_ONCE: usize = 8;
/// Lines that wait to be printed.
const WAITING: usize = 256;
/// How long the API gets to name the pod that has the call, before every runtime pod is listened to.
const NAMED_WITHIN: Duration = Duration::from_secs(3);
/// Lines that other pods still write after the last one about a call.
const STRAGGLERS: Duration = Duration::from_secs(2);

/// A call whose lines are wanted.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Its id.
    pub call: String,
    /// When it can have begun at the earliest.
    pub since: Option<Timestamp>,
    /// Where its pod runs, if that is known.
    pub namespace: Option<String>,
}

/// Prints all lines there are, in order of time.
///
/// # Errors
/// When logs cannot be read, or there is not one line.
pub async fn once(
    cluster: &Cluster,
    wanted: &Wanted,
    format: Format,
    paper: &Paper,
    out: &mut impl Write,
) -> Result<Outcome, Error> {
    let apis = cluster.api_pods().await?;
    let mut entries = all(cluster, &apis, wanted).await?;
    let runtimes = cluster.runtime_pods(wanted.namespace.as_deref()).await?;
    let names = named(&entries);
    let chosen: Vec<Pod> =
        runtimes.iter().filter(|pod| names.is_empty() || names.contains(&pod.name_any())).cloned().collect();
    entries.extend(all(cluster, &chosen, wanted).await?);
    // The times are all of one form and of one zone.
    entries.sort_by(|a, b| a.at.cmp(&b.at));
    let gone = gone(&names, &runtimes);
    if entries.is_empty() {
        return Err(nothing(&wanted.call, apis.len(), chosen.len()));
    }
    for entry in &entries {
        event(out, format, entry, || render(entry, paper))?;
    }
    tell_gone(&gone, &wanted.call)?;
    Ok(Outcome::Fine)
}

/// Prints lines as they come, until the call is over.
///
/// # Errors
/// When logs cannot be read.
pub async fn follow(
    cluster: &Cluster,
    wanted: &Wanted,
    format: Format,
    paper: &Paper,
    out: &mut impl Write,
) -> Result<Outcome, Error> {
    let (lines, mut incoming) = mpsc::channel(WAITING);
    let mut readers = JoinSet::new();
    let mut listened = BTreeSet::new();
    let mut listen = |pods: Vec<Pod>, readers: &mut JoinSet<Result<(), Error>>| {
        for pod in pods {
            if listened.insert(pod.name_any()) {
                readers.spawn(tail(cluster.clone(), Source::of(&pod), wanted.clone(), lines.clone()));
            }
        }
    };
    listen(cluster.api_pods().await?, &mut readers);
    let mut known = BTreeSet::new();
    let unnamed = tokio::time::sleep(NAMED_WITHIN);
    tokio::pin!(unnamed);
    let mut all_listened = false;
    let mut over: Option<tokio::time::Instant> = None;
    loop {
        if all_listened && readers.is_empty() {
            while let Ok(entry) = incoming.try_recv() {
                event(out, format, &entry, || render(&entry, paper))?;
            }
            return Ok(Outcome::Fine);
        }
        let end = over.unwrap_or_else(|| tokio::time::Instant::now() + Duration::from_secs(3600));
        tokio::select! {
            Some(entry) = incoming.recv() => {
                let new: BTreeSet<String> = named(std::slice::from_ref(&entry)).difference(&known).cloned().collect();
                if !new.is_empty() {
                    let runtimes = cluster.runtime_pods(wanted.namespace.as_deref()).await?;
                    tell_gone(&gone(&new, &runtimes), &wanted.call)?;
                    listen(runtimes.into_iter().filter(|pod| new.contains(&pod.name_any())).collect(), &mut readers);
                    known.extend(new);
                }
                event(out, format, &entry, || render(&entry, paper))?;
                if is_last(&entry) {
                    over.get_or_insert(tokio::time::Instant::now() + STRAGGLERS);
                }
            }
            () = &mut unnamed, if !all_listened => {
                all_listened = true;
                if known.is_empty() {
                    listen(cluster.runtime_pods(wanted.namespace.as_deref()).await?, &mut readers);
                }
            }
            Some(ended) = readers.join_next() => {
                // A reader that panicked has a bug of ours; it must not look like a quiet log.
                ended.map_err(|error| Error::Encode(error.to_string()))??;
            }
            () = tokio::time::sleep_until(end), if over.is_some() => return Ok(Outcome::Fine),
            _ = tokio::signal::ctrl_c() => return Ok(Outcome::Interrupted),
        }
    }
}

async fn all(cluster: &Cluster, pods: &[Pod], wanted: &Wanted) -> Result<Vec<Entry>, Error> {
    let reads = pods.iter().flat_map(|pod| {
        let source = Source::of(pod);
        // The log of the container's previous run, if it had one.
        let runs: &[bool] = if source.restarted { &[true, false] } else { &[false] };
        runs.iter().map(move |previous| read(cluster, source.clone(), *previous, wanted))
    });
    let found: Vec<Vec<Entry>> = stream::iter(reads.collect::<Vec<_>>()).buffered(AT_ONCE).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

async fn read(cluster: &Cluster, source: Source, previous: bool, wanted: &Wanted) -> Result<Vec<Entry>, Error> {
    let Some(mut lines) = cluster.log(&source, wanted.since, previous, false).await? else { return Ok(vec![]) };
    let mut entries = vec![];
    while let Some(line) = lines.next().await {
        entries.extend(entry(&source.namespace, &source.pod, &line?, &wanted.call));
    }
    Ok(entries)
}

async fn tail(cluster: Cluster, source: Source, wanted: Wanted, entries: mpsc::Sender<Entry>) -> Result<(), Error> {
    let Some(mut lines) = cluster.log(&source, wanted.since, false, true).await? else { return Ok(()) };
    while let Some(line) = lines.next().await {
        if let Some(entry) = entry(&source.namespace, &source.pod, &line?, &wanted.call)
            && entries.send(entry).await.is_err()
        {
            break;
        }
    }
    Ok(())
}

fn gone(names: &BTreeSet<String>, pods: &[Pod]) -> Vec<String> {
    names.iter().filter(|name| !pods.iter().any(|pod| pod.name_any() == **name)).cloned().collect()
}

/// Said beside the lines, not among them: they may be read by a program.
fn tell_gone(gone: &[String], call: &str) -> Result<(), Error> {
    for pod in gone {
        writeln!(
            std::io::stderr(),
            "note: pod {pod} had the call and is gone, and its log with it. What was said and done is in the ledger: \
             GET /api/v1/calls/{call}/events"
        )?;
    }
    Ok(())
}

fn nothing(call: &str, apis: usize, runtimes: usize) -> Error {
    Error::NotFound(format!(
        "nothing about call {call} in the logs of {apis} API pods and {runtimes} runtime pods. Logs go with their pods; \
         the call's ledger stays: GET /api/v1/calls/{call}/events"
    ))
}
