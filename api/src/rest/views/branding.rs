//! How a tenant sees the product.

use kube::ResourceExt as _;
use serde::Serialize;
use utoipa::ToSchema;
use voxplane_crds::Agency;

/// Without a brand of the agency's.
const PLATFORM: &str = "Voxplane";

/// How a tenant sees the product: as its agency says, with everything that follows from what it leaves out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BrandingView {
    /// What the product is called.
    pub product_name: String,
    /// Where the logo lies; null: none is shown.
    pub logo_url: Option<String>,
    /// Colours as `#rrggbb`; null: the interface's own.
    pub colours: ColoursView,
    /// Whom to write to for help; null: nobody is named.
    pub support_email: Option<String>,
    /// The platform is not to be named.
    pub hide_platform: bool,
}

/// Colours of the user interface.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ColoursView {
    /// Of what stands out.
    pub primary: Option<String>,
    /// Of what accompanies it.
    pub secondary: Option<String>,
    /// Of the background.
    pub background: Option<String>,
    /// Of text.
    pub text: Option<String>,
}

impl BrandingView {
    /// Of an agency's tenants.
    pub fn of(agency: &Agency) -> Self {
        let spec = &agency.spec;
        let branding = spec.branding.clone().unwrap_or_default();
        let own_name = || match spec.display_name.as_str() {
            "" => agency.name_any(),
            name => name.to_owned(),
        };
        let colours = branding.colours.unwrap_or_default();
        Self {
            product_name: branding
                .product_name
                .unwrap_or_else(|| if branding.hide_platform { own_name() } else { PLATFORM.to_owned() }),
            logo_url: branding.logo_url,
            colours: ColoursView {
                primary: colours.primary,
                secondary: colours.secondary,
                background: colours.background,
                text: colours.text,
            },
            support_email: branding.support_email.or_else(|| spec.contact.as_ref()?.email.clone()),
            hide_platform: branding.hide_platform,
        }
    }
}
