//! Which labs exist, which index is free, and who may change a lab at the moment.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::error::{IoContext as _, LabError, Result};
use crate::layout::{LabName, MAX_INDEX, Network, Paths};
use crate::state::LabState;

/// All labs of this machine: the directory that holds one directory per lab.
#[derive(Clone, Debug)]
pub struct Registry {
    root: PathBuf,
}

impl Registry {
    /// The labs below `VOXPLANE_LAB_DIR`, by default `/var/tmp/voxplane-lab`.
    pub fn from_env() -> Self {
        let root = std::env::var_os("VOXPLANE_LAB_DIR").filter(|value| !value.is_empty());
        Self::at(root.map_or_else(|| PathBuf::from("/var/tmp/voxplane-lab"), PathBuf::from))
    }

    /// The labs below `root`.
    pub fn at(root: PathBuf) -> Self {
        Self { root }
    }

    /// The directory that holds the labs.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where the lab of this name keeps its files.
    pub fn paths(&self, name: &LabName) -> Paths {
        Paths::new(&self.root, name)
    }

    /// Waits until no other command changes this lab; released when the returned file is dropped.
    pub fn lock(&self, name: &LabName) -> Result<File> {
        self.lock_file(name.as_str())
    }

    fn lock_file(&self, name: &str) -> Result<File> {
        // Beside the labs, so that a lock survives the lab it guards.
        let dir = self.root.join(".locks");
        fs::create_dir_all(&dir).at("create", &dir)?;
        let path = dir.join(name);
        let file = File::create(&path).at("create", &path)?;
        file.lock().at("lock", &path)?;
        Ok(file)
    }

    /// Names of all labs that have a directory.
    pub fn names(&self) -> Vec<LabName> {
        let entries = fs::read_dir(&self.root).into_iter().flatten().flatten();
        let mut names: Vec<_> = entries.filter_map(|entry| LabName::parse(entry.file_name().to_str()?).ok()).collect();
        names.sort();
        names
    }

    /// The lab's state. A new lab is given the first index that `reserve` grants.
    pub fn open(&self, name: &LabName, reserve: impl Fn(Network) -> Result<bool>) -> Result<LabState> {
        let paths = self.paths(name);
        if let Some(state) = LabState::load(&paths.state())? {
            return Ok(state);
        }
        // Two new labs at the same moment must not take the same index.
        let _guard = self.lock_file("index,allocation")?;
        let names = self.names();
        let mut taken = BTreeSet::new();
        for other in &names {
            taken.extend(LabState::load(&self.paths(other).state())?.map(|state| state.index));
        }
        let mut index = None;
        for candidate in (0..=MAX_INDEX).filter(|index| !taken.contains(index)) {
            if reserve(Network::new(candidate))? {
                index = Some(candidate);
                break;
            }
        }
        let index = index.ok_or(LabError::NoIndex(names.len()))?;
        for dir in [paths.dir().to_owned(), paths.join("log"), paths.join("tmp")] {
            fs::create_dir_all(&dir).at("create", &dir)?;
        }
        let state = LabState::generate(index);
        state.save(&paths.state())?;
        Ok(state)
    }

    /// The state of a lab that exists.
    pub fn existing(&self, name: &LabName) -> Result<LabState> {
        LabState::load(&self.paths(name).state())?.ok_or_else(|| LabError::NotRunning(name.to_string()))
    }
}

/// Whether the lab's keeper is alive.
pub fn alive(paths: &Paths) -> bool {
    File::open(paths.alive_lock()).is_ok_and(|file| file.try_lock().is_err())
}

/// Pid of the lab's first process, if the lab is alive.
pub fn init_pid(paths: &Paths) -> Option<i32> {
    if !alive(paths) {
        return None;
    }
    fs::read_to_string(paths.init_pid()).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_lab_gets_an_index_of_its_own_and_keeps_it() {
        let dir = tempfile::tempdir().unwrap();
        let registry = Registry::at(dir.path().to_owned());
        let (a, b) = (LabName::parse("a").unwrap(), LabName::parse("b").unwrap());
        let all = |_: Network| Ok(true);
        let (first, second) = (registry.open(&a, all).unwrap(), registry.open(&b, all).unwrap());
        assert_ne!(first.index, second.index);
        assert_eq!(registry.open(&a, all).unwrap().index, first.index);
        assert_eq!(registry.names(), [a.clone(), b]);
        fs::remove_dir_all(registry.paths(&a).dir()).unwrap();
        assert!(matches!(registry.existing(&a), Err(LabError::NotRunning(name)) if name == "a"));
    }

    #[test]
    fn an_index_that_is_refused_is_not_used() {
        let dir = tempfile::tempdir().unwrap();
        let registry = Registry::at(dir.path().to_owned());
        let name = LabName::parse("a").unwrap();
        assert_eq!(registry.open(&name, |network| Ok(network != Network::new(0))).unwrap().index, 1);
        let full = registry.open(&LabName::parse("b").unwrap(), |_| Ok(false));
        assert!(matches!(full, Err(LabError::NoIndex(1))));
    }

    #[test]
    fn a_lab_is_alive_only_while_its_lock_is_held() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::new(dir.path(), &LabName::parse("a").unwrap());
        fs::create_dir_all(paths.dir()).unwrap();
        assert!(!alive(&paths));
        let held = File::create(paths.alive_lock()).unwrap();
        held.lock().unwrap();
        assert!(alive(&paths));
        drop(held);
        assert!(!alive(&paths));
    }
}
