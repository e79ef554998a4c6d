//! The lab's view of the file system: the host's, with the places that the parts write to replaced.

use std::fs;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use crate::error::{IoContext as _, Result, SystemContext as _};
use crate::layout::Paths;

/// Directories that start empty in every lab and are gone with it.
const EMPTY: [&str; 2] = ["/run", "/var/log"];
/// Directories that look as on the host, but whose changes go to the lab's own directory: kubelet's device plugins and
/// the CNI library insist on fixed places below them.
const COPIED: [&str; 2] = ["/etc", "/var/lib"];

/// Directories below which a lab's files must not lie, because the lab replaces them.
pub fn replaced() -> impl Iterator<Item = &'static str> {
    EMPTY.into_iter().chain(COPIED)
}

/// Gives this process a mount namespace of its own and arranges it. Nothing of it is visible to the host.
pub fn prepare(paths: &Paths) -> Result<()> {
    unshare(CloneFlags::CLONE_NEWNS).doing("make a mount namespace")?;
    mount_at("/", "none", None, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None)?;
    mount_at("/proc", "proc", Some("proc"), MsFlags::empty(), None)?;
    for directory in EMPTY {
        mount_at(directory, "tmpfs", Some("tmpfs"), MsFlags::MS_NOSUID | MsFlags::MS_NODEV, None)?;
    }
    for directory in COPIED {
        let own = paths.join("changes").join(directory.trim_matches('/').replace('/', "-"));
        let (upper, work) = (own.join("upper"), own.join("work"));
        for dir in [&upper, &work] {
            fs::create_dir_all(dir).at("create", dir)?;
        }
        let options = format!("lowerdir={directory},upperdir={},workdir={}", upper.display(), work.display());
        mount_at(directory, "overlay", Some("overlay"), MsFlags::empty(), Some(&options))?;
    }
    Ok(())
}

fn mount_at(target: &str, source: &str, kind: Option<&str>, flags: MsFlags, options: Option<&str>) -> Result<()> {
    mount(Some(source), target, kind, flags, options).doing(format!("mount {target} for the lab"))
}
