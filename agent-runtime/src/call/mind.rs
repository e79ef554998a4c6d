//! Retrieval and generation: one task per request, cancelled by dropping it.

use std::sync::Arc;

use futures::StreamExt as _;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use voxplane_control::v1::LlmConfig;
use voxplane_platform::error_chain::describe;
use voxplane_session::{FailedWork, GenerationId, Input, Message, Passage, Role, Stage, ToolCall, ToolUse, TurnId};

use super::driver::News;
use crate::control_client::Knowledge;
use crate::providers::llm::{self, LlmEvent, LlmProvider, LlmRequest};
use crate::spool::CallKey;
use crate::tools::ToolSet;

/// The model and what it knows.
pub(super) struct Mind {
    llm: Arc<dyn LlmProvider>,
    system: String,
    /// What it is told as well, for the present part of a flow.
    instructions: String,
    temperature: f32,
    max_tokens: u32,
    knowledge: Knowledge,
    key: CallKey,
    top_k: u32,
    tools: ToolSet,
    writing: Option<(GenerationId, AbortHandle)>,
}

impl Mind {
    pub(super) fn new(
        llm: Arc<dyn LlmProvider>,
        config: &LlmConfig,
        system: String,
        knowledge: Knowledge,
        key: CallKey,
        top_k: u32,
        tools: ToolSet,
    ) -> Self {
        let temperature = config.temperature as f32;
        Self {
            llm,
            system,
            instructions: String::new(),
            temperature,
            max_tokens: config.max_tokens,
            knowledge,
            key,
            top_k,
            tools,
            writing: None,
        }
    }

    /// Searches the knowledge for a turn.
    pub(super) fn retrieve(&self, turn: TurnId, query: String, tasks: &mut JoinSet<()>, news: &mpsc::Sender<News>) {
        let (knowledge, key, top_k, news) = (self.knowledge.clone(), self.key.clone(), self.top_k, news.clone());
        tasks.spawn(async move {
            let found = match knowledge.search(&key, query, top_k).await {
                Ok(found) => found,
                Err(error) => {
                    tracing::warn!(
                        call.id = key.call_id,
                        error = describe(&error),
                        "the answer is given without knowledge"
                    );
                    Vec::new()
                }
            };
            let passages =
                found.into_iter().map(|found| Passage { id: found.id, text: found.text, score: found.score });
            let _ = news.send(News::Input(Input::Passages { turn, passages: passages.collect() })).await;
        });
    }

    /// Asks the model.
    pub(super) fn generate(
        &mut self,
        generation: GenerationId,
        messages: Vec<Message>,
        passages: Vec<Passage>,
        may_call: bool,
        tasks: &mut JoinSet<()>,
        news: &mpsc::Sender<News>,
    ) {
        let request = LlmRequest {
            system: self.told(),
            messages: messages.into_iter().map(spoken).collect(),
            passages: passages.into_iter().map(known).collect(),
            temperature: self.temperature,
            max_tokens: self.max_tokens,
            tools: self.tools.definitions(),
            may_call,
        };
        let (llm, tools, news) = (self.llm.clone(), self.tools.clone(), news.clone());
        let task = tasks.spawn(async move { write(llm, request, generation, tools, news).await });
        self.writing = Some((generation, task));
    }

    /// Tells the model this as well from the next request on.
    pub(super) fn instruct(&mut self, instructions: String) {
        self.instructions = instructions;
    }

    fn told(&self) -> String {
        [self.system.as_str(), self.instructions.trim()]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join("\n\n")
    }

    /// Stops a generation, also at the vendor: its stream is dropped.
    pub(super) fn cancel(&mut self, generation: GenerationId) {
        if let Some((_, task)) = self.writing.take_if(|(writing, _)| *writing == generation) {
            task.abort();
        }
    }
}

async fn write(
    llm: Arc<dyn LlmProvider>,
    request: LlmRequest,
    generation: GenerationId,
    tools: ToolSet,
    news: mpsc::Sender<News>,
) {
    let failed = |error: &crate::providers::ProviderError| {
        News::Input(Input::ProviderFailed {
            stage: Stage::Llm,
            provider: llm.name().to_owned(),
            error: describe(error),
            of: FailedWork::Generation(generation),
        })
    };
    let mut answer = match llm.stream(request).await {
        Ok(answer) => answer,
        Err(error) => {
            let _ = news.send(failed(&error)).await;
            return;
        }
    };
    while let Some(event) = answer.next().await {
        let item = match event {
            Ok(LlmEvent::Text(text)) => News::Input(Input::Token { generation, text }),
            Ok(LlmEvent::Writing) => News::Input(Input::Token { generation, text: String::new() }),
            Ok(LlmEvent::ToolCalls(calls)) => {
                let calls = calls.into_iter().map(|call| checked(call, &tools)).collect();
                News::Input(Input::ToolCalls { generation, calls })
            }
            Ok(LlmEvent::Usage(usage)) => News::Usage(usage),
            Ok(LlmEvent::Done(_)) => break,
            Err(error) => {
                let _ = news.send(failed(&error)).await;
                return;
            }
        };
        if news.send(item).await.is_err() {
            return;
        }
    }
    let _ = news.send(News::Input(Input::GenerationDone { generation })).await;
}

fn spoken(message: Message) -> llm::Message {
    let role = match message.role {
        Role::User => llm::Role::User,
        Role::Assistant => llm::Role::Assistant,
    };
    llm::Message { role, text: message.text, tools: message.tools.into_iter().map(used).collect() }
}

fn used(used: ToolUse) -> llm::ToolUse {
    let call = llm::ToolCall { id: used.id, name: used.name, arguments: used.arguments };
    llm::ToolUse { call, result: used.result }
}

fn checked(call: llm::ToolCall, tools: &ToolSet) -> ToolCall {
    let problem = tools.problem(&call.name, &call.arguments);
    ToolCall { id: call.id, name: call.name, arguments: call.arguments, problem }
}

fn known(passage: Passage) -> llm::Passage {
    llm::Passage { id: passage.id, text: passage.text, score: passage.score }
}
