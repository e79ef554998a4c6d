//! TokenReview: which pod is behind a ServiceAccount token.

use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, UserInfo};
use kube::api::PostParams;
use kube::{Api, Client};
use voxplane_crds::labels::RUNTIME_TOKEN_AUDIENCE;
use voxplane_crds::names::PoolId;

/// Why a token was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    /// The API server does not know the token, or not for our audience.
    #[error("the ServiceAccount token is not valid for the audience {RUNTIME_TOKEN_AUDIENCE}")]
    Refused,
    /// A valid token of something that is no runtime pod.
    #[error("the token does not belong to a runtime pod")]
    NotARuntime,
    /// The API server did not answer.
    #[error("the token could not be reviewed")]
    Unavailable(#[source] kube::Error),
}

/// A runtime pod, as the API server vouches for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodIdentity {
    /// Pool it belongs to.
    pub pool: PoolId,
    /// Name of the pod.
    pub name: String,
    /// Uid of the pod.
    pub uid: String,
}

/// Asks the API server about a token.
///
/// # Errors
/// See [`ReviewError`].
pub async fn review(client: Client, token: String) -> Result<PodIdentity, ReviewError> {
    let request = TokenReview {
        spec: TokenReviewSpec { token: Some(token), audiences: Some(vec![RUNTIME_TOKEN_AUDIENCE.to_owned()]) },
        ..TokenReview::default()
    };
    let reviews: Api<TokenReview> = Api::all(client);
    let answer = reviews.create(&PostParams::default(), &request).await.map_err(ReviewError::Unavailable)?;
    let status = answer.status.ok_or(ReviewError::Refused)?;
    let meant_for_us = status.audiences.unwrap_or_default().iter().any(|audience| audience == RUNTIME_TOKEN_AUDIENCE);
    if status.authenticated != Some(true) || !meant_for_us {
        return Err(ReviewError::Refused);
    }
    identity(&status.user.unwrap_or_default()).ok_or(ReviewError::NotARuntime)
}

/// Bound tokens name their pod in the user's extra fields (Kubernetes "bound service account tokens").
fn identity(user: &UserInfo) -> Option<PodIdentity> {
    let extra = |key: &str| user.extra.as_ref()?.get(key)?.first().cloned();
    Some(PodIdentity {
        pool: PoolId::of_service_account(user.username.as_deref()?)?,
        name: extra("authentication.kubernetes.io/pod-name")?,
        uid: extra("authentication.kubernetes.io/pod-uid")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str, extra: &[(&str, &str)]) -> UserInfo {
        UserInfo {
            username: Some(name.to_owned()),
            extra: Some(extra.iter().map(|(k, v)| ((*k).to_owned(), vec![(*v).to_owned()])).collect()),
            ..UserInfo::default()
        }
    }

    #[test]
    fn only_pods_of_a_tenant_pool_are_runtimes() {
        let pod = [("authentication.kubernetes.io/pod-name", "p"), ("authentication.kubernetes.io/pod-uid", "u")];
        let good = identity(&user("system:serviceaccount:vx-acme--dental:voxplane-runtime", &pod)).unwrap();
        assert_eq!(good.pool.to_string(), "vx-acme--dental/voxplane-runtime");
        let own = identity(&user("system:serviceaccount:vx-acme--dental:voxplane-runtime-night", &pod)).unwrap();
        assert_eq!(own.pool.to_string(), "vx-acme--dental/voxplane-runtime-night", "an agent's own pool is another");
        for name in [
            "system:serviceaccount:vx-acme--dental:default",
            "system:serviceaccount:vx-acme:voxplane-runtime",
            "system:serviceaccount:kube-system:voxplane-runtime",
            "admin",
        ] {
            assert_eq!(identity(&user(name, &pod)), None, "{name}");
        }
        // A token that is not bound to a pod (made by hand) names no pod.
        assert_eq!(identity(&user("system:serviceaccount:vx-acme--dental:voxplane-runtime", &[])), None);
    }
}
