//! Conditions: CEL over variables, which are texts.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use cel::objects::Value;
use cel::{Context, Program};

/// A condition.
pub struct Expression(Program);

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Expression")
    }
}

impl Expression {
    /// Reads a condition.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub fn parse(source: &str) -> Result<Self, String> {
        Program::compile(source).map(Self).map_err(|errors| errors.to_string())
    }

    /// Whether it holds; `None` when that cannot be told, for example of the number in a text without digits.
    pub(crate) fn holds(&self, values: &BTreeMap<String, String>) -> Option<bool> {
        let mut context = Context::default();
        let mut groups: BTreeMap<&str, HashMap<String, String>> = BTreeMap::new();
        for (name, value) in values {
            match name.split_once('.') {
                Some((group, name)) => {
                    groups.entry(group).or_default().insert(name.to_owned(), value.clone());
                }
                None => context.add_variable_from_value(name.as_str(), value.clone()),
            }
        }
        for (group, entries) in groups {
            context.add_variable_from_value(group, entries);
        }
        match self.0.execute(&context) {
            Ok(Value::Bool(holds)) => Some(holds),
            Ok(_) | Err(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_look_at_texts() {
        let values = [("plan", "gold"), ("persons", "12"), ("note", "1 == 1 || true"), ("call.weekday", "Sunday")];
        let values = values.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        for (source, expected) in [
            ("plan == \"gold\"", Some(true)),
            ("plan == \"Gold\"", Some(false)),
            ("int(persons) > 8", Some(true)),
            ("int(plan) > 8", None),
            ("plan in [\"silver\", \"gold\"] && call.weekday != \"Monday\"", Some(true)),
            ("call.weekday in [\"Saturday\", \"Sunday\"]", Some(true)),
            ("note == \"x\"", Some(false)),
            ("note.contains(\"||\") && size(note) == 14", Some(true)),
            ("persons.matches(\"^[0-9]+$\")", Some(true)),
            ("plan < \"h\"", Some(true)),
            ("double(persons) / 8.0 == 1.5", Some(true)),
            ("missing == \"x\"", None),
            ("plan", None),
        ] {
            assert_eq!(Expression::parse(source).unwrap().holds(&values), expected, "{source}");
        }
        assert!(Expression::parse("plan ==").is_err());
    }
}
