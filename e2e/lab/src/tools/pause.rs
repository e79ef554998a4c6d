//! The pause image: one static program of a few lines, packed as an OCI archive.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::error::{IoContext as _, Result};
use crate::oci;
use crate::tools::python::logged;

/// Name of the image in the lab's container store.
pub const IMAGE: &str = "lab.local/pause:1";

/// The source text.
pub fn pin(sources: &Path) -> Result<String> {
    let path = sources.join("pause/pause.c");
    fs::read_to_string(&path).at("read", &path)
}

/// Compiles the program and packs `into/image.tar`.
pub fn build(sources: &Path, into: &Path, log: &Path) -> Result<()> {
    let root = into.join("root");
    fs::create_dir_all(&root).at("create", &root)?;
    let mut compile = Command::new("cc");
    compile.args(["-static", "-Os", "-s", "-o"]).arg(root.join("pause")).arg(sources.join("pause/pause.c"));
    logged(&mut compile, "pause", log, "install a C compiler and its static library: `make deps`")?;
    let layer = into.join("layer.tar");
    let mut pack = Command::new("tar");
    pack.args(["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner", "-cf"]);
    pack.arg(&layer).arg("-C").arg(&root).arg("pause");
    logged(&mut pack, "pause", log, "install GNU tar")?;
    oci::write_single_layer(into, &layer, IMAGE, "/pause")
}
