//! Against a server on this machine: what is asked, what is taken, where it stops.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode as Status;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;

use super::*;

async fn page(request: Request) -> Response {
    let known = request.headers().get("if-none-match").is_some_and(|etag| etag == "\"1\"");
    if known {
        return Status::NOT_MODIFIED.into_response();
    }
    ([("content-type", "text/html"), ("etag", "\"1\"")], "<h1>Hours</h1><p>Nine to five.</p>").into_response()
}

async fn server() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let routes = Router::new()
        .route("/page", get(page))
        .route("/moved", get(async || Redirect::temporary("/page")))
        .route("/round", get(async || Redirect::temporary("/round")))
        .route("/inside", get(async || Redirect::temporary("http://10.0.0.1/secrets")))
        .route("/large", get(async || ([("content-type", "text/plain")], "x".repeat(LARGEST + 1))))
        .route("/broken", get(async || Status::INTERNAL_SERVER_ERROR));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    address
}

fn loopback() -> Fetcher {
    Fetcher::new(vec!["127.0.0.0/8".parse().unwrap()]).unwrap()
}

#[tokio::test]
async fn a_page_is_fetched_once_and_then_asked_for_changes() {
    let url = format!("http://{}/moved", server().await);
    let Fetched::Text { text, format, validators } = loopback().fetch(&url, None, None).await.unwrap() else {
        panic!("nothing is known yet")
    };
    assert_eq!((text.as_str(), format), ("<h1>Hours</h1><p>Nine to five.</p>", Format::Html));
    assert_eq!(validators, Validators { etag: Some("\"1\"".to_owned()), last_modified: None });
    assert_eq!(loopback().fetch(&url, None, Some(&validators)).await.unwrap(), Fetched::Unchanged);
    let other = Validators { etag: Some("\"0\"".to_owned()), last_modified: None };
    assert!(matches!(loopback().fetch(&url, None, Some(&other)).await.unwrap(), Fetched::Text { .. }));
}

#[tokio::test]
async fn inner_addresses_are_refused_by_name_by_number_and_behind_redirects() {
    let address = server().await;
    let outside = Fetcher::new(Vec::new()).unwrap();
    for url in [
        format!("http://{address}/page"),
        format!("http://localhost:{}/page", address.port()),
        format!("http://[::ffff:127.0.0.1]:{}/page", address.port()),
        format!("http://2130706433:{}/page", address.port()),
        "http://169.254.169.254/latest/meta-data".to_owned(),
    ] {
        let error = outside.fetch(&url, None, None).await.unwrap_err();
        assert!(matches!(error, FetchError::NotPublic { .. }), "{url}: {error}");
    }
    let error = loopback().fetch(&format!("http://{address}/inside"), None, None).await.unwrap_err();
    assert_eq!(error.to_string(), "the address of 10.0.0.1 is not public, and the platform allows no other");
}

#[tokio::test]
async fn bounds_hold_and_failures_say_what_happened() {
    let address = server().await;
    let said = async |path: &str| {
        loopback().fetch(&format!("http://{address}{path}"), None, None).await.unwrap_err().to_string()
    };
    assert_eq!(said("/round").await, "there are more than 3 redirects");
    assert_eq!(said("/large").await, "the text is larger than 2 MiB");
    assert_eq!(said("/broken").await, "127.0.0.1 answered with status 500");
    assert_eq!(said("/nothing").await, "127.0.0.1 answered with status 404");
    let odd = loopback().fetch("ftp://127.0.0.1/x", None, None).await.unwrap_err();
    assert!(matches!(odd, FetchError::Address(_)));
}
