//! `lab env`: where a lab's parts are and how to log in.

use std::fs;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{LabError, Result};
use crate::layout::{LIVEKIT_PORT, LabName, Network, POSTGRES_PORT, Paths, REST_NODE_PORT, S3_PORT, SIP_PORT};
use crate::part::postgres::DATABASE;
use crate::pki::path_text;
use crate::state::{LabState, write_private};
use crate::tools::models::collect;
use crate::tools::{Tool, ToolSet};

/// Email address of the installed product's first administrator.
pub const ADMIN_EMAIL: &str = "admin@voxplane.example";

/// Everything that a user or a test needs to reach a lab. Contains passwords of the lab.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LabEnv {
    /// The lab's name.
    pub name: String,
    /// Address of the node.
    pub node_address: String,
    /// Administrator's kubeconfig.
    pub kubeconfig: String,
    /// `host:port` to dial.
    pub sip_address: String,
    /// Base URL of the REST API.
    pub api_url: String,
    /// The REST API's first administrator.
    pub admin_email: String,
    /// Their password.
    pub admin_password: String,
    /// HTTP URL of LiveKit.
    pub livekit_url: String,
    /// LiveKit API key.
    pub livekit_api_key: String,
    /// LiveKit API secret.
    pub livekit_api_secret: String,
    /// Postgres superuser's URL for the product's database.
    pub postgres_url: String,
    /// URL of the S3 store.
    pub s3_url: String,
    /// S3 access key.
    pub s3_access_key: String,
    /// S3 secret key.
    pub s3_secret_key: String,
}

impl LabEnv {
    /// The document of one lab.
    pub fn new(name: &LabName, paths: &Paths, state: &LabState) -> Self {
        let (node, secrets) = (state.network().node(), &state.secrets);
        Self {
            name: name.to_string(),
            node_address: node.to_string(),
            kubeconfig: path_text(&paths.kubeconfig()),
            sip_address: format!("{node}:{SIP_PORT}"),
            api_url: format!("http://{node}:{REST_NODE_PORT}"),
            admin_email: ADMIN_EMAIL.to_owned(),
            admin_password: secrets.admin_password.clone(),
            livekit_url: format!("http://{node}:{LIVEKIT_PORT}"),
            livekit_api_key: secrets.livekit_key.clone(),
            livekit_api_secret: secrets.livekit_secret.clone(),
            postgres_url: postgres_url(state.network(), "postgres", &secrets.postgres),
            s3_url: format!("http://{node}:{S3_PORT}"),
            s3_access_key: secrets.s3_access.clone(),
            s3_secret_key: secrets.s3_secret.clone(),
        }
    }

    /// Reads the document that [`write()`] left; who started the lab with sudo may read it, unlike the lab's state.
    pub fn load(paths: &Paths, name: &LabName) -> Result<Self> {
        let path = paths.join("env.json");
        if !path.exists() {
            return Err(LabError::NotRunning(name.to_string()));
        }
        serde_json::from_value(crate::oci::read_json(&path)?)
            .map_err(|source| LabError::Document { what: path.display().to_string(), source })
    }

    /// The document as JSON.
    pub fn json(&self) -> Result<Value> {
        serde_json::to_value(self).map_err(|source| LabError::Document { what: "the lab's environment".into(), source })
    }

    /// The document as lines for a shell's `eval`.
    pub fn shell(&self) -> Result<String> {
        let mut lines = vec![
            format!("export KUBECONFIG='{}'", self.kubeconfig),
            format!("export VOXPLANE_TEST_DATABASE_URL='{}'", self.postgres_url),
        ];
        if let Value::Object(fields) = self.json()? {
            for (name, value) in &fields {
                let value = value.as_str().unwrap_or_default();
                lines.push(format!("export VOXPLANE_LAB_{}='{value}'", screaming(name)));
            }
        }
        Ok(lines.join("\n"))
    }
}

/// `sipAddress` → `SIP_ADDRESS`.
fn screaming(camel: &str) -> String {
    let mut name = String::new();
    for letter in camel.chars() {
        if letter.is_ascii_uppercase() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

/// URL of the product's database for one role. The lab's passwords need no escaping.
pub fn postgres_url(network: Network, role: &str, password: &str) -> String {
    format!("postgres://{role}:{password}@{}:{POSTGRES_PORT}/{DATABASE}", network.node())
}

/// What tests need to find the third-party parts that they run themselves, as lines for a shell's `eval`.
pub fn tools(tools: &ToolSet) -> Result<String> {
    let program = |name: &str| tools.program(name).map(|path| path_text(&path)).unwrap_or_default();
    let kubectl = tools.dir(Tool::Kubernetes)?.join("bin");
    Ok([
        format!("export PATH='{}':\"$PATH\"", path_text(&kubectl)),
        format!("export HELM='{}'", program("helm")),
        format!("export VOXPLANE_LIVEKIT_SERVER='{}'", program("livekit-server")),
        format!("export VOXPLANE_MODELS_DIR='{}'", path_text(&collect(tools)?)),
    ]
    .join("\n"))
}

/// Writes the document to `env.json` in the lab's directory. Under sudo, the caller may read it and the kubeconfig.
pub fn write(paths: &Paths, name: &LabName, state: &LabState) -> Result<()> {
    let text = format!("{:#}\n", LabEnv::new(name, paths, state).json()?);
    let path = paths.join("env.json");
    write_private(&path, text.as_bytes())?;
    let id = |variable: &str| std::env::var(variable).ok()?.parse::<u32>().ok();
    if let (Some(user), Some(group)) = (id("SUDO_UID"), id("SUDO_GID")) {
        for file in [&path, &paths.kubeconfig()] {
            if fs::exists(file).unwrap_or(false) {
                use crate::error::IoContext as _;
                std::os::unix::fs::chown(file, Some(user), Some(group)).at("give away", file)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shell_form_names_every_field() {
        let paths = Paths::new("/labs".as_ref(), &LabName::parse("demo").unwrap());
        let env = LabEnv::new(&LabName::parse("demo").unwrap(), &paths, &LabState::generate(3));
        let shell = env.shell().unwrap();
        assert!(shell.contains("export KUBECONFIG='/labs/demo/kubeconfig'"), "{shell}");
        assert!(shell.contains("export VOXPLANE_LAB_SIP_ADDRESS='10.243.3.1:5060'"), "{shell}");
        assert_eq!(env.json().unwrap()["apiUrl"], "http://10.243.3.1:30080");
    }
}
