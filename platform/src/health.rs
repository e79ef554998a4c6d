//! Readiness as a set of named checks, each with a reason a person can act on.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::sync::{Arc, PoisonError, RwLock};

/// The readiness of a process. Clones share one state.
///
/// Every part registers its check at start-up and reports as it goes; nothing is polled. A process without checks is
/// ready.
///
/// ```
/// use voxplane_platform::health::Health;
/// let health = Health::new();
/// let database = health.check("database");
/// assert!(!health.is_ready());
/// database.pass();
/// assert!(health.is_ready());
/// database.fail("connection refused");
/// assert_eq!(health.report().to_string(), "[-] database: connection refused\nnot ready\n");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Health {
    checks: Arc<RwLock<BTreeMap<&'static str, State>>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct State {
    required: bool,
    /// `Ok` carries a remark or nothing, `Err` the reason.
    result: Result<Option<String>, String>,
}

/// The handle by which one part reports.
#[derive(Clone, Debug)]
pub struct Check {
    name: &'static str,
    health: Health,
}

/// What `/readyz` answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report(BTreeMap<&'static str, State>);

impl Health {
    /// No checks yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers a part the process needs. It fails with "starting" until it reports.
    pub fn check(&self, name: &'static str) -> Check {
        self.register(name, true, Err("starting".to_owned()))
    }

    /// Registers a part the process works without: shown with its reason, never the cause of "not ready".
    pub fn optional(&self, name: &'static str) -> Check {
        self.register(name, false, Err("starting".to_owned()))
    }

    /// Whether every required check passes.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.report().is_ready()
    }

    /// The present state of all checks.
    #[must_use]
    pub fn report(&self) -> Report {
        Report(self.checks.read().unwrap_or_else(PoisonError::into_inner).clone())
    }

    fn register(&self, name: &'static str, required: bool, result: Result<Option<String>, String>) -> Check {
        self.checks.write().unwrap_or_else(PoisonError::into_inner).entry(name).or_insert(State { required, result });
        Check { name, health: self.clone() }
    }

    fn set(&self, name: &'static str, result: Result<Option<String>, String>) {
        let mut checks = self.checks.write().unwrap_or_else(PoisonError::into_inner);
        let Some(state) = checks.get_mut(name) else { return };
        if state.result.is_ok() != result.is_ok() {
            match &result {
                Ok(_) => tracing::info!(check = name, "check passes"),
                Err(reason) => tracing::warn!(check = name, required = state.required, reason, "check fails"),
            }
        }
        state.result = result;
    }
}

impl Check {
    /// The part works.
    pub fn pass(&self) {
        self.health.set(self.name, Ok(None));
    }

    /// The part works, with something worth knowing ("off: no API key configured").
    pub fn pass_with(&self, remark: impl Into<String>) {
        self.health.set(self.name, Ok(Some(remark.into())));
    }

    /// The part does not work, and why. The text is public: no secrets, no personal data.
    pub fn fail(&self, reason: impl Into<String>) {
        self.health.set(self.name, Err(reason.into()));
    }
}

impl Report {
    /// Whether every required check passes.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.0.values().all(|state| !state.required || state.result.is_ok())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, state) in &self.0 {
            let (mark, remark) = match (&state.result, state.required) {
                (Ok(remark), _) => ('+', remark.as_deref()),
                (Err(reason), true) => ('-', Some(reason.as_str())),
                (Err(reason), false) => ('!', Some(reason.as_str())),
            };
            write!(f, "[{mark}] {name}")?;
            match remark {
                Some(remark) => writeln!(f, ": {remark}")?,
                None => f.write_char('\n')?,
            }
        }
        f.write_str(if self.is_ready() { "ready\n" } else { "not ready\n" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_required_check_starts_as_failing_and_an_optional_one_never_blocks() {
        let health = Health::new();
        assert!(health.is_ready());
        let database = health.check("database");
        let storage = health.optional("storage");
        assert_eq!(health.report().to_string(), "[-] database: starting\n[!] storage: starting\nnot ready\n");
        database.pass();
        storage.fail("no bucket configured");
        assert_eq!(health.report().to_string(), "[+] database\n[!] storage: no bucket configured\nready\n");
        storage.pass_with("off");
        assert_eq!(health.report().to_string(), "[+] database\n[+] storage: off\nready\n");
    }

    #[test]
    fn registering_twice_keeps_what_was_reported() {
        let health = Health::new();
        health.check("database").pass();
        health.check("database");
        assert!(health.is_ready());
    }
}
