//! What the machine must offer. Each point is tried, not guessed from versions.

use std::path::Path;
use std::process::Command;

use nix::unistd::Uid;

use crate::command::{output, run};
use crate::error::{IoContext as _, LabError, Result};
use crate::init::mounts;
use crate::part::node::CNI_PLUGINS;

/// One thing the kernel must be able to do, tried in a throw-away network and mount namespace.
struct Trial {
    what: &'static str,
    script: &'static str,
    fix: &'static str,
}

const TRIALS: [Trial; 4] = [
    Trial {
        what: "virtual ethernet pairs (veth)",
        script: "ip link add t0 type veth peer name t1",
        fix: "load the module `veth`, or use a kernel with CONFIG_VETH",
    },
    Trial {
        what: "bridges",
        script: "ip link add t0 type bridge",
        fix: "load the module `bridge`, or use a kernel with CONFIG_BRIDGE",
    },
    Trial {
        what: "nftables with address translation and connection tracking",
        script: "nft 'table ip t { chain c { type nat hook prerouting priority 0; ct state new counter accept; }; }'",
        fix: "load `nf_tables`, `nf_nat` and `nf_conntrack`, or use a kernel with CONFIG_NF_TABLES and CONFIG_NFT_NAT",
    },
    Trial {
        what: "overlay file systems on the disk of VOXPLANE_LAB_DIR",
        script: "d=$(mktemp -d -p \"$LAB_ROOT\") && mkdir $d/l $d/u $d/w $d/m && \
                 mount -t overlay o -o lowerdir=$d/l,upperdir=$d/u,workdir=$d/w $d/m; s=$?; \
                 umount $d/m; rm -rf $d; exit $s",
        fix: "load the module `overlay`, or use a kernel with CONFIG_OVERLAY_FS",
    },
];

/// Checks everything and reports all that is missing at once.
pub fn check(root: &Path) -> Result<()> {
    if !Uid::effective().is_root() {
        return Err(LabError::Machine(vec![
            "the lab makes namespaces, interfaces and mounts, which only root may do: run it as root or with sudo"
                .into(),
        ]));
    }
    let mut missing = Vec::new();
    if let Some(dir) = mounts::replaced().find(|dir| root.starts_with(dir)) {
        missing.push(format!("VOXPLANE_LAB_DIR must not lie below {dir}, which the lab replaces for its processes"));
    }
    std::fs::create_dir_all(root).at("create", root)?;
    missing.extend(disk(root));
    if !Path::new(CNI_PLUGINS).join("ptp").exists() {
        missing.push(format!("no CNI plugins in {CNI_PLUGINS}: `make deps` installs containernetworking-plugins"));
    }
    match run("unshare", &["--net", "--mount", "--pid", "--fork", "true"]) {
        Err(error) => missing.push(format!("no network, mount and pid namespaces: {error}")),
        Ok(_) => missing.extend(TRIALS.iter().filter_map(|trial| try_out(trial, root))),
    }
    if missing.is_empty() { Ok(()) } else { Err(LabError::Machine(missing)) }
}

/// The kubelet refuses pods ("disk pressure") below 1 % of free space, and the images have to fit above that.
fn disk(root: &Path) -> Option<String> {
    const IMAGES_GIB: u64 = 4;
    let space = nix::sys::statvfs::statvfs(root).ok()?;
    let gib = |blocks: u64| blocks * space.fragment_size() / (1 << 30);
    let (free, needed) = (gib(space.blocks_available()), IMAGES_GIB + gib(space.blocks()) / 50);
    (free < needed).then(|| {
        format!(
            "only {free} GiB are free on the disk of {}, the lab needs {needed}: free some, or set VOXPLANE_LAB_DIR",
            root.display()
        )
    })
}

fn try_out(trial: &Trial, root: &Path) -> Option<String> {
    let mut command = Command::new("unshare");
    command.args(["--net", "--mount", "sh", "-c", trial.script]).env("LAB_ROOT", root);
    let error = output(&mut command).err()?;
    let reason = match error {
        LabError::Command { message, .. } => message,
        other => other.to_string(),
    };
    Some(format!("the kernel lacks {}: {reason}; {}", trial.what, trial.fix))
}
