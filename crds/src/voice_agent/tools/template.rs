//! Texts with `{{ args.NAME }}` and `{{ secret.KEY }}`. Taken apart once, so that nothing an argument holds can be read
//! as a template again.

use std::fmt;

/// A piece of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// As it is.
    Text(String),
    /// The argument of this name.
    Argument(String),
    /// The value of this key of the tool's Secret.
    Secret(String),
}

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadTemplate {
    /// `{{` without `}}`.
    Unclosed,
    /// This stands between the braces.
    Unknown(String),
}

impl fmt::Display for BadTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unclosed => f.write_str("`{{` is not closed: write `{{ args.NAME }}`"),
            Self::Unknown(inner) => {
                write!(f, "`{{{{ {inner} }}}}` means nothing: write `{{{{ args.NAME }}}}` or `{{{{ secret.KEY }}}}`")
            }
        }
    }
}

impl std::error::Error for BadTemplate {}

/// Takes a text apart.
///
/// # Errors
/// When braces are not closed, or hold something else than an argument or a secret.
pub fn parse(text: &str) -> Result<Vec<Part>, BadTemplate> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        if !before.is_empty() {
            parts.push(Part::Text(before.to_owned()));
        }
        let (inner, after) = after.split_once("}}").ok_or(BadTemplate::Unclosed)?;
        parts.push(place(inner.trim())?);
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.to_owned()));
    }
    Ok(parts)
}

fn place(inner: &str) -> Result<Part, BadTemplate> {
    let named = |name: &str, other: &[u8]| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || other.contains(&byte))
    };
    match inner.split_once('.') {
        // Names of arguments are the author's; keys are what a Secret can have.
        Some(("args", name)) if named(name, b"_-") => Ok(Part::Argument(name.to_owned())),
        Some(("secret", key)) if named(key, b"_-.") => Ok(Part::Secret(key.to_owned())),
        _ => Err(BadTemplate::Unknown(inner.chars().take(40).collect())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_taken_apart() {
        let text = |text: &str| Part::Text(text.to_owned());
        assert_eq!(parse("").unwrap(), []);
        assert_eq!(parse("plain } text {").unwrap(), [text("plain } text {")]);
        assert_eq!(
            parse("Bearer {{ secret.api-key }}").unwrap(),
            [text("Bearer "), Part::Secret("api-key".to_owned())]
        );
        assert_eq!(
            parse("/v1/{{args.customer_id}}/x").unwrap(),
            [text("/v1/"), Part::Argument("customer_id".to_owned()), text("/x")]
        );
    }

    #[test]
    fn nothing_else_stands_between_braces() {
        assert_eq!(parse("a {{ args.x").unwrap_err(), BadTemplate::Unclosed);
        for inner in ["", "args", "args.", "args.a b", "env.HOME", "secret.../x", "secret.a/b", "{ args.x"] {
            assert!(matches!(parse(&format!("{{{{ {inner} }}}}")), Err(BadTemplate::Unknown(_))), "{inner}");
        }
        let problem = parse("{{ env.HOME }}").unwrap_err().to_string();
        assert_eq!(problem, "`{{ env.HOME }}` means nothing: write `{{ args.NAME }}` or `{{ secret.KEY }}`");
    }
}
