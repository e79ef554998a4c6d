//! The chart's values, from what the demo is told. Pure.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use url::Url;

use super::options::Options;

/// What the chart lets operator and API reach, when it is not told.
const USUAL_PORTS: [u16; 4] = [443, 6443, 5432, 7880];
/// The roles that the migration Job makes, by the name of their value.
const ROLES: [(&str, &str); 3] =
    [("ownerUrl", "voxplane_owner"), ("appUrl", "voxplane_app"), ("jobsUrl", "voxplane_jobs")];

/// Values for the chart. `password` is what the demo's roles have; `api_server` the ports of Kubernetes' API server, as
/// pods reach it.
pub fn of(options: &Options, password: &str, api_server: &[u16]) -> Result<Value> {
    let mut values = json!({});
    if let Some(images) = &options.images {
        values["image"]["repository"] = json!(images);
    }
    if let Some(tag) = &options.tag {
        values["image"]["tag"] = json!(tag);
    }
    if let Some(sip) = &options.sip {
        values["livekit"]["sipAddress"] = json!(sip);
    }
    let mut ports: BTreeSet<u16> = USUAL_PORTS.into_iter().chain(api_server.iter().copied()).collect();
    let connections = &options.connections;
    if let Some(text) = &connections.postgres_url {
        let url = parse("VOXPLANE_POSTGRES_URL", text)?;
        ports.extend(url.port());
        values["postgres"]["adminUrl"] = json!(text);
        for (value, role) in ROLES {
            values["postgres"][value] = json!(as_role(&url, role, password)?);
        }
    }
    if let Some(text) = &connections.livekit_url {
        ports.extend(parse("VOXPLANE_LIVEKIT_URL", text)?.port_or_known_default());
        values["livekit"]["url"] = json!(text);
    }
    if let Some(key) = &connections.livekit_api_key {
        values["livekit"]["apiKey"] = json!(key);
    }
    if let Some(secret) = &connections.livekit_api_secret {
        values["livekit"]["apiSecret"] = json!(secret);
    }
    values["networkPolicy"]["egressPorts"] = json!(ports);
    Ok(values)
}

/// The password in a role's URL, as the chart was told it before.
pub fn password_in(url: &str) -> Option<String> {
    Url::parse(url).ok()?.password().map(str::to_owned)
}

fn as_role(url: &Url, role: &str, password: &str) -> Result<String> {
    let mut url = url.clone();
    let replaced = url.set_username(role).is_ok() && url.set_password(Some(password)).is_ok();
    replaced.then(|| url.to_string()).context("VOXPLANE_POSTGRES_URL names no host")
}

/// The text stays out of the error: it has a password.
fn parse(variable: &str, text: &str) -> Result<Url> {
    Url::parse(text).with_context(|| format!("{variable} is not a URL"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        options: Options,
    }

    fn options(arguments: &[&str]) -> Options {
        let all = ["demo", "--context", "kind"].iter().chain(arguments);
        Cli::try_parse_from(all).unwrap().options
    }

    #[test]
    fn roles_have_the_administrators_host_and_a_password_of_their_own() {
        let given = options(&["--postgres-url", "postgres://root:top@db.example.com:5433/voice?sslmode=require"]);
        let values = of(&given, "s3cret", &[8443]).unwrap();
        let owner = values["postgres"]["ownerUrl"].as_str().unwrap();
        assert_eq!(owner, "postgres://voxplane_owner:s3cret@db.example.com:5433/voice?sslmode=require");
        assert_eq!(password_in(owner).unwrap(), "s3cret");
        assert_eq!(values["networkPolicy"]["egressPorts"], json!([443, 5432, 5433, 6443, 7880, 8443]));
    }

    #[test]
    fn what_is_not_said_is_left_to_the_chart() {
        let values = of(&options(&["--images", "registry.example.com/voxplane"]), "x", &[]).unwrap();
        assert_eq!(values["image"], json!({"repository": "registry.example.com/voxplane"}));
        assert!(values["postgres"].is_null() && values["livekit"].is_null(), "{values}");
    }

    #[test]
    fn an_error_does_not_show_the_password() {
        let error = of(&options(&["--postgres-url", "root:top@db"]), "x", &[]).unwrap_err();
        assert!(!format!("{error:#}").contains("top"), "{error:#}");
    }
}
