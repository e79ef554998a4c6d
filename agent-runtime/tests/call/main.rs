//! Whole calls: the runtime's own binary, a real LiveKit room, real speech in both directions.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "test code, helpers included")]

mod api;
mod caller;
mod livekit;
mod services;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use api::{Api, Running};
use caller::Caller;
use livekit::LiveKit;
use services::{Services, TOKEN};
use tokio::process::{Child, Command};
use uuid::Uuid;
use voxplane_agent_runtime::providers::Registry;
use voxplane_control::v1::{
    self as control, BargeInConfig, CallConfig, GoodbyeConfig, Greeting, KnowledgeConfig, LimitsConfig, LlmConfig,
    SilenceConfig, StartCall, SttConfig, TtsConfig, TurnConfig, VadConfig, api_message, call_refused, greeting,
};
use voxplane_media::{DisconnectReason, JoinOptions, Room};

const GREETING: &str = "welcome to the dental clinic";
const ANSWER: &str = "We open at nine in the morning on weekdays.";
const FAREWELL: &str = "thank you for calling";
/// What the test's own recogniser may hear.
const PHRASES: [&str; 4] = [GREETING, "we open at nine in the morning on weekdays", FAREWELL, "all our lines are busy"];

/// The test's own providers: the caller's voice, and the judge of what was heard.
fn registry() -> &'static Registry {
    static REGISTRY: OnceLock<Registry> = OnceLock::new();
    REGISTRY.get_or_init(|| Registry::from_env(&models(), "/nowhere"))
}

fn models() -> PathBuf {
    std::env::var_os("VOXPLANE_MODELS_DIR").expect("VOXPLANE_MODELS_DIR must name the models' directory").into()
}

struct World {
    livekit: LiveKit,
    api: Api,
    serving: Option<Running>,
    runtime: Child,
    address: SocketAddr,
    files: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        Self::draining_for(1_860).await
    }

    /// A runtime whose calls may go on for so many seconds after SIGTERM.
    async fn draining_for(seconds: u64) -> Self {
        let files = tempfile::tempdir().unwrap();
        let token = files.path().join("token");
        std::fs::write(&token, "projected").unwrap();
        let api = Api::new(&[ANSWER]);
        let serving = api.serve("127.0.0.1:0".parse().unwrap()).await;
        let livekit = LiveKit::start().await;
        let runtime = Command::new(env!("CARGO_BIN_EXE_voxplane-agent-runtime"))
            .env("VOXPLANE_CONTROL_URL", format!("http://{}", serving.address))
            .env("VOXPLANE_TOKEN_FILE", &token)
            .env("VOXPLANE_CREDENTIALS_DIR", files.path())
            .env("VOXPLANE_SPOOL_DIR", files.path().join("spool"))
            .env("VOXPLANE_MODELS_DIR", models())
            .env("VOXPLANE_LIVEKIT_PROBE_URL", livekit.url())
            .env("VOXPLANE_ADMIN_ADDRESS", "127.0.0.1:0")
            .env("VOXPLANE_SLOTS", "2")
            .env("VOXPLANE_TOOL_ALLOWED_CIDRS", "127.0.0.1/32")
            .env("VOXPLANE_DRAIN_GRACE_SECONDS", seconds.to_string())
            .env("VOXPLANE_LOG_FORMAT", "text")
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        api.connected().await;
        let address = serving.address;
        Self { livekit, api, serving: Some(serving), runtime, address, files }
    }

    /// A call of its own, with a caller in the room.
    async fn call(&self, change: impl FnOnce(&mut StartCall)) -> (String, Caller) {
        let call = Uuid::now_v7().to_string();
        let caller = Caller::join(&self.livekit, &call).await;
        let mut start = StartCall {
            call_id: call.clone(),
            epoch: 1,
            livekit: Some(self.livekit.access(&call)),
            caller: Some(control::Caller {
                participant_identity: "caller".into(),
                transport: control::caller::Transport::Webrtc.into(),
            }),
            config: Some(config()),
            config_hash: String::new(),
            refusal_message: String::new(),
        };
        change(&mut start);
        self.api.send(api_message::Body::StartCall(start)).await;
        (call, caller)
    }

    fn terminate(&self) {
        let pid = i32::try_from(self.runtime.id().expect("it runs")).unwrap();
        let status = std::process::Command::new("kill").arg("-TERM").arg(pid.to_string()).status().unwrap();
        assert!(status.success());
    }

    async fn exit(&mut self) -> std::process::ExitStatus {
        tokio::time::timeout(Duration::from_secs(20), self.runtime.wait()).await.expect("it exits").unwrap()
    }
}

fn config() -> CallConfig {
    CallConfig {
        agent_name: "Mia".into(),
        language: "en-US".into(),
        greeting: Some(Greeting {
            mode: greeting::Mode::AgentFirst.into(),
            text: "Welcome to the dental clinic.".into(),
        }),
        stt: Some(SttConfig {
            provider: "pocketsphinx".into(),
            phrases: ["when do you open", "goodbye", "please stop talking now"].map(str::to_owned).to_vec(),
            ..SttConfig::default()
        }),
        llm: Some(LlmConfig { provider: "extractive".into(), ..LlmConfig::default() }),
        tts: Some(TtsConfig { provider: "flite".into(), voice: "slt".into(), speed: 1.0, ..TtsConfig::default() }),
        vad: Some(VadConfig { threshold: 0.5, min_speech_ms: 250, min_silence_ms: 350, prefix_padding_ms: 300 }),
        turn: Some(TurnConfig::default()),
        barge_in: Some(BargeInConfig { enabled: true, min_words: 2, min_speech_ms: 500 }),
        silence: Some(SilenceConfig {
            prompt_after_ms: 20_000,
            prompt: "Hello?".into(),
            max_prompts: 1,
            ..SilenceConfig::default()
        }),
        goodbye: Some(GoodbyeConfig { phrases: vec!["goodbye".into()], message: "Thank you for calling.".into() }),
        limits: Some(LimitsConfig { max_duration_ms: 120_000, max_duration_message: "Time is up.".into() }),
        knowledge: Some(KnowledgeConfig { knowledge_base_ids: vec!["kb".into()], top_k: 3 }),
        ..CallConfig::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_is_answered_and_goodbye_ends_the_call() {
    let world = World::new().await;
    let (call, mut caller) = world.call(|_| {}).await;
    world.api.accepted(&call).await;

    let greeted_from = caller.hears_speech(caller.now()).await;
    let greeted_until = caller.hears_silence(Duration::from_millis(700)).await;
    let heard = caller.understood(registry(), greeted_from, greeted_until, &PHRASES).await;
    assert_eq!(heard, GREETING, "{}", world.api.story(&call));

    let asked = caller.say(registry(), "when do you open").await;
    let answered = caller.hears_speech(asked).await;
    println!("{} ms from the caller's last sample to the agent's first", (answered - asked) / 48);
    let answered_until = caller.hears_silence(Duration::from_millis(700)).await;
    let heard = caller.understood(registry(), answered, answered_until, &PHRASES).await;
    assert_eq!(heard, "we open at nine in the morning on weekdays", "{}", world.api.story(&call));

    caller.say(registry(), "goodbye").await;
    let farewell_from = caller.hears_speech(caller.now()).await;
    assert_eq!(caller.removed().await, DisconnectReason::ParticipantRemoved);
    let heard = caller.understood(registry(), farewell_from, caller.now(), &PHRASES).await;
    assert_eq!(heard, FAREWELL, "the farewell is not cut off");

    let finished = world.api.finished(&call).await;
    println!("{}", world.api.story(&call));
    assert_eq!(finished.reason, "goodbye");
    assert_eq!(world.api.numbers(&call), (1..=finished.last_seq).collect::<Vec<_>>(), "no event is missing");
    for name in ["call.joined", "call.answered", "agent.said", "caller.said", "call.hanging_up", "call.ended"] {
        assert!(world.api.has(&call, name), "{name}");
    }
    let latency = &world.api.event(&call, "turn.completed").await["latency"];
    for stage in ["end_of_turn_ms", "stt_ms", "retrieval_ms", "llm_first_token_ms", "tts_first_audio_ms", "total_ms"] {
        assert!(latency[stage].is_u64(), "{stage} in {latency}");
    }
    println!("{latency}");
    assert!(latency["total_ms"].as_u64().unwrap() < 3_000, "{latency}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_agent_falls_silent() {
    let world = World::new().await;
    let long = "This is a very long greeting that goes on and on, and then goes on again, so that nobody can wait for \
                its end without saying something about it in between.";
    let greet = |start: &mut StartCall| {
        let config = start.config.as_mut().unwrap();
        config.greeting = Some(Greeting { mode: greeting::Mode::AgentFirst.into(), text: long.into() });
    };
    let (call, mut caller) = world.call(greet).await;
    caller.hears_speech(caller.now()).await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let interrupted = caller.now();
    let (_, committed) = tokio::join!(caller.say(registry(), "please stop talking now"), async {
        world.api.event(&call, "barge_in.committed").await
    });
    let silent = caller.hears_silence(Duration::from_millis(300)).await;
    println!("silent {} ms after the caller began\n{}", (silent - interrupted) / 48, world.api.story(&call));
    assert!(silent - interrupted < 48 * 1_200, "the agent went on for {} ms", (silent - interrupted) / 48);
    let heard = committed["heard"].as_str().unwrap();
    assert!(heard.starts_with("This is a") && heard.len() < long.len() / 2, "heard {heard:?}");
    caller.hang_up().await;
    assert_eq!(world.api.finished(&call).await.reason, "caller_hung_up");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_the_api_loses_no_event() {
    let mut world = World::new().await;
    let (call, mut caller) = world.call(|_| {}).await;
    caller.hears_speech(caller.now()).await;
    world.api.event(&call, "call.answered").await;
    let greeted = caller.hears_silence(Duration::from_millis(700)).await;
    let before = world.api.hellos();
    world.serving = None;
    world.api.hang_up_on_runtime();
    caller.say(registry(), "when do you open").await;
    caller.hears_speech(greeted + 48_000).await;
    caller.hears_silence(Duration::from_millis(700)).await;
    assert!(!world.api.has(&call, "caller.said"), "the API is away");
    world.serving = Some(world.api.serve(world.address).await);
    assert_eq!(world.api.event(&call, "caller.said").await["text"], "when do you open");
    assert!(world.api.hellos() > before);
    caller.hang_up().await;
    let finished = world.api.finished(&call).await;
    assert_eq!(world.api.numbers(&call), (1..=finished.last_seq).collect::<Vec<_>>(), "no event is missing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_waits_for_the_call_and_takes_no_other() {
    let mut world = World::new().await;
    let (call, caller) = world.call(|_| {}).await;
    world.api.event(&call, "call.answered").await;
    world.terminate();
    let (other, _other_caller) = loop {
        let (other, caller) = world.call(|_| {}).await;
        // The signal may take a moment to arrive.
        tokio::time::sleep(Duration::from_millis(200)).await;
        if !world.api.has(&other, "call.joined") {
            break (other, caller);
        }
        caller.hang_up().await;
    };
    assert_eq!(world.api.refused(&other).await.reason(), call_refused::Reason::Draining);
    assert!(world.runtime.try_wait().unwrap().is_none(), "the call goes on");
    assert!(!world.api.has(&call, "call.ended"));
    caller.hang_up().await;
    assert_eq!(world.api.finished(&call).await.reason, "caller_hung_up");
    assert!(world.exit().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_outlives_the_drain_is_hung_up_on_before_the_exit() {
    // Less than what is kept for handing over: no time for a farewell.
    let mut world = World::draining_for(5).await;
    let (call, caller) = world.call(|_| {}).await;
    world.api.event(&call, "call.answered").await;
    world.terminate();
    assert_eq!(caller.removed().await, DisconnectReason::ParticipantRemoved);
    assert_eq!(world.api.finished(&call).await.reason, "drained");
    assert!(world.api.has(&call, "call.hanging_up"));
    assert!(world.exit().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_with_another_owner_is_let_go_without_hanging_up() {
    let world = World::new().await;
    let mut again = None;
    let (call, caller) = world.call(|start| again = Some(start.clone())).await;
    world.api.event(&call, "call.answered").await;
    world.api.send(api_message::Body::StartCall(again.unwrap())).await;
    assert_eq!(world.api.refused(&call).await.reason(), call_refused::Reason::Duplicate);

    // The next owner's first act is to join with the same identity.
    let options = JoinOptions::new(world.livekit.url(), world.livekit.join_token(&call, "agent"));
    let (_room, _events) = Box::pin(Room::join(options)).await.unwrap();
    assert_eq!(world.api.finished(&call).await.reason, "lease_lost");
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(caller.ended(), None, "the caller stays");
    assert!(!world.api.has(&call, "call.hanging_up"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_spoken_and_commands_are_done() {
    let world = World::new().await;
    let refuse = |start: &mut StartCall| start.refusal_message = "All our lines are busy.".into();
    let (call, caller) = world.call(refuse).await;
    let from = caller.hears_speech(caller.now()).await;
    assert_eq!(caller.removed().await, DisconnectReason::ParticipantRemoved);
    let heard = caller.understood(registry(), from, caller.now(), &PHRASES).await;
    assert_eq!(heard, "all our lines are busy");
    assert_eq!(world.api.finished(&call).await.reason, "refused");

    let (call, caller) = world.call(|_| {}).await;
    world.api.event(&call, "call.answered").await;
    caller.press("1").await;
    assert_eq!(world.api.event(&call, "dtmf.received").await["digit"], "1");
    let command = |id: &str| control::Command {
        id: id.into(),
        call_id: call.clone(),
        epoch: 1,
        action: Some(control::command::Action::HangUp(control::HangUp { reason: "test".into() })),
    };
    world.api.send(api_message::Body::Command(command("c1"))).await;
    assert_eq!(world.api.result("c1").await.outcome(), control::command_result::Outcome::Done);
    assert_eq!(caller.removed().await, DisconnectReason::ParticipantRemoved);
    assert_eq!(world.api.finished(&call).await.reason, "command");
    world.api.send(api_message::Body::Command(command("c2"))).await;
    assert_eq!(world.api.result("c2").await.outcome(), control::command_result::Outcome::UnknownCall);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_cannot_run_is_refused_with_the_field() {
    let world = World::new().await;
    let (call, _caller) =
        world.call(|start| start.config.as_mut().unwrap().tts.as_mut().unwrap().provider = "x".into()).await;
    let refused = world.api.refused(&call).await;
    assert_eq!(refused.reason(), call_refused::Reason::UnsupportedConfig);
    assert!(refused.message.starts_with("tts.provider"), "{}", refused.message);
}

/// The services' tool, as an agent's configuration has it; `origin` is where it sends its requests.
fn opening_hours(origin: &str) -> control::ToolConfig {
    use control::template_part::Part;
    let part = |part| control::TemplatePart { part: Some(part) };
    control::ToolConfig {
        name: "opening_hours".into(),
        description: "When the clinic opens.".into(),
        parameters_json: r#"{"type": "object", "required": ["day"], "properties": {"day": {"type": "string"}}}"#.into(),
        action: Some(control::tool_config::Action::Http(control::HttpTool {
            method: "GET".into(),
            origin: origin.into(),
            target: vec![part(Part::Text("/hours/".into())), part(Part::Argument("day".into()))],
            headers: vec![control::HttpHeader {
                name: "authorization".into(),
                value: vec![part(Part::Text("Bearer ".into())), part(Part::Secret("token".into()))],
            }],
            credential: "crm".into(),
            timeout_ms: 3_000,
            retries: 0,
        })),
        effect: control::tool_config::Effect::Idempotent.into(),
        say_on_start: "Thank you for calling.".into(),
        say_on_complete: String::new(),
    }
}

/// Writes the keys of the model and the tool, and lets the agent use both.
fn equip(world: &World, services: &Services, origin: &str, start: &mut StartCall) {
    let write = |name: &str, text: &str| std::fs::write(world.files.path().join(name), text).unwrap();
    write("vendor", "sk-1");
    write("vendor.endpoints", &format!("{}/v1", services.origin));
    write("crm.key.token", TOKEN);
    write("crm.endpoints", origin);
    let config = start.config.as_mut().unwrap();
    config.llm = Some(LlmConfig {
        provider: "openai-compatible".into(),
        model: "m".into(),
        base_url: format!("{}/v1", services.origin),
        credential: "vendor".into(),
        ..LlmConfig::default()
    });
    config.tools = vec![opening_hours(origin)];
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_is_used_while_the_agent_talks_and_its_result_is_spoken() {
    let (world, services) = (World::new().await, Services::start(ANSWER).await);
    let (call, mut caller) = world.call(|start| equip(&world, &services, &services.origin, start)).await;
    caller.hears_speech(caller.now()).await;
    caller.hears_silence(Duration::from_millis(700)).await;
    caller.say(registry(), "when do you open").await;
    world.api.event(&call, "turn.completed").await;
    let said = world.api.events(&call, "agent.said");
    let texts: Vec<_> = said.iter().map(|said| said["heard"].as_str().unwrap()).collect();
    assert_eq!(
        texts,
        ["Welcome to the dental clinic.", "Thank you for calling.", ANSWER],
        "{}",
        world.api.story(&call)
    );
    println!("{}", world.api.story(&call));

    assert_eq!(services.used(), [("monday".into(), format!("{call}-1-1"), format!("Bearer {TOKEN}"))]);
    let intent = world.api.event(&call, "tool.intent").await;
    assert_eq!((&intent["tool"], &intent["effect"]), (&"opening_hours".into(), &"idempotent".into()));
    assert_eq!(intent["arguments"], "{\"day\": \"monday\"}");
    let result = world.api.event(&call, "tool.result").await;
    assert_eq!((&result["status"], &result["result"]), (&"ok".into(), &r#"{"opens":"09:00"}"#.into()));
    let conversations = services.asked();
    assert_eq!(conversations.len(), 2);
    let results: Vec<_> = conversations[1].as_array().unwrap().iter().filter(|one| one["role"] == "tool").collect();
    assert_eq!(results[0]["content"], r#"{"opens":"09:00"}"#);
    caller.hang_up().await;
    world.api.finished(&call).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_not_permitted_is_not_reached_and_the_call_goes_on() {
    let (world, services) = (World::new().await, Services::start(ANSWER).await);
    let elsewhere = services.origin.replace("127.0.0.1", "127.0.0.2");
    let (call, mut caller) = world.call(|start| equip(&world, &services, &elsewhere, start)).await;
    caller.hears_speech(caller.now()).await;
    caller.hears_silence(Duration::from_millis(700)).await;
    caller.say(registry(), "when do you open").await;
    world.api.event(&call, "turn.completed").await;
    let result = world.api.event(&call, "tool.result").await;
    assert_eq!((&result["status"], &result["error"]), (&"failed".into(), &"not_permitted".into()));
    assert_eq!(services.used(), []);
    caller.hang_up().await;
    assert_eq!(world.api.finished(&call).await.reason, "caller_hung_up");
}
