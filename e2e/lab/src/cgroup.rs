//! The lab's own control groups: kubelet puts all pods below them, and they are removed with the lab.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{IoContext as _, Result};

/// Controllers that kubelet needs to find in a unified (version 2) hierarchy.
const UNIFIED_CONTROLLERS: [&str; 6] = ["cpu", "cpuset", "memory", "pids", "io", "hugetlb"];

/// A mounted hierarchy.
#[derive(Debug, PartialEq, Eq)]
enum Hierarchy {
    /// Version 1, with its controllers.
    Legacy { root: PathBuf, cpuset: bool },
    /// Version 2.
    Unified { root: PathBuf },
}

impl Hierarchy {
    fn root(&self) -> &Path {
        match self {
            Self::Legacy { root, .. } | Self::Unified { root } => root,
        }
    }
}

/// Reads the hierarchies out of the text of `/proc/mounts`.
fn hierarchies(mounts: &str) -> Vec<Hierarchy> {
    let parse = |line: &str| {
        let mut fields = line.split(' ').skip(1);
        let (root, kind, options) = (PathBuf::from(fields.next()?), fields.next()?, fields.next()?);
        match kind {
            "cgroup" => Some(Hierarchy::Legacy { root, cpuset: options.split(',').any(|option| option == "cpuset") }),
            "cgroup2" => Some(Hierarchy::Unified { root }),
            _ => None,
        }
    };
    mounts.lines().filter_map(parse).collect()
}

fn mounted() -> Result<Vec<Hierarchy>> {
    let path = Path::new("/proc/mounts");
    Ok(hierarchies(&fs::read_to_string(path).at("read", path)?))
}

/// Makes the group `name` below the root of every hierarchy.
pub fn create(name: &str) -> Result<()> {
    for hierarchy in mounted()? {
        let group = hierarchy.root().join(name);
        if let Hierarchy::Unified { root } = &hierarchy {
            for controller in UNIFIED_CONTROLLERS {
                for parent in [root, &group] {
                    fs::create_dir_all(&group).at("create the control group", &group)?;
                    // A controller that the kernel lacks or that a legacy hierarchy holds cannot be passed on.
                    let _ = fs::write(parent.join("cgroup.subtree_control"), format!("+{controller}"));
                }
            }
            continue;
        }
        fs::create_dir_all(&group).at("create the control group", &group)?;
        if let Hierarchy::Legacy { root, cpuset: true } = &hierarchy {
            // A new cpuset group is empty and would refuse every process.
            for file in ["cpuset.cpus", "cpuset.mems"] {
                let value = fs::read_to_string(root.join(file)).at("read", &root.join(file))?;
                fs::write(group.join(file), value.trim()).at("write", &group.join(file))?;
            }
        }
    }
    Ok(())
}

/// Removes the group `name` and everything below it from every hierarchy.
pub fn remove(name: &str) -> Result<()> {
    for hierarchy in mounted()? {
        let group = hierarchy.root().join(name);
        // Processes that were just killed may still be counted for a moment.
        let mut patience = 50;
        while let Err(error) = remove_tree(&group) {
            patience -= 1;
            if patience == 0 {
                return Err(error).at("remove the control group", &group);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    Ok(())
}

/// Control groups are removed with `rmdir`, the innermost first; their files cannot be deleted.
fn remove_tree(group: &Path) -> std::io::Result<()> {
    let entries = match fs::read_dir(group) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_tree(&entry.path())?;
        }
    }
    fs::remove_dir(group)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_are_found_in_the_mount_table() {
        let mounts = "proc /proc proc rw 0 0\n\
                      cgroup /sys/fs/cgroup/cpuset cgroup rw,relatime,cpuset 0 0\n\
                      cgroup /sys/fs/cgroup/memory cgroup rw,relatime,memory 0 0\n\
                      cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n";
        let expected = [
            Hierarchy::Legacy { root: "/sys/fs/cgroup/cpuset".into(), cpuset: true },
            Hierarchy::Legacy { root: "/sys/fs/cgroup/memory".into(), cpuset: false },
            Hierarchy::Unified { root: "/sys/fs/cgroup/unified".into() },
        ];
        assert_eq!(hierarchies(mounts), expected);
    }

    #[test]
    fn nested_groups_go_innermost_first() {
        let dir = tempfile::tempdir().unwrap();
        let group = dir.path().join("group");
        fs::create_dir_all(group.join("a/b")).unwrap();
        remove_tree(&group).unwrap();
        assert!(!group.exists());
        remove_tree(&group).unwrap();
    }
}
