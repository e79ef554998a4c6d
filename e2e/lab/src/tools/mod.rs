//! Third-party parts, each built or fetched from its pin and kept in the user's cache directory under a hash of that
//! pin, so that a clean checkout reuses them. Deleting the cache costs time, never correctness.

pub mod base;
pub mod cache;
pub mod go;
pub mod models;
pub mod pause;
pub mod python;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::{LabError, Result};
use crate::report::Report;

/// A third-party part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tool {
    /// kube-apiserver, controller-manager, scheduler, kubelet, kube-proxy, kubectl.
    Kubernetes,
    /// Kubernetes' store.
    Etcd,
    /// containerd, its shim and `ctr`.
    Containerd,
    /// The container runtime below containerd.
    Runc,
    /// The cluster's DNS.
    CoreDns,
    /// Installs the charts.
    Helm,
    /// LiveKit server.
    LiveKit,
    /// LiveKit SIP.
    LiveKitSip,
    /// S3 store.
    VersityGw,
    /// The process that holds a pod's namespaces.
    Pause,
    /// Postgres with pgvector.
    Postgres,
    /// ONNX Runtime's shared library.
    OnnxRuntime,
    /// Voice activity detection model.
    SileroVad,
    /// Embedding model.
    MiniLm,
    /// Root file system of the images.
    Base,
}

/// Every tool, in the order in which they are built: what the cluster needs first.
pub const ALL: [Tool; 15] = [
    Tool::Pause,
    Tool::Postgres,
    Tool::OnnxRuntime,
    Tool::SileroVad,
    Tool::MiniLm,
    Tool::Runc,
    Tool::Etcd,
    Tool::Containerd,
    Tool::Kubernetes,
    Tool::LiveKit,
    Tool::LiveKitSip,
    Tool::CoreDns,
    Tool::Helm,
    Tool::VersityGw,
    Tool::Base,
];

impl Tool {
    /// Name in messages and in the cache.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kubernetes => "kubernetes",
            Self::Etcd => "etcd",
            Self::Containerd => "containerd",
            Self::Runc => "runc",
            Self::CoreDns => "coredns",
            Self::Helm => "helm",
            Self::LiveKit => "livekit",
            Self::LiveKitSip => "livekit-sip",
            Self::VersityGw => "versitygw",
            Self::Pause => "pause",
            Self::Postgres => "postgres",
            Self::OnnxRuntime => "onnxruntime",
            Self::SileroVad => "silero-vad",
            Self::MiniLm => "minilm",
            Self::Base => "base",
        }
    }

    /// What decides the tool's content, as text: hashed into its directory's name.
    fn pin(self, sources: &Path) -> Result<String> {
        match self {
            Self::Pause => pause::pin(sources),
            Self::Base => base::pin(sources),
            Self::Postgres | Self::OnnxRuntime | Self::SileroVad | Self::MiniLm => python::pin(self.name(), sources),
            _ => go::pin(self.name(), sources),
        }
    }

    fn build(self, sources: &Path, into: &Path, log: &Path) -> Result<()> {
        match self {
            Self::Pause => pause::build(sources, into, log),
            Self::Base => base::build(sources, into, log),
            Self::Postgres | Self::OnnxRuntime | Self::SileroVad | Self::MiniLm => {
                python::build(self.name(), sources, into, log)
            }
            _ => go::build(self.name(), sources, into, log),
        }
    }
}

/// Where each tool lies.
#[derive(Clone, Debug, Default)]
pub struct ToolSet {
    dirs: BTreeMap<Tool, PathBuf>,
}

impl ToolSet {
    /// Builds what is missing of `wanted`, one after the other: each build already uses every core.
    pub fn ensure(wanted: &[Tool], report: &Report) -> Result<Self> {
        let (sources, cache) = (sources(), cache::Cache::from_env()?);
        let mut dirs = BTreeMap::new();
        let wanted: Vec<Tool> = ALL.into_iter().filter(|tool| wanted.contains(tool)).collect();
        for (index, tool) in wanted.iter().enumerate() {
            let entry = cache.entry(tool.name(), &tool.pin(&sources)?);
            if !entry.exists() {
                let step = report.step(format!("[{}/{}] tool {}", index + 1, wanted.len(), tool.name()));
                entry.fill(|into, log| tool.build(&sources, into, log))?;
                step.done("built");
            }
            dirs.insert(*tool, entry.dir().to_owned());
        }
        Ok(Self { dirs })
    }

    /// Directory of a tool that was asked for.
    pub fn dir(&self, tool: Tool) -> Result<&Path> {
        self.dirs.get(&tool).map(PathBuf::as_path).ok_or_else(|| LabError::Tool {
            tool: tool.name().to_owned(),
            message: "is needed here but was not built".to_owned(),
            tail: String::new(),
            hint: "run `lab tools`".to_owned(),
        })
    }

    /// Path of a program of one of the tools.
    pub fn program(&self, name: &str) -> Option<PathBuf> {
        self.program_dirs().into_iter().map(|dir| dir.join(name)).find(|path| path.is_file())
    }

    /// Directories with programs, for `PATH`.
    pub fn program_dirs(&self) -> Vec<PathBuf> {
        self.dirs.values().map(|dir| dir.join("bin")).filter(|dir| dir.is_dir()).collect()
    }
}

/// The lab's own folder in the repository, with the pins.
pub fn sources() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The repository's root.
pub fn repository() -> PathBuf {
    sources().join("../..").components().collect()
}
