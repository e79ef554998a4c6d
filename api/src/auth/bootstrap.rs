//! The first administrator's login: the credential comes from the Secret, so nobody has to be created first.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use super::principal::{Principal, Role};

/// Failed logins allowed per minute and replica, over all callers: the credential is one, so its guessing is one.
const FAILURES_PER_MINUTE: u32 = 20;
const WINDOW: Duration = Duration::from_secs(60);

/// Why a login did not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginRefusal {
    /// Wrong e-mail address or password; which one is not said.
    Wrong,
    /// Too many failures lately.
    TooMany {
        /// Seconds until it is worth trying again.
        retry_after: u64,
    },
}

/// The administrator of the Secret `voxplane-auth`.
pub struct BootstrapAdmin {
    email: String,
    password: SecretString,
    gate: LoginGate,
}

impl std::fmt::Debug for BootstrapAdmin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BootstrapAdmin").finish_non_exhaustive()
    }
}

impl BootstrapAdmin {
    /// The administrator with this credential.
    pub fn new(email: String, password: SecretString) -> Self {
        Self { email, password, gate: LoginGate::default() }
    }

    /// Checks a login at `now`.
    ///
    /// # Errors
    /// Why it was refused.
    pub fn login(&self, email: &str, password: &str, now: Instant) -> Result<Principal, LoginRefusal> {
        self.gate.admit(now)?;
        let email_fits = same(email.to_lowercase().as_bytes(), self.email.to_lowercase().as_bytes());
        let password_fits = same(password.as_bytes(), self.password.expose_secret().as_bytes());
        // Both are always compared: the time taken says nothing about which one was wrong.
        if email_fits & password_fits {
            return Principal::new("bootstrap-admin".to_owned(), self.email.clone(), Role::PlatformAdmin, None, None)
                .ok_or(LoginRefusal::Wrong);
        }
        self.gate.failed(now);
        Err(LoginRefusal::Wrong)
    }
}

/// Compares digests, so that the time taken depends on neither content nor length of the secret.
fn same(left: &[u8], right: &[u8]) -> bool {
    let (left, right) = (Sha256::digest(left), Sha256::digest(right));
    let difference = left.iter().zip(right.iter()).fold(0_u8, |sum, (l, r)| sum | (l ^ r));
    difference == 0
}

/// Counts failures in a window of a minute.
#[derive(Debug, Default)]
pub struct LoginGate {
    window: Mutex<Option<(Instant, u32)>>,
}

impl LoginGate {
    fn admit(&self, now: Instant) -> Result<(), LoginRefusal> {
        let window = self.window.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match *window {
            Some((start, failures)) if failures >= FAILURES_PER_MINUTE && now < start + WINDOW => {
                Err(LoginRefusal::TooMany { retry_after: (start + WINDOW - now).as_secs().max(1) })
            }
            _ => Ok(()),
        }
    }

    fn failed(&self, now: Instant) {
        let mut window = self.window.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *window = match *window {
            Some((start, failures)) if now < start + WINDOW => Some((start, failures.saturating_add(1))),
            _ => Some((now, 1)),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admin() -> BootstrapAdmin {
        BootstrapAdmin::new("admin@example.com".into(), SecretString::from("correct horse"))
    }

    #[test]
    fn only_the_right_pair_opens() {
        let (admin, now) = (admin(), Instant::now());
        assert_eq!(admin.login("Admin@Example.com", "correct horse", now).unwrap().role, Role::PlatformAdmin);
        assert_eq!(admin.login("admin@example.com", "wrong", now), Err(LoginRefusal::Wrong));
        assert_eq!(admin.login("other@example.com", "correct horse", now), Err(LoginRefusal::Wrong));
        assert_eq!(admin.login("", "", now), Err(LoginRefusal::Wrong));
    }

    #[test]
    fn guessing_is_slowed_down_and_forgiven_after_a_minute() {
        let (admin, now) = (admin(), Instant::now());
        for _ in 0..FAILURES_PER_MINUTE {
            assert_eq!(admin.login("a@b", "x", now), Err(LoginRefusal::Wrong));
        }
        assert!(matches!(admin.login("admin@example.com", "correct horse", now), Err(LoginRefusal::TooMany { .. })));
        assert!(admin.login("admin@example.com", "correct horse", now + WINDOW).is_ok());
    }
}
