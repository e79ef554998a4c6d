//! Where refresh tokens are kept that a carrier issued in place of the one in an agency's Secret: in a Secret of our own
//! beside it. So what opens a carrier account lies in one kind of place, with the same rights and the same encryption.

use std::fmt;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::ObjectMeta;
use kube::{Api, Client};
use secrecy::ExposeSecret as _;
use voxplane_crds::{labels, names};
use voxplane_telephony::goto_connect::{Kept, KeptToken, TokenKeeper};

use crate::apply::Applier;
use crate::error::Error;

/// Type of these Secrets: not the one that resources may refer to.
const TYPE: &str = "voxplane.dev/carrier-token";
const ORIGIN: &str = "origin";
const REFRESH_TOKEN: &str = "refresh-token";

/// Keeps the token of one connection.
pub struct SecretKeeper {
    client: Client,
    apply: Applier,
    place: Place,
}

/// Which Secret it is.
struct Place {
    agency: String,
    owner_id: String,
    namespace: String,
    name: String,
}

impl fmt::Debug for SecretKeeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretKeeper").field("name", &self.place.name).finish_non_exhaustive()
    }
}

impl SecretKeeper {
    /// For a connection of an agency; `owner_id` is the agency's `status.id`.
    #[must_use]
    pub fn new(client: Client, agency: &str, owner_id: &str, connection: &str) -> Self {
        Self {
            apply: Applier::new(client.clone(), "carriers"),
            client,
            place: Place::new(agency, owner_id, connection),
        }
    }
}

impl Place {
    fn new(agency: &str, owner_id: &str, connection: &str) -> Self {
        Self {
            agency: agency.to_owned(),
            owner_id: owner_id.to_owned(),
            namespace: names::agency_namespace(agency),
            name: format!("voxplane-carrier-{connection}"),
        }
    }

    fn secret(&self, token: &KeptToken) -> Secret {
        let bytes = |text: &str| ByteString(text.as_bytes().to_vec());
        let data = [
            (ORIGIN.to_owned(), bytes(token.origin.expose_secret())),
            (REFRESH_TOKEN.to_owned(), bytes(token.refresh_token.expose_secret())),
        ];
        Secret {
            metadata: ObjectMeta {
                name: Some(self.name.clone()),
                namespace: Some(self.namespace.clone()),
                labels: Some(labels::for_agency(&self.agency, &self.owner_id)),
                ..ObjectMeta::default()
            },
            type_: Some(TYPE.to_owned()),
            data: Some(data.into()),
            ..Secret::default()
        }
    }
}

/// The token in a Secret; none if it is not one of these.
fn token(secret: &Secret) -> Option<KeptToken> {
    if secret.type_.as_deref() != Some(TYPE) {
        return None;
    }
    Some(KeptToken {
        origin: super::text(secret, ORIGIN)?.into(),
        refresh_token: super::text(secret, REFRESH_TOKEN)?.into(),
    })
}

impl TokenKeeper for SecretKeeper {
    fn load(&self) -> Kept<'_, Option<KeptToken>> {
        Box::pin(async {
            let Place { namespace, name, .. } = &self.place;
            let read = Api::<Secret>::namespaced(self.client.clone(), namespace).get_opt(name).await;
            let read = read.map_err(Error::kubernetes(format!("read Secret {namespace}/{name}")))?;
            Ok(read.as_ref().and_then(token))
        })
    }

    fn store(&self, token: KeptToken) -> Kept<'_, ()> {
        Box::pin(async move {
            self.apply.apply(&self.place.secret(&token)).await?;
            let Place { agency, name, .. } = &self.place;
            tracing::info!(agency, secret = name, "a carrier issued a new refresh token; it is stored");
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_again_and_never_printed() {
        let place = Place::new("acme", "0198c0de-0000-7000-8000-000000000001", "goto");
        let kept = KeptToken { origin: "first".into(), refresh_token: "hush".into() };
        let secret = place.secret(&kept);
        assert_eq!(secret.metadata.name.as_deref(), Some("voxplane-carrier-goto"));
        assert_eq!(secret.metadata.namespace.as_deref(), Some("vx-acme"));
        let read = token(&secret).unwrap();
        assert_eq!((read.origin.expose_secret(), read.refresh_token.expose_secret()), ("first", "hush"));
        assert!(!format!("{read:?}").contains("hush"));
        let foreign = Secret { type_: Some(labels::CREDENTIALS_SECRET_TYPE.to_owned()), ..secret };
        assert!(token(&foreign).is_none(), "what users made is not ours");
    }
}
