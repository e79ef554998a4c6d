//! Access tokens of one account: fetched with the refresh token, renewed ahead of their end, one request at a time.
//!
//! GoTo's access tokens live for an hour. A refresh token lives longer, and when it ends the answer to a refresh carries
//! another one, once (<https://developer.goto.com/guides/Authentication/05_HOW_refreshToken>). That one is handed to a
//! [`TokenKeeper`] before any token of the same answer is used.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::grant::{Grant, Granted};
use crate::market::{BoxError, MarketError};

/// A token is renewed when this part of its life is left, or [`AHEAD`] if that is less.
const LAST_PART: u32 = 10;
/// The longest time before its end in which a token is not used any more.
const AHEAD: Duration = Duration::from_secs(300);
/// So long a refresh token that was refused is not tried again: everybody who asks meanwhile gets the same answer.
const REFUSED_FOR: Duration = Duration::from_secs(60);

/// What a [`TokenKeeper`] answers with.
pub type Kept<'a, T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send + 'a>>;

/// Stores a refresh token that GoTo issued in place of the one that people gave us, so that a restart does not lose it.
pub trait TokenKeeper: Send + Sync + fmt::Debug {
    /// What was stored last.
    fn load(&self) -> Kept<'_, Option<KeptToken>>;
    /// Stores it durably, in place of what was stored before.
    fn store(&self, token: KeptToken) -> Kept<'_, ()>;
}

/// A refresh token that replaced another one.
#[derive(Debug, Clone)]
pub struct KeptToken {
    /// The refresh token of the Secret from which this one descends. When people put another one there, they have
    /// authorised again, and what is kept is worth nothing any more.
    pub origin: SecretString,
    /// The refresh token that is good now.
    pub refresh_token: SecretString,
}

/// Access to one account; clones share its tokens.
#[derive(Debug, Clone)]
pub(super) struct Access(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    grant: Grant,
    origin: SecretString,
    keeper: Option<Arc<dyn TokenKeeper>>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    token: Option<Token>,
    /// Good now; none: not known yet.
    refresh_token: Option<SecretString>,
    /// Whether `refresh_token` has yet to be stored.
    unsaved: bool,
    /// Until when, and why, the refresh token is not tried again.
    refused: Option<(Instant, String)>,
}

#[derive(Debug)]
struct Token {
    text: SecretString,
    use_until: Instant,
}

impl Access {
    pub(super) fn new(grant: Grant, origin: SecretString, keeper: Option<Arc<dyn TokenKeeper>>) -> Self {
        Self(Arc::new(Inner { grant, origin, keeper, state: Mutex::default() }))
    }

    /// The same account with nothing known of its tokens, which are stored with `keeper`.
    pub(super) fn kept_by(&self, keeper: Arc<dyn TokenKeeper>) -> Self {
        Self::new(self.0.grant.clone(), self.0.origin.clone(), Some(keeper))
    }

    /// Whether both have the same keys.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.0.grant.is_same(&other.0.grant) && same(&self.0.origin, &other.0.origin)
    }

    /// A token that is good for a while.
    pub(super) async fn token(&self) -> Result<SecretString, MarketError> {
        let mut state = self.0.state.lock().await;
        self.0.ready(&mut state).await
    }

    /// Another token than one that GoTo does not take any more.
    pub(super) async fn renew(&self, rejected: &SecretString) -> Result<SecretString, MarketError> {
        let mut state = self.0.state.lock().await;
        // Somebody else may have renewed it meanwhile.
        if state.token.as_ref().is_some_and(|token| same(&token.text, rejected)) {
            state.token = None;
        }
        self.0.ready(&mut state).await
    }
}

impl Inner {
    /// Whoever holds the lock refreshes; the others wait and find the token.
    async fn ready(&self, state: &mut State) -> Result<SecretString, MarketError> {
        let refresh_token = self.refresh_token(state).await?;
        self.save(state).await?;
        let now = Instant::now();
        if let Some(token) = state.token.as_ref().filter(|token| now < token.use_until) {
            return Ok(token.text.clone());
        }
        if let Some((until, message)) = &state.refused
            && now < *until
        {
            return Err(MarketError::Reauthorize { message: message.clone() });
        }
        let granted = match self.grant.refresh(&refresh_token).await {
            Ok(granted) => granted,
            Err(MarketError::Reauthorize { message }) => {
                state.refused = Some((now + REFUSED_FOR, message.clone()));
                return Err(MarketError::Reauthorize { message });
            }
            Err(error) => return Err(error),
        };
        let Granted { access_token, lifetime, refresh_token } = granted;
        if let Some(rotated) =
            refresh_token.filter(|new| state.refresh_token.as_ref().is_none_or(|old| !same(old, new)))
        {
            state.refresh_token = Some(rotated);
            state.unsaved = true;
        }
        state.refused = None;
        let use_until = now + lifetime.saturating_sub(AHEAD.min(lifetime / LAST_PART));
        state.token = Some(Token { text: access_token.clone(), use_until });
        self.save(state).await?;
        Ok(access_token)
    }

    /// What to refresh with: the stored token, if it descends from the one in the Secret.
    async fn refresh_token(&self, state: &mut State) -> Result<SecretString, MarketError> {
        if let Some(known) = &state.refresh_token {
            return Ok(known.clone());
        }
        let kept = match &self.keeper {
            Some(keeper) => keeper.load().await.map_err(|source| MarketError::Unavailable { source })?,
            None => None,
        };
        let kept = kept.filter(|kept| same(&kept.origin, &self.origin));
        let good = kept.map_or_else(|| self.origin.clone(), |kept| kept.refresh_token);
        state.refresh_token = Some(good.clone());
        Ok(good)
    }

    /// Stores a new refresh token. Until that has worked, nothing is asked: a restart would lose the account.
    async fn save(&self, state: &mut State) -> Result<(), MarketError> {
        let (Some(keeper), true, Some(refresh_token)) = (&self.keeper, state.unsaved, &state.refresh_token) else {
            return Ok(());
        };
        let token = KeptToken { origin: self.origin.clone(), refresh_token: refresh_token.clone() };
        keeper.store(token).await.map_err(|source| MarketError::Unavailable { source })?;
        state.unsaved = false;
        Ok(())
    }
}

fn same(one: &SecretString, other: &SecretString) -> bool {
    one.expose_secret() == other.expose_secret()
}
