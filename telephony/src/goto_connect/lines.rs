//! The account and its lines.

use super::GotoConnectMarket;
use super::wire::{Account, Line, identifier};
use crate::market::{MarketError, Route};

impl GotoConnectMarket {
    /// The account: `GET /voice-admin/v1/accounts/{accountKey}` (<https://developer.goto.com/GoToConnect>, Get Account).
    ///
    /// # Errors
    /// As every request; [`MarketError::Refused`] when the account key is not one of the authorisation.
    pub async fn account(&self) -> Result<Account, MarketError> {
        self.read(&["accounts", &self.account_key], &[], "the account").await
    }

    /// The lines of the account: `GET /voice-admin/v1/lines`, see the module.
    ///
    /// # Errors
    /// As every request.
    pub async fn lines(&self) -> Result<Vec<Line>, MarketError> {
        self.list(&["lines"], &[], usize::MAX).await
    }

    /// A line: `GET /voice-admin/v1/lines/{id}`, see the module. None: there is no such line.
    ///
    /// # Errors
    /// As every request.
    pub async fn line(&self, id: &str) -> Result<Option<Line>, MarketError> {
        let id = identifier(id.to_owned())?;
        match self.read(&["lines", &id], &[], "the line").await {
            Ok(line) => Ok(Some(line)),
            Err(MarketError::Refused { status: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// GoTo says `NOT_FOUND` whether the number or the line is missing: this finds out which, if it can.
pub(super) async fn explain(market: &GotoConnectMarket, error: MarketError, route: &Route) -> MarketError {
    let MarketError::Refused { status: 404, code, message } = error else { return error };
    match market.line(&route.connection).await {
        Ok(None) => {
            let message = format!("the account has no line {:?}: correct gotoConnect.extensionId", route.connection);
            MarketError::Refused { status: 404, code, message }
        }
        Ok(Some(_)) => {
            let message = "the number is not in the account any more".to_owned();
            MarketError::Refused { status: 404, code, message }
        }
        Err(_) => MarketError::Refused { status: 404, code, message },
    }
}
