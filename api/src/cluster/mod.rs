//! The only module that knows the Kubernetes client: reflectors in, server-side apply out.

mod managed;
mod merge;
mod reflect;
mod reviews;
mod world;
mod write;

pub use managed::{Foreign, OwnedFields, foreign_owners, owned_spec};
pub use reflect::{DirectoryWriters, Reflectors};
pub use reviews::{PodIdentity, ReviewError, review};
pub use world::{Directory, id_of, ids, is_being_deleted};
pub use write::{AgentWriter, Change, WriteError};
