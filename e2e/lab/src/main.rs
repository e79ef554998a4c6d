//! Command line of the lab. `lab --help` lists the commands.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, Result, bail};
use clap::{Parser, Subcommand};
use nix::unistd::Uid;

use voxplane_lab::env::LabEnv;
use voxplane_lab::init::{keeper, server};
use voxplane_lab::layout::LabName;
use voxplane_lab::part::{self, Part};
use voxplane_lab::registry::{Registry, alive, init_pid};
use voxplane_lab::report::Report;
use voxplane_lab::tools::{self, Tool, ToolSet};
use voxplane_lab::{down, status, up};

/// Runs every real part of the platform on this machine, in namespaces of its own.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
struct Cli {
    /// Which lab: several can run side by side.
    #[arg(long, global = true, default_value = "demo", env = "VOXPLANE_LAB_NAME")]
    name: String,
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build or fetch every third-party part into the cache.
    Tools {
        /// Print where those are that the tests run themselves, as shell exports.
        #[arg(long)]
        env: bool,
    },
    /// Start parts and wait until they work; what runs already is left alone.
    Up {
        /// Parts to start, with what they need; all but a second node by default.
        #[arg(long, value_delimiter = ',')]
        only: Vec<Part>,
        /// Do not compile the product first; the images take the programs as they are.
        #[arg(long)]
        no_build: bool,
    },
    /// Stop the lab and remove every trace of it.
    Down {
        /// Stop every lab.
        #[arg(long)]
        all: bool,
    },
    /// Show which parts work.
    Status {
        /// Show every lab.
        #[arg(long)]
        all: bool,
    },
    /// Print addresses and passwords as shell exports.
    Env {
        /// Print a JSON document instead.
        #[arg(long)]
        json: bool,
    },
    /// Build the product's images and load them into the lab.
    Images {
        /// Do not compile the product first.
        #[arg(long)]
        no_build: bool,
    },
    /// Run a command inside the lab's namespaces.
    Exec {
        /// The command and its arguments.
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
    /// Show the log of a part's processes, or of one process.
    Logs {
        /// A part such as `cluster`, or a process such as `kubelet`.
        part: String,
        /// Lines from the end.
        #[arg(long, default_value_t = 200)]
        lines: usize,
        /// Keep printing what is added.
        #[arg(long, short)]
        follow: bool,
    },
    /// Hold a lab's namespaces (internal).
    #[command(hide = true)]
    Keeper,
    /// Be the first process of a lab (internal).
    #[command(hide = true)]
    Init,
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            // Nothing is left to do if even the error cannot be written.
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<ExitCode> {
    let (registry, name, report) = (Registry::from_env(), LabName::parse(&cli.name)?, Report::default());
    if cli.command.needs_root() && !Uid::effective().is_root() {
        return become_root(&cli.command, &report);
    }
    match &cli.command {
        Task::Tools { env } => {
            // The base needs root; everything else belongs to the user.
            let wanted: Vec<Tool> =
                tools::ALL.into_iter().filter(|tool| *tool != Tool::Base || Uid::effective().is_root()).collect();
            let tools = ToolSet::ensure(&wanted, &report)?;
            if *env {
                print(&voxplane_lab::env::tools(&tools)?)?;
            } else {
                report.line(&format!("{} tools are ready", wanted.len()));
            }
        }
        Task::Up { only, no_build } => {
            let wanted = wanted(only);
            let compile = !no_build && part::resolve(&wanted).contains(&Part::Images);
            let context = up::up(&registry, &name, &wanted, compile, report)?;
            report.line(&format!("lab {name} is up at {}; `lab env` prints how to reach it", context.network().node()));
        }
        Task::Images { no_build } => {
            up::up(&registry, &name, &[Part::Images], !no_build, report)?;
        }
        Task::Down { all } => {
            let names = if *all { registry.names() } else { vec![name] };
            for name in names {
                let what = if down::down(&registry, &name)? { "is gone" } else { "was not there" };
                report.line(&format!("lab {name} {what}"));
            }
        }
        Task::Status { all } => return show_status(&registry, &name, *all, report),
        Task::Env { json } => {
            let env = LabEnv::load(&registry.paths(&name), &name)?;
            print(&if *json { format!("{:#}", env.json()?) } else { env.shell()? })?;
        }
        Task::Exec { command } => return exec(&registry, &name, command, report),
        Task::Logs { part, lines, follow } => logs(&registry, &name, part, *lines, *follow)?,
        Task::Keeper => keeper::keep(&name, &registry.paths(&name))?,
        Task::Init => server::serve(&registry.paths(&name))?,
    }
    Ok(ExitCode::SUCCESS)
}

impl Task {
    fn needs_root(&self) -> bool {
        matches!(
            self,
            Self::Up { .. } | Self::Images { .. } | Self::Down { .. } | Self::Status { .. } | Self::Exec { .. }
        )
    }

    /// What this command starts, and whether it compiles the product.
    fn work(&self) -> (Vec<Part>, bool) {
        let (parts, no_build) = match self {
            Self::Up { only, no_build } => (part::resolve(&wanted(only)), *no_build),
            Self::Images { no_build } => (part::resolve(&[Part::Images]), *no_build),
            _ => (Vec::new(), true),
        };
        let compile = !no_build && parts.contains(&Part::Images);
        (parts, compile)
    }
}

/// All parts, unless some were named.
fn wanted(only: &[Part]) -> Vec<Part> {
    if only.is_empty() { part::ALL.into_iter().filter(|part| part.is_usual()).collect() } else { only.to_vec() }
}

/// Does as the user what needs no root, then asks for root and does the rest.
fn become_root(task: &Task, report: &Report) -> Result<ExitCode> {
    let (parts, compile) = task.work();
    let tools: Vec<Tool> =
        parts.iter().flat_map(|part| part.tools()).copied().filter(|tool| *tool != Tool::Base).collect();
    ToolSet::ensure(&tools, report)?;
    if compile {
        part::images::compile()?;
    }
    report.line("the lab makes namespaces, network interfaces and mounts, which only root may do: asking sudo");
    let cache = tools::cache::Cache::from_env()?.dir("")?;
    let home = cache.parent().context("the cache directory has no parent")?;
    let mut sudo = Command::new("sudo");
    sudo.arg("env").arg(format!("XDG_CACHE_HOME={}", home.display()));
    let passed = |name: &str| name.starts_with("VOXPLANE_LAB") || name == "CARGO_TARGET_DIR";
    for (variable, value) in std::env::vars().filter(|(variable, _)| passed(variable)) {
        sudo.arg(format!("{variable}={value}"));
    }
    sudo.arg(std::env::current_exe()?).args(std::env::args_os().skip(1));
    if compile {
        sudo.arg("--no-build");
    }
    let status = sudo.status().context("sudo is not installed; run this command as root")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn show_status(registry: &Registry, name: &LabName, all: bool, report: Report) -> Result<ExitCode> {
    let names = if all { registry.names() } else { vec![name.clone()] };
    let mut healthy = true;
    for name in names {
        if !alive(&registry.paths(&name)) {
            print(&format!("lab {name}: not running"))?;
            healthy = false;
            continue;
        }
        let context = up::attach(registry, &name, &part::ALL, report)?;
        print(&format!("lab {name} at {}", context.network().node()))?;
        for row in status::rows(&context)? {
            healthy &= row.state == "ready" || row.state == "down";
            print(&format!("  {:13} {}", row.part.name(), row.state))?;
        }
    }
    Ok(if healthy { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Replaces this process by the command, inside the lab's namespaces.
fn exec(registry: &Registry, name: &LabName, command: &[String], report: Report) -> Result<ExitCode> {
    let context = up::attach(registry, name, &[Part::Cluster], report)?;
    let init = init_pid(&context.paths).context("the lab ended just now")?;
    let environment = context.environment();
    let mut enter = Command::new("nsenter");
    enter.args(["--target", &init.to_string(), "--net", "--mount", "--pid"]);
    // Entering the mounts would otherwise change the directory and break relative paths.
    enter.arg(format!("--wd={}", std::env::current_dir()?.display())).arg("--").args(command);
    enter.envs(environment.iter().filter(|(name, _)| !matches!(name.as_str(), "HOME" | "TMPDIR")));
    Err(enter.exec()).context("could not run nsenter; `make deps` installs it")
}

fn logs(registry: &Registry, name: &LabName, part: &str, lines: usize, follow: bool) -> Result<()> {
    let paths = registry.paths(name);
    let processes = part.parse::<Part>().map_or_else(
        |_| vec![part.to_owned()],
        |part| part.processes().iter().map(|process| (*process).to_owned()).collect(),
    );
    let files: Vec<_> = processes.iter().map(|process| paths.log(process)).filter(|path| path.exists()).collect();
    if files.is_empty() {
        bail!("lab {name} has no log of {part:?}; `lab status --name {name}` lists the parts");
    }
    let mut tail = Command::new("tail");
    tail.arg(format!("--lines={lines}")).args(follow.then_some("--follow")).args(&files);
    tail.stdin(Stdio::null()).status().context("could not run tail")?;
    Ok(())
}

fn print(text: &str) -> Result<()> {
    writeln!(std::io::stdout(), "{text}").context("could not write to standard output")
}
