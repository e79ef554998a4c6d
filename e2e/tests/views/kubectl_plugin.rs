//! What a person sees with `kubectl voxplane`: the real binary against the lab's cluster.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use voxplane_e2e::lab::program;
use voxplane_e2e::scratch::{one_of_everything, only_the_agency, with_own};
use voxplane_e2e::world::{BUSY, CLINIC_NAMESPACE, CLINIC_NUMBER, World, of_kind};

/// How long the operator may take to say what it thinks of a change.
const SOON: Duration = Duration::from_secs(30);

/// The plugin, as Cargo made it.
fn plugin() -> Result<PathBuf> {
    program("kubectl-voxplane", "VOXPLANE_PLUGIN")
}

/// What the plugin answers, whatever it finds.
async fn ask(world: &World, arguments: &[&str]) -> Result<Output> {
    let mut command = Command::new(plugin()?);
    command.env("KUBECONFIG", &world.env.kubeconfig).env_remove("NO_COLOR").args(arguments);
    Ok(tokio::task::spawn_blocking(move || command.output()).await??)
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The answer as JSON, with the exit code.
async fn data(world: &World, arguments: &[&str]) -> Result<(Value, Option<i32>)> {
    let output = ask(world, &[arguments, &["--output", "json"]].concat()).await?;
    let value = serde_json::from_slice(&output.stdout).with_context(|| text(&output))?;
    Ok((value, output.status.code()))
}

#[tokio::test(flavor = "multi_thread")]
async fn status_of_the_sample_is_fine_and_shows_everything() -> Result<()> {
    let world = World::open().await?;
    world.sample("dental-clinic").await?;
    let output = ask(&world, &["status", "--namespace", CLINIC_NAMESPACE]).await?;
    let text = text(&output);
    println!("{text}");
    assert_eq!(output.status.code(), Some(0), "{text}");
    for words in [
        "Agency brightline",
        "Tenant dental-clinic",
        "KnowledgeBase clinic",
        "VoiceAgent receptionist",
        "PhoneNumber main",
        "Pod voxplane-runtime-",
        "slots busy",
    ] {
        assert!(text.contains(words), "{words} is not shown:\n{text}");
    }
    assert!(!text.contains('\u{1b}'), "colours in a pipe:\n{text}");
    let (report, code) = data(&world, &["status", "brightline"]).await?;
    assert_eq!((report["agencies"][0]["name"].as_str(), code), (Some("brightline"), Some(0)), "{report:#}");
    let nobody = ask(&world, &["status", "nobody-has-this-name"]).await?;
    assert_eq!(nobody.status.code(), Some(3), "not to know is not to be broken");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_broken_is_shown_with_reason_and_remedy() -> Result<()> {
    with_own(&only_the_agency("e2e-plugin"), |world| async move {
        let objects =
            world.cluster.apply_ready(&one_of_everything("e2e-plugin", "+15557730"), Duration::from_secs(120)).await?;
        let number = of_kind(&objects, "PhoneNumber");
        // Another number, which no carrier connection grants.
        let mut other = number.clone();
        other.metadata = kube::api::ObjectMeta {
            name: Some("other".to_owned()),
            namespace: number.metadata.namespace.clone(),
            ..Default::default()
        };
        other.data = json!({"spec": {"number": "+15557739", "carrier": "main", "agentRef": {"name": "clerk"}}});
        let other = world.cluster.apply(&other).await?;
        world.cluster.wait_condition(&other, "Ready", "False", SOON).await?;
        let output = ask(&world, &["status", "e2e-plugin"]).await?;
        let shown = text(&output);
        println!("{shown}");
        assert_eq!(output.status.code(), Some(1), "{shown}");
        assert!(shown.starts_with("1 thing is broken"), "what is broken comes first:\n{shown}");
        assert!(shown.contains("PhoneNumber vx-e2e-plugin--shop/other: NumberNotGranted"), "{shown}");
        assert!(shown.contains("What to do: Add the number"), "{shown}");

        // The preflight fails for it, and says why, too.
        let (preflight, code) = data(&world, &["call", "+15557739"]).await?;
        assert_eq!((preflight["answered"].as_bool(), code), (Some(false), Some(1)), "{preflight:#}");
        let failed = preflight["checks"].as_array().into_iter().flatten().find(|check| check["verdict"] == "failed");
        let failed = failed.context("no check failed")?;
        assert!(failed["message"].as_str().unwrap_or_default().starts_with("NumberNotGranted"), "{preflight:#}");

        world.cluster.delete(&other).await?;
        world.cluster.wait_gone(&other, SOON).await?;
        assert_eq!(ask(&world, &["status", "e2e-plugin"]).await?.status.code(), Some(0), "it is repaired");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_shows_the_greeting_and_who_set_it() -> Result<()> {
    let world = World::open().await?;
    world.sample("dental-clinic").await?;
    let arguments = ["explain", "voiceagent/receptionist", "--namespace", CLINIC_NAMESPACE];
    let (explanation, code) = data(&world, &arguments).await?;
    assert_eq!(code, Some(0), "{explanation:#}");
    let field = |path: &str| -> Result<&Value> {
        let fields = explanation["fields"].as_array().context("no fields")?;
        fields.iter().find(|field| field["path"] == path).with_context(|| format!("no field {path}"))
    };
    let greeting = field("spec.greeting.text")?;
    assert!(greeting["value"].as_str().unwrap_or_default().contains("Maple Street dental clinic"), "{greeting}");
    // The tests apply server-side under kubectl's name.
    assert_eq!((&greeting["source"], &greeting["manager"]), (&json!("spec"), &json!("kubectl")), "{greeting}");
    let prompts = field("spec.silence.maxPrompts")?;
    assert_eq!((&prompts["source"], &prompts["value"]), (&json!("default"), &json!(2)), "{prompts}");
    let said = explanation["effective"].as_array().into_iter().flatten().find(|fact| fact["name"] == "said first");
    let said = said.context("nothing about what is said first")?;
    assert_eq!(said["value"], "This is an automated assistant.");
    assert_eq!(said["from"], "tenant spec.compliance.disclosure (spec)");
    assert_eq!(explanation["numbers"][0]["name"], "main", "{explanation:#}");
    assert_eq!(explanation["knowledgeBases"][0]["health"], "ready", "{explanation:#}");
    let shown = text(&ask(&world, &arguments).await?);
    println!("{shown}");
    assert!(shown.contains("spec.greeting.text") && shown.contains("spec, set by kubectl"), "{shown}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_preflight_passes_when_a_call_would() -> Result<()> {
    let world = World::open().await?;
    world.sample("dental-clinic").await?;
    let (preflight, code) = data(&world, &["call", CLINIC_NUMBER]).await?;
    assert_eq!((preflight["answered"].as_bool(), code), (Some(true), Some(0)), "{preflight:#}");
    assert_eq!(preflight["uri"], world.env.sip_uri(CLINIC_NUMBER), "the installation knows its own address");
    let verdicts: Vec<_> =
        preflight["checks"].as_array().into_iter().flatten().map(|check| check["verdict"].as_str()).collect();
    assert!(verdicts.len() >= 8 && verdicts.iter().all(|verdict| *verdict == Some("ok")), "{preflight:#}");
    let (nobody, code) = data(&world, &["call", "+15557779"]).await?;
    assert_eq!((nobody["answered"].as_bool(), code), (Some(false), Some(1)), "{nobody:#}");
    assert_eq!(ask(&world, &["call", "5550100"]).await?.status.code(), Some(2), "not in E.164 form");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_of_a_call_come_from_the_api_and_from_its_pod() -> Result<()> {
    let world = World::open().await?;
    world.sample("dental-clinic").await?;
    let mut call = world.dial(CLINIC_NUMBER).await?;
    call.listen(Duration::from_secs(15)).await?;
    call.hang_up().await?;
    let calls = world.rest.get("/calls").await?;
    let id = calls["data"][0]["id"].as_str().context("the call is not listed")?.to_owned();
    // The last lines are written a moment after the caller has hung up.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let output = ask(&world, &["logs", &id]).await?;
    let shown = text(&output);
    println!("{shown}");
    assert_eq!(output.status.code(), Some(0), "{shown}");
    for words in ["voxplane-api-", "a pod has the call", "voxplane-runtime-", "call taken", "call over"] {
        assert!(shown.contains(words), "{words} is not among the lines:\n{shown}");
    }
    assert!(!shown.contains(&CLINIC_NUMBER[2..]), "a number in the logs:\n{shown}");
    let unknown = ask(&world, &["logs", "0197c3a2-51f0-7cc3-98c4-dc0c0c07398f"]).await?;
    assert_eq!(unknown.status.code(), Some(3), "{}", text(&unknown));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn drain_waits_for_the_call_and_cuts_nothing() -> Result<()> {
    let world = World::open().await?;
    world.sample("dental-clinic").await?;
    let mut call = world.dial(CLINIC_NUMBER).await?;
    call.listen(Duration::from_secs(15)).await?;
    let pod = busy_pod(&world).await?;
    let kubeconfig = world.env.kubeconfig.clone();
    let (program, name) = (plugin()?, pod.clone());
    let drain = tokio::task::spawn_blocking(move || {
        Command::new(program).env("KUBECONFIG", kubeconfig).args(["drain", &format!("pod/{name}")]).output()
    });
    // It is told to end; the call goes on.
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert!(!drain.is_finished(), "the drain did not wait for the call");
    call.say("where are you located").await?;
    assert!(call.listen(Duration::from_secs(20)).await?.segment.millis() > 300, "the draining pod still answers");
    call.hang_up().await?;
    let output = tokio::time::timeout(Duration::from_secs(60), drain).await.context("the drain does not end")???;
    let shown = text(&output);
    println!("{shown}");
    assert_eq!(output.status.code(), Some(0), "{shown}");
    assert!(shown.contains("takes no new calls, finishes its own and ends"), "{shown}");
    assert!(shown.contains("all pods have ended"), "{shown}");
    // The tests after this one need the replacement.
    world.sample("dental-clinic").await?;
    Ok(())
}

/// The pod that carries a call. The mark follows a call within seconds.
async fn busy_pod(world: &World) -> Result<String> {
    for _ in 0..20 {
        let busy = world.pods(CLINIC_NAMESPACE, BUSY).await?;
        if let Some(name) = busy.first().and_then(|pod| pod.metadata.name.clone()) {
            return Ok(name);
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    anyhow::bail!("no pod is marked as busy")
}
