//! Tool and arguments → the request. Pure. Arguments come from a language model and so, in the end, from a caller: they
//! fill places in path, query, headers and body, and can reach nothing else.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{ACCEPT, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Request, Url};
use serde_json::{Map, Value};
use voxplane_control::v1::{HttpTool, TemplatePart, template_part::Part};

/// Everything but what RFC 3986 calls unreserved.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Why there is no request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadUse {
    /// An argument does not fit where it belongs; the text is for the model.
    #[error("{0}")]
    Argument(String),
    /// The credential lacks a value that a header needs, or must not be sent there.
    #[error("the tool's credential cannot be used")]
    Credential,
    /// The tool itself makes no sense.
    #[error("the tool is not set up correctly")]
    Tool,
}

/// Arguments by name.
pub type Arguments = Map<String, Value>;

/// The request of one use. `secret` finds a value of the tool's credential.
pub fn build(
    tool: &HttpTool,
    arguments: &Arguments,
    key: &str,
    secret: impl Fn(&str) -> Option<String>,
) -> Result<Request, BadUse> {
    let method = Method::from_bytes(tool.method.as_bytes()).map_err(|_| BadUse::Tool)?;
    let has_body = matches!(method, Method::POST | Method::PUT | Method::PATCH);
    let mut url = address(tool, arguments)?;
    if !has_body {
        add_query(&mut url, tool, arguments);
    }
    let mut request = Request::new(method, url);
    *request.headers_mut() = headers(tool, arguments, secret)?;
    let key = HeaderValue::from_str(key).map_err(|_| BadUse::Tool)?;
    request.headers_mut().insert(IDEMPOTENCY_KEY, key);
    if has_body {
        let json = HeaderValue::from_static("application/json");
        request.headers_mut().entry(reqwest::header::CONTENT_TYPE).or_insert(json);
        *request.body_mut() = Some(Value::Object(arguments.clone()).to_string().into());
    }
    Ok(request)
}

fn address(tool: &HttpTool, arguments: &Arguments) -> Result<Url, BadUse> {
    let mut target = String::new();
    for part in &tool.target {
        match part.part.as_ref() {
            Some(Part::Text(text)) => target.push_str(text),
            Some(Part::Argument(name)) => {
                let value = text(arguments.get(name));
                if value.is_empty() && !target.contains('?') {
                    return Err(BadUse::Argument(format!("the argument {name:?} is needed and must not be empty")));
                }
                target.extend(utf8_percent_encode(&value, ENCODED));
            }
            // Addresses are written into logs on their way.
            Some(Part::Secret(_)) | None => return Err(BadUse::Tool),
        }
    }
    let path = target.split('?').next().unwrap_or_default();
    // A parser takes such segments for "here" and "one up", also percent-encoded.
    let moves = |segment: &str| matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..");
    if path.split('/').any(moves) {
        return Err(BadUse::Argument("an argument that is part of an address must not be \".\" or \"..\"".to_owned()));
    }
    let url = Url::parse(&format!("{}{target}", tool.origin)).map_err(|_| BadUse::Tool)?;
    if url.origin().ascii_serialization() != tool.origin || !url.username().is_empty() || url.password().is_some() {
        return Err(BadUse::Tool);
    }
    Ok(url)
}

/// Arguments that are nowhere in the address, for methods without a body.
fn add_query(url: &mut Url, tool: &HttpTool, arguments: &Arguments) {
    let used =
        |name: &str| tool.target.iter().any(|part| matches!(&part.part, Some(Part::Argument(used)) if used == name));
    let rest: Vec<_> = arguments.iter().filter(|(name, _)| !used(name)).collect();
    if rest.is_empty() {
        return;
    }
    let mut query = url.query_pairs_mut();
    for (name, value) in rest {
        query.append_pair(name, &text(Some(value)));
    }
}

fn headers(
    tool: &HttpTool,
    arguments: &Arguments,
    secret: impl Fn(&str) -> Option<String>,
) -> Result<HeaderMap, BadUse> {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/*;q=0.8, */*;q=0.1"));
    for header in &tool.headers {
        let name = HeaderName::from_bytes(header.name.as_bytes()).map_err(|_| BadUse::Tool)?;
        let mut value = String::new();
        for part in &header.value {
            value.push_str(&match part.part.as_ref().ok_or(BadUse::Tool)? {
                Part::Text(text) => text.clone(),
                Part::Argument(name) => text(arguments.get(name)),
                Part::Secret(key) => secret(key).ok_or(BadUse::Credential)?,
            });
        }
        let secret = holds_secret(&header.value);
        let mut value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| {
            if secret {
                BadUse::Credential
            } else {
                BadUse::Argument("an argument cannot stand in a header".to_owned())
            }
        })?;
        value.set_sensitive(secret);
        headers.insert(name, value);
    }
    Ok(headers)
}

/// Whether any header holds a secret.
pub fn needs_credential(tool: &HttpTool) -> bool {
    tool.headers.iter().any(|header| holds_secret(&header.value))
}

fn holds_secret(parts: &[TemplatePart]) -> bool {
    parts.iter().any(|part| matches!(part.part, Some(Part::Secret(_))))
}

/// An argument as it stands in an address or a header.
fn text(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use voxplane_control::v1::HttpHeader;

    use super::*;

    fn part(part: Part) -> TemplatePart {
        TemplatePart { part: Some(part) }
    }

    fn words(text: &str) -> TemplatePart {
        part(Part::Text(text.into()))
    }

    fn argument(name: &str) -> TemplatePart {
        part(Part::Argument(name.into()))
    }

    fn tool(method: &str, target: Vec<TemplatePart>) -> HttpTool {
        HttpTool { method: method.into(), origin: "https://api.example.com".into(), target, ..HttpTool::default() }
    }

    #[allow(clippy::needless_pass_by_value, reason = "made in place by every test")]
    fn built(tool: &HttpTool, arguments: Value) -> Result<Request, BadUse> {
        let secret = |key: &str| (key == "token").then(|| "s3cret".to_owned());
        build(tool, arguments.as_object().unwrap(), "call-1-1", secret)
    }

    fn url(tool: &HttpTool, arguments: Value) -> String {
        built(tool, arguments).unwrap().url().to_string()
    }

    #[test]
    fn arguments_fill_their_places_encoded() {
        let get = tool("GET", vec![words("/v1/users/"), argument("id"), words("/orders?state="), argument("state")]);
        assert_eq!(
            url(&get, json!({"id": "a/b?c#d é", "state": "open&admin=1", "page": 2})),
            "https://api.example.com/v1/users/a%2Fb%3Fc%23d%20%C3%A9/orders?state=open%26admin%3D1&page=2"
        );
        assert_eq!(url(&get, json!({"id": 7})), "https://api.example.com/v1/users/7/orders?state=");
        let bare = tool("GET", vec![]);
        assert_eq!(url(&bare, json!({"q": "x y"})), "https://api.example.com/?q=x+y");
    }

    #[test]
    fn an_argument_cannot_leave_its_segment() {
        let get = tool("GET", vec![words("/v1/users/"), argument("id"), words("/orders")]);
        for id in ["..", ".", "", "%2e%2e"] {
            let outcome = built(&get, json!({"id": id}));
            let encoded = outcome.as_ref().is_ok_and(|request| request.url().path() == "/v1/users/%252e%252e/orders");
            assert!(encoded || matches!(outcome, Err(BadUse::Argument(_))), "{id:?}: {outcome:?}");
        }
        let half = tool("GET", vec![words("/v1/."), argument("id"), words("/orders")]);
        assert!(matches!(built(&half, json!({"id": "."})), Err(BadUse::Argument(_))));
        for id in ["\\..\\admin", "@evil.example", "//evil.example/", "a\r\nHost: evil.example"] {
            let url = url(&get, json!({"id": id}));
            assert!(url.starts_with("https://api.example.com/v1/users/") && url.ends_with("/orders"), "{url}");
            assert_eq!(url.matches('/').count(), 6, "{url}");
        }
    }

    #[test]
    fn a_body_has_all_arguments_and_a_key_names_the_use() {
        let post = tool("POST", vec![words("/v1/"), argument("kind")]);
        let request = built(&post, json!({"kind": "table", "guests": 2})).unwrap();
        assert_eq!(request.body().unwrap().as_bytes().unwrap(), br#"{"kind":"table","guests":2}"#);
        assert_eq!(request.url().query(), None);
        assert_eq!(request.headers()["content-type"], "application/json");
        assert_eq!(request.headers()["idempotency-key"], "call-1-1");
    }

    #[test]
    fn secrets_stand_in_headers_and_do_not_show() {
        let mut post = tool("POST", vec![words("/v1")]);
        let header = |value: Vec<TemplatePart>| HttpHeader { name: "authorization".into(), value };
        post.headers = vec![header(vec![words("Bearer "), part(Part::Secret("token".into()))])];
        assert!(needs_credential(&post));
        let request = built(&post, json!({"token": "{{ secret.token }}"})).unwrap();
        assert_eq!(request.headers()["authorization"], "Bearer s3cret");
        assert!(!format!("{request:?}").contains("s3cret"));
        assert_eq!(request.body().unwrap().as_bytes().unwrap(), br#"{"token":"{{ secret.token }}"}"#);

        post.headers = vec![header(vec![part(Part::Secret("other".into()))])];
        assert_eq!(built(&post, json!({})).unwrap_err(), BadUse::Credential);
        post.headers = vec![header(vec![argument("who")])];
        assert!(matches!(built(&post, json!({"who": "a\r\nx: y"})), Err(BadUse::Argument(_))));
        let leaking = tool("GET", vec![words("/?k="), part(Part::Secret("token".into()))]);
        assert_eq!(built(&leaking, json!({})).unwrap_err(), BadUse::Tool);
    }

    #[test]
    fn an_origin_is_what_it_says() {
        for origin in ["https://api.example.com@evil.example", "https://2130706433", "https://API.example.com", "x"] {
            let odd = HttpTool { origin: origin.into(), ..tool("GET", vec![words("/")]) };
            assert_eq!(built(&odd, json!({})).unwrap_err(), BadUse::Tool, "{origin}");
        }
    }
}
