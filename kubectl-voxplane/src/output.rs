//! Answers as text, JSON or YAML.

use std::io::Write;

use serde::Serialize;

use crate::cli::Format;
use crate::error::Error;

/// Writes one answer: as `text` has it for people, else as data.
///
/// # Errors
/// When it cannot be written.
pub fn answer(
    out: &mut impl Write,
    format: Format,
    data: &impl Serialize,
    text: impl FnOnce() -> String,
) -> Result<(), Error> {
    match format {
        Format::Text => out.write_all(text().as_bytes())?,
        Format::Json => {
            let json = serde_json::to_string_pretty(data).map_err(|error| Error::Encode(error.to_string()))?;
            writeln!(out, "{json}")?;
        }
        Format::Yaml => out.write_all(yaml(data)?.as_bytes())?,
    }
    Ok(out.flush()?)
}

/// Writes one of many answers that follow each other: a line of text, a line of JSON, a YAML document.
///
/// # Errors
/// When it cannot be written.
pub fn event(
    out: &mut impl Write,
    format: Format,
    data: &impl Serialize,
    text: impl FnOnce() -> String,
) -> Result<(), Error> {
    match format {
        Format::Text => out.write_all(text().as_bytes())?,
        Format::Json => {
            let json = serde_json::to_string(data).map_err(|error| Error::Encode(error.to_string()))?;
            writeln!(out, "{json}")?;
        }
        Format::Yaml => write!(out, "---\n{}", yaml(data)?)?,
    }
    Ok(out.flush()?)
}

fn yaml(data: &impl Serialize) -> Result<String, Error> {
    serde_yaml_ng::to_string(data).map_err(|error| Error::Encode(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Writer = fn(&mut Vec<u8>, Format, &Vec<i32>) -> Result<(), Error>;

    fn written(format: Format, write: Writer) -> String {
        let mut out = Vec::new();
        write(&mut out, format, &vec![1, 2]).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn many_answers_can_be_told_apart() {
        let write = |out: &mut Vec<u8>, format, data: &Vec<i32>| event(out, format, data, || "one\n".to_owned());
        assert_eq!(written(Format::Text, write), "one\n");
        assert_eq!(written(Format::Json, write), "[1,2]\n");
        assert_eq!(written(Format::Yaml, write), "---\n- 1\n- 2\n");
    }

    #[test]
    fn one_answer_is_one_document() {
        let write = |out: &mut Vec<u8>, format, data: &Vec<i32>| answer(out, format, data, || "one\n".to_owned());
        assert_eq!(written(Format::Json, write), "[\n  1,\n  2\n]\n");
        assert_eq!(written(Format::Yaml, write), "- 1\n- 2\n");
    }
}
