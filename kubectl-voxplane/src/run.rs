//! One function per command: read, decide, print.

use std::io::{self, Write};
use std::time::Duration;

use clap::CommandFactory as _;
use clap_complete::Shell;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;

use crate::call::{self, Preflight};
use crate::cli::{Cli, Command, Connection, Format, LogsArgs, StatusArgs};
use crate::cluster::Cluster;
use crate::error::{Error, Outcome};
use crate::explain::{self, Explanation};
use crate::logs;
use crate::output::answer;
use crate::paper::Paper;
use crate::status::{self, Report};
use crate::world::{Scope, World};

/// Between two looks of `status --watch`.
const LOOK: Duration = Duration::from_secs(2);
/// Clears the terminal and goes to its top.
const CLEAR: &str = "\u{1b}[H\u{1b}[2J";

/// Runs a command.
///
/// # Errors
/// When it cannot find out, or do, what it was asked.
pub async fn run(cli: &Cli) -> Result<Outcome, Error> {
    let mut out = io::stdout();
    let (connection, paper) = (&cli.connection, Paper::of_stdout());
    // Arguments are looked at before anybody is asked.
    match &cli.command {
        Command::Completion { shell } => complete((*shell).into(), &mut out),
        Command::Status(arguments) => {
            let scope = scope(connection, arguments)?;
            let cluster = Cluster::connect(connection).await?;
            if arguments.watch {
                Box::pin(watch(&cluster, &scope, connection.output, &paper, &mut out)).await
            } else {
                let report = report(&cluster, &scope).await?;
                answer(&mut out, connection.output, &report, || status::render(&report, &paper))?;
                Ok(if report.is_broken() { Outcome::Broken } else { Outcome::Fine })
            }
        }
        Command::Explain { agent } => {
            let name = agent_name(agent)?;
            let cluster = Cluster::connect(connection).await?;
            let explanation = Box::pin(explain(&cluster, connection, name)).await?;
            answer(&mut out, connection.output, &explanation, || explain::render(&explanation, &paper))?;
            Ok(Outcome::Fine)
        }
        Command::Logs(arguments) => Box::pin(read_logs(connection, arguments, &paper, &mut out)).await,
        Command::Drain(arguments) => {
            let cluster = Cluster::connect(connection).await?;
            let namespace = connection.namespace.as_deref();
            let drain = crate::drain::run::run(&cluster, namespace, arguments, connection.output, &paper, &mut out);
            Box::pin(drain).await
        }
        Command::Call { number } => {
            let number = call::parse_number(number).map_err(Error::Usage)?;
            let scope = connection.namespace.as_deref().map_or(Ok(Scope::All), of_namespace)?;
            let cluster = Cluster::connect(connection).await?;
            let (world, platform) = tokio::join!(cluster.world(&scope), cluster.platform());
            let preflight = Preflight::of(&number, &world?, &platform, Timestamp::now());
            answer(&mut out, connection.output, &preflight, || call::render(&preflight, &paper))?;
            Ok(if preflight.answered { Outcome::Fine } else { Outcome::Broken })
        }
    }
}

fn complete(shell: Shell, out: &mut impl Write) -> Result<Outcome, Error> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "kubectl-voxplane", &mut script);
    out.write_all(&script)?;
    Ok(Outcome::Fine)
}

fn of_namespace(namespace: &str) -> Result<Scope, Error> {
    Scope::of_namespace(namespace).ok_or_else(|| {
        Error::Usage(format!(
            "{namespace} is no namespace of an agency (vx-<agency>) or of a tenant (vx-<agency>--<tenant>)"
        ))
    })
}

fn scope(connection: &Connection, arguments: &StatusArgs) -> Result<Scope, Error> {
    match (&arguments.agency, &connection.namespace) {
        (Some(agency), _) => Ok(Scope::Agency(agency.clone())),
        (None, Some(namespace)) => of_namespace(namespace),
        (None, None) => Ok(Scope::All),
    }
}

async fn report(cluster: &Cluster, scope: &Scope) -> Result<Report, Error> {
    let world = cluster.world(scope).await?;
    if let Scope::Agency(agency) = scope
        && world.agency_names().is_empty()
    {
        return Err(Error::NotFound(format!("there is no agency {agency:?}; `kubectl get agencies` lists them")));
    }
    Ok(Report::of(&world, Timestamp::now()))
}

/// Shows the report whenever it has changed.
async fn watch(
    cluster: &Cluster,
    scope: &Scope,
    format: Format,
    paper: &Paper,
    out: &mut impl Write,
) -> Result<Outcome, Error> {
    let mut shown = String::new();
    loop {
        let look = tokio::select! {
            look = report(cluster, scope) => look?,
            _ = tokio::signal::ctrl_c() => return Ok(Outcome::Interrupted),
        };
        let mut text = Vec::new();
        answer(&mut text, format, &look, || status::render(&look, paper))?;
        let text = String::from_utf8_lossy(&text).into_owned();
        if text != shown {
            if paper.width.is_some() && format == Format::Text {
                out.write_all(CLEAR.as_bytes())?;
            } else if !shown.is_empty() {
                out.write_all(if format == Format::Yaml { b"---\n" } else { b"\n" })?;
            }
            out.write_all(text.as_bytes())?;
            out.flush()?;
            shown = text;
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            _ = tokio::signal::ctrl_c() => return Ok(Outcome::Interrupted),
        }
    }
}

/// `receptionist`, `voiceagent/receptionist`, `va/receptionist`, `voiceagents.voxplane.dev/receptionist`.
fn agent_name(text: &str) -> Result<&str, Error> {
    match text.split_once('/') {
        None => Ok(text),
        Some((kind, name)) => {
            let kind = kind.split('.').next().unwrap_or_default().to_lowercase();
            if ["voiceagent", "voiceagents", "va"].contains(&kind.as_str()) {
                Ok(name)
            } else {
                Err(Error::Usage(format!("{kind:?} cannot be explained: name a VoiceAgent")))
            }
        }
    }
}

async fn explain(cluster: &Cluster, connection: &Connection, name: &str) -> Result<Explanation, Error> {
    let namespace = match &connection.namespace {
        Some(namespace) => namespace.clone(),
        None => find_agent(cluster, name).await?,
    };
    let world = cluster.world(&of_namespace(&namespace)?).await?;
    let agent = world.agents.iter().find(|agent| agent.name_any() == name);
    let agent = agent.ok_or_else(|| Error::NotFound(format!("there is no VoiceAgent {name:?} in {namespace}")))?;
    Ok(Explanation::of(agent, &world, Timestamp::now()))
}

/// The namespace of the only agent of a name, or the context's if it has one there.
async fn find_agent(cluster: &Cluster, name: &str) -> Result<String, Error> {
    let world = match cluster.world(&Scope::All).await {
        Ok(world) => world,
        Err(Error::Forbidden { .. }) => World::default(),
        Err(error) => return Err(error),
    };
    let found: Vec<String> =
        world.agents.iter().filter(|agent| agent.name_any() == name).filter_map(kube::ResourceExt::namespace).collect();
    choose(&found, &cluster.namespace, name)
}

fn choose(found: &[String], context: &str, name: &str) -> Result<String, Error> {
    match found {
        [only] => Ok(only.clone()),
        several if several.iter().any(|namespace| namespace == context) => Ok(context.to_owned()),
        // Whoever may not list all agents may still read those of the context's namespace.
        [] if Scope::of_namespace(context).is_some() => Ok(context.to_owned()),
        [] => Err(Error::NotFound(format!(
            "there is no VoiceAgent {name:?} that you may read; name its namespace with -n"
        ))),
        several => {
            let namespaces = several.join(", ");
            Err(Error::NotFound(format!("there are several agents {name:?}: choose with -n one of {namespaces}")))
        }
    }
}

async fn read_logs(
    connection: &Connection,
    arguments: &LogsArgs,
    paper: &Paper,
    out: &mut impl Write,
) -> Result<Outcome, Error> {
    let (call, since) = logs::parse_call(&arguments.call).map_err(Error::Usage)?;
    let wanted = logs::run::Wanted { call, since, namespace: connection.namespace.clone() };
    let cluster = Cluster::connect(connection).await?;
    if arguments.follow {
        logs::run::follow(&cluster, &wanted, connection.output, paper, out).await
    } else {
        logs::run::once(&cluster, &wanted, connection.output, paper, out).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_are_named_as_kubectl_names_objects() {
        for text in ["a", "va/a", "voiceagent/a", "voiceagents.voxplane.dev/a", "VoiceAgent/a"] {
            assert_eq!(agent_name(text).unwrap(), "a", "{text}");
        }
        assert!(agent_name("tenant/a").is_err());
    }

    #[test]
    fn the_namespace_of_an_agent_is_found_or_asked_for() {
        let all = ["vx-a--b".to_owned(), "vx-a--c".to_owned()];
        assert_eq!(choose(&all[..1], "default", "x").unwrap(), "vx-a--b");
        assert_eq!(choose(&all, "vx-a--c", "x").unwrap(), "vx-a--c");
        assert_eq!(choose(&[], "vx-a--c", "x").unwrap(), "vx-a--c");
        assert!(choose(&all, "default", "x").is_err());
        assert!(choose(&[], "default", "x").is_err());
    }

    #[test]
    fn a_foreign_namespace_is_refused_before_anybody_is_asked() {
        assert!(matches!(of_namespace("kube-system"), Err(Error::Usage(_))));
        assert_eq!(of_namespace("vx-a").unwrap(), Scope::Agency("a".to_owned()));
    }

    #[test]
    fn every_shell_gets_a_script_that_knows_the_commands() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let mut out = Vec::new();
            complete(shell, &mut out).unwrap();
            let script = String::from_utf8(out).unwrap();
            for command in ["status", "explain", "logs", "drain", "call", "completion"] {
                assert!(script.contains(command), "{shell} does not know {command}");
            }
        }
    }
}
