//! An S3 store on a directory.

use std::time::Duration;

use super::context::{Context, words};
use crate::error::Result;
use crate::layout::S3_PORT;
use crate::pki::path_text;

/// Name of the process.
pub const PROCESS: &str = "s3";

const HEALTH: &str = "/health";
const LIMIT: Duration = Duration::from_secs(30);

/// Starts the store.
pub fn start(context: &Context) -> Result<()> {
    let mut argv = words(["versitygw", "--health", HEALTH, "--port"]);
    argv.push(context.at_node(S3_PORT).to_string());
    argv.extend(["posix".to_owned(), path_text(&context.directory("s3")?)]);
    let mut spec = context.process(PROCESS, &argv);
    spec.env.insert("ROOT_ACCESS_KEY".to_owned(), context.state.secrets.s3_access.clone());
    spec.env.insert("ROOT_SECRET_KEY".to_owned(), context.state.secrets.s3_secret.clone());
    context.spawn(spec)?;
    context.wait_for(PROCESS, LIMIT, "`lab logs s3`; its directory needs extended attributes", || probe(context))
}

/// Whether the store serves.
pub fn probe(context: &Context) -> Result<(), String> {
    context.prober.http(context.at_node(S3_PORT), HEALTH)
}
