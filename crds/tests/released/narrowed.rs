//! What a schema refuses, forgets or reads otherwise that an older one of the same kind accepted.

use std::collections::BTreeSet;

use serde_json::Value;

/// Bounds from above: a smaller one, or a new one, refuses what was accepted.
const UPPER: [&str; 4] = ["maximum", "maxLength", "maxItems", "maxProperties"];
/// Bounds from below.
const LOWER: [&str; 4] = ["minimum", "minLength", "minItems", "minProperties"];
/// Anything else than before may refuse or reorder what was accepted.
const FIXED: [&str; 6] =
    ["type", "format", "pattern", "x-kubernetes-int-or-string", "x-kubernetes-list-type", "x-kubernetes-list-map-keys"];

/// Every way in which `now` is narrower than `then`, one line each, with the path of the field.
pub fn narrowed(path: &str, then: &Value, now: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut complain = |what: String| found.push(format!("{path}: {what}"));
    for key in FIXED {
        if then[key] != now[key] && !(key == "pattern" && now[key].is_null()) {
            complain(format!("{key} was {}, is {}", then[key], now[key]));
        }
    }
    for (keys, is_narrower) in [(UPPER, is_less as fn(f64, f64) -> bool), (LOWER, is_more)] {
        for key in keys {
            match (then[key].as_f64(), now[key].as_f64()) {
                (Some(before), Some(after)) if is_narrower(after, before) => {
                    complain(format!("{key} was {before}, is {after}"));
                }
                (None, Some(after)) if LOWER.contains(&key) && after == 0.0 => {}
                (None, Some(after)) => complain(format!("{key} is new: {after}")),
                _ => {}
            }
        }
    }
    if then["nullable"] == true && now["nullable"] != true {
        complain("null is not accepted any more".to_owned());
    }
    match (then["enum"].as_array(), now["enum"].as_array()) {
        (Some(before), Some(after)) => {
            for value in before.iter().filter(|value| !after.contains(value)) {
                complain(format!("the value {value} is gone"));
            }
        }
        (None, Some(after)) => complain(format!("only these values are accepted now: {after:?}")),
        _ => {}
    }
    let needed = |schema: &Value| texts(&schema["required"]);
    for name in needed(now).difference(&needed(then)) {
        // The API server fills a default in when it reads an object that was stored without the field.
        if now["properties"][name]["default"].is_null() {
            complain(format!("{name} is required now"));
        }
    }
    for rule in rules(now).difference(&rules(then)).filter(|rule| !only_of_a_new_field(rule, then)) {
        complain(format!("new rule: {rule}"));
    }
    for (name, before) in then["properties"].as_object().into_iter().flatten() {
        match now["properties"].get(name) {
            Some(after) => found.extend(narrowed(&format!("{path}.{name}"), before, after)),
            None => found.push(format!("{path}.{name}: is gone")),
        }
    }
    for (key, mark) in [("items", "[]"), ("additionalProperties", "{}")] {
        if then[key].is_object() {
            found.extend(narrowed(&format!("{path}{mark}"), &then[key], &now[key]));
        }
    }
    found
}

fn is_less(one: f64, other: f64) -> bool {
    one < other
}

fn is_more(one: f64, other: f64) -> bool {
    one > other
}

fn texts(list: &Value) -> BTreeSet<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn rules(schema: &Value) -> BTreeSet<String> {
    let list = schema["x-kubernetes-validations"].as_array();
    list.into_iter().flatten().filter_map(|rule| rule["rule"].as_str()).map(str::to_owned).collect()
}

/// Whether a rule lets everything pass that was accepted `then`, because it begins with `!has(self.FIELD) || ` and nobody
/// could set that field. A `?` outside of brackets binds more loosely than `||`: such a rule is another.
fn only_of_a_new_field(rule: &str, then: &Value) -> bool {
    let Some((field, rest)) = rule.strip_prefix("!has(self.").and_then(|rest| rest.split_once(") || ")) else {
        return false;
    };
    let closed = then["properties"].is_object() && then["properties"].get(field).is_none();
    let mut depth = 0_i32;
    let conditional = rest.chars().any(|character| {
        depth += i32::from(matches!(character, '(' | '[' | '{')) - i32::from(matches!(character, ')' | ']' | '}'));
        character == '?' && depth == 0
    });
    closed && !conditional
}

/// Fills in what the API server would, for objects as they are stored.
pub fn fill_in(schema: &Value, value: &mut Value) {
    if let Some(object) = value.as_object_mut() {
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            if !object.contains_key(name) && !property["default"].is_null() {
                object.insert(name.clone(), property["default"].clone());
            }
            if let Some(value) = object.get_mut(name) {
                fill_in(property, value);
            }
        }
        let named = |name: &str| schema["properties"].get(name).is_some();
        for (_, value) in object.iter_mut().filter(|(name, _)| !named(name)) {
            fill_in(&schema["additionalProperties"], value);
        }
    }
    for value in value.as_array_mut().into_iter().flatten() {
        fill_in(&schema["items"], value);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn is_noticed(then: Value, now: Value, words: &str) {
        let (then, now) = (json!({"properties": {"a": then}}), json!({"properties": {"a": now}}));
        let found = narrowed("X", &then, &now);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("X.a") && found[0].contains(words), "{found:?}");
        assert!(narrowed("X", &then, &then).is_empty());
    }

    #[test]
    fn every_narrowing_is_noticed() {
        is_noticed(json!({"type": "string"}), json!({"type": "integer"}), "type was");
        is_noticed(json!({"maxLength": 9}), json!({"maxLength": 8}), "maxLength was 9, is 8");
        is_noticed(json!({}), json!({"maxItems": 8}), "maxItems is new");
        is_noticed(json!({"minimum": 1}), json!({"minimum": 2}), "minimum was 1, is 2");
        is_noticed(json!({}), json!({"minLength": 1}), "minLength is new");
        is_noticed(json!({"pattern": "a"}), json!({"pattern": "b"}), "pattern was");
        is_noticed(json!({}), json!({"pattern": "b"}), "pattern was");
        is_noticed(json!({"enum": ["x", "y"]}), json!({"enum": ["y", "z"]}), "\"x\" is gone");
        is_noticed(json!({}), json!({"enum": ["y"]}), "only these values");
        is_noticed(json!({"nullable": true}), json!({}), "null is not accepted");
        is_noticed(json!({"required": ["b"]}), json!({"required": ["b", "c"]}), "c is required now");
        is_noticed(json!({"properties": {"b": {}}}), json!({"properties": {}}), "X.a.b: is gone");
        let rule = json!({"x-kubernetes-validations": [{"rule": "self > 1", "message": "m"}]});
        is_noticed(json!({}), rule, "new rule: self > 1");
        for (rule, field) in [("!has(self.b) || self.c > 1", "b"), ("!has(self.n) || true ? self.c > 1 : true", "b")] {
            let ruled = json!({"properties": {"b": {}}, "x-kubernetes-validations": [{"rule": rule}]});
            is_noticed(json!({"properties": {field: {}}}), ruled, "new rule: !has");
        }
        let map = |keys: Value| json!({"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": keys});
        is_noticed(map(json!(["name"])), map(json!(["id"])), "list-map-keys");
        is_noticed(json!({"items": {"maximum": 9}}), json!({"items": {"maximum": 1}}), "X.a[]: maximum");
        let values = |maximum: i32| json!({"additionalProperties": {"maximum": maximum}});
        is_noticed(values(9), values(1), "X.a{}: maximum");
    }

    #[test]
    fn widening_is_fine() {
        for (then, now) in [
            (json!({"maxLength": 8}), json!({"maxLength": 9})),
            (json!({"maxLength": 8}), json!({})),
            (json!({"minimum": 2}), json!({"minimum": 1})),
            (json!({}), json!({"minLength": 0})),
            (json!({"pattern": "a"}), json!({})),
            (json!({"enum": ["x"]}), json!({"enum": ["x", "y"]})),
            (json!({"required": ["b"]}), json!({})),
            (json!({}), json!({"required": ["b"], "properties": {"b": {"default": 1}}})),
            (json!({"x-kubernetes-validations": [{"rule": "false"}]}), json!({})),
            (json!({"properties": {}}), json!({"properties": {"b": {"type": "string"}}})),
            (
                json!({"properties": {}}),
                json!({"properties": {"b": {}}, "x-kubernetes-validations": [{"rule": "!has(self.b) || (self.b ? true : false)"}]}),
            ),
        ] {
            assert_eq!(narrowed("X", &then, &now), Vec::<String>::new(), "{then} {now}");
        }
    }

    #[test]
    fn a_rule_about_a_new_field_refuses_nothing_that_was_stored() {
        let with = |fields: Value, rules: &[&str]| {
            let rules: Vec<_> = rules.iter().map(|rule| json!({"rule": rule})).collect();
            json!({"properties": fields, "x-kubernetes-validations": rules})
        };
        let then = with(json!({"old": {}}), &[]);
        let fields = json!({"old": {}, "new": {}});
        let rules = ["!has(self.new) || has(self.old)"];
        assert_eq!(narrowed("X", &then, &with(fields.clone(), &rules)), Vec::<String>::new());
        for rule in ["!has(self.old) || has(self.new)", "!has(self.new) && true", "!has(self.new) || a ? b : c"] {
            assert_eq!(narrowed("X", &then, &with(fields.clone(), &[rule])).len(), 1, "{rule}");
        }
    }

    #[test]
    fn defaults_are_filled_in_at_every_depth() {
        let inner =
            json!({"properties": {"b": {"default": 1}, "c": {"default": {}, "properties": {"d": {"default": 2}}}}});
        let schema =
            json!({"properties": {"one": inner, "many": {"items": inner}, "map": {"additionalProperties": inner}}});
        let mut object = json!({"one": {"b": 7}, "many": [{}], "map": {"x": {"c": {"d": 9}}}});
        fill_in(&schema, &mut object);
        let expected = json!({
            "one": {"b": 7, "c": {"d": 2}}, "many": [{"b": 1, "c": {"d": 2}}], "map": {"x": {"b": 1, "c": {"d": 9}}},
        });
        assert_eq!(object, expected);
    }
}
