//! Tells pods to end, and waits until their calls are over.

use std::io::Write;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::{Left, Progress, Step, Target, farewell, is_runtime, step};
use crate::cli::{DrainArgs, Format};
use crate::cluster::{Cluster, Told};
use crate::error::{Error, Outcome};
use crate::health::is_busy;
use crate::output::event;
use crate::paper::{Paper, Tone};
use crate::status::count;

/// Between two looks at what is left.
const LOOK: Duration = Duration::from_secs(2);

/// One line of the drain's story.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Event<'a> {
    #[serde(rename_all = "camelCase")]
    Cordoned {
        node: &'a str,
        dry_run: bool,
    },
    #[serde(rename_all = "camelCase")]
    Pod {
        namespace: String,
        name: String,
        step: Step,
        dry_run: bool,
    },
    Progress(&'a Progress),
    Stopped {
        message: String,
    },
}

/// Where the story is told.
struct Story<'a, W> {
    out: &'a mut W,
    format: Format,
    paper: &'a Paper,
}

impl<W: Write> Story<'_, W> {
    fn tell(&mut self, what: &Event<'_>, words: &str) -> Result<(), Error> {
        event(self.out, self.format, what, || self.paper.paragraph("", Tone::Plain, words))
    }
}

/// Drains a pod, or all runtime pods of a node.
///
/// # Errors
/// When the target does not exist, or the API server fails. What was told to end goes on ending.
pub async fn run(
    cluster: &Cluster,
    namespace: Option<&str>,
    arguments: &DrainArgs,
    format: Format,
    paper: &Paper,
    out: &mut impl Write,
) -> Result<Outcome, Error> {
    let (pods, node) = find(cluster, namespace, Target::parse(&arguments.target).map_err(Error::Usage)?).await?;
    let mut story = Story { out, format, paper };
    if let Some(node) = &node {
        if !arguments.dry_run {
            cluster.cordon(node).await?;
        }
        let words = format!(
            "node {node} is closed for new pods{}; {} to drain",
            dry(arguments),
            count(pods.len(), "runtime pod")
        );
        story.tell(&Event::Cordoned { node, dry_run: arguments.dry_run }, &words)?;
    }
    for pod in &pods {
        let (namespace, name, step) = (pod.namespace().unwrap_or_default(), pod.name_any(), step(pod));
        let does = match step {
            Step::Ending => "ends already",
            Step::Evict => "carries no call and ends",
            Step::Delete => "takes no new calls, finishes its own and ends",
        };
        let words = format!("pod {namespace}/{name} {does}{}", dry(arguments));
        story.tell(&Event::Pod { namespace, name, step, dry_run: arguments.dry_run }, &words)?;
    }
    if arguments.dry_run {
        return Ok(Outcome::Fine);
    }
    wait(cluster, pods, node.as_deref(), arguments.timeout, &mut story).await
}

fn dry(arguments: &DrainArgs) -> &'static str {
    if arguments.dry_run { " (dry run: nothing is done)" } else { "" }
}

async fn find(cluster: &Cluster, namespace: Option<&str>, target: Target) -> Result<(Vec<Pod>, Option<String>), Error> {
    let pods: Vec<Pod> = cluster.runtime_pods(namespace).await?.into_iter().filter(is_runtime).collect();
    let (name, pod, node) = match &target {
        Target::Pod(name) => (name, true, false),
        Target::Node(name) => (name, false, true),
        Target::Either(name) => (name, true, true),
    };
    if pod && let Some(found) = pods.iter().find(|pod| pod.name_any() == *name) {
        return Ok((vec![found.clone()], None));
    }
    if node && cluster.has_node(name).await? {
        let there = |pod: &Pod| pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()) == Some(name);
        return Ok((pods.into_iter().filter(there).collect(), Some(name.clone())));
    }
    let what = match (pod, node) {
        (true, true) => "runtime pod and no node",
        (true, false) => "runtime pod",
        _ => "node",
    };
    Err(Error::NotFound(format!("there is no {what} called {name:?}; `kubectl voxplane status` shows the pods")))
}

/// Tells each pod to end, again while an eviction is refused, and waits.
async fn wait<W: Write>(
    cluster: &Cluster,
    pods: Vec<Pod>,
    node: Option<&str>,
    timeout: u64,
    story: &mut Story<'_, W>,
) -> Result<Outcome, Error> {
    let deadline = (timeout > 0).then(|| Instant::now() + Duration::from_secs(timeout));
    let mut told: Option<Progress> = None;
    let mut left: Vec<Left> =
        pods.iter().map(|pod| Left { name: pod.name_any(), calls: None, busy: is_busy(pod) }).collect();
    loop {
        let look = tokio::select! {
            look = look(cluster, &pods) => look?,
            _ = tokio::signal::ctrl_c() => return stopped(story, &left, node, Outcome::Interrupted),
        };
        left = look;
        let progress = Progress::of(&left);
        if told.as_ref() != Some(&progress) {
            story.tell(&Event::Progress(&progress), &progress.as_text())?;
        }
        if left.is_empty() {
            return Ok(Outcome::Fine);
        }
        told = Some(progress);
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return stopped(story, &left, node, Outcome::Broken);
        }
        tokio::select! {
            () = sleep(LOOK) => {}
            _ = tokio::signal::ctrl_c() => return stopped(story, &left, node, Outcome::Interrupted),
        }
    }
}

fn stopped<W: Write>(
    story: &mut Story<'_, W>,
    left: &[Left],
    node: Option<&str>,
    outcome: Outcome,
) -> Result<Outcome, Error> {
    let message = farewell(left, node);
    story.tell(&Event::Stopped { message: message.clone() }, &message)?;
    Ok(outcome)
}

/// One look at each pod: what has not been told to end is told now.
async fn look(cluster: &Cluster, pods: &[Pod]) -> Result<Vec<Left>, Error> {
    let mut left = vec![];
    for pod in pods {
        // Another pod of the same name is not ours to end.
        let Some(current) = cluster.pod_again(pod).await? else { continue };
        let refused = match step(&current) {
            Step::Ending => false,
            Step::Evict => cluster.evict(&current).await? == Told::Refused,
            Step::Delete => {
                cluster.delete(&current).await?;
                false
            }
        };
        // A refused eviction means that it became busy, or that somebody else's budget holds it: the next look decides.
        let calls = if refused { None } else { cluster.calls_of(&current).await };
        left.push(Left { name: current.name_any(), calls, busy: is_busy(&current) });
    }
    Ok(left)
}
