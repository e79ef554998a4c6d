//! The caller's mouth and ears, independent of the code under test: the `flite` program speaks, `pocketsphinx_batch`
//! says which of a few sentences was heard, `sox` converts.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

const MODEL: &str = "/usr/share/pocketsphinx/model/en-us";

/// Synthesises a sentence as 8 kHz mono samples, in a voice other than the agent's so that recordings are easy to tell
/// apart by ear.
///
/// # Errors
/// When `flite` or `sox` is missing (`make deps` installs them) or fails.
pub fn say(text: &str) -> Result<Vec<i16>> {
    let directory = tempfile::tempdir()?;
    let wav = directory.path().join("said.wav");
    run(Command::new("flite").args(["-voice", "rms", "-t", text, "-o"]).arg(&wav))?;
    let raw = directory.path().join("said.raw");
    run(Command::new("sox")
        .arg(&wav)
        .args(["-r", "8000", "-c", "1", "-b", "16", "-e", "signed", "-t", "raw"])
        .arg(&raw))?;
    samples(&raw)
}

/// Which of `candidates` the samples (8 kHz) are most like, or `None` when nothing was recognised.
///
/// The recogniser knows only these sentences, so give it several that the agent might wrongly say: an answer counts as
/// recognised when it wins against them.
///
/// # Errors
/// When the recogniser or `sox` is missing or fails.
pub fn recognise(heard: &[i16], candidates: &[&str]) -> Result<Option<String>> {
    let directory = tempfile::tempdir()?;
    let path = |name: &str| directory.path().join(name);
    let bytes: Vec<u8> = heard.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    std::fs::write(path("narrow.raw"), bytes)?;
    run(Command::new("sox")
        .args(["-t", "raw", "-r", "8000", "-c", "1", "-b", "16", "-e", "signed"])
        .arg(path("narrow.raw"))
        .args(["-t", "raw", "-r", "16000", "-b", "16", "-e", "signed"])
        .arg(path("utterance.raw")))?;
    let alternatives = candidates.iter().map(|text| spoken_form(text)).collect::<Vec<_>>().join(" | ");
    std::fs::write(path("g.gram"), format!("#JSGF V1.0;\ngrammar g;\npublic <s> = {alternatives};\n"))?;
    std::fs::write(path("list"), "utterance\n")?;
    run(Command::new("pocketsphinx_batch")
        // Wider than usual: what is said at a sentence's end must not be given up for how another one begins.
        .args(["-beam", "1e-120", "-pbeam", "1e-120", "-wbeam", "1e-80"])
        .args(["-adcin", "yes", "-cepext", ".raw", "-cepdir"])
        .arg(directory.path())
        .arg("-ctl")
        .arg(path("list"))
        .arg("-jsgf")
        .arg(path("g.gram"))
        .arg("-hyp")
        .arg(path("out"))
        .args(["-hmm", &format!("{MODEL}/en-us"), "-dict", &format!("{MODEL}/cmudict-en-us.dict")]))?;
    let line = std::fs::read_to_string(path("out"))?;
    let words = line.split(" (").next().unwrap_or_default().trim().to_owned();
    Ok((!words.is_empty()).then_some(words))
}

/// What nobody says: garbled speech is like this rather than like a sentence that was not said.
const NOISE: [&str; 2] = ["seven blue horses", "turn left after the second bridge"];

/// Which of `candidates` was said (see [`recognise`]), or `None` when it was like none of them.
///
/// # Errors
/// When the recogniser or `sox` is missing or fails.
pub fn understood(heard: &[i16], candidates: &[&str]) -> Result<Option<String>> {
    let heard = recognise(heard, &[candidates, &NOISE].concat())?;
    Ok(heard.filter(|text| !NOISE.contains(&text.as_str())))
}

/// Lower case, letters and apostrophes only, single spaces: how the recogniser's dictionary spells.
pub fn spoken_form(text: &str) -> String {
    let letters: String =
        text.chars().map(|c| if c.is_alphabetic() || c == '\'' { c.to_ascii_lowercase() } else { ' ' }).collect();
    letters.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn samples(path: &Path) -> Result<Vec<i16>> {
    let bytes = std::fs::read(path)?;
    Ok(bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect())
}

fn run(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("running {name}; `make deps` installs it"))?;
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        bail!("{name} failed: {}", error.lines().rev().take(5).collect::<Vec<_>>().join(" / "));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spoken_form_is_what_the_dictionary_spells() {
        assert_eq!(spoken_form("We're open, Monday–Friday!"), "we're open monday friday");
    }

    #[test]
    fn what_is_said_is_recognised_among_others() {
        let candidates = ["where are you located", "what are your opening hours", "do you treat emergencies"];
        for said in candidates {
            let heard = recognise(&say(said).unwrap(), &candidates).unwrap();
            assert_eq!(heard.as_deref(), Some(said));
        }
    }

    #[test]
    fn what_is_like_no_candidate_is_not_understood() {
        let candidates = ["where are you located", "what are your opening hours"];
        assert_eq!(understood(&say(candidates[1]).unwrap(), &candidates).unwrap().as_deref(), Some(candidates[1]));
        for noise in NOISE {
            assert_eq!(understood(&say(noise).unwrap(), &candidates).unwrap(), None, "{noise}");
        }
    }
}
