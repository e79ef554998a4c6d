//! The operator as a process of the host: its memory and its time on the processor are easily read there.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use tokio::{process, time};
use voxplane_e2e::env::LabEnv;

use crate::prepare::{Databases, beside};

/// Clock ticks per second in /proc; the same on every Linux that Rust runs on.
const TICKS: f64 = 100.0;
/// How long it may take to end: passes under way get 20 s.
const ENDS_WITHIN: Duration = Duration::from_secs(30);

/// How to start it.
#[derive(Clone, Debug)]
pub struct Program {
    path: PathBuf,
    environment: Vec<(&'static str, String)>,
    log: PathBuf,
}

/// A running operator. Ends with this process.
#[derive(Debug)]
pub struct Operator {
    child: process::Child,
    admin: SocketAddr,
}

/// What the kernel says of the process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// The most memory it had, in MiB.
    pub peak: f64,
    /// Its memory now, in MiB.
    pub resident: f64,
    /// Seconds on the processor since its start.
    pub cpu: f64,
}

impl Program {
    /// The operator in front of this lab.
    pub fn new(path: Option<PathBuf>, env: &LabEnv, databases: &Databases) -> Result<Self> {
        let environment = vec![
            ("KUBECONFIG", env.kubeconfig.clone()),
            ("VOXPLANE_DATABASE_URL", databases.app.clone()),
            ("VOXPLANE_LIVEKIT_URL", env.livekit_url.clone()),
            ("VOXPLANE_LIVEKIT_API_KEY", env.livekit_api_key.clone()),
            ("VOXPLANE_LIVEKIT_API_SECRET", env.livekit_api_secret.clone()),
            ("VOXPLANE_RUNTIME_IMAGE", "voxplane/agent-runtime:benchmark".to_owned()),
            ("RUST_LOG", "info".to_owned()),
        ];
        let log = std::env::temp_dir().join(format!("voxplane-bench-operator-{}.log", std::process::id()));
        Ok(Self { path: path.map_or_else(|| beside("voxplane-operator"), Ok)?, environment, log })
    }

    /// Where it writes its log.
    pub fn log(&self) -> &std::path::Path {
        &self.log
    }

    /// The program.
    pub fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// Starts it.
    pub fn start(&self) -> Result<Operator> {
        // Free a moment ago; the benchmark is alone on its machine.
        let admin = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let log = std::fs::File::options().create(true).append(true).open(&self.log)?;
        let child = process::Command::new(&self.path)
            .args(["run", "--admin-address", &admin.to_string()])
            .envs(self.environment.iter().cloned())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("starting {}", self.path.display()))?;
        Ok(Operator { child, admin })
    }
}

impl Operator {
    /// Its metrics as it serves them; empty while it starts.
    pub async fn metrics(&self) -> Result<String> {
        match reqwest::get(format!("http://{}/metrics", self.admin)).await {
            Ok(answer) => Ok(answer.text().await?),
            Err(error) if error.is_connect() => Ok(String::new()),
            Err(error) => Err(error.into()),
        }
    }

    /// What the kernel says of it.
    pub fn usage(&mut self) -> Result<Usage> {
        if let Some(status) = self.child.try_wait()? {
            bail!("the operator ended: {status}");
        }
        let id = self.child.id().context("the operator has ended")?;
        let read = |file: &str| std::fs::read_to_string(format!("/proc/{id}/{file}"));
        let status = read("status")?;
        let mebibytes = |field: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(field));
            line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok()).unwrap_or_default() / 1024.0
        };
        // The name, in parentheses, may hold spaces; user and system time are the 12th and 13th field after it.
        let stat = read("stat")?;
        let times = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
        let ticks: f64 = times.skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
        Ok(Usage { peak: mebibytes("VmHWM:"), resident: mebibytes("VmRSS:"), cpu: ticks / TICKS })
    }

    /// Ends it as Kubernetes would.
    pub async fn stop(mut self) -> Result<()> {
        if let Some(id) = self.child.id() {
            process::Command::new("kill").arg(id.to_string()).status().await?;
        }
        time::timeout(ENDS_WITHIN, self.child.wait()).await.context("the operator did not end")??;
        Ok(())
    }
}
