//! One append-only file per call: length-delimited `Event` messages. A thread of its own writes them, so that a slow
//! disk never delays audio. Nothing is synchronised to the device: the directory lives and dies with the pod, and what
//! the kernel has survives the process.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use prost::Message as _;
use voxplane_control::v1::Event;

use super::CallKey;

/// Writes that may wait; when the disk is slower than that the copy on disk is incomplete, the one in memory is not.
const QUEUE: usize = 4_096;
const EXTENSION: &str = "events";

/// Why the spool directory cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the event spool {path}")]
pub struct SpoolError {
    /// The file or directory.
    pub path: String,
    /// The operating system's reason.
    #[source]
    pub source: std::io::Error,
}

/// Logs that an earlier process left.
type Found = Vec<(CallKey, Vec<Event>)>;

enum Job {
    Append(CallKey, Vec<u8>),
    Remove(CallKey),
}

/// The writing thread's inbox. The thread ends when this is dropped.
#[derive(Debug)]
pub(super) struct Disk {
    jobs: SyncSender<Job>,
}

impl Disk {
    /// Opens the directory and reads what an earlier process left.
    pub(super) fn open(directory: &Path) -> Result<(Self, Found), SpoolError> {
        let fail = |path: &Path| {
            let path = path.display().to_string();
            move |source| SpoolError { path, source }
        };
        std::fs::create_dir_all(directory).map_err(fail(directory))?;
        let mut found = Vec::new();
        for entry in std::fs::read_dir(directory).map_err(fail(directory))? {
            let path = entry.map_err(fail(directory))?.path();
            if let Some(key) = key_of(&path) {
                let bytes = std::fs::read(&path).map_err(fail(&path))?;
                found.push((key, decode(&bytes)));
            }
        }
        // Proves that it can be written before a call depends on it.
        let probe = directory.join(".probe");
        std::fs::write(&probe, b"").map_err(fail(&probe))?;
        let _ = std::fs::remove_file(&probe);

        let (jobs, inbox) = sync_channel(QUEUE);
        let directory = directory.to_owned();
        std::thread::Builder::new()
            .name("spool-writer".to_owned())
            .spawn(move || write_all(&directory, &inbox))
            .map_err(|source| SpoolError { path: "thread spool-writer".to_owned(), source })?;
        Ok((Self { jobs }, found))
    }

    pub(super) fn append(&self, key: &CallKey, event: &Event) {
        self.give(Job::Append(key.clone(), event.encode_length_delimited_to_vec()));
    }

    pub(super) fn remove(&self, key: &CallKey) {
        self.give(Job::Remove(key.clone()));
    }

    fn give(&self, job: Job) {
        if self.jobs.try_send(job).is_err() {
            tracing::warn!("the event spool's disk is too slow: an event is kept in memory only");
        }
    }
}

fn write_all(directory: &Path, inbox: &Receiver<Job>) {
    let mut files: HashMap<CallKey, File> = HashMap::new();
    for job in inbox {
        match job {
            Job::Append(key, bytes) => {
                let path = path_of(directory, &key);
                let written = match files.entry(key) {
                    std::collections::hash_map::Entry::Occupied(mut file) => file.get_mut().write_all(&bytes),
                    std::collections::hash_map::Entry::Vacant(empty) => OpenOptions::new()
                        .create(true)
                        .append(true)
                        .open(&path)
                        .and_then(|file| empty.insert(file).write_all(&bytes)),
                };
                if let Err(error) = written {
                    tracing::warn!(%error, path = %path.display(), "an event is kept in memory only");
                }
            }
            Job::Remove(key) => {
                files.remove(&key);
                let path = path_of(directory, &key);
                if let Err(error) = std::fs::remove_file(&path)
                    && error.kind() != std::io::ErrorKind::NotFound
                {
                    tracing::warn!(%error, path = %path.display(), "an event log that is done with cannot be removed");
                }
            }
        }
    }
}

fn path_of(directory: &Path, key: &CallKey) -> PathBuf {
    // Call ids are UUIDs: checked where they enter the process.
    directory.join(format!("{}.{}.{EXTENSION}", key.call_id, key.epoch))
}

fn key_of(path: &Path) -> Option<CallKey> {
    let name = path.file_name()?.to_str()?.strip_suffix(EXTENSION)?.strip_suffix('.')?;
    let (call_id, epoch) = name.rsplit_once('.')?;
    Some(CallKey { call_id: call_id.to_owned(), epoch: epoch.parse().ok()? })
}

/// Reads messages up to the first incomplete one: the process may have died while writing it.
fn decode(mut bytes: &[u8]) -> Vec<Event> {
    let mut events = Vec::new();
    while !bytes.is_empty() {
        match Event::decode_length_delimited(&mut bytes) {
            Ok(event) => events.push(event),
            Err(_) => break,
        }
    }
    events
}
