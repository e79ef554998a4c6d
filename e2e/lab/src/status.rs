//! `lab status`: which parts run and whether they work.

use crate::error::Result;
use crate::init::protocol::ProcessState;
use crate::part::{ALL, Context, Part};

/// One line of the table.
#[derive(Debug)]
pub struct Row {
    /// The part.
    pub part: Part,
    /// `ready`, `down`, or what is wrong.
    pub state: String,
}

/// Probes every part that was started.
pub fn rows(context: &Context) -> Result<Vec<Row>> {
    let processes = context.init.list()?;
    let state = |part: Part| {
        let known: Vec<_> = part.processes().iter().filter_map(|name| Some((name, processes.get(*name)?))).collect();
        if !part.processes().is_empty() && known.is_empty() {
            return "down".to_owned();
        }
        for (name, state) in known {
            if let ProcessState::Exited { exit } = state {
                return format!("failed: {name} ended: {exit}");
            }
        }
        match part.probe(context) {
            Ok(()) => "ready".to_owned(),
            Err(_) if part.processes().is_empty() => "down".to_owned(),
            Err(reason) => format!("failing: {reason}"),
        }
    };
    Ok(ALL.into_iter().map(|part| Row { part, state: state(part) }).collect())
}
