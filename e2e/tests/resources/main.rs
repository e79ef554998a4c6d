//! What resources do, each for an agency of its own, so that several can be tested beside each other. Needs a running lab.
#![cfg(feature = "lab")]
#![allow(missing_docs)]

mod admit_accounts;
mod admit_resources;
mod guard_rails;
mod lifecycle;
mod members;
mod number_claims;
mod outbound;
mod upgrade;
mod young_pods;
