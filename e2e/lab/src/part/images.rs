//! The product's images: compiled programs and models, built from `images/Dockerfile` by buildah and loaded into the
//! lab's containerd. Layers that containerd already has do not travel again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use super::context::{Context, failure, words};
use super::node;
use crate::command::output;
use crate::error::{IoContext as _, LabError, Result};
use crate::layout::Node;
use crate::oci;
use crate::pki::path_text;
use crate::tools::cache::Cache;
use crate::tools::models::{collect, copy_if_older};
use crate::tools::{Tool, base, repository};

/// Name of the part in messages.
const PART: &str = "images";
/// Images, which are also targets of the Dockerfile; the program is `voxplane-<image>`.
pub const IMAGES: [&str; 3] = ["operator", "api", "agent-runtime"];
/// Tag that always names the latest build.
pub const TAG: &str = "dev";
/// Characters of a manifest's digest that make a tag.
const DIGEST_TAG_LENGTH: usize = 12;
const IMPORT_LIMIT: Duration = Duration::from_secs(180);
const HINT: &str = "`lab logs images` shows buildah's output";

/// The image's name as containerd and kubelet know it.
fn reference(image: &str, tag: &str) -> String {
    format!("docker.io/voxplane/{image}:{tag}")
}

/// Compiles the programs, all of them as `make build` does: with fewer packages cargo would resolve other features and
/// compile every dependency once more.
pub fn compile() -> Result<()> {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(repository()).args(["build", "--workspace", "--bins"]);
    let status = cargo
        .status()
        .map_err(|error| LabError::Command { command: crate::command::display(&cargo), message: error.to_string() })?;
    if status.success() {
        return Ok(());
    }
    let hint = "the compiler's messages are above".to_owned();
    Err(LabError::Part { part: PART.into(), message: format!("cargo build: {status}"), tail: String::new(), hint })
}

/// Builds what changed and loads what the lab lacks.
pub fn load(context: &Context) -> Result<String> {
    if context.compile {
        compile()?;
    }
    let cache = Cache::from_env()?.dir("images")?;
    let target = target();
    let key = &oci::digest(target.as_os_str().as_encoded_bytes())["sha256:".len()..][..DIGEST_TAG_LENGTH];
    let lock_path = cache.join("lock");
    let lock = File::create(&lock_path).at("create", &lock_path)?;
    // The container storage is shared by all labs and checkouts; what is made of one target directory is not.
    lock.lock().at("lock", &lock_path)?;
    let buildah = Buildah { cache: cache.clone(), key: key.to_owned(), log: context.paths.log(PART) };
    let staged = stage(context, &target, &cache.join("context").join(key))?;
    let base = buildah.base(context.tools.dir(Tool::Base)?)?;
    let mut loaded = Vec::new();
    let mut tags = BTreeMap::new();
    for image in IMAGES {
        let built = buildah.build(image, &base, &staged)?;
        for node in node::running(context) {
            let (tag, changed) = import(context, node, image, &built)?;
            tags.insert(image, tag);
            loaded.extend(changed.then(|| node.own(image)));
        }
    }
    let path = context.paths.join("images.json");
    fs::write(&path, json!(tags).to_string()).at("write", &path)?;
    Ok(if loaded.is_empty() { "unchanged".to_owned() } else { format!("loaded {}", loaded.join(", ")) })
}

/// Whether every image is in the lab.
pub fn probe(context: &Context) -> Result<(), String> {
    for node in node::running(context) {
        let present = present(context, node).map_err(|error| error.to_string())?;
        if let Some(image) = IMAGES.iter().find(|image| !present.contains_key(&reference(image, TAG))) {
            return Err(format!("image voxplane/{image}:{TAG} is not loaded on {}", node.name()));
        }
    }
    Ok(())
}

/// Tag of each loaded image that changes with its content, so that a new build rolls the pods.
pub fn tags(context: &Context) -> Result<BTreeMap<String, String>> {
    let path = context.paths.join("images.json");
    let value = oci::read_json(&path)?;
    serde_json::from_value(value).map_err(|source| LabError::Document { what: path.display().to_string(), source })
}

/// Cargo's target directory. Cargo reads a relative path from where it runs, which is the repository.
fn target() -> PathBuf {
    repository().join(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}

/// Copies programs (without debug sections) and models to where the Dockerfile finds them.
fn stage(context: &Context, target: &Path, into: &Path) -> Result<PathBuf> {
    let (programs, models) = (into.join("bin"), into.join("models"));
    for dir in [&programs, &models] {
        fs::create_dir_all(dir).at("create", dir)?;
    }
    for image in IMAGES {
        let program = format!("voxplane-{image}");
        let (source, copy) = (target.join("debug").join(&program), programs.join(&program));
        if !source.exists() {
            let hint = format!("`cargo build --package {program}`, or leave out --no-build");
            let message = format!("program {program} has not been compiled");
            return Err(LabError::Part { part: PART.into(), message, tail: String::new(), hint });
        }
        if !same_age(&copy, &source) {
            output(Command::new("strip").args(["--strip-debug", "--preserve-dates", "-o"]).arg(&copy).arg(&source))?;
        }
    }
    let collected = collect(&context.tools)?;
    for entry in fs::read_dir(&collected).at("read", &collected)? {
        let entry = entry.at("read", &collected)?;
        copy_if_older(&entry.path(), &models.join(entry.file_name()))?;
    }
    Ok(into.to_owned())
}

fn same_age(copy: &Path, source: &Path) -> bool {
    let modified = |path: &Path| fs::metadata(path).and_then(|data| data.modified()).ok();
    modified(copy).is_some() && modified(copy) == modified(source)
}

/// Builds images with a container storage of its own.
struct Buildah {
    cache: PathBuf,
    /// Separates the images of different target directories.
    key: String,
    log: PathBuf,
}

impl Buildah {
    fn command(&self) -> Command {
        let mut command = Command::new("buildah");
        command.arg("--root").arg(self.cache.join("storage")).arg("--runroot").arg(self.cache.join("run"));
        command.args(["--storage-driver", "overlay"]);
        command
    }

    fn run(&self, arguments: impl FnOnce(&mut Command)) -> Result<String> {
        let mut command = self.command();
        arguments(&mut command);
        output(&mut command).map_err(|error| {
            // Kept for `lab logs images`; the error below carries the same text.
            let _ = fs::write(&self.log, error.to_string());
            failure(PART, error.to_string(), Path::new(""), HINT)
        })
    }

    /// The base image, made once from the packed root file system. Its tag is the tool's directory name.
    fn base(&self, tool: &Path) -> Result<String> {
        let tag = tool.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let name = format!("localhost/voxplane/base:{tag}");
        let exists = output(self.command().args(["inspect", "--type", "image", "--format", "{{.FromImageID}}", &name]));
        if exists.is_ok() {
            return Ok(name);
        }
        let container = self.run(|command| {
            // Or buildah makes its default one below /etc.
            command.args(["from", "--pull-never", "--cni-config-dir"]).arg(self.cache.join("cni")).arg("scratch");
        })?;
        let container = container.trim();
        self.run(|command| _ = command.args(["add", "--quiet", container]).arg(tool.join(base::ARCHIVE)).arg("/"))?;
        self.run(|command| _ = command.args(["commit", "--quiet", "--rm", container, &name]))?;
        Ok(name)
    }

    /// Builds one target and returns the directory with its manifest and blobs. Layers that did not change come from
    /// buildah's cache, and an image that did not change is not written again.
    fn build(&self, image: &str, base: &str, context: &Path) -> Result<PathBuf> {
        let name = format!("localhost/voxplane/{image}:{}", self.key);
        let id = self.run(|command| {
            command.args(["build", "--quiet", "--isolation", "chroot", "--layers", "--pull-never", "--timestamp", "0"]);
            // Or it makes its default one below /etc.
            command.arg("--cni-config-dir").arg(self.cache.join("cni"));
            command.args(["--build-arg", &format!("BASE={base}"), "--target", image, "--tag", &name]);
            command.arg("--file").arg(repository().join("images/Dockerfile")).arg(context);
        })?;
        let dir = self.cache.join("built").join(&self.key).join(image);
        let written = dir.join("image-id");
        if fs::read_to_string(&written).is_ok_and(|known| known == id) {
            return Ok(dir);
        }
        if dir.exists() {
            fs::remove_dir_all(&dir).at("remove the old", &dir)?;
        }
        fs::create_dir_all(&dir).at("create", &dir)?;
        // `dir` rather than an OCI layout: it takes the layers as they are, without compressing them.
        let destination = format!("dir:{}", dir.display());
        self.run(|command| _ = command.args(["push", "--quiet", "--disable-compression", &name, &destination]))?;
        fs::write(&written, id).at("write", &written)?;
        Ok(dir)
    }
}

/// Loads one image unless the node has it. Returns its content tag and whether anything was loaded.
fn import(context: &Context, node: Node, image: &str, built: &Path) -> Result<(String, bool)> {
    let manifest_path = built.join("manifest.json");
    let manifest = fs::read(&manifest_path).at("read", &manifest_path)?;
    let digest = oci::digest(&manifest);
    let tag: String = digest.trim_start_matches("sha256:").chars().take(DIGEST_TAG_LENGTH).collect();
    let names = [reference(image, TAG), reference(image, &tag)];
    let present = present(context, node)?;
    if names.iter().all(|name| present.get(name) == Some(&digest)) {
        return Ok((tag, false));
    }
    let scratch = context.paths.join("tmp");
    let layout = tempfile::tempdir_in(&scratch).at("create a directory in", &scratch)?;
    let held: BTreeSet<String> = ctr(context, node, &["content", "ls", "-q"])?.lines().map(str::to_owned).collect();
    let blobs_dir = layout.path().join("blobs/sha256");
    fs::create_dir_all(&blobs_dir).at("create", &blobs_dir)?;
    for blob in blobs(&manifest_path)?.iter().filter(|blob| !held.contains(*blob)) {
        let hash = blob.trim_start_matches("sha256:");
        let link = blobs_dir.join(hash);
        std::os::unix::fs::symlink(built.join(hash), &link).at("link", &link)?;
    }
    let named = names.map(|name| oci::put_manifest(&blobs_dir, &manifest, &name));
    oci::write_index(layout.path(), &named.into_iter().collect::<Result<Vec<_>>>()?)?;
    let archive = layout.path().join("image.tar");
    oci::archive(layout.path(), &archive)?;
    let mut argv = words(["ctr", "images", "import"]);
    argv.push(path_text(&archive));
    context.run(PART, context.process_on(node, "import-image", &argv), IMPORT_LIMIT, "`lab logs containerd`")?;
    Ok((tag, true))
}

/// Digests of an image's layers and configuration.
fn blobs(manifest: &Path) -> Result<Vec<String>> {
    let manifest = oci::read_json(manifest)?;
    let layers = manifest["layers"].as_array().into_iter().flatten();
    Ok(layers.chain([&manifest["config"]]).filter_map(|part| part["digest"].as_str().map(str::to_owned)).collect())
}

/// Images on a node: name and digest.
fn present(context: &Context, node: Node) -> Result<BTreeMap<String, String>> {
    let table = ctr(context, node, &["images", "ls"])?;
    let row = |line: &str| {
        let mut fields = line.split_whitespace();
        let name = fields.next()?.to_owned();
        Some((name, fields.find(|field| field.starts_with("sha256:"))?.to_owned()))
    };
    Ok(table.lines().filter_map(row).collect())
}

/// Asks containerd from the host; its socket is a file.
fn ctr(context: &Context, node: Node, arguments: &[&str]) -> Result<String> {
    let program = context.program("ctr").unwrap_or_else(|| PathBuf::from("ctr"));
    let spec = context.process_on(node, "ctr", &[]);
    output(Command::new(program).envs(&spec.env).args(arguments))
}
