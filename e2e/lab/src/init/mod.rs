//! The lab's own process tree.
//!
//! `lab up` starts a *keeper* on the host. It makes the network and pid namespaces, starts the *init* process in them
//! and waits. Init is the first process of the pid namespace: when it dies, for whatever reason, the kernel kills
//! everything in the lab, and with the last process the mounts, interfaces and firewall rules disappear. The keeper
//! then removes the control groups, which no namespace owns.

pub mod client;
pub mod keeper;
pub mod mounts;
pub mod protocol;
pub mod server;
pub mod supervisor;
