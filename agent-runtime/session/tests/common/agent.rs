//! The agent that most tests talk to.

use voxplane_session::SessionConfig;

/// An agent that greets, and takes its leave when it hears "goodbye".
pub fn config() -> SessionConfig {
    let mut config = SessionConfig { greeting: "Hello from the clinic.".into(), ..SessionConfig::default() };
    config.goodbye.phrases = vec!["goodbye".into()];
    config.goodbye.message = "Goodbye, take care.".into();
    config
}
