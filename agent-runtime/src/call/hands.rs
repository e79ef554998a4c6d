//! Tools in use: one task each, called off by dropping it.

use std::collections::HashMap;

use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use voxplane_session::{Input, InvocationId, ToolOutcome, ToolStatus};

use super::driver::News;
use crate::providers::Credentials;
use crate::spool::CallKey;
use crate::tools::{Job, ToolClient, ToolSet, run};

/// What the call can do.
pub(super) struct Hands {
    tools: ToolSet,
    client: ToolClient,
    credentials: Credentials,
    key: CallKey,
    running: HashMap<InvocationId, AbortHandle>,
}

impl Hands {
    pub(super) fn new(tools: ToolSet, client: ToolClient, credentials: Credentials, key: CallKey) -> Self {
        Self { tools, client, credentials, key, running: HashMap::new() }
    }

    /// Uses a tool and reports what came of it.
    pub(super) fn invoke(
        &mut self,
        invocation: InvocationId,
        tool: &str,
        arguments: String,
        tasks: &mut JoinSet<()>,
        news: &mpsc::Sender<News>,
    ) {
        self.running.retain(|_, task| !task.is_finished());
        let news = news.clone();
        let found = self.tools.http(tool);
        let (client, credentials) = (self.client.clone(), self.credentials.clone());
        // The same for every attempt, another one for every use of every owner.
        let key = format!("{}-{}-{}", self.key.call_id, self.key.epoch, invocation.0);
        let call_id = self.key.call_id.clone();
        let task = tasks.spawn(async move {
            let outcome = match found {
                Some((tool, effect)) => run(&Job { tool, effect, arguments, key }, &client, &credentials).await,
                None => ToolOutcome {
                    status: ToolStatus::Failed,
                    result: "The tool is not set up correctly.".to_owned(),
                    error: Some("invalid_tool"),
                },
            };
            // Neither arguments nor result: they are the caller's.
            let (status, error) = (outcome.status, outcome.error);
            tracing::info!(call.id = call_id, invocation = invocation.0, ?status, error, "a tool was used");
            let _ = news.send(News::Input(Input::ToolFinished { invocation, outcome })).await;
        });
        self.running.insert(invocation, task);
    }

    /// Calls a use off, as far as that is still possible.
    pub(super) fn cancel(&mut self, invocation: InvocationId) {
        if let Some(task) = self.running.remove(&invocation) {
            task.abort();
        }
    }
}
