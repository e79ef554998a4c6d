//! Carrier accounts: the Secrets of agencies that may be read for them, and the clients that use them.

mod measured;
mod tokens;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client, ResourceExt as _};
use voxplane_crds::agency::{CarrierConnection, CarrierType};
use voxplane_crds::conditions::reasons;
use voxplane_crds::{Agency, labels, names};
use voxplane_telephony::CarrierKind;
use voxplane_telephony::goto_connect::GotoConnectMarket;
use voxplane_telephony::market::{Http, Market};

pub use self::measured::Measured;
use crate::context::Context;
use crate::error::Error;
use crate::status::Problem;
use tokens::SecretKeeper;

/// The connections over which carriers are asked, shared by all agencies.
#[derive(Debug, Default)]
pub struct Carriers {
    http: OnceLock<Http>,
    /// Accounts whose access tokens last longer than a pass, by agency and connection.
    goto_connect: Mutex<BTreeMap<(String, String), GotoConnectMarket>>,
}

impl Carriers {
    /// The account of a connection.
    ///
    /// # Errors
    /// A problem for `ResolvedRefs`.
    pub fn market(
        &self,
        agency: &Agency,
        connection: &CarrierConnection,
        secret: Option<&Secret>,
        client: &Client,
    ) -> Result<Market, Problem> {
        let Some((field, reference, provider)) = connection.secret_ref() else {
            let message = format!("carrier connection {:?} has no account", connection.name);
            return Err(Problem::new(reasons::INVALID, message));
        };
        let field = format!("spec.carriers[{}].{field}", connection.name);
        let secret = permitted(&field, &reference.name, provider, secret)?;
        let refused = |what: String| Problem::new(reasons::REF_NOT_PERMITTED, format!("{field}: {what}"));
        let kind = match connection.type_ {
            CarrierType::Twilio => CarrierKind::Twilio,
            CarrierType::Telnyx => CarrierKind::Telnyx,
            CarrierType::GotoConnect => CarrierKind::GotoConnect,
            CarrierType::Sip => return Err(refused("a connection of type sip has no account".to_owned())),
        };
        let http = match self.http.get() {
            Some(http) => http,
            None => {
                let made = Http::new(Http::TIMEOUT).map_err(|error| {
                    tracing::error!(error = %voxplane_platform::error_chain::describe(&error), "no HTTP client for carriers");
                    Problem::unknown(reasons::CARRIER_UNAVAILABLE, "no connection to carriers can be made")
                })?;
                self.http.get_or_init(|| made)
            }
        };
        let account = connection.twilio.as_ref().map(|twilio| twilio.account_sid.clone());
        let account_key = connection.goto_connect.as_ref().and_then(|goto| goto.account_key.clone());
        let key = |key: &str| match (key, &account, &account_key) {
            ("account-sid", Some(account), _) => Some(account.clone()),
            ("account-key", _, Some(account_key)) => Some(account_key.clone()),
            _ => text(secret, key),
        };
        let market = Market::from_secret(kind, http, key)
            .map_err(|error| refused(format!("Secret {:?}: {error}", reference.name)))?;
        Ok(match market {
            Market::GotoConnect(fresh) => Market::GotoConnect(self.known(agency, &connection.name, fresh, client)),
            other => other,
        })
    }

    /// The account as it is known already, with its tokens; this one, if its keys are others now.
    fn known(&self, agency: &Agency, connection: &str, fresh: GotoConnectMarket, client: &Client) -> GotoConnectMarket {
        let mut accounts = self.goto_connect.lock().unwrap_or_else(PoisonError::into_inner);
        let place = (agency.name_any(), connection.to_owned());
        if let Some(known) = accounts.get(&place).filter(|known| known.is_same(&fresh)) {
            return known.clone();
        }
        let owner_id = agency.status.as_ref().and_then(|status| status.id.as_deref()).unwrap_or_default();
        let keeper = SecretKeeper::new(client.clone(), &place.0, owner_id, connection);
        let market = fresh.kept_by(Arc::new(keeper));
        accounts.insert(place, market.clone());
        market
    }

    /// Forgets an agency that is deleted.
    pub fn forget(&self, agency: &str) {
        let mut accounts = self.goto_connect.lock().unwrap_or_else(PoisonError::into_inner);
        accounts.retain(|(owner, _), _| owner != agency);
    }
}

/// The Secret of a connection, if it may be used for it: its own type and label say so, so that a reference cannot be
/// used to read other Secrets.
///
/// # Errors
/// A problem for `ResolvedRefs`.
pub fn permitted<'a>(
    field: &str,
    name: &str,
    provider: &str,
    secret: Option<&'a Secret>,
) -> Result<&'a Secret, Problem> {
    let Some(secret) = secret else {
        let message = format!("{field}: there is no Secret {name:?} in the agency's namespace");
        return Err(Problem::new(reasons::REF_NOT_FOUND, message));
    };
    let refused = |what: String| Problem::new(reasons::REF_NOT_PERMITTED, format!("{field}: {what}"));
    if secret.type_.as_deref() != Some(labels::CREDENTIALS_SECRET_TYPE) {
        return Err(refused(format!("Secret {name:?} is not of type {}", labels::CREDENTIALS_SECRET_TYPE)));
    }
    if secret.labels().get(labels::PROVIDER).map(String::as_str) != Some(provider) {
        return Err(refused(format!("Secret {name:?} needs the label {}={provider}", labels::PROVIDER)));
    }
    Ok(secret)
}

/// The text of a key of a Secret; none if it is empty or no text.
#[must_use]
pub fn text(secret: &Secret, key: &str) -> Option<String> {
    let bytes = secret.data.as_ref()?.get(key)?.0.clone();
    String::from_utf8(bytes).ok().filter(|text| !text.is_empty())
}

/// Reads the Secret that a connection of an agency names; none if it names none or there is none.
///
/// # Errors
/// When the API server fails.
pub async fn secret_of(agency: &str, connection: &CarrierConnection, ctx: &Context) -> Result<Option<Secret>, Error> {
    let Some((_, reference, _)) = connection.secret_ref() else { return Ok(None) };
    let (namespace, name) = (names::agency_namespace(agency), &reference.name);
    let api = Api::<Secret>::namespaced(ctx.client.clone(), &namespace);
    api.get_opt(name).await.map_err(Error::kubernetes(format!("read Secret {namespace}/{name}")))
}
