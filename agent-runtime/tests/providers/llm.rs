//! The language models: extractive, and OpenAI-compatible against the simulator.

use std::{
    path::Path,
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use futures::StreamExt;
use voxplane_agent_runtime::providers::{
    Credentials, ProviderError, Registry,
    llm::{
        Extractive, LlmEvent, LlmProvider, LlmRequest, Message, OpenAiCompatible, Passage, Role, ToolCall,
        ToolDefinition, ToolUse, Usage,
    },
};
use voxplane_control::v1::LlmConfig;

use crate::{
    conformance::{PATIENCE, llm_conforms},
    simulator::{ANSWER, KEY, Simulator},
};

fn request(question: &str) -> LlmRequest {
    LlmRequest {
        system: "Be brief.".into(),
        messages: vec![Message::said(Role::User, question)],
        passages: vec![Passage {
            id: "1".into(),
            text: "Our opening hours are from nine to five. We are located at twelve Maple Street.".into(),
            score: 1.0,
        }],
        temperature: 0.2,
        max_tokens: 100,
        ..LlmRequest::default()
    }
}

/// The same, of a model that may look at the diary.
fn with_tools() -> LlmRequest {
    let tool = |name: &str| ToolDefinition {
        name: name.into(),
        description: "A tool.".into(),
        parameters: serde_json::json!({"type": "object", "properties": {"day": {"type": "string"}}}),
    };
    LlmRequest { tools: vec![tool("look_up"), tool("book")], may_call: true, ..request("is there a table") }
}

/// A provider for the simulator's model, with limits short enough for a test.
fn model(simulator: &Simulator, name: &str) -> OpenAiCompatible {
    with_options(simulator, name, &[("first_token_timeout_ms", "1500"), ("idle_timeout_ms", "300")])
}

fn with_options(simulator: &Simulator, name: &str, options: &[(&str, &str)]) -> OpenAiCompatible {
    let directory = tempfile::tempdir().unwrap();
    let config = LlmConfig {
        provider: "openai-compatible".into(),
        model: name.into(),
        base_url: simulator.base_url.clone(),
        credential: "vendor".into(),
        options: options.iter().map(|(option, value)| (option.to_string(), value.to_string())).collect(),
        ..Default::default()
    };
    OpenAiCompatible::new(OpenAiCompatible::client().unwrap(), &config, &credentials(directory.path(), simulator, KEY))
        .unwrap()
}

fn credentials(directory: &Path, simulator: &Simulator, key: &str) -> Credentials {
    std::fs::write(directory.join("vendor"), key).unwrap();
    std::fs::write(directory.join("vendor.endpoints"), &simulator.base_url).unwrap();
    Credentials::new(directory)
}

/// The texts, then the error if the answer does not end well.
async fn answer(provider: &dyn LlmProvider) -> (String, Result<(), ProviderError>) {
    let mut stream = match provider.stream(request("are you open")).await {
        Ok(stream) => stream,
        Err(error) => return (String::new(), Err(error)),
    };
    let mut text = String::new();
    while let Some(event) = tokio::time::timeout(PATIENCE, stream.next()).await.expect("the answer ends") {
        match event {
            Ok(LlmEvent::Text(piece)) => text.push_str(&piece),
            Ok(_) => {}
            Err(error) => {
                assert!(stream.next().await.is_none(), "nothing follows an error");
                return (text, Err(error));
            }
        }
    }
    (text, Ok(()))
}

#[tokio::test]
async fn extractive_conforms_and_answers() {
    let provider = Extractive::new(&LlmConfig::default()).unwrap();
    let text = llm_conforms(&provider, &request("what are your opening hours")).await;
    assert_eq!(text, "Our opening hours are from nine to five.");
    assert_eq!(llm_conforms(&provider, &request("do you sell bicycles")).await, "I am sorry, I do not know that.");
    assert_eq!(llm_conforms(&provider, &request("thank you")).await, "You are welcome.");
    assert_eq!(llm_conforms(&provider, &LlmRequest::default()).await, "I am sorry, I do not know that.");
}

#[test]
fn extractive_takes_one_option() {
    let config =
        |option: &str| LlmConfig { options: [(option.into(), "Ask at the desk.".into())].into(), ..Default::default() };
    assert!(Extractive::new(&config("unknown_answer")).is_ok());
    let error = Extractive::new(&config("temperature")).unwrap_err().to_string();
    assert!(error.starts_with("llm.options.temperature: unknown"), "{error}");
}

#[tokio::test]
async fn openai_compatible_conforms() {
    let simulator = Simulator::start().await;
    let text = llm_conforms(&model(&simulator, "good"), &request("are you open")).await;
    assert_eq!(text, ANSWER.concat());
    let body = simulator.seen.bodies.lock().unwrap()[0].clone();
    assert_eq!(body["stream_options"]["include_usage"], true);
    assert_eq!(body["messages"][1]["content"], "are you open");
    assert!(body["messages"][0]["content"].as_str().unwrap().contains("[1] Our opening hours"));
}

#[tokio::test]
async fn text_is_passed_on_as_it_comes_and_usage_is_counted() {
    let simulator = Simulator::start().await;
    let began = Instant::now();
    let mut stream = model(&simulator, "slow").stream(request("are you open")).await.unwrap();
    let mut pieces = Vec::new();
    let mut usage = None;
    let mut timing = None;
    while let Some(event) = stream.next().await {
        match event.unwrap() {
            LlmEvent::Text(text) => pieces.push((text, began.elapsed())),
            LlmEvent::Usage(counted) => usage = Some(counted),
            LlmEvent::Done(measured) => timing = Some(measured),
            LlmEvent::Writing | LlmEvent::ToolCalls(_) => panic!("no tool was offered"),
        }
    }
    assert_eq!(pieces.iter().map(|(text, _)| text.as_str()).collect::<Vec<_>>(), ANSWER);
    assert!(pieces[3].1 - pieces[0].1 >= Duration::from_millis(200), "pieces are not held back: {pieces:?}");
    assert_eq!(usage, Some(Usage { input: 21, output: 8 }));
    let timing = timing.unwrap();
    assert!(timing.first_token.unwrap() + Duration::from_millis(200) <= timing.total && timing.retries == 0);
}

#[tokio::test]
async fn calls_of_tools_arrive_whole_and_their_results_go_back() {
    let simulator = Simulator::start().await;
    let provider = model(&simulator, "uses tools");
    let text = llm_conforms(&provider, &with_tools()).await;
    assert_eq!(text, "One moment.", "what is written beside the calls is spoken");
    let mut stream = provider.stream(with_tools()).await.unwrap();
    let mut calls = Vec::new();
    let mut signs_of_life = 0;
    while let Some(event) = stream.next().await {
        match event.unwrap() {
            LlmEvent::ToolCalls(asked) => calls.extend(asked),
            LlmEvent::Writing => signs_of_life += 1,
            _ => {}
        }
    }
    let call = |id: &str, name: &str, arguments: &str| ToolCall {
        id: id.into(),
        name: name.into(),
        arguments: arguments.into(),
    };
    assert_eq!(
        calls,
        [call("call_a", "look_up", r#"{"day":"monday"}"#), call("call_b", "book", r#"{"day":"friday"}"#)]
    );
    assert!(signs_of_life >= 4, "long arguments are no silence");

    let tools = calls.into_iter().map(|call| ToolUse { call, result: "free".into() }).collect();
    let mut second = with_tools();
    second.messages.push(Message { role: Role::Assistant, text: String::new(), tools });
    assert_eq!(llm_conforms(&provider, &second).await, ANSWER.concat());
    let bodies = simulator.seen.bodies.lock().unwrap();
    let messages = bodies.last().unwrap()["messages"].as_array().unwrap();
    let roles: Vec<_> = messages.iter().map(|message| message["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["system", "user", "assistant", "tool", "tool"]);
}

#[tokio::test]
async fn calls_that_are_never_finished_are_not_made() {
    let simulator = Simulator::start().await;
    let mut stream = model(&simulator, "stalls in a call").stream(with_tools()).await.unwrap();
    let mut last = None;
    while let Some(event) = stream.next().await {
        assert!(!matches!(event, Ok(LlmEvent::ToolCalls(_))));
        last = Some(event);
    }
    assert_eq!(last.unwrap().unwrap_err().reason(), "Timeout");
}

#[tokio::test]
async fn an_empty_answer_is_an_answer() {
    let simulator = Simulator::start().await;
    let (text, result) = answer(&model(&simulator, "empty")).await;
    assert_eq!(text, "");
    result.unwrap();
}

#[tokio::test]
async fn a_passing_trouble_before_the_first_token_is_retried() {
    for name in ["limited once", "down once"] {
        let simulator = Simulator::start().await;
        let (text, result) = answer(&model(&simulator, name)).await;
        result.unwrap();
        assert_eq!(text, ANSWER.concat());
        assert_eq!(simulator.seen.requests.load(Ordering::SeqCst), 2, "{name}");
    }
}

#[tokio::test]
async fn errors_have_their_classes_and_retries_their_budget() {
    let table = [
        ("limited", "RateLimited", 1, ""),
        ("broke", "Rejected", 1, "You exceeded your current quota"),
        ("down", "Unavailable", 3, "oops"),
        ("no such model", "Rejected", 1, "does not exist"),
        ("moved", "Protocol", 3, "redirects"),
        ("talks nonsense", "Protocol", 3, "not a chunk"),
        ("silent", "Timeout", 1, "first token"),
        ("hangs", "Timeout", 1, "first token"),
    ];
    for (name, reason, requests, message) in table {
        let simulator = Simulator::start().await;
        let began = Instant::now();
        let (text, result) = answer(&model(&simulator, name)).await;
        let error = result.unwrap_err();
        assert_eq!((text.as_str(), error.reason()), ("", reason), "{name}: {error}");
        assert!(error.to_string().contains(message), "{name}: {error}");
        assert_eq!(simulator.seen.requests.load(Ordering::SeqCst), requests, "{name}");
        assert!(began.elapsed() < Duration::from_secs(4), "{name}");
    }
}

#[tokio::test]
async fn the_wait_that_a_vendor_asks_for_is_told() {
    let simulator = Simulator::start().await;
    let (_, result) = answer(&model(&simulator, "limited")).await;
    let expected = Some(Duration::from_secs(30));
    assert!(matches!(result, Err(ProviderError::RateLimited { retry_after }) if retry_after == expected));
}

#[tokio::test]
async fn trouble_after_the_first_token_ends_the_answer_with_an_error() {
    for (name, reason) in [
        ("cut", "Unavailable"),
        ("ends early", "Unavailable"),
        ("breaks in the middle", "Unavailable"),
        ("stalls", "Timeout"),
    ] {
        let simulator = Simulator::start().await;
        let (text, result) = answer(&model(&simulator, name)).await;
        assert_eq!((text, result.unwrap_err().reason()), (ANSWER.concat(), reason), "{name}");
        assert_eq!(simulator.seen.requests.load(Ordering::SeqCst), 1, "{name}: what was said is not said again");
    }
}

#[tokio::test]
async fn dropping_an_answer_cancels_it_at_the_vendor() {
    let simulator = Simulator::start().await;
    let mut stream = with_options(&simulator, "stalls", &[]).stream(request("are you open")).await.unwrap();
    assert!(matches!(stream.next().await, Some(Ok(LlmEvent::Text(_)))));
    assert!(!simulator.seen.cancelled.load(Ordering::SeqCst));
    drop(stream);
    wait_for_cancel(&simulator).await;
    // Before the first text, too.
    let simulator = Simulator::start().await;
    let provider = with_options(&simulator, "silent", &[]);
    let pending = provider.stream(request("are you open"));
    assert!(tokio::time::timeout(Duration::from_millis(300), pending).await.is_err());
    wait_for_cancel(&simulator).await;
}

async fn wait_for_cancel(simulator: &Simulator) {
    let deadline = Instant::now() + PATIENCE;
    while !simulator.seen.cancelled.load(Ordering::SeqCst) {
        assert!(Instant::now() < deadline, "the server never saw the cancellation");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_wrong_key_is_fatal_and_not_repeated() {
    let simulator = Simulator::start().await;
    let directory = tempfile::tempdir().unwrap();
    let credentials = credentials(directory.path(), &simulator, "sk-wrong");
    let config = LlmConfig {
        model: "good".into(),
        base_url: simulator.base_url.clone(),
        credential: "vendor".into(),
        ..Default::default()
    };
    let provider = OpenAiCompatible::new(OpenAiCompatible::client().unwrap(), &config, &credentials).unwrap();
    let (_, result) = answer(&provider).await;
    let error = result.unwrap_err();
    assert!(error.is_fatal() && matches!(error, ProviderError::Unauthorized));
    assert!(!format!("{error:?}").contains("sk-wrong"));
    assert_eq!(simulator.seen.requests.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    let simulator = Simulator::start().await;
    let provider = model(&simulator, "good");
    let address = simulator.base_url.clone();
    drop(simulator);
    // The port is closed as soon as the aborted task is gone.
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (_, result) = answer(&provider).await;
        match result {
            Err(error) => {
                assert_eq!(error.reason(), "Unavailable", "{error}");
                assert!(!error.to_string().contains(&address));
                break;
            }
            Ok(()) => assert!(Instant::now() < deadline),
        }
    }
}

#[test]
fn everything_starts_without_models_and_says_what_is_off() {
    let empty = tempfile::tempdir().unwrap();
    let registry = Registry::from_env(empty.path(), empty.path().join("credentials"));
    let off: Vec<_> = registry.states().into_iter().filter(|state| state.off.is_some()).collect();
    assert_eq!(off.len(), 1, "{off:?}");
    assert_eq!(off[0].name, "vad/silero");
    assert!(off[0].off.as_ref().unwrap().contains("libonnxruntime.so"), "{off:?}");
    assert!(!registry.capabilities().contains(&"vad/silero".to_owned()));
    assert!(registry.capabilities().contains(&"stt/pocketsphinx".to_owned()));
    let Err(error) = registry.vad() else { panic!("loaded") };
    assert!(error.to_string().contains("libonnxruntime.so"), "{error}");
}

#[test]
fn the_registry_names_what_is_wrong_with_a_configuration() {
    let empty = tempfile::tempdir().unwrap();
    let registry = Registry::from_env(empty.path(), empty.path());
    let llm = |config: LlmConfig| registry.llm(&config).err().map(|error| error.to_string()).unwrap_or_default();
    let unknown = llm(LlmConfig { provider: "oracle".into(), ..Default::default() });
    assert_eq!(unknown, "llm.provider: this runtime has no provider \"oracle\"; it has extractive, openai-compatible");
    let openai = LlmConfig { provider: "openai-compatible".into(), ..Default::default() };
    assert!(llm(openai.clone()).starts_with("llm.model: "));
    let with_model = LlmConfig { model: "m".into(), ..openai };
    assert!(llm(with_model.clone()).starts_with("llm.secretRef: "));
    let with_key = LlmConfig { credential: "vendor".into(), ..with_model };
    assert!(llm(with_key.clone()).contains("no key from a Secret called \"vendor\""));
    std::fs::write(empty.path().join("vendor"), "sk").unwrap();
    assert!(llm(with_key.clone()).starts_with("llm.baseUrl: set "));
    let elsewhere = LlmConfig { base_url: "https://api.example.com/v1".into(), ..with_key };
    assert!(llm(elsewhere.clone()).contains("allowed-endpoints"));
    std::fs::write(empty.path().join("vendor.endpoints"), "https://api.example.com\n").unwrap();
    assert_eq!(llm(elsewhere), "");
}
