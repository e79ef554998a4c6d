//! The little of the OCI image layout that the lab writes itself.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::command::output;
use crate::error::{IoContext as _, LabError, Result};

/// Media type of an image manifest.
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// Packs one layer and a program into `dir/image.tar`, an OCI archive of the image `name`.
pub fn write_single_layer(dir: &Path, layer: &Path, name: &str, program: &str) -> Result<()> {
    let layout = dir.join("layout");
    let blobs = layout.join("blobs/sha256");
    fs::create_dir_all(&blobs).at("create", &blobs)?;
    let layer = fs::read(layer).at("read", layer)?;
    let config = json!({
        "architecture": "amd64",
        "os": "linux",
        "config": {"Entrypoint": [program], "User": "65534:65534"},
        "rootfs": {"type": "layers", "diff_ids": [digest(&layer)]},
    });
    let layer = put(&blobs, &layer, "application/vnd.oci.image.layer.v1.tar")?;
    let config = put(&blobs, config.to_string().as_bytes(), "application/vnd.oci.image.config.v1+json")?;
    let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]});
    let manifest = put_manifest(&blobs, manifest.to_string().as_bytes(), name)?;
    write_index(&layout, &[manifest])?;
    archive(&layout, &dir.join("image.tar"))
}

/// Stores a manifest among the blobs and returns its entry for the index, under the name that containerd will give it.
pub fn put_manifest(blobs: &Path, manifest: &[u8], name: &str) -> Result<Value> {
    let mut entry = put(blobs, manifest, MANIFEST)?;
    entry["annotations"] = json!({"io.containerd.image.name": name});
    Ok(entry)
}

/// Writes the two files that make a directory an image layout.
pub fn write_index(layout: &Path, manifests: &[Value]) -> Result<()> {
    let index =
        json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": manifests});
    for (file, content) in [("index.json", index), ("oci-layout", json!({"imageLayoutVersion": "1.0.0"}))] {
        let path = layout.join(file);
        fs::write(&path, content.to_string()).at("write", &path)?;
    }
    Ok(())
}

/// Packs a layout into one file; blobs may be links.
pub fn archive(layout: &Path, file: &Path) -> Result<()> {
    let mut tar = Command::new("tar");
    tar.args(["--dereference", "-cf"]).arg(file).arg("-C").arg(layout).args(["oci-layout", "index.json", "blobs"]);
    output(&mut tar).map(drop)
}

/// Reads a JSON blob or index.
pub fn read_json(path: &Path) -> Result<Value> {
    let bytes = fs::read(path).at("read", path)?;
    serde_json::from_slice(&bytes).map_err(|source| LabError::Document { what: path.display().to_string(), source })
}

/// The digest by which OCI refers to a content.
pub fn digest(content: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(content)))
}

fn put(blobs: &Path, content: &[u8], media_type: &str) -> Result<Value> {
    let digest = digest(content);
    let path = blobs.join(digest.trim_start_matches("sha256:"));
    fs::write(&path, content).at("write", &path)?;
    Ok(json!({"mediaType": media_type, "digest": digest, "size": content.len()}))
}
