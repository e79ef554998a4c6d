//! Arguments. Connection flags are those of kubectl.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

/// What scripts may rely on.
const EXIT_CODES: &str = "Exit codes:
  0    all is well, or done
  1    something is broken (status), or a check failed (call)
  2    wrong arguments
  3    it could not be found out: no connection, no right, no such object
  130  stopped by Ctrl-C

Colours are used on a terminal only, and never when NO_COLOR is set.";

/// `kubectl voxplane`.
#[derive(Parser, Debug)]
#[command(
    name = "kubectl-voxplane",
    bin_name = "kubectl voxplane",
    version,
    about = "Looks after phone agents: what is broken and how to fix it, what calls use, logs, drain, preflight",
    after_help = EXIT_CODES,
    max_term_width = 100
)]
pub struct Cli {
    /// Where the cluster is.
    #[command(flatten)]
    pub connection: Connection,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Where the cluster is, and how answers look.
#[derive(Args, Debug, Clone)]
pub struct Connection {
    /// Kubeconfig file. Omitted: the files named by KUBECONFIG, else ~/.kube/config.
    #[arg(long, global = true, value_name = "FILE", help_heading = "Connection")]
    pub kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig.
    #[arg(long, global = true, value_name = "NAME", help_heading = "Connection")]
    pub context: Option<String>,
    /// Cluster of the kubeconfig.
    #[arg(long, global = true, value_name = "NAME", help_heading = "Connection")]
    pub cluster: Option<String>,
    /// User of the kubeconfig.
    #[arg(long, global = true, value_name = "NAME", help_heading = "Connection")]
    pub user: Option<String>,
    /// Namespace: `vx-<agency>` or `vx-<agency>--<tenant>`.
    #[arg(short = 'n', long, global = true, value_name = "NAME", help_heading = "Connection")]
    pub namespace: Option<String>,
    /// Namespace that the platform itself runs in.
    #[arg(
        long,
        global = true,
        value_name = "NAME",
        env = "VOXPLANE_SYSTEM_NAMESPACE",
        default_value = voxplane_crds::names::SYSTEM_NAMESPACE,
        help_heading = "Connection"
    )]
    pub system_namespace: String,
    /// How the answer looks.
    #[arg(short = 'o', long, global = true, value_enum, default_value_t = Format::Text)]
    pub output: Format,
}

/// How an answer looks.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// For programs and people.
    Yaml,
}

/// What to do.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Show agencies, tenants, agents, numbers, knowledge and pods; what is broken comes first, with what to do about it
    Status(StatusArgs),
    /// Show the configuration that an agent's calls use, and where each value comes from
    Explain {
        /// The agent: `receptionist` or `voiceagent/receptionist`.
        #[arg(value_name = "AGENT")]
        agent: String,
    },
    /// Show what API and runtime pods logged about one call
    Logs(LogsArgs),
    /// Let runtime pods finish their calls and end; nothing is ever cut
    Drain(DrainArgs),
    /// Check everything that a call to a number depends on, and say how to dial it (places no call)
    Call {
        /// The number in E.164 form: `+15550100`.
        #[arg(value_name = "NUMBER")]
        number: String,
    },
    /// Print a completion script for a shell
    Completion {
        /// The shell.
        #[arg(value_enum)]
        shell: CompletionShell,
    },
}

/// Shells that can be completed.
#[derive(ValueEnum, Clone, Copy, Debug)]
pub enum CompletionShell {
    /// Bash.
    Bash,
    /// Zsh.
    Zsh,
    /// Fish.
    Fish,
}

impl From<CompletionShell> for Shell {
    fn from(shell: CompletionShell) -> Self {
        match shell {
            CompletionShell::Bash => Self::Bash,
            CompletionShell::Zsh => Self::Zsh,
            CompletionShell::Fish => Self::Fish,
        }
    }
}

/// Arguments of `status`.
#[derive(Args, Debug)]
pub struct StatusArgs {
    /// Only this agency. Omitted: all, or what is in the namespace given with -n.
    #[arg(value_name = "AGENCY", conflicts_with = "namespace")]
    pub agency: Option<String>,
    /// Show it again whenever it changes, until Ctrl-C.
    #[arg(short, long)]
    pub watch: bool,
}

/// Arguments of `logs`.
#[derive(Args, Debug)]
pub struct LogsArgs {
    /// Id of the call, as the REST API and the logs have it.
    #[arg(value_name = "CALL_ID")]
    pub call: String,
    /// Go on printing what is logged, until the call ends or Ctrl-C.
    #[arg(short, long)]
    pub follow: bool,
}

/// Arguments of `drain`.
#[derive(Args, Debug)]
pub struct DrainArgs {
    /// A runtime pod, or a node: `NAME`, `pod/NAME` or `node/NAME`.
    #[arg(value_name = "POD|NODE")]
    pub target: String,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Stop waiting after this many seconds; calls go on all the same. 0: wait until all are over.
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub timeout: u64,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_make_sense() {
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_may_stand_on_either_side_of_the_command() {
        let before = Cli::try_parse_from(["kubectl-voxplane", "-n", "vx-a--b", "-o", "json", "status"]).unwrap();
        let after = Cli::try_parse_from(["kubectl-voxplane", "status", "-n", "vx-a--b", "-o", "json"]).unwrap();
        for cli in [before, after] {
            assert_eq!(cli.connection.namespace.as_deref(), Some("vx-a--b"));
            assert_eq!(cli.connection.output, Format::Json);
        }
    }
}
