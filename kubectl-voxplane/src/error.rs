//! What can go wrong, and exit codes.

use std::error::Error as StdError;
use std::io;

/// How a command that found out what it was asked ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All is well, or done.
    Fine,
    /// Something is broken, or a check failed.
    Broken,
    /// The user stopped it.
    Interrupted,
}

impl Outcome {
    /// The process's exit code.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Broken => 1,
            // As a shell reports a process that SIGINT ended.
            Self::Interrupted => 130,
        }
    }
}

/// Why a command could not find out, or do, what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kubeconfig cannot be used.
    #[error("the kubeconfig cannot be used")]
    Kubeconfig(#[source] Box<kube::config::KubeconfigError>),
    /// There is neither a kubeconfig nor a cluster around us.
    #[error("no cluster is known: set KUBECONFIG, or use --kubeconfig")]
    NoCluster(#[source] Box<kube::config::InferConfigError>),
    /// The cluster's definitions are missing.
    #[error("Voxplane is not installed in this cluster: it does not know the kind {kind}")]
    NotInstalled {
        /// The kind that is missing.
        kind: &'static str,
    },
    /// The API server says no.
    #[error("you may not {what}: {hint}")]
    Forbidden {
        /// What was tried.
        what: String,
        /// What to do instead.
        hint: String,
    },
    /// The API server failed or does not answer.
    #[error("cannot {what}")]
    Api {
        /// What was tried.
        what: String,
        /// The client's words.
        #[source]
        source: Box<kube::Error>,
    },
    /// A log ends in the middle.
    #[error("the log of pod {pod} broke off")]
    Log {
        /// The pod.
        pod: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is no such thing, or more than one.
    #[error("{0}")]
    NotFound(String),
    /// An argument makes no sense.
    #[error("{0}")]
    Usage(String),
    /// The answer cannot be written.
    #[error("cannot write the answer")]
    Write(#[from] io::Error),
    /// The answer cannot be put into YAML or JSON.
    #[error("cannot put the answer into words: {0}")]
    Encode(String),
}

impl Error {
    /// The process's exit code: 2 is a wrong argument, as clap has it; 3 means that nothing is known.
    #[must_use]
    pub const fn code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            _ => 3,
        }
    }

    /// A request that failed.
    pub fn api(what: impl Into<String>, source: kube::Error) -> Self {
        let what = what.into();
        match source {
            kube::Error::Api(status) if status.code == 403 => {
                Self::Forbidden { what, hint: "ask for the right, or name a namespace of yours with -n".to_owned() }
            }
            source => Self::Api { what, source: Box::new(source) },
        }
    }
}

/// An error with everything that caused it, in one line.
#[must_use]
pub fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        let next = source.to_string();
        // Libraries that repeat their source in their own text would say it twice.
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = source.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_tell_broken_from_unknown() {
        let codes = [Outcome::Fine, Outcome::Broken, Outcome::Interrupted].map(Outcome::code);
        assert_eq!(codes, [0, 1, 130]);
        assert_eq!(Error::Usage("no".to_owned()).code(), 2);
        assert_eq!(Error::NotFound("no".to_owned()).code(), 3);
    }

    #[test]
    fn a_refusal_says_what_was_refused() {
        let status = kube::core::Status::failure("pods is forbidden", "Forbidden").with_code(403);
        let error = Error::api("list pods", kube::Error::Api(status.boxed()));
        assert_eq!(chain(&error), "you may not list pods: ask for the right, or name a namespace of yours with -n");
    }
}
