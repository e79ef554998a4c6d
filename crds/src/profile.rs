//! Who an agency or a tenant is as a business, and how it wants to look. For people: calls do not depend on it.

use crate::schema::{EMAIL, HTTPS_URL};
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// The company behind an agency.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Company {
    /// Its registered name. Omitted: not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 200))]
    pub name: Option<String>,
    /// Its tax number, as its country writes it. Omitted: not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 40))]
    pub tax_id: Option<String>,
    /// Its website (`https://…`). Omitted: not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2_048), pattern(HTTPS_URL))]
    pub website: Option<String>,
}

/// A postal address.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Address {
    /// Street and number, one line each. Omitted: not given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 3), inner(length(min = 1, max = 100)))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub street: Vec<String>,
    /// Postal code. Omitted: not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 20))]
    pub postal_code: Option<String>,
    /// City. Omitted: not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100))]
    pub city: Option<String>,
    /// State or province. Omitted: not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100))]
    pub region: Option<String>,
    /// Country (ISO 3166-1, two capital letters). Omitted: not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 2), pattern("^[A-Z]{2}$"))]
    pub country: Option<String>,
}

/// What the agency pays for, as agreed with whoever runs the platform. Nothing is charged by the platform itself.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Billing {
    /// Name of the plan (`growth`). Omitted: none is agreed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 40), pattern(r"^[A-Za-z0-9]([-A-Za-z0-9_. ]*[A-Za-z0-9])?$"))]
    pub plan: Option<String>,
    /// Where bills go. Omitted: to the `contact`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 254), pattern(EMAIL))]
    pub email: Option<String>,
}

/// How the agency's tenants see the product: under the agency's name, with its logo and colours.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Branding {
    /// What the product is called. Omitted: with `hidePlatform` the agency's `displayName`, else the platform's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 60))]
    pub product_name: Option<String>,
    /// Where the logo lies (`https://…`). Omitted: none is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2_048), pattern(HTTPS_URL))]
    pub logo_url: Option<String>,
    /// Colours of the user interface. Omitted: its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub colours: Option<Colours>,
    /// Whom tenants write to when they need help. Omitted: the `contact` of the agency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 254), pattern(EMAIL))]
    pub support_email: Option<String>,
    /// The REST API does not name the platform to tenants of this agency. Omitted: false.
    #[serde(default)]
    pub hide_platform: bool,
}

/// Colours, as `#rrggbb`.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Colours {
    /// Of what stands out: buttons, links. Omitted: the interface's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 7), pattern("^#[0-9a-fA-F]{6}$"))]
    pub primary: Option<String>,
    /// Of what accompanies it. Omitted: the interface's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 7), pattern("^#[0-9a-fA-F]{6}$"))]
    pub secondary: Option<String>,
    /// Of the background. Omitted: the interface's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 7), pattern("^#[0-9a-fA-F]{6}$"))]
    pub background: Option<String>,
    /// Of text. Omitted: the interface's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 7), pattern("^#[0-9a-fA-F]{6}$"))]
    pub text: Option<String>,
}
