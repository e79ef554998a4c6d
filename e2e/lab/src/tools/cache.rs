//! One directory per tool and pin. A directory is complete or absent: it is built beside and renamed into place, under
//! a lock, so that two commands never build the same thing twice.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::error::{IoContext as _, LabError, Result};

/// Characters of the pin's hash in a directory's name.
const HASH_LENGTH: usize = 16;

/// The cache directory of the lab's tools.
#[derive(Clone, Debug)]
pub struct Cache {
    root: PathBuf,
}

impl Cache {
    /// `$XDG_CACHE_HOME/voxplane`, by default `~/.cache/voxplane`.
    pub fn from_env() -> Result<Self> {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let base = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
        let base = base.ok_or_else(|| {
            LabError::Machine(vec!["no place for the cache: set HOME or XDG_CACHE_HOME to a directory".to_owned()])
        })?;
        Ok(Self { root: base.join("voxplane") })
    }

    /// The cache below `root`.
    pub fn at(root: PathBuf) -> Self {
        Self { root }
    }

    /// A directory for things that are not tools, such as image layers.
    pub fn dir(&self, name: &str) -> Result<PathBuf> {
        let dir = self.root.join(name);
        fs::create_dir_all(&dir).at("create", &dir)?;
        Ok(dir)
    }

    /// The place of a tool with this pin.
    pub fn entry(&self, tool: &str, pin: &str) -> Entry {
        let hash = hex::encode(Sha256::digest(pin.as_bytes()));
        let name = format!("{tool}-{}", &hash[..HASH_LENGTH]);
        Entry { tool: tool.to_owned(), dir: self.root.join("tools").join(name) }
    }
}

/// The place of one tool.
#[derive(Clone, Debug)]
pub struct Entry {
    tool: String,
    dir: PathBuf,
}

impl Entry {
    /// The tool's directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whether the tool has been built.
    pub fn exists(&self) -> bool {
        self.dir.is_dir()
    }

    /// Builds the tool unless it exists by the time the lock is held.
    pub fn fill(&self, build: impl FnOnce(&Path, &Path) -> Result<()>) -> Result<()> {
        let parent = self.dir.parent().unwrap_or(&self.dir);
        fs::create_dir_all(parent).at("create", parent)?;
        let lock_path = parent.join(format!(".{}.lock", self.tool));
        let lock = File::create(&lock_path).at("create", &lock_path)?;
        lock.lock().at("lock", &lock_path)?;
        if self.exists() {
            return Ok(());
        }
        let partial = self.dir.with_extension("partial");
        if partial.exists() {
            fs::remove_dir_all(&partial).at("remove the unfinished", &partial)?;
        }
        fs::create_dir_all(&partial).at("create", &partial)?;
        build(&partial, &parent.join(format!("{}.log", self.tool)))?;
        fs::rename(&partial, &self.dir).at("finish", &self.dir)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn two_builders_at_once_build_once() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::at(dir.path().to_owned());
        let built = AtomicUsize::new(0);
        let fill = || {
            let entry = cache.entry("thing", "pin 1");
            entry.fill(|into, _| {
                built.fetch_add(1, Ordering::SeqCst);
                fs::write(into.join("file"), "content").at("write", into)
            })
        };
        std::thread::scope(|scope| {
            let all = [scope.spawn(fill), scope.spawn(fill)];
            all.into_iter().for_each(|thread| thread.join().unwrap().unwrap());
        });
        assert_eq!(built.load(Ordering::SeqCst), 1);
        assert_eq!(fs::read_to_string(cache.entry("thing", "pin 1").dir().join("file")).unwrap(), "content");
    }

    #[test]
    fn a_failed_build_leaves_nothing_that_looks_finished() {
        let dir = tempfile::tempdir().unwrap();
        let entry = Cache::at(dir.path().to_owned()).entry("thing", "pin 1");
        let fail = |into: &Path, _: &Path| {
            fs::write(into.join("half"), "").at("write", into)?;
            Err(LabError::NotRunning("x".into()))
        };
        assert!(entry.fill(fail).is_err());
        assert!(!entry.exists());
        entry.fill(|into, _| fs::write(into.join("whole"), "").at("write", into)).unwrap();
        assert!(entry.dir().join("whole").exists() && !entry.dir().join("half").exists());
    }

    #[test]
    fn another_pin_is_another_directory() {
        let cache = Cache::at("/cache".into());
        assert_ne!(cache.entry("thing", "pin 1").dir(), cache.entry("thing", "pin 2").dir());
    }
}
