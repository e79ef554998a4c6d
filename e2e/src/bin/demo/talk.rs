//! The demo's call: dials, asks, listens, and shows the conversation as it happens.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, Result};
use clap::Args;
use voxplane_e2e::{caller::EndCause, heard, rest::Rest, scenario::Conversation};

use crate::live;

/// What the caller does.
#[derive(Debug, Args)]
pub struct Script {
    /// Where the stereo recording of the call goes (caller left, agent right).
    #[arg(long, default_value = "demo-call.wav")]
    pub recording: PathBuf,
    /// What the caller asks.
    #[arg(long, default_value = "what are your opening hours")]
    pub question: String,
}

/// Calls `target`; returns the call's id.
pub async fn hold(rest: &Rest, target: &str, script: &Script) -> Result<String> {
    println!("\ncall        {target}");
    let before = rest.call_ids().await?;
    let dialled = tokio::time::Instant::now();
    let mut call = Conversation::dial(target.to_owned()).await?;
    println!("            answered after {:.2} s", dialled.elapsed().as_secs_f64());
    let id = rest.wait_new_call(&before, Duration::from_secs(5)).await?;
    let watcher = live::follow(rest.clone(), id.clone());

    call.listen(Duration::from_secs(20)).await.context("the greeting")?;
    call.say(&script.question).await?;
    call.listen(Duration::from_secs(20)).await.context("the answer")?;
    call.say("goodbye").await?;
    let cause = call.ended(Duration::from_secs(30)).await?;
    let record = rest.wait_ended(&id, Duration::from_secs(10)).await?;
    watcher.await??;
    let how = if cause == EndCause::ByFarEnd { "the agent hung up" } else { "the call ended" };
    println!("            {how}; status {}", record["status"].as_str().unwrap_or("?"));

    let recording = call.recording();
    recording.save(&script.recording)?;
    println!("\nlatency     from the caller's last sample to the agent's first, in the caller's own recording");
    for (turn, answer) in heard::response_times(&recording.spoken, &recording.heard).into_iter().enumerate() {
        match answer {
            Some(ms) => println!("            turn {}   {ms} ms", turn + 1),
            None => println!("            turn {}   not answered", turn + 1),
        }
    }
    Ok(id)
}
