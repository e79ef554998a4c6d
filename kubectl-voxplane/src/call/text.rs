//! The preflight for people.

use super::{Preflight, Verdict};
use crate::paper::{Paper, Tone};

/// The preflight as text.
#[must_use]
pub fn render(preflight: &Preflight, paper: &Paper) -> String {
    let mut text = String::new();
    let wide = preflight.checks.iter().map(|check| check.what.chars().count()).max().unwrap_or_default();
    for check in &preflight.checks {
        let (mark, tone) = match check.verdict {
            Verdict::Ok => ("ok       ", Tone::Good),
            Verdict::Warning => ("warning  ", Tone::Wait),
            Verdict::Failed => ("failed   ", Tone::Bad),
            Verdict::Unknown => ("unknown  ", Tone::Quiet),
        };
        let what = format!("{:wide$}  ", check.what);
        text.push_str(&paper.line(&[(tone, mark), (Tone::Plain, &what), (Tone::Plain, &check.message)]));
        text.push('\n');
        if !check.remedy.is_empty() {
            text.push_str(&paper.paragraph("         ", Tone::Good, &format!("What to do: {}", check.remedy)));
        }
    }
    text.push('\n');
    let (tone, verdict) = if preflight.answered {
        (Tone::Good, "Nothing stands in the way of a call. None was placed.")
    } else {
        (Tone::Bad, "A call would not be answered by the agent.")
    };
    text.push_str(&paper.paragraph("", tone, verdict));
    match &preflight.uri {
        Some(uri) => text.push_str(&paper.line(&[(Tone::Plain, "Dial: "), (Tone::Strong, uri)])),
        None => text.push_str(paper.paragraph("", Tone::Quiet, NO_ADDRESS).trim_end()),
    }
    text.push('\n');
    text
}

const NO_ADDRESS: &str = "Dial the number by telephone. For a softphone: the address of LiveKit SIP is not known here; the \
                          chart value livekit.sipAddress makes it known.";
