//! One module per resource.

pub mod agents;
pub mod auth;
pub mod branding;
pub mod calls;
mod kinds;
pub mod resources;
pub mod service;
