//! A process's connection to the API server, in which it sees the resources of its own world only: other tests may use
//! the same server at the same time.

use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::{Method, Request, Response, Uri};
use kube::Client;
use kube::client::{Body, ClientBuilder};
use tower::{BoxError, Layer, Service};

use super::cut::Life;

/// The label that says to which world a resource belongs.
pub const WORLD: &str = "test.voxplane.dev/world";

/// A client that is cut off.
pub async fn client(life: &Arc<Life>, world: &str) -> Client {
    let config = kube::Config::infer().await.unwrap();
    let layer = Cutting { life: Arc::clone(life), selector: format!("labelSelector={WORLD}%3D{world}") };
    ClientBuilder::try_from(config).unwrap().with_layer(&layer).build()
}

#[derive(Clone)]
struct Cutting {
    life: Arc<Life>,
    selector: String,
}

impl<S> Layer<S> for Cutting {
    type Service = CutService<S>;

    fn layer(&self, inner: S) -> CutService<S> {
        CutService { inner, cutting: self.clone() }
    }
}

#[derive(Clone)]
struct CutService<S> {
    inner: S,
    cutting: Cutting,
}

impl<S, B> Service<Request<Body>> for CutService<S>
where
    S: Service<Request<Body>, Response = Response<B>, Error = BoxError>,
    S::Future: Send + 'static,
    B: Send + 'static,
{
    type Response = Response<B>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<B>, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let life = Arc::clone(&self.cutting.life);
        if *request.method() == Method::GET {
            if is_list_of_ours(request.uri()) {
                *request.uri_mut() = with(request.uri(), &self.cutting.selector);
            }
            return Box::pin(self.inner.call(request));
        }
        let name = format!("{} {}", request.method(), request.uri().path());
        // A request of ours is sent only when this future runs.
        let answer = self.inner.call(request);
        Box::pin(async move {
            let effect = async {
                let answer = answer.await;
                let happened = answer.as_ref().is_ok_and(|answer| answer.status().is_success());
                (answer, happened)
            };
            life.carry_out(&name, effect).await?
        })
    }
}

fn is_list_of_ours(uri: &Uri) -> bool {
    let parts: Vec<_> = uri.path().split('/').filter(|part| !part.is_empty()).collect();
    matches!(parts.as_slice(), ["apis", "voxplane.dev", _, _])
}

fn with(uri: &Uri, parameter: &str) -> Uri {
    let query = uri.query().map(|query| format!("{query}&")).unwrap_or_default();
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(format!("{}?{query}{parameter}", uri.path()).parse().unwrap());
    Uri::from_parts(parts).unwrap()
}
