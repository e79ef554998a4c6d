//! `lab up`: brings the parts asked for to where they work, independent ones at the same time.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, PoisonError};

use crate::down;
use crate::env;
use crate::error::{LabError, Result};
use crate::init::client::Client;
use crate::init::keeper;
use crate::layout::LabName;
use crate::net;
use crate::part::{Context, Part, resolve};
use crate::preflight;
use crate::probe::Prober;
use crate::registry::{Registry, init_pid};
use crate::report::Report;
use crate::tools::{Tool, ToolSet};

/// Brings the parts and all they need up, and leaves what already works alone.
pub fn up(registry: &Registry, name: &LabName, wanted: &[Part], compile: bool, report: Report) -> Result<Context> {
    preflight::check(registry.root())?;
    let parts = resolve(wanted);
    let tools = tools(&parts, &report)?;
    let _lock = registry.lock(name)?;
    let context = enter(registry, name, tools, compile, report)?;
    env::write(&context.paths, &context.name, &context.state)?;
    let started = start_all(&context, &parts);
    // Again, because the kubeconfig exists only now and may have to be given to another user.
    env::write(&context.paths, &context.name, &context.state)?;
    started.map(|()| context)
}

/// The context of a lab that runs, without starting anything.
pub fn attach(registry: &Registry, name: &LabName, wanted: &[Part], report: Report) -> Result<Context> {
    let state = registry.existing(name)?;
    let paths = registry.paths(name);
    let init = init_pid(&paths).ok_or_else(|| LabError::NotRunning(name.to_string()))?;
    Ok(Context {
        name: name.clone(),
        state,
        init: Client::new(paths.init_socket()),
        prober: Prober::new(init),
        tools: tools(&resolve(wanted), &report)?,
        paths,
        report,
        compile: false,
    })
}

fn tools(parts: &[Part], report: &Report) -> Result<ToolSet> {
    let mut wanted: Vec<Tool> = parts.iter().flat_map(|part| part.tools()).copied().collect();
    // Checks on any part look into the cluster.
    if !parts.contains(&Part::Cluster) && parts.iter().any(|part| part.needs().contains(&Part::Cluster)) {
        wanted.extend(Part::Cluster.tools());
    }
    ToolSet::ensure(&wanted, report)
}

/// Starts the lab's namespaces and its first process, unless they are there.
fn enter(registry: &Registry, name: &LabName, tools: ToolSet, compile: bool, report: Report) -> Result<Context> {
    let paths = registry.paths(name);
    if init_pid(&paths).is_none() && paths.dir().exists() {
        report.line(&format!("lab {name} did not end cleanly; removing what is left of it"));
        down::clean(registry, name)?;
    }
    let state = registry.open(name, |network| net::reserve(network, paths.dir()))?;
    let running = init_pid(&paths);
    let init = match running {
        Some(_) => Client::new(paths.init_socket()),
        None => keeper::launch(registry.root(), name, &paths)?,
    };
    let pid = init_pid(&paths).ok_or_else(|| LabError::NotRunning(name.to_string()))?;
    if running.is_none() {
        net::connect(state.network(), pid)?;
        report.line(&format!("lab {name}: namespaces ready, node address {}", state.network().node()));
    }
    Ok(Context { name: name.clone(), state, paths, tools, init, prober: Prober::new(pid), report, compile })
}

/// What became of a part.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Works,
    Failed,
}

/// One thread per part; each waits for those it needs.
fn start_all(context: &Context, parts: &[Part]) -> Result<()> {
    let outcomes = Mutex::new(BTreeMap::<Part, Outcome>::new());
    let changed = Condvar::new();
    let start = |part: Part| {
        let mut known = outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        while !part.needs().iter().all(|need| known.contains_key(need)) {
            known = changed.wait(known).unwrap_or_else(PoisonError::into_inner);
        }
        let broken: Vec<_> = part.needs().iter().filter(|need| known[need] == Outcome::Failed).collect();
        let skipped = broken.first().map(|need| need.name());
        drop(known);
        let outcome = match skipped {
            Some(need) => {
                context.report.line(&format!("{part}: not started, because {need} failed"));
                Outcome::Failed
            }
            None => start_one(context, part),
        };
        outcomes.lock().unwrap_or_else(PoisonError::into_inner).insert(part, outcome);
        changed.notify_all();
    };
    std::thread::scope(|scope| {
        for part in parts {
            scope.spawn(|| start(*part));
        }
    });
    let outcomes = outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
    let failed: Vec<_> =
        outcomes.iter().filter(|(_, outcome)| **outcome == Outcome::Failed).map(|(part, _)| part.to_string()).collect();
    if failed.is_empty() { Ok(()) } else { Err(LabError::Parts(failed)) }
}

fn start_one(context: &Context, part: Part) -> Outcome {
    let step = context.report.step(part.name());
    match part.start(context) {
        Ok(result) => {
            step.done(&result);
            Outcome::Works
        }
        Err(error) => {
            drop(step);
            context.report.line(&crate::error::chain(&error));
            Outcome::Failed
        }
    }
}
