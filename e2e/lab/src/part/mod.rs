//! The parts of a lab: what each needs, how it is started, and how we know that it works.

pub mod chart;
pub mod context;
pub mod control_plane;
pub mod images;
pub mod livekit;
pub mod node;
pub mod postgres;
pub mod s3;

use std::fmt;
use std::str::FromStr;

pub use context::Context;

use crate::error::Result;
use crate::tools::Tool;

/// Something that `lab up --only` can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// Kubernetes without a node: pods are accepted and stay Pending.
    ControlPlane,
    /// Kubernetes: control plane and one node.
    Cluster,
    /// Postgres 16 with pgvector.
    Postgres,
    /// Redis, through which LiveKit and LiveKit SIP talk.
    Redis,
    /// LiveKit server.
    LiveKit,
    /// LiveKit SIP.
    Sip,
    /// S3 store.
    S3,
    /// The product's images, built and loaded.
    Images,
    /// The product's charts, installed.
    Chart,
    /// A second node, for what happens between nodes.
    SecondNode,
}

/// Every part, dependencies first.
pub const ALL: [Part; 10] = [
    Part::ControlPlane,
    Part::Cluster,
    Part::Postgres,
    Part::Redis,
    Part::LiveKit,
    Part::Sip,
    Part::S3,
    Part::Images,
    Part::Chart,
    Part::SecondNode,
];

impl Part {
    /// Name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::ControlPlane => "control-plane",
            Self::Cluster => "cluster",
            Self::Postgres => "postgres",
            Self::Redis => "redis",
            Self::LiveKit => "livekit",
            Self::Sip => "sip",
            Self::S3 => "s3",
            Self::Images => "images",
            Self::Chart => "chart",
            Self::SecondNode => "node2",
        }
    }

    /// Whether it is started when nobody names parts.
    pub fn is_usual(self) -> bool {
        self != Self::SecondNode
    }

    /// Parts that must work before this one is started.
    pub fn needs(self) -> &'static [Part] {
        match self {
            Self::ControlPlane | Self::Postgres | Self::Redis | Self::S3 => &[],
            Self::Cluster => &[Self::ControlPlane],
            Self::LiveKit => &[Self::Redis],
            Self::Sip => &[Self::LiveKit],
            Self::Images => &[Self::Cluster],
            Self::SecondNode => &[Self::Images],
            Self::Chart => &[Self::Cluster, Self::Postgres, Self::LiveKit, Self::Images],
        }
    }

    /// Tools that this part runs.
    pub fn tools(self) -> &'static [Tool] {
        match self {
            Self::ControlPlane => &[Tool::Kubernetes, Tool::Etcd],
            Self::Cluster => &[Tool::Pause, Tool::Containerd, Tool::Runc, Tool::CoreDns],
            Self::Postgres => &[Tool::Postgres],
            Self::Redis => &[],
            Self::LiveKit => &[Tool::LiveKit],
            Self::Sip => &[Tool::LiveKitSip],
            Self::S3 => &[Tool::VersityGw],
            Self::Images => &[Tool::Base, Tool::OnnxRuntime, Tool::SileroVad, Tool::MiniLm],
            Self::Chart => &[Tool::Helm],
            Self::SecondNode => Self::Cluster.tools(),
        }
    }

    /// Processes that this part keeps running.
    pub fn processes(self) -> &'static [&'static str] {
        match self {
            Self::ControlPlane => &[
                control_plane::ETCD,
                control_plane::API_SERVER,
                control_plane::CONTROLLER_MANAGER,
                control_plane::SCHEDULER,
            ],
            Self::Cluster => &[node::CONTAINERD, node::KUBELET, node::PROXY, node::DNS],
            Self::Postgres => &[postgres::PROCESS],
            Self::Redis => &[livekit::REDIS],
            Self::LiveKit => &[livekit::SERVER],
            Self::Sip => &[livekit::SIP],
            Self::S3 => &[s3::PROCESS],
            Self::Images | Self::Chart => &[],
            Self::SecondNode => &node::SECOND,
        }
    }

    /// Brings the part to where it works; returns what it did. What already works is left alone.
    pub fn start(self, context: &Context) -> Result<String> {
        if !self.processes().is_empty() && self.probe(context).is_ok() {
            return Ok("already running".to_owned());
        }
        match self {
            Self::ControlPlane => control_plane::start(context)?,
            Self::Cluster => node::start(context)?,
            Self::Postgres => postgres::start(context)?,
            Self::Redis => livekit::start_redis(context)?,
            Self::LiveKit => livekit::start_server(context)?,
            Self::Sip => livekit::start_sip(context)?,
            Self::S3 => s3::start(context)?,
            Self::Images => return images::load(context),
            Self::Chart => return chart::install(context),
            Self::SecondNode => {
                node::start_second(context)?;
                return images::load(context);
            }
        }
        Ok("ready".to_owned())
    }

    /// Whether the part works now; the error says what does not.
    pub fn probe(self, context: &Context) -> Result<(), String> {
        for process in self.processes() {
            context.running(process)?;
        }
        match self {
            Self::ControlPlane => control_plane::probe(context),
            Self::Cluster => node::probe(context),
            Self::Postgres => postgres::probe(context),
            Self::Redis => livekit::probe_redis(context),
            Self::LiveKit => livekit::probe_server(context),
            Self::Sip => livekit::probe_sip(context),
            Self::S3 => s3::probe(context),
            Self::Images => images::probe(context),
            Self::Chart => chart::probe(context),
            Self::SecondNode => node::probe_second(context),
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = || ALL.map(Self::name).join(", ");
        ALL.into_iter()
            .find(|part| part.name() == text)
            .ok_or_else(|| format!("no part {text:?}; parts are {}", known()))
    }
}

/// The parts asked for and all they need, dependencies first.
pub fn resolve(wanted: &[Part]) -> Vec<Part> {
    fn add(part: Part, into: &mut Vec<Part>) {
        if !into.contains(&part) {
            part.needs().iter().for_each(|need| add(*need, into));
            into.push(part);
        }
    }
    let mut resolved = Vec::new();
    wanted.iter().for_each(|part| add(*part, &mut resolved));
    resolved
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_come_first_and_once() {
        assert_eq!(resolve(&[Part::Sip, Part::LiveKit]), [Part::Redis, Part::LiveKit, Part::Sip]);
        let all = resolve(&ALL);
        assert_eq!(all.len(), ALL.len());
        for (position, part) in all.iter().enumerate() {
            assert!(part.needs().iter().all(|need| all[..position].contains(need)), "{part} comes too early");
        }
    }

    #[test]
    fn names_round_trip_and_a_wrong_one_lists_the_right_ones() {
        for part in ALL {
            assert_eq!(part.name().parse::<Part>(), Ok(part));
        }
        let error = "postgress".parse::<Part>().unwrap_err();
        assert!(error.contains("postgres,"), "{error}");
    }
}
