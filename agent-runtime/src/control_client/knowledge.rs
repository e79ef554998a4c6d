//! Searching the tenant's knowledge: a unary call beside the session's stream.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tonic::metadata::{AsciiMetadataValue, errors::InvalidMetadataValue};
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use voxplane_control::v1::control_client::ControlClient as Stub;
use voxplane_control::v1::{Passage, SearchKnowledgeRequest};

use super::Credentials;
use crate::spool::CallKey;

/// Longer than the engine waits, so that it decides.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Searches through the present connection.
#[derive(Debug, Clone)]
pub struct Knowledge {
    channel: watch::Receiver<Option<Channel>>,
    credentials: Arc<Credentials>,
}

/// Why a search gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum KnowledgeError {
    /// There is no connection to the API.
    #[error("not connected to the API")]
    NotConnected,
    /// The session credential is not fit for a header.
    #[error("the session credential cannot be sent")]
    Credential(#[source] InvalidMetadataValue),
    /// The API refused or failed.
    #[error("the search failed: {code:?}")]
    Failed {
        /// The status; its message may quote the query and is not kept.
        code: Code,
    },
}

impl Knowledge {
    pub(super) fn new(channel: watch::Receiver<Option<Channel>>, credentials: Arc<Credentials>) -> Self {
        Self { channel, credentials }
    }

    /// Passages of the call's knowledge bases, best first.
    ///
    /// # Errors
    /// [`KnowledgeError`]; a conversation goes on without passages.
    pub async fn search(&self, key: &CallKey, query: String, limit: u32) -> Result<Vec<Passage>, KnowledgeError> {
        let channel = self.channel.borrow().clone().ok_or(KnowledgeError::NotConnected)?;
        let bearer = self.credentials.bearer().ok_or(KnowledgeError::NotConnected)?;
        let bearer: AsciiMetadataValue = format!("Bearer {bearer}").parse().map_err(KnowledgeError::Credential)?;
        let message = SearchKnowledgeRequest { call_id: key.call_id.clone(), epoch: key.epoch, query, limit };
        let mut request = Request::new(message);
        request.set_timeout(TIMEOUT);
        request.metadata_mut().insert("authorization", bearer);
        let failed = |status: Status| KnowledgeError::Failed { code: status.code() };
        Ok(Stub::new(channel).search_knowledge(request).await.map_err(failed)?.into_inner().passages)
    }
}
