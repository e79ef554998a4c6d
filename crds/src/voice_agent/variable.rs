//! Values that the agent's texts refer to.

use crate::schema::{NOT_RESERVED, VARIABLE};
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// A value that texts refer to as `{{ name }}`.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new(NOT_RESERVED)
        .message("this name has a meaning of its own: use another one, for example with `my_` before it")
)]
pub struct Variable {
    /// Name of the variable.
    #[schemars(length(min = 1, max = 40), pattern(VARIABLE))]
    pub name: String,
    /// What it holds when a call begins. Braces in it are text: values are not looked through for other variables.
    #[schemars(length(max = 1_000))]
    pub value: String,
    /// What it is for, shown to people. Omitted: nothing is said about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 200))]
    pub description: Option<String>,
}
