//! Tools written in Go: each is an ordinary module dependency of a small module below `tools/`, pinned by its `go.mod`
//! and `go.sum` and built by `go build`.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::error::{IoContext as _, LabError, Result};
use crate::tools::python::{logged, unknown};

/// How one module is built.
struct GoTool {
    name: &'static str,
    /// Packages, and the name of the program if the package's last path element is not it.
    packages: &'static [(&'static str, &'static str)],
    tags: &'static str,
    ldflags: &'static str,
    /// Whether the program needs C libraries.
    cgo: bool,
}

/// What the project's own release build sets; clients and nodes read it from the API server.
const KUBERNETES_VERSION: &str = "-X k8s.io/component-base/version.gitVersion=v1.36.3 \
                                  -X k8s.io/component-base/version.gitMajor=1 \
                                  -X k8s.io/component-base/version.gitMinor=36";

const TOOLS: [GoTool; 9] = [
    GoTool {
        name: "kubernetes",
        packages: &[
            ("k8s.io/kubernetes/cmd/kube-apiserver", "kube-apiserver"),
            ("k8s.io/kubernetes/cmd/kube-controller-manager", "kube-controller-manager"),
            ("k8s.io/kubernetes/cmd/kube-scheduler", "kube-scheduler"),
            ("k8s.io/kubernetes/cmd/kubelet", "kubelet"),
            ("k8s.io/kubernetes/cmd/kube-proxy", "kube-proxy"),
            ("k8s.io/kubernetes/cmd/kubectl", "kubectl"),
        ],
        tags: "",
        ldflags: KUBERNETES_VERSION,
        cgo: true,
    },
    GoTool { name: "etcd", packages: &[("go.etcd.io/etcd/server/v3", "etcd")], tags: "", ldflags: "", cgo: true },
    GoTool {
        name: "containerd",
        packages: &[
            ("github.com/containerd/containerd/v2/cmd/containerd", "containerd"),
            ("github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2", "containerd-shim-runc-v2"),
            ("github.com/containerd/containerd/v2/cmd/ctr", "ctr"),
        ],
        tags: "no_btrfs no_zfs no_devmapper",
        ldflags: "",
        cgo: true,
    },
    GoTool {
        name: "runc",
        packages: &[("github.com/opencontainers/runc", "runc")],
        tags: "seccomp",
        ldflags: "",
        cgo: true,
    },
    GoTool {
        name: "coredns",
        packages: &[("github.com/coredns/coredns", "coredns")],
        tags: "",
        ldflags: "",
        cgo: false,
    },
    GoTool { name: "helm", packages: &[("helm.sh/helm/v3/cmd/helm", "helm")], tags: "", ldflags: "", cgo: true },
    GoTool {
        name: "livekit",
        packages: &[("github.com/livekit/livekit-server/cmd/server", "livekit-server")],
        tags: "",
        ldflags: "",
        cgo: true,
    },
    GoTool {
        name: "livekit-sip",
        packages: &[("github.com/livekit/sip/cmd/livekit-sip", "livekit-sip")],
        tags: "",
        ldflags: "",
        cgo: true,
    },
    GoTool {
        name: "versitygw",
        packages: &[("github.com/versity/versitygw/cmd/versitygw", "versitygw")],
        tags: "",
        ldflags: "",
        cgo: true,
    },
];

fn find(name: &str) -> Result<&'static GoTool> {
    TOOLS.iter().find(|tool| tool.name == name).ok_or_else(|| unknown(name))
}

/// The module's pins and the way it is built.
pub fn pin(name: &str, sources: &Path) -> Result<String> {
    let (tool, dir) = (find(name)?, sources.join("tools").join(name));
    let mut pin = format!("{:?} {} {} {}", tool.packages, tool.tags, tool.ldflags, tool.cgo);
    for file in ["go.mod", "go.sum"] {
        let path = dir.join(file);
        pin.push_str(&fs::read_to_string(&path).at("read", &path)?);
    }
    Ok(pin)
}

/// Nobody debugs the tools here, and without debug information a build takes a third less time. Not part of the pin: the
/// programs do the same either way.
const NO_DEBUG_INFORMATION: (&str, &str) = ("-gcflags=all=-dwarf=false", "-s -w");

/// Builds the module's programs into `into/bin`.
pub fn build(name: &str, sources: &Path, into: &Path, log: &Path) -> Result<()> {
    let (tool, dir) = (find(name)?, sources.join("tools").join(name));
    let bin = into.join("bin");
    fs::create_dir_all(&bin).at("create", &bin)?;
    let mut command = Command::new("go");
    command.current_dir(&dir).arg("build").env("GOFLAGS", "-buildvcs=false -mod=readonly");
    if !tool.cgo {
        command.env("CGO_ENABLED", "0");
    }
    if !tool.tags.is_empty() {
        command.args(["-tags", tool.tags]);
    }
    let (compile, link) = NO_DEBUG_INFORMATION;
    command.arg(compile).arg(format!("-ldflags={link} {}", tool.ldflags));
    // `go build` names several programs itself but one only after its module.
    match tool.packages {
        [(package, program)] => command.arg("-o").arg(bin.join(program)).arg(package),
        many => command.arg("-o").arg(&bin).args(many.iter().map(|(package, _)| package)),
    };
    logged(&mut command, name, log, "is Go 1.26 or newer installed (`go version`) and can it reach its module proxy?")?;
    for (_, program) in tool.packages {
        if !bin.join(program).is_file() {
            return Err(LabError::Tool {
                tool: name.to_owned(),
                message: format!("the build made no {program}"),
                tail: crate::command::log_tail(log),
                hint: "the packages listed in e2e/lab/src/tools/go.rs must match the module".to_owned(),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_module_has_its_pins_in_the_repository() {
        for tool in &TOOLS {
            let pin = pin(tool.name, &crate::tools::sources()).unwrap();
            for (package, _) in tool.packages {
                let required =
                    |line: &str| line.split_whitespace().any(|word| package.starts_with(word) && word.contains('/'));
                assert!(pin.lines().skip(1).any(required), "{}'s go.mod does not require {package}", tool.name);
            }
        }
    }
}
