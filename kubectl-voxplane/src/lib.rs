//! `kubectl voxplane`: what is broken and how to fix it, what calls really use, the logs of one call, draining without
//! cutting calls, and a check of everything a call depends on.
//!
//! | module | job |
//! | --- | --- |
//! | [`cli`] | arguments |
//! | [`run`] | one function per command: read, decide, print |
//! | [`cluster`] | the only part that talks to a cluster |
//! | [`world`] | what was read, as plain data |
//! | [`health`] | an object → is it well, and if not, what to do; pure |
//! | [`status`], [`explain`], [`call`] | the commands' answers, built from a [`world::World`]; pure |
//! | [`logs`], [`drain`] | which lines and pods matter, pure; and the loops that follow them |
//! | [`paper`], [`output`] | text for any width, with or without colours; JSON and YAML |
//! | [`error`] | what can go wrong, and exit codes |
//!
//! Objects are read as JSON, not as our types: a plugin that is older than the cluster must still show what is broken.

pub mod call;
pub mod cli;
pub mod cluster;
pub mod drain;
pub mod error;
pub mod explain;
pub mod health;
pub mod logs;
pub mod output;
pub mod paper;
pub mod run;
pub mod status;
pub mod world;
