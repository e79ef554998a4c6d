//! The request of a tool: address and headers, taken apart. What is checked here cannot go wrong during a call, and what
//! a call adds (arguments) can change neither whom a request is for nor which headers it has.

use std::fmt;

use super::template::{self, Part};
use super::{HttpTool, Tool};

/// What an address looks like: everything up to the path is fixed.
pub const URL: &str = r"^https?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?([/?][^#\x00-\x1f]*)?$";

/// Headers that make the request what it is: they are set by the platform or by HTTP itself.
const RESERVED: [&str; 8] =
    ["connection", "content-length", "host", "idempotency-key", "te", "trailer", "transfer-encoding", "upgrade"];

/// A request, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Scheme, host and port, as browsers write an origin: `https://api.example.com`.
    pub origin: String,
    /// Path and query.
    pub target: Vec<Part>,
    /// Headers.
    pub headers: Vec<(String, Vec<Part>)>,
}

/// What is wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRequest {
    /// The field below `http`: `url`, `headers[2].value`.
    pub field: String,
    /// What is wrong with it, and the remedy.
    pub problem: String,
}

impl fmt::Display for BadRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.problem)
    }
}

impl std::error::Error for BadRequest {}

fn bad(field: impl Into<String>, problem: impl Into<String>) -> BadRequest {
    BadRequest { field: field.into(), problem: problem.into() }
}

impl HttpTool {
    /// Takes the request apart.
    ///
    /// # Errors
    /// The first field that cannot work.
    pub fn request(&self) -> Result<Request, BadRequest> {
        let (origin, rest) = split(&self.url).ok_or_else(|| {
            bad(
                "url",
                "write scheme, host and path: https://api.example.com/v1/bookings; placeholders come after the host",
            )
        })?;
        let target = template::parse(rest).map_err(|error| bad("url", error.to_string()))?;
        if target.iter().any(|part| matches!(part, Part::Secret(_))) {
            return Err(bad("url", "a secret belongs into a header, never into an address"));
        }
        let headers = self.headers.iter().enumerate().map(|(index, header)| {
            let name = header.name.to_ascii_lowercase();
            if RESERVED.contains(&name.as_str()) {
                return Err(bad(format!("headers[{index}].name"), format!("{:?} is not yours to set", header.name)));
            }
            let field = || format!("headers[{index}].value");
            let value = template::parse(&header.value).map_err(|error| bad(field(), error.to_string()))?;
            if self.secret_ref.is_none() && value.iter().any(|part| matches!(part, Part::Secret(_))) {
                return Err(bad(field(), "it holds a secret: name the Secret in `secretRef`"));
            }
            Ok((name, value))
        });
        Ok(Request { origin, target, headers: headers.collect::<Result<_, _>>()? })
    }
}

impl Request {
    /// The arguments that address and headers need.
    pub fn arguments(&self) -> impl Iterator<Item = &str> {
        self.parts().filter_map(|part| if let Part::Argument(name) = part { Some(name.as_str()) } else { None })
    }

    /// The keys of the Secret that headers need.
    pub fn secret_keys(&self) -> impl Iterator<Item = &str> {
        self.parts().filter_map(|part| if let Part::Secret(key) = part { Some(key.as_str()) } else { None })
    }

    fn parts(&self) -> impl Iterator<Item = &Part> {
        self.target.iter().chain(self.headers.iter().flat_map(|(_, value)| value))
    }
}

/// Scheme, host and port of an address that consists of nothing else, as a Secret's `allowed-endpoints` lists them.
#[must_use]
pub fn origin(text: &str) -> Option<String> {
    split(text).filter(|(_, rest)| matches!(*rest, "" | "/")).map(|(origin, _)| origin)
}

/// The origin, normalised, and the rest.
fn split(url: &str) -> Option<(String, &str)> {
    let (scheme, after) = url.split_once("://")?;
    let default_port = match scheme {
        "https" => ":443",
        "http" => ":80",
        _ => return None,
    };
    let end = after.find(['/', '?']).unwrap_or(after.len());
    let (authority, rest) = after.split_at(end);
    let authority = authority.strip_suffix(default_port).unwrap_or(authority).to_ascii_lowercase();
    let named = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'[' | b']');
    let clean = !rest.contains('#') && !rest.chars().any(char::is_control);
    (!authority.is_empty() && authority.bytes().all(named) && clean).then(|| (format!("{scheme}://{authority}"), rest))
}

/// A Secret that a tool needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolSecret<'a> {
    /// The field that names it: `spec.tools[2].http.secretRef`.
    pub field: String,
    /// Name of the Secret.
    pub name: &'a str,
    /// Where its values would be sent; `None`: the address makes no sense.
    pub origin: Option<String>,
    /// The keys that headers hold.
    pub keys: Vec<String>,
}

/// The Secrets that the enabled ones of these tools need.
pub fn secrets(tools: &[Tool]) -> impl Iterator<Item = ToolSecret<'_>> {
    tools.iter().enumerate().filter(|(_, tool)| tool.enabled).filter_map(|(index, tool)| {
        let http = tool.http.as_ref()?;
        let request = http.request().ok();
        Some(ToolSecret {
            field: format!("spec.tools[{index}].http.secretRef"),
            name: &http.secret_ref.as_ref()?.name,
            keys: request.iter().flat_map(Request::secret_keys).map(str::to_owned).collect(),
            origin: request.map(|request| request.origin),
        })
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn request(http: Value) -> Result<Request, String> {
        serde_json::from_value::<HttpTool>(http).unwrap().request().map_err(|error| error.to_string())
    }

    #[test]
    fn an_address_is_an_origin_and_what_follows() {
        for (url, expected) in [
            ("https://API.example.com:443/v1?x={{ args.x }}", "https://api.example.com"),
            ("http://api.example.com:8080", "http://api.example.com:8080"),
            ("http://[fd00::1]:80/", "http://[fd00::1]"),
        ] {
            assert_eq!(request(json!({"url": url})).unwrap().origin, expected, "{url}");
        }
        assert_eq!(origin("https://api.example.com/").as_deref(), Some("https://api.example.com"));
        assert_eq!(origin("https://api.example.com/v1"), None, "an origin has no path");
    }

    /// What somebody who may write agents, but must not learn a key or reach another service with it, would try.
    #[test]
    fn nobody_else_is_reached() {
        for url in [
            "https://{{ args.host }}/v1",
            "https://api.example.com{{ args.x }}/v1",
            "https://user:pw@api.example.com/v1",
            "https://api.example.com\\@evil.example/",
            "https://api.example.com:{{ args.port }}/",
            "https:///v1",
            "ftp://api.example.com/",
            "https://api.example.com/#{{ args.x }}",
            "https://api.example.com/\r\nHost: evil.example",
        ] {
            assert!(request(json!({"url": url})).unwrap_err().starts_with("url: "), "{url}");
        }
    }

    #[test]
    fn secrets_go_into_headers_only() {
        let header = |name: &str, value: &str| json!([{"name": name, "value": value}]);
        let url = "https://api.example.com/v1";
        let with = |headers: Value| request(json!({"url": url, "headers": headers, "secretRef": {"name": "s"}}));
        let bearer = with(header("Authorization", "Bearer {{ secret.token }}")).unwrap();
        assert_eq!(bearer.secret_keys().collect::<Vec<_>>(), ["token"]);
        let error = request(json!({"url": url, "headers": header("Authorization", "Bearer {{ secret.token }}")}));
        assert_eq!(error.unwrap_err(), "headers[0].value: it holds a secret: name the Secret in `secretRef`");
        for query in ["?key={{ secret.token }}", "/{{secret.token}}", "?a={{  secret.token  }}"] {
            let error = request(json!({"url": format!("{url}{query}"), "secretRef": {"name": "s"}})).unwrap_err();
            assert_eq!(error, "url: a secret belongs into a header, never into an address", "{query}");
        }
        for name in ["Host", "content-length", "Transfer-Encoding", "Idempotency-Key"] {
            assert!(with(header(name, "x")).unwrap_err().contains("is not yours to set"), "{name}");
        }
    }

    #[test]
    fn tools_that_are_off_need_no_secret() {
        let tool = |enabled| {
            serde_json::from_value::<Tool>(json!({
                "name": "book", "description": "Books.", "enabled": enabled,
                "http": {"url": "https://api.example.com", "secretRef": {"name": "s"}},
            }))
        };
        let tools = [tool(false).unwrap(), tool(true).unwrap()];
        let needed: Vec<_> = secrets(&tools).map(|secret| secret.field).collect();
        assert_eq!(needed, ["spec.tools[1].http.secretRef"]);
    }
}
