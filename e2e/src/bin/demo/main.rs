//! `make demo`: applies the sample clinic, calls it, shows the conversation as it happens, and says how to go on. In a
//! lab, or with `--context` in a cluster that is there already.
#![allow(clippy::print_stdout)]

mod elsewhere;
mod live;
mod talk;

use anyhow::Result;
use clap::Parser;
use kube::api::DynamicObject;
use voxplane_e2e::world::{CLINIC_NAMESPACE, CLINIC_NUMBER, World};

use crate::talk::Script;

/// Calls the sample clinic.
#[derive(Debug, Parser)]
#[command(max_term_width = 100)]
struct Arguments {
    #[command(flatten)]
    script: Script,
    #[command(flatten)]
    elsewhere: elsewhere::Options,
}

#[tokio::main]
async fn main() -> Result<()> {
    let Arguments { script, elsewhere } = Arguments::parse();
    // Nobody has installed one before.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    match &elsewhere.context {
        None => in_the_lab(&script).await,
        Some(context) => elsewhere::run(context, &elsewhere, &script).await,
    }
}

async fn in_the_lab(script: &Script) -> Result<()> {
    let world = World::open().await?;

    println!("\nresources   kubectl apply --server-side -f manifests/samples/dental-clinic");
    let started = tokio::time::Instant::now();
    let objects = world.sample("dental-clinic").await?;
    ready(&objects, started.elapsed());

    let id = talk::hold(&world.rest, &world.env.sip_uri(CLINIC_NUMBER), script).await?;

    println!("\ngo on       export KUBECONFIG={}", world.env.kubeconfig);
    println!("            kubectl get voxplane -A");
    println!("            kubectl -n {CLINIC_NAMESPACE} describe voiceagent");
    println!("            softphone      {}", world.env.sip_uri(CLINIC_NUMBER));
    println!("            API            {}/api/v1  (call {id})", world.env.api_url);
    println!("            recording      {}", script.recording.display());
    println!("            make down      removes the lab without a trace");
    Ok(())
}

/// Objects that are Ready.
fn ready(objects: &[DynamicObject], took: std::time::Duration) {
    for object in objects {
        let kind = object.types.as_ref().map_or("?", |types| types.kind.as_str());
        println!("            {kind:<14} {:<16} Ready", object.metadata.name.as_deref().unwrap_or("?"));
    }
    println!("            all Ready after {:.1} s", took.as_secs_f64());
}
