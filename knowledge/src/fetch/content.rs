//! What came, as text. Pure.

use reqwest::header::{self, HeaderMap};

use crate::document::Format;

/// The text and what it is written in.
pub(super) fn text(
    body: Vec<u8>,
    headers: &HeaderMap,
    path: &str,
    wanted: Option<Format>,
) -> Result<(String, Format), String> {
    let said = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut parts = said.split(';').map(str::trim);
    let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
    let charset = parts.find_map(|part| part.to_ascii_lowercase().strip_prefix("charset=").map(str::to_owned));
    let charset = charset.as_deref().unwrap_or("utf-8").trim_matches('"').to_owned();
    if !matches!(charset.as_str(), "utf-8" | "utf8" | "us-ascii" | "ascii") {
        return Err(format!("the text is in {charset:?}: only UTF-8 can be read"));
    }
    let format = match wanted {
        Some(format) => format,
        None => of_type(&kind, path).ok_or_else(|| {
            format!("the server calls it {kind:?}: set `format` if it is text, Markdown, HTML or CSV")
        })?,
    };
    let text = String::from_utf8(body).map_err(|_| "the text is not UTF-8".to_owned())?;
    if text.contains('\0') {
        return Err("it is no text".to_owned());
    }
    Ok((text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text), format))
}

fn of_type(kind: &str, path: &str) -> Option<Format> {
    let named = |ending: &str| path.to_ascii_lowercase().ends_with(ending);
    match kind {
        "text/html" | "application/xhtml+xml" => Some(Format::Html),
        "text/markdown" | "text/x-markdown" => Some(Format::Markdown),
        "text/csv" => Some(Format::Csv),
        // Many servers call every text plain.
        "text/plain" | "application/octet-stream" | "" if named(".md") || named(".markdown") => Some(Format::Markdown),
        "text/plain" | "application/octet-stream" | "" if named(".csv") => Some(Format::Csv),
        "" if named(".html") || named(".htm") => Some(Format::Html),
        "text/plain" => Some(Format::Text),
        "application/octet-stream" | "" if named(".txt") => Some(Format::Text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: &str, path: &str, wanted: Option<Format>, body: &[u8]) -> Result<(String, Format), String> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, kind.parse().unwrap());
        text(body.to_vec(), &headers, path, wanted)
    }

    #[test]
    fn the_server_or_the_resource_says_what_it_is() {
        let format = |kind, path| of(kind, path, None, b"x").unwrap().1;
        assert_eq!(format("text/html; charset=utf-8", "/"), Format::Html);
        assert_eq!(format("text/plain;charset=UTF-8", "/faq.MD"), Format::Markdown);
        assert_eq!(format("text/plain", "/faq"), Format::Text);
        assert_eq!(of("application/pdf", "/", Some(Format::Csv), b"a,b").unwrap().1, Format::Csv);
        let refused = |kind, body| of(kind, "/a.pdf", None, body).unwrap_err();
        assert!(refused("application/pdf", b"%PDF").contains("set `format`"));
        assert!(refused("text/html; charset=koi8-r", b"x").contains("only UTF-8"));
        assert!(refused("text/html", b"\xff\xfe").contains("not UTF-8"));
        assert_eq!(of("text/plain", "/", None, "\u{feff}a".as_bytes()).unwrap().0, "a");
    }
}
