//! What callers hear, in real time: one call after another. Needs a running lab.
#![cfg(feature = "lab")]
#![allow(missing_docs)]

mod barge_in;
mod bought_number;
mod config;
mod defaults;
mod digest;
mod flow;
mod hours;
mod limits;
mod question;
mod routing;
mod tenants;
