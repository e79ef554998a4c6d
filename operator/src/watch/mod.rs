//! What the operator sees of the cluster: one watch per kind, shared by all controllers, and who is told of a change.

pub mod cache;
mod change;
mod extent;
mod queue;
mod router;
mod stores;

pub use cache::Cache;
pub use change::{Change, ObjectKey};
pub use extent::Extent;
pub use queue::Queue;
pub use router::{Queues, Router};
pub use stores::{Guarded, Stores, Writers, decoded};
