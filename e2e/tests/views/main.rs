//! What people and programs see: kubectl, its plugin, the REST API. Needs a running lab.
#![cfg(feature = "lab")]
#![allow(missing_docs)]

mod kubectl_get;
mod kubectl_plugin;
mod rest;
