//! A set of generated files, compared with what is on disk.

use anyhow::Context as _;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

/// What generated files should be. Paths are relative to the repository's root.
#[derive(Default)]
pub struct Generated {
    files: BTreeMap<PathBuf, String>,
    /// Folders that hold generated files only: anything else in them is out of date.
    owned: BTreeSet<PathBuf>,
}

/// One file that is not what it should be.
pub struct Change {
    /// Relative to the repository's root.
    pub path: PathBuf,
    /// What it should hold; `None`: it should not exist.
    wanted: Option<String>,
}

impl Generated {
    /// A file that should hold `contents`.
    pub fn file(&mut self, path: impl Into<PathBuf>, contents: String) {
        self.files.insert(path.into(), contents);
    }

    /// A folder whose other files should not exist.
    pub fn owns(&mut self, folder: impl Into<PathBuf>) {
        self.owned.insert(folder.into());
    }

    /// What differs from the files under `root`.
    pub fn stale(self, root: &Path) -> anyhow::Result<Vec<Change>> {
        let mut changes = vec![];
        for folder in &self.owned {
            for path in files_in(root, folder)? {
                if !self.files.contains_key(&path) {
                    changes.push(Change { path, wanted: None });
                }
            }
        }
        for (path, contents) in self.files {
            if read(&root.join(&path))?.as_ref() != Some(&contents) {
                changes.push(Change { path, wanted: Some(contents) });
            }
        }
        Ok(changes)
    }
}

impl Change {
    /// Makes the file what it should be.
    pub fn apply(&self, root: &Path) -> io::Result<()> {
        let path = root.join(&self.path);
        match &self.wanted {
            None => fs::remove_file(path),
            Some(contents) => {
                if let Some(folder) = path.parent() {
                    fs::create_dir_all(folder)?;
                }
                fs::write(path, contents)
            }
        }
    }
}

fn files_in(root: &Path, folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    match fs::read_dir(root.join(folder)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(vec![]),
        entries => entries
            .with_context(|| format!("cannot list {}", folder.display()))?
            .map(|entry| Ok(folder.join(entry?.file_name())))
            .collect(),
    }
}

fn read(path: &Path) -> anyhow::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(contents) => Ok(Some(contents)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_named_and_put_right() {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        fs::create_dir_all(at("made")).unwrap();
        fs::write(at("made/same"), "1").unwrap();
        fs::write(at("made/old"), "1").unwrap();
        fs::write(at("made/left-over"), "1").unwrap();
        let wanted = || {
            let mut files = Generated::default();
            files.owns("made");
            files.file("made/same", "1".to_owned());
            files.file("made/old", "2".to_owned());
            files.file("made/new", "3".to_owned());
            files
        };

        let changes = wanted().stale(root.path()).unwrap();
        let mut paths: Vec<_> = changes.iter().map(|change| change.path.to_str().unwrap()).collect();
        paths.sort_unstable();
        assert_eq!(paths, ["made/left-over", "made/new", "made/old"]);

        changes.iter().for_each(|change| change.apply(root.path()).unwrap());
        assert!(wanted().stale(root.path()).unwrap().is_empty());
        assert_eq!(fs::read_to_string(at("made/new")).unwrap(), "3");
        assert!(!at("made/left-over").exists());
    }
}
