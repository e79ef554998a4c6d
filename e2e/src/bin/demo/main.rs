//! `make demo`: applies the sample clinic, calls it, shows the conversation as it happens, and says how to go on.
#![allow(clippy::print_stdout)]

mod live;

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, Result};
use clap::Parser;
use voxplane_e2e::{
    caller::EndCause,
    heard,
    world::{CLINIC_NAMESPACE, CLINIC_NUMBER, World},
};

/// Calls the sample clinic in a running lab.
#[derive(Debug, Parser)]
struct Arguments {
    /// Where the stereo recording of the call goes (caller left, agent right).
    #[arg(long, default_value = "demo-call.wav")]
    recording: PathBuf,
    /// What the caller asks.
    #[arg(long, default_value = "what are your opening hours")]
    question: String,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let world = World::open().await?;

    println!("\nresources   kubectl apply --server-side -f manifests/samples/dental-clinic");
    let started = tokio::time::Instant::now();
    let objects = world.sample("dental-clinic").await?;
    for object in &objects {
        let kind = object.types.as_ref().map_or("?", |types| types.kind.as_str());
        println!("            {kind:<14} {:<16} Ready", object.metadata.name.as_deref().unwrap_or("?"));
    }
    println!("            all Ready after {:.1} s", started.elapsed().as_secs_f64());

    println!("\ncall        {}", world.env.sip_uri(CLINIC_NUMBER));
    let before = world.rest.call_ids().await?;
    let dialled = tokio::time::Instant::now();
    let mut call = world.dial(CLINIC_NUMBER).await?;
    println!("            answered after {:.2} s", dialled.elapsed().as_secs_f64());
    let id = world.rest.wait_new_call(&before, Duration::from_secs(5)).await?;
    let watcher = live::follow(world.rest.clone(), id.clone());

    call.listen(Duration::from_secs(20)).await.context("the greeting")?;
    call.say(&arguments.question).await?;
    call.listen(Duration::from_secs(20)).await.context("the answer")?;
    call.say("goodbye").await?;
    let cause = call.ended(Duration::from_secs(30)).await?;
    let record = world.rest.wait_ended(&id, Duration::from_secs(10)).await?;
    watcher.await??;
    let how = if cause == EndCause::ByFarEnd { "the agent hung up" } else { "the call ended" };
    println!("            {how}; status {}", record["status"].as_str().unwrap_or("?"));

    let recording = call.recording();
    recording.save(&arguments.recording)?;
    println!("\nlatency     from the caller's last sample to the agent's first, in the caller's own recording");
    for (turn, answer) in heard::response_times(&recording.spoken, &recording.heard).into_iter().enumerate() {
        match answer {
            Some(ms) => println!("            turn {}   {ms} ms", turn + 1),
            None => println!("            turn {}   not answered", turn + 1),
        }
    }

    println!("\ngo on       export KUBECONFIG={}", world.env.kubeconfig);
    println!("            kubectl get voxplane -A");
    println!("            kubectl -n {CLINIC_NAMESPACE} describe voiceagent");
    println!("            softphone      {}", world.env.sip_uri(CLINIC_NUMBER));
    println!("            API            {}/api/v1  (call {id})", world.env.api_url);
    println!("            recording      {}", arguments.recording.display());
    println!("            make down      removes the lab without a trace");
    Ok(())
}
