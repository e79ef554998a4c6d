//! Carrier accounts: the Secrets of agencies that may be read for them, and the clients that use them.

mod measured;

use std::sync::OnceLock;

use k8s_openapi::api::core::v1::Secret;
use kube::{Api, ResourceExt as _};
use voxplane_crds::agency::{CarrierConnection, CarrierType};
use voxplane_crds::conditions::reasons;
use voxplane_crds::{labels, names};
use voxplane_telephony::CarrierKind;
use voxplane_telephony::market::{Http, Market};

pub use self::measured::Measured;
use crate::context::Context;
use crate::error::Error;
use crate::status::Problem;

/// The connections over which carriers are asked, shared by all agencies.
#[derive(Debug, Default)]
pub struct Carriers {
    http: OnceLock<Http>,
}

impl Carriers {
    /// The account of a connection.
    ///
    /// # Errors
    /// A problem for `ResolvedRefs`.
    pub fn market(&self, connection: &CarrierConnection, secret: Option<&Secret>) -> Result<Market, Problem> {
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
        let key = |key: &str| match (key, &account) {
            ("account-sid", Some(account)) => Some(account.clone()),
            _ => text(secret, key),
        };
        Market::from_secret(kind, http, key).map_err(|error| refused(format!("Secret {:?}: {error}", reference.name)))
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
