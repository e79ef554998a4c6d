//! Texts with variables: `Welcome to {{ tenant.name }}.` Pure.
//!
//! A template is taken apart once, and what a variable holds is put in as it is: a value with braces in it stays text.

use std::fmt;

/// A text taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
}

/// A part of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Words as they are.
    Text(String),
    /// What the variable of this name holds.
    Variable(String),
}

/// Why a text is no template. The message names the place and the fix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenTemplate(String);

impl fmt::Display for BrokenTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BrokenTemplate {}

/// Longest part of a broken template that a message quotes.
const QUOTED: usize = 40;
/// What stands between braces to write two opening braces.
const OPENING: &str = "\"{{\"";

impl Template {
    /// Takes a text apart. `{{ name }}` is a variable, `{{ "{{" }}` are two opening braces.
    ///
    /// # Errors
    /// When braces are not closed, or hold something that is no name.
    pub fn parse(text: &str) -> Result<Self, BrokenTemplate> {
        let mut template = Self::default();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            template.push_text(before);
            let after = after.trim_start();
            if let Some(after) = after.strip_prefix(OPENING).and_then(|after| after.trim_start().strip_prefix("}}")) {
                template.push_text("{{");
                rest = after;
                continue;
            }
            let Some((name, after)) = after.split_once("}}") else {
                let quoted: String = after.chars().take(QUOTED).collect();
                return Err(BrokenTemplate(format!(
                    "`{{{{ {quoted}` is not closed: write `}}}}` after the name, or `{{{{ {OPENING} }}}}` for two braces"
                )));
            };
            let name = name.trim();
            if !is_name(name) {
                let quoted: String = name.chars().take(QUOTED).collect();
                return Err(BrokenTemplate(format!(
                    "`{{{{ {quoted} }}}}` is no name of a variable: write `{{{{ name }}}}`, or `{{{{ {OPENING} }}}}` for \
                     two braces"
                )));
            }
            template.pieces.push(Piece::Variable(name.to_owned()));
            rest = after;
        }
        template.push_text(rest);
        Ok(template)
    }

    /// The parts, in order; texts beside each other are one.
    #[must_use]
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// Names of the variables, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Variable(name) => Some(name.as_str()),
            Piece::Text(_) => None,
        })
    }

    /// Puts values in. Variables that `value` does not know stay variables.
    #[must_use]
    pub fn fill<'a>(&self, value: impl Fn(&str) -> Option<&'a str>) -> Self {
        let mut filled = Self::default();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => filled.push_text(text),
                Piece::Variable(name) => match value(name) {
                    Some(text) => filled.push_text(text),
                    None => filled.pieces.push(piece.clone()),
                },
            }
        }
        filled
    }

    /// The text, once no variable is left in it.
    ///
    /// # Errors
    /// The first variable that is left.
    pub fn into_text(self) -> Result<String, String> {
        let mut whole = String::new();
        for piece in self.pieces {
            match piece {
                Piece::Text(text) => whole.push_str(&text),
                Piece::Variable(name) => return Err(name),
            }
        }
        Ok(whole)
    }

    fn push_text(&mut self, text: &str) {
        match self.pieces.last_mut() {
            _ if text.is_empty() => {}
            Some(Piece::Text(last)) => last.push_str(text),
            _ => self.pieces.push(Piece::Text(text.to_owned())),
        }
    }
}

/// Whether it is written like the name of a variable: `name`, or `group.name`.
fn is_name(name: &str) -> bool {
    let is_word = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_lowercase())
            && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let parts: Vec<&str> = name.split('.').collect();
    parts.len() <= 2 && parts.into_iter().all(is_word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn filled(text: &str, values: &[(&str, &'static str)]) -> Result<String, String> {
        let template = Template::parse(text).map_err(|error| error.to_string())?;
        template.fill(|name| values.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)).into_text()
    }

    #[test]
    fn values_are_put_in_and_never_read_again() {
        let values = [("name", "{{ tenant.name }}"), ("tenant.name", "Maple Street")];
        for (text, expected) in [
            ("Hello {{name}}, this is {{ tenant.name }}.", "Hello {{ tenant.name }}, this is Maple Street."),
            ("no variables, but {one} and }} two", "no variables, but {one} and }} two"),
            ("{{ \"{{\" }} name }}", "{{ name }}"),
            ("", ""),
        ] {
            assert_eq!(filled(text, &values).unwrap(), expected, "{text}");
        }
        assert_eq!(filled("{{ other }}", &values), Err("other".to_owned()));
    }

    #[test]
    fn what_is_broken_says_how_to_write_it() {
        for (text, words) in [
            ("Hello {{ name", "`{{ name` is not closed: write `}}` after the name"),
            ("Hello {{ }}", "is no name of a variable"),
            ("{{ Name }}", "`{{ Name }}` is no name of a variable: write `{{ name }}`"),
            ("{{ a.b.c }}", "is no name"),
            ("{{ name | upper }}", "`{{ name | upper }}` is no name"),
        ] {
            let error = Template::parse(text).unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_a_template_or_an_error(text in "[a-z{} \".\\PC]{0,60}") {
            let _ = Template::parse(&text);
        }

        #[test]
        fn a_value_arrives_as_it_is(value in "\\PC{0,40}") {
            let template = Template::parse("<{{ name }}>").unwrap();
            prop_assert_eq!(template.fill(|_| Some(&value)).into_text().unwrap(), format!("<{value}>"));
        }

        #[test]
        fn a_text_without_braces_is_itself(text in "[^{]{0,60}") {
            prop_assert_eq!(Template::parse(&text).unwrap().into_text().unwrap(), text);
        }
    }
}
