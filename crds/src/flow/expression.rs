//! Conditions: CEL over variables, all of which are texts. Pure.
//!
//! What CEL would only notice during a call is found here: names that do not exist, and texts compared with numbers, which
//! would silently be different. Of the language as much is let through as can be judged: no walks over lists, which could
//! take any time.

use std::fmt;

use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue, SelectExpr, operators};
use cel::{Context, Program};

use crate::variables::Names;

/// What an expression gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Text,
    Whole,
    Decimal,
    Truth,
    Texts,
    Wholes,
    Decimals,
    Truths,
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "a text",
            Self::Whole => "a whole number",
            Self::Decimal => "a decimal number",
            Self::Truth => "true or false",
            Self::Texts => "a list of texts",
            Self::Wholes | Self::Decimals => "a list of numbers",
            Self::Truths => "a list of truths",
        })
    }
}

/// An expression that can be judged during a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// The variables that it looks at.
    pub names: Vec<String>,
}

/// Checks a condition.
///
/// # Errors
/// What is wrong with it, and the remedy.
pub fn check(source: &str, names: &Names) -> Result<Condition, String> {
    let program = Program::compile(source).map_err(|errors| {
        let errors = errors.to_string();
        let first = errors.lines().next().unwrap_or_default();
        format!("this is no CEL expression ({first}): write it like `plan == \"gold\"`")
    })?;
    let mut reader = Reader { names, found: Vec::new() };
    match reader.type_of(program.expression())? {
        Type::Truth => Ok(Condition { names: reader.found }),
        other => Err(format!("a condition is true or false, and this is {other}: compare it with something")),
    }
}

struct Reader<'a> {
    names: &'a Names,
    found: Vec<String>,
}

type Judged = Result<Type, String>;

impl Reader<'_> {
    fn type_of(&mut self, expression: &IdedExpr) -> Judged {
        match &expression.expr {
            Expr::Literal(LiteralValue::String(_)) => Ok(Type::Text),
            Expr::Literal(LiteralValue::Int(_)) => Ok(Type::Whole),
            Expr::Literal(LiteralValue::Double(_)) => Ok(Type::Decimal),
            Expr::Literal(LiteralValue::Boolean(_)) => Ok(Type::Truth),
            Expr::Literal(_) => Err("only texts, numbers, true and false can be compared".to_owned()),
            Expr::Ident(name) => self.variable(name),
            Expr::Select(select) => self.select(select),
            Expr::List(list) => self.list(&list.elements),
            Expr::Call(call) => self.call(call),
            Expr::Comprehension(_) | Expr::Map(_) | Expr::Struct(_) | Expr::Unspecified => {
                Err("walks over lists and maps are not possible here: compare variables with `==`, `<`, `in`"
                    .to_owned())
            }
        }
    }

    fn variable(&mut self, name: &str) -> Judged {
        if self.names.contains(name) {
            self.found.push(name.to_owned());
            return Ok(Type::Text);
        }
        if self.names.is_group(name) {
            return Err(format!("{name:?} is a group of variables: write `{name}.` and the name of one"));
        }
        Err(self.names.unknown(name))
    }

    fn select(&mut self, select: &SelectExpr) -> Judged {
        if select.test {
            return Err("`has()` is not needed: every variable has a value, be it an empty one".to_owned());
        }
        match &select.operand.expr {
            Expr::Ident(group) => self.variable(&format!("{group}.{}", select.field)),
            _ => Err(format!("a text has no field {:?}", select.field)),
        }
    }

    fn list(&mut self, elements: &[IdedExpr]) -> Judged {
        let mut of = None;
        for element in elements {
            let type_ = self.type_of(element)?;
            if of.is_some_and(|of| of != type_) {
                return Err("the entries of a list are of one kind: all texts, or all numbers".to_owned());
            }
            of = Some(type_);
        }
        match of {
            Some(Type::Text) => Ok(Type::Texts),
            Some(Type::Whole) => Ok(Type::Wholes),
            Some(Type::Decimal) => Ok(Type::Decimals),
            Some(Type::Truth) => Ok(Type::Truths),
            Some(_) => Err("lists of lists are not possible here".to_owned()),
            None => Err("nothing is in an empty list".to_owned()),
        }
    }

    fn call(&mut self, call: &CallExpr) -> Judged {
        let target = call.target.as_deref().map(|target| self.type_of(target)).transpose()?;
        let arguments = call.args.iter().map(|one| self.type_of(one)).collect::<Result<Vec<_>, _>>()?;
        let all: Vec<Type> = target.into_iter().chain(arguments).collect();
        match (call.func_name.as_str(), all.as_slice()) {
            (operators::LOGICAL_AND | operators::LOGICAL_OR | operators::LOGICAL_NOT, truths) => {
                if truths.iter().all(|one| *one == Type::Truth) {
                    return Ok(Type::Truth);
                }
                Err("`&&`, `||` and `!` stand between comparisons: write `a == \"x\" && b == \"y\"`".to_owned())
            }
            (operators::CONDITIONAL, [Type::Truth, yes, no]) if yes == no => Ok(*yes),
            (operators::EQUALS | operators::NOT_EQUALS, [a, b]) if a == b => Ok(Type::Truth),
            (
                operators::LESS | operators::LESS_EQUALS | operators::GREATER | operators::GREATER_EQUALS,
                [a @ (Type::Text | Type::Whole | Type::Decimal), b],
            ) if a == b => Ok(Type::Truth),
            (operators::ADD, [a @ (Type::Text | Type::Whole | Type::Decimal), b]) if a == b => Ok(*a),
            (
                operators::SUBSTRACT | operators::MULTIPLY | operators::DIVIDE,
                [a @ (Type::Whole | Type::Decimal), b],
            ) if a == b => Ok(*a),
            (operators::MODULO, [Type::Whole, Type::Whole]) | ("size", [Type::Text]) => Ok(Type::Whole),
            (operators::NEGATE, [a @ (Type::Whole | Type::Decimal)]) => Ok(*a),
            (
                operators::IN,
                [Type::Text, Type::Texts]
                | [Type::Whole, Type::Wholes]
                | [Type::Decimal, Type::Decimals]
                | [Type::Truth, Type::Truths],
            )
            | ("contains" | "startsWith" | "endsWith", [Type::Text, Type::Text]) => Ok(Type::Truth),
            ("matches", [Type::Text, Type::Text]) => pattern(call).map(|()| Type::Truth),
            ("int", [Type::Text | Type::Whole | Type::Decimal]) => Ok(Type::Whole),
            ("double", [Type::Text | Type::Whole | Type::Decimal]) => Ok(Type::Decimal),
            ("string", [Type::Text | Type::Whole | Type::Decimal]) => Ok(Type::Text),
            (name, all) => Err(misfit(name, all)),
        }
    }
}

/// A pattern must be written out, so that it can be tried here and not first in a call.
fn pattern(call: &CallExpr) -> Result<(), String> {
    let literal = |one: &&IdedExpr| matches!(&one.expr, Expr::Literal(LiteralValue::String(_)));
    let Some(pattern) = call.args.last().filter(literal) else {
        return Err("the pattern of `matches` is a text in quotation marks".to_owned());
    };
    let target = Some(Box::new(pattern.clone()));
    let trial = IdedExpr { id: pattern.id, expr: Expr::Call(CallExpr { target, ..call.clone() }) };
    match Context::default().resolve(&trial) {
        Ok(_) => Ok(()),
        Err(_) => Err("the pattern of `matches` is no regular expression".to_owned()),
    }
}

fn misfit(name: &str, given: &[Type]) -> String {
    const NUMBERS: &str = "variables are texts: write `int(name)` where a number is meant";
    let given = given.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ");
    match name.trim_start_matches('@').trim_matches('_') {
        "[" | "[_]" | "[?" => "entries of lists are not looked up here".to_owned(),
        operator if !operator.starts_with(|c: char| c.is_ascii_alphabetic()) || operator == "in" => {
            format!("`{operator}` does not go with {given}; {NUMBERS}")
        }
        "size" | "contains" | "startsWith" | "endsWith" | "matches" | "int" | "double" | "string" => {
            format!("`{name}` does not go with {given}; {NUMBERS}")
        }
        _ => format!(
            "there is no function {name:?} here: use size, contains, startsWith, endsWith, matches, int, double or string"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::VoiceAgentSpec;
    use proptest::prelude::*;

    fn names() -> Names {
        Names::of(&VoiceAgentSpec::default()).with(["plan", "persons"])
    }

    #[test]
    fn conditions_that_can_be_judged() {
        for (source, looked_at) in [
            ("plan == \"gold\"", vec!["plan"]),
            ("plan in [\"gold\", 'silver'] && int(persons) > 8", vec!["plan", "persons"]),
            ("!(call.weekday == \"Sunday\") || call.time < \"12:00\"", vec!["call.weekday", "call.time"]),
            ("size(plan) == 0 || plan.size() > 3", vec!["plan", "plan"]),
            ("plan.contains(\"g\") && plan.startsWith(\"g\") && plan.endsWith(\"d\")", vec!["plan"; 3]),
            ("persons.matches(\"^[0-9]{1,2}$\")", vec!["persons"]),
            ("int(persons) + 1 >= 3 && double(persons) / 2.0 < 5.5", vec!["persons"; 2]),
            ("plan + persons == \"gold2\"", vec!["plan", "persons"]),
            ("true", vec![]),
        ] {
            assert_eq!(
                check(source, &names()).map(|condition| condition.names),
                Ok(looked_at.iter().map(ToString::to_string).collect()),
                "{source}"
            );
        }
    }

    #[test]
    fn what_cannot_be_judged_says_why_and_what_to_write() {
        for (source, words) in [
            ("plan = \"gold\"", "this is no CEL expression"),
            ("plan ==", "this is no CEL expression"),
            ("plna == \"gold\"", "there is no variable \"plna\": use one of"),
            ("call.hour == \"9\"", "there is no variable \"call.hour\""),
            ("call == \"9\"", "is a group of variables: write `call.`"),
            ("persons > 8", "`>` does not go with a text and a whole number; variables are texts: write `int(name)`"),
            ("persons == 8", "`==` does not go with a text and a whole number"),
            ("plan", "a condition is true or false, and this is a text"),
            ("plan && persons", "`&&`, `||` and `!` stand between comparisons"),
            ("plan in [\"a\", 1]", "of one kind"),
            ("plan in []", "empty list"),
            ("[1, 2].exists(x, x == 1)", "walks over lists"),
            ("has(call.time)", "`has()` is not needed"),
            ("timestamp(call.date) == 1", "there is no function \"timestamp\""),
            ("plan.matches(\"(\")", "no regular expression"),
            ("plan.matches(persons)", "in quotation marks"),
            ("plan[0] == \"g\"", "not looked up here"),
            ("null == plan", "only texts"),
        ] {
            let problem = check(source, &names()).unwrap_err();
            assert!(problem.contains(words), "{source}: {problem}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

        /// The operator reads what anybody with the right to write agents wrote.
        #[test]
        fn no_text_makes_the_reader_panic(source in r#"([ a-z0-9.,()\[\]{}"'!=<>&|?:+*/%\\-]|plan|call\.time|int\(|in |matches\("|\PC){0,40}"#) {
            let _ = check(&source, &names());
        }
    }
}
