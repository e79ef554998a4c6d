//! Operators that are killed, which no call notices. Needs a running lab.
#![cfg(feature = "lab")]
#![allow(clippy::print_stdout, missing_docs)]

mod leader;
mod purchase;
