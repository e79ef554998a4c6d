//! Schema parts that the derive cannot write: patterns, and bounded schemas for types of other crates.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

/// A DNS label: what Kubernetes accepts wherever a name becomes part of another name.
pub const OBJECT_NAME: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";
/// A telephone number in E.164 form (ITU-T E.164: at most 15 digits, no leading zero).
pub const E164: &str = r"^\+[1-9][0-9]{6,14}$";
/// A telephone number in E.164 form, or the beginning of one followed by `*`.
pub const E164_OR_PREFIX: &str = r"^\+[1-9]([0-9]{6,14}|[0-9]{0,13}\*)$";
/// A BCP 47 language tag with an optional script and region (`en`, `en-US`, `zh-Hant-TW`).
pub const LANGUAGE: &str = "^[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?$";
/// An IANA time zone name (`UTC`, `Europe/Berlin`, `America/Argentina/Salta`).
pub const TIME_ZONE: &str = "^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}$";
/// An e-mail address, as far as a pattern can tell.
pub const EMAIL: &str = r"^[^@\s]+@[^@\s]+$";
/// The address of something on the web that is transferred encrypted.
pub const HTTPS_URL: &str = r"^https://[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?(:[0-9]{1,5})?(/[^\s]*)?$";
/// A lower-case UUID.
pub const UUID: &str = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$";

/// Name of a variable: what a text can refer to as `{{ name }}` and a condition as `name`.
pub const VARIABLE: &str = "^[a-z][a-zA-Z0-9_]*$";
/// Names that no variable may have, as a rule on an object with a `name`: words of the language of conditions, and the
/// groups of the built-in variables.
pub const NOT_RESERVED: &str = "!(self.name in ['true', 'false', 'null', 'in', 'as', 'break', 'const', 'continue', \
     'else', 'for', 'function', 'if', 'import', 'let', 'loop', 'package', 'namespace', 'return', 'var', 'void', 'while', \
     'tenant', 'agent', 'call'])";

/// Key of a label or taint: an optional DNS name and a slash, then the name itself.
pub const LABEL_KEY: &str = "^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$";
/// Value of a label or taint; it may be empty.
pub const LABEL_VALUE: &str = "^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$";
/// Name of a resource that a device plugin offers: a DNS name, a slash and a name.
pub const EXTENDED_RESOURCE: &str =
    r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$";

/// `metav1.Condition` with the bounds that Kubernetes' own Go types generate; k8s-openapi's type has none.
pub fn conditions(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 16,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object",
            "required": ["type", "status", "lastTransitionTime", "reason", "message"],
            "properties": {
                "type": {
                    "description": "What is observed, for example `Ready`.",
                    "type": "string",
                    "maxLength": 316,
                    "pattern": "^[A-Z][A-Za-z]*$",
                },
                "status": {
                    "description": "Whether it is so.",
                    "type": "string",
                    "enum": ["True", "False", "Unknown"],
                },
                "observedGeneration": {
                    "description": "The `metadata.generation` that was judged. Older than the object's: out of date.",
                    "type": "integer",
                    "format": "int64",
                    "minimum": 0,
                },
                "lastTransitionTime": {
                    "description": "When `status` last changed.",
                    "type": "string",
                    "format": "date-time",
                    "maxLength": 64,
                },
                "reason": {
                    "description": "The cause in one word, for programs.",
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 1024,
                    "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
                },
                "message": {
                    "description": "The cause in a sentence, for people. Empty when there is nothing to say.",
                    "type": "string",
                    "maxLength": 32768,
                },
            },
        },
    })
}

/// A point in time.
pub fn time(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "format": "date-time", "maxLength": 64, "nullable": true})
}

/// `requests` and `limits` of a container. Claims are left out: runtime pods use none.
pub fn resource_requirements(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "nullable": true,
        "properties": {
            "limits": quantities("The most a pod may use. Omitted: no limit beyond the namespace's."),
            "requests": quantities("What the scheduler sets aside for a pod. Omitted: the limits."),
        },
    })
}

/// Labels that a node must have. A schema cannot bound the keys of a map: the operator looks at them.
pub fn node_selector(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 16,
        "additionalProperties": { "type": "string", "maxLength": 63, "pattern": LABEL_VALUE },
    })
}

/// An object whose fields are the author's, such as a JSON Schema. It is one value to those who apply it: two managers
/// could only make nonsense of it together. Its size is the operator's to judge.
pub fn free_object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "nullable": true,
        "maxProperties": 32,
        "x-kubernetes-map-type": "atomic",
        "x-kubernetes-preserve-unknown-fields": true,
    })
}

fn quantities(description: &str) -> Value {
    json!({
        "description": description,
        "type": "object",
        "maxProperties": 8,
        "additionalProperties": {
            "x-kubernetes-int-or-string": true,
            "maxLength": 32,
            // The pattern Kubernetes generates for `resource.Quantity`.
            "pattern": QUANTITY,
        },
    })
}

const QUANTITY: &str = concat!(
    r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))",
    r"(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$"
);

/// Descriptions without the line breaks of the source code, which mean nothing to `kubectl explain`.
#[must_use]
pub fn with_flowing_text(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    for version in &mut crd.spec.versions {
        if let Some(schema) = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut()) {
            flow(schema);
        }
    }
    crd
}

fn flow(schema: &mut JSONSchemaProps) {
    if let Some(text) = &mut schema.description {
        *text = text.split("\n\n").map(|paragraph| paragraph.replace('\n', " ")).collect::<Vec<_>>().join("\n\n");
    }
    schema.properties.iter_mut().flatten().for_each(|(_, property)| flow(property));
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        flow(items);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        flow(values);
    }
}
