//! One source for default values: the schema's.
//!
//! The `serde(default = …)` functions end up in the generated schema, where the API server applies them. The Rust
//! `Default` of a type is what an empty object becomes, so that the two cannot differ.

use serde::de::DeserializeOwned;
use std::collections::BTreeMap;

/// What the API server makes of `{}`.
pub(crate) fn from_empty<T: DeserializeOwned>() -> T {
    serde_json::from_value(serde_json::json!({})).expect("every field of a type with a default has a default itself")
}

/// The schema default `{}` of a nested object: the API server then fills in the defaults of its fields, so that they
/// are written once in the schema.
pub(crate) fn object() -> BTreeMap<String, String> {
    BTreeMap::new()
}

/// Declares the functions that `serde(default = …)` names.
macro_rules! defaults {
    ($($name:ident: $ty:ty = $value:expr;)*) => {
        mod default {
            $(pub(super) fn $name() -> $ty { $value.into() })*
        }
    };
}

/// `Default` by way of the schema's defaults.
macro_rules! default_from_schema {
    ($($ty:ty),* $(,)?) => {
        $(impl Default for $ty {
            fn default() -> Self {
                $crate::defaults::from_empty()
            }
        })*
    };
}

pub(crate) use {default_from_schema, defaults};
