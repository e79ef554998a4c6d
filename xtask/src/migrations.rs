//! The hash that names the migration Job: a Job cannot be changed, so another set of migrations needs another name.

use crate::generated::Generated;
use anyhow::{Context as _, ensure};
use sha2::{Digest as _, Sha256};
use std::{fs, path::Path};

const MIGRATIONS: &str = "migrations";

/// Adds the hash of all migrations, which the chart reads.
pub fn add(root: &Path, files: &mut Generated) -> anyhow::Result<Option<String>> {
    files.file("charts/voxplane/files/migrations-hash", format!("{}\n", hash(&root.join(MIGRATIONS))?));
    Ok(None)
}

fn hash(folder: &Path) -> anyhow::Result<String> {
    let mut paths = fs::read_dir(folder)
        .with_context(|| format!("cannot list {}", folder.display()))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "sql"));
    paths.sort();
    ensure!(!paths.is_empty(), "no migrations in {}", folder.display());
    let mut hasher = Sha256::new();
    for path in paths {
        let contents = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // Lengths keep a file's end and the next file's beginning apart.
        hasher.update(format!("{name}\n{}\n", contents.len()));
        hasher.update(contents);
    }
    Ok(hex::encode(hasher.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_follows_names_and_contents_of_the_sql_files_only() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, contents: &str| fs::write(folder.path().join(name), contents).unwrap();
        assert!(hash(folder.path()).is_err(), "no migrations is a mistake");
        write("0001_a.sql", "create");
        let first = hash(folder.path()).unwrap();
        write("README.md", "text");
        assert_eq!(hash(folder.path()).unwrap(), first);
        write("0001_a.sql", "creates");
        let second = hash(folder.path()).unwrap();
        assert_ne!(second, first);
        write("0002_b.sql", "");
        assert_ne!(hash(folder.path()).unwrap(), second);
    }
}
