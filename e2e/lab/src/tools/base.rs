//! Root file system of the images: a minimal Debian with the runtime's libraries, made by debootstrap and packed once.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::error::{IoContext as _, Result};
use crate::tools::python::logged;

/// Debian release of the images.
const SUITE: &str = "bookworm";
/// File in the tool's directory.
pub const ARCHIVE: &str = "rootfs.tar";

fn packages(sources: &Path) -> Result<Vec<String>> {
    let path = sources.join("../../images/base/packages.txt");
    let text = fs::read_to_string(&path).at("read", &path)?;
    let names = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(names.map(str::to_owned).collect())
}

/// Release and packages.
pub fn pin(sources: &Path) -> Result<String> {
    Ok(format!("{SUITE} {}", packages(sources)?.join(",")))
}

/// Installs the release into a scratch directory and packs it. Needs root.
pub fn build(sources: &Path, into: &Path, log: &Path) -> Result<()> {
    // Device nodes and foreign owners are needed, which not every temporary directory allows.
    let root = into.join("root");
    let mut bootstrap = Command::new("debootstrap");
    bootstrap.args(["--variant=minbase", &format!("--include={}", packages(sources)?.join(",")), SUITE]).arg(&root);
    logged(
        &mut bootstrap,
        "base",
        log,
        "run as root on Debian with a reachable package mirror (`apt-get update` works?)",
    )?;
    for dir in ["var/cache/apt", "var/lib/apt/lists", "var/log", "usr/share/doc", "usr/share/man", "usr/share/locale"] {
        empty(&root.join(dir), dir == "usr/share/doc")?;
    }
    let mut pack = Command::new("tar");
    pack.args(["--sort=name", "--numeric-owner", "--one-file-system", "-cf"]).arg(into.join(ARCHIVE));
    pack.arg("-C").arg(&root).arg(".");
    logged(&mut pack, "base", log, "is the disk full?")?;
    fs::remove_dir_all(&root).at("remove", &root)
}

/// Empties a directory that no container needs, but keeps the packages' licences.
fn empty(dir: &Path, keep_licences: bool) -> Result<()> {
    let mut find = Command::new("find");
    find.arg(dir).args(["-mindepth", "1", "!", "-type", "d"]);
    if keep_licences {
        find.args(["!", "-name", "copyright"]);
    }
    find.arg("-delete");
    crate::command::output(&mut find).map(drop)
}
