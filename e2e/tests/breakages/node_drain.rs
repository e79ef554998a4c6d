//! The promise: `kubectl drain` of a node with a live call ends, after the call has ended as its people wanted, and however
//! many others call meanwhile: they are answered on another node.

use std::{process::Stdio, time::Duration};

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};
use voxplane_e2e::{
    caller::EndCause,
    lab, voice,
    world::{BUSY, CLINIC_NAMESPACE, CLINIC_NUMBER, READY_LIMIT, RUNTIME, World},
};

/// From the end of the call: the mark of a busy pod goes after ten seconds, kubectl asks again every five, and the
/// operator is thrown off the node as well and must lead again first.
const DRAIN_LIMIT: Duration = Duration::from_secs(180);
/// The operator leads again, another pod starts on the other node and is ready: then that of the call gives way.
const SUBSTITUTE_LIMIT: Duration = Duration::from_secs(150);
const ANSWERS: [&str; 3] = [
    "our opening hours are monday to friday from nine in the morning to five in the afternoon",
    "we are located at twelve maple street",
    "i am sorry i do not know that",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_drained_when_its_calls_are_over() -> Result<()> {
    let world = World::open().await?;
    lab::revive(&world.env, "node2").await?;
    world.sample("dental-clinic").await?;
    let call = world.dial(CLINIC_NUMBER).await?;
    let pod = busy_pod(&world).await?;
    let node = node_of(&pod)?;
    println!("the call is on {node}");

    let drain = kubectl(&world, &["drain", &node, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=300s"])?;
    let outcome = drained(&world, call, drain, &pod).await;
    let allowed = kubectl(&world, &["uncordon", &node])?.wait_with_output().await?;
    outcome?;
    ensure!(allowed.status.success(), "{}", String::from_utf8_lossy(&allowed.stderr));
    Ok(())
}

/// Fails rather than panics: whatever it finds, the node has to be opened again.
async fn drained(
    world: &World,
    mut call: voxplane_e2e::scenario::Conversation,
    mut drain: Child,
    pod: &Pod,
) -> Result<()> {
    let node = node_of(pod)?;
    call.listen(Duration::from_secs(15)).await?;
    // Long enough for kubectl to have tried, and for whatever it could evict to be gone. The lab has one replica of the
    // API, which is thrown off the node as well: while it moves, nobody can look into the knowledge base, and the agent
    // says so. It never falls silent.
    for question in ["what are your opening hours", "where are you located"] {
        call.say(question).await?;
        let answer = call.listen(Duration::from_secs(20)).await?;
        println!("{question}: {:?}", voice::recognise(&answer.samples, &ANSWERS)?);
        ensure!(answer.segment.millis() > 300, "the agent does not answer");
    }
    gives_way(world, &mut call, pod).await?;
    ensure!(drain.try_wait()?.is_none(), "the drain ended while the call goes on");

    // The next caller is answered on the other node, while the first still talks.
    let deadline = Instant::now() + READY_LIMIT;
    let mut next = loop {
        match world.dial(CLINIC_NUMBER).await {
            Ok(call) => break call,
            Err(error) => ensure!(Instant::now() < deadline, "nobody answers any more: {error:#}"),
        }
        sleep(Duration::from_secs(1)).await;
    };
    next.listen(Duration::from_secs(15)).await?;
    let other = node_of(&busy_pod(world).await?)?;
    ensure!(other != node, "the next call is on {node} as well");

    call.say("goodbye").await?;
    let cause = call.ended(Duration::from_secs(30)).await?;
    ensure!(cause == EndCause::ByFarEnd, "the call ended otherwise: {cause:?}");
    let over = Instant::now();
    let output = timeout(DRAIN_LIMIT, drain.wait_with_output()).await.context("the drain does not end")??;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "kubectl drain: {said}");
    println!("drained {:.1} s after the call", over.elapsed().as_secs_f64());
    next.hang_up().await?;
    Ok(())
}

/// Waits until the pod of the call was told to take no others; nobody falls silent meanwhile.
async fn gives_way(world: &World, call: &mut voxplane_e2e::scenario::Conversation, pod: &Pod) -> Result<()> {
    let (start, name) = (Instant::now(), pod.name_any());
    loop {
        let found = world.pods(CLINIC_NAMESPACE, RUNTIME).await?.into_iter().find(|found| found.name_any() == name);
        let found = found.context("the pod is gone while the call goes on")?;
        if found.metadata.deletion_timestamp.is_some() {
            println!("the pod gave way after {:.1} s", start.elapsed().as_secs_f64());
            return Ok(());
        }
        ensure!(start.elapsed() < SUBSTITUTE_LIMIT, "{name} still takes calls on a closed node");
        call.say("where are you located").await?;
        call.listen(Duration::from_secs(20)).await?;
    }
}

/// The pod that carries a call and takes others.
async fn busy_pod(world: &World) -> Result<Pod> {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let pods = world.pods(CLINIC_NAMESPACE, BUSY).await?;
        if let Some(pod) = pods.into_iter().find(|pod| pod.metadata.deletion_timestamp.is_none()) {
            return Ok(pod);
        }
        let all = world.pods(CLINIC_NAMESPACE, RUNTIME).await?;
        let names: Vec<_> = all.iter().map(ResourceExt::name_any).collect();
        ensure!(Instant::now() < deadline, "no pod is marked as busy: {names:?}");
        sleep(Duration::from_millis(200)).await;
    }
}

fn node_of(pod: &Pod) -> Result<String> {
    pod.spec.as_ref().and_then(|spec| spec.node_name.clone()).context("the pod is on no node")
}

fn kubectl(world: &World, arguments: &[&str]) -> Result<Child> {
    let mut command = Command::from(lab::kubectl(&world.env));
    command.args(arguments).kill_on_drop(true).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().context(lab::NO_KUBECTL)
}
