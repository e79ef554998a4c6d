//! The reference of condition types and reasons, from the registry that the kubectl plugin reads, too.

use crate::{GENERATE, generated::Generated, reference::paragraph};
use std::path::Path;
use voxplane_crds::conditions::registry::{ALL, Entry, Meaning};

const PAGE: &str = "docs/reference/conditions.md";

/// What stands before the reasons.
const INTRODUCTION: [&str; 4] = [
    "Every resource says in `status.conditions` what was observed of it. `Ready` follows from the others: it is true when \
     all of them are, else it has the reason and the message of the first that is not. A condition speaks of the \
     generation in its `observedGeneration`; while that is older than `metadata.generation`, the operator has not looked at \
     the last change yet.",
    "The message names the field and the fix for this very object. This page says what a reason means in general; \
     `kubectl voxplane status` shows both together for everything that is broken.",
    "A **broken** reason needs somebody to do something. A **waiting** one passes by itself; only when it lasts is \
     something wrong. An **intended** one is what somebody asked for. A **good** one needs nothing.",
    "Programs may rely on types and reasons: they are added, never changed. Messages are for people and may change.",
];

/// The types, with what they say.
const TYPES: [(&str, &str); 5] = [
    ("Accepted", "The spec is valid and nothing stands in its way."),
    ("ResolvedRefs", "Everything the spec refers to exists and may be used."),
    ("Programmed", "What the spec asks for has been made, in the cluster and outside."),
    ("Bound", "PhoneNumber only: calls to the number reach an agent."),
    ("Ready", "It can be used now."),
];

/// Adds the page.
pub fn add(_: &Path, files: &mut Generated) -> anyhow::Result<Option<String>> {
    let mut page = format!(
        "<!-- Made by `{GENERATE}` from crds/src/conditions/registry.rs. Do not edit. -->\n\n# Conditions and reasons\n"
    );
    for text in INTRODUCTION {
        page.push('\n');
        paragraph(&mut page, "", text);
    }
    page.push_str("\n## Types\n\n| type | says |\n| --- | --- |\n");
    for (name, says) in TYPES {
        page.push_str(&format!("| `{name}` | {says} |\n"));
    }
    page.push_str("\n## Reasons\n");
    for entry in ALL {
        reason(&mut page, entry);
    }
    files.file(PAGE, page);
    Ok(None)
}

fn reason(page: &mut String, entry: &Entry) {
    page.push_str(&format!("\n### {}\n\n", entry.reason));
    paragraph(page, "", &format!("*{}* – {}", entry.meaning.as_str(), entry.cause));
    if entry.meaning != Meaning::Good {
        page.push('\n');
        paragraph(page, "", &format!("**What to do:** {}", entry.remedy));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::WIDTH;
    use voxplane_crds::conditions::types;

    fn page() -> String {
        let mut files = Generated::default();
        add(Path::new(""), &mut files).unwrap();
        let folder = tempfile::tempdir().unwrap();
        files.stale(folder.path()).unwrap().iter().for_each(|change| change.apply(folder.path()).unwrap());
        std::fs::read_to_string(folder.path().join(PAGE)).unwrap()
    }

    #[test]
    fn the_page_has_every_reason_with_its_remedy() {
        let page = page();
        let flowing = page.split_whitespace().collect::<Vec<_>>().join(" ");
        for entry in ALL {
            assert!(page.contains(&format!("\n### {}\n", entry.reason)), "{}", entry.reason);
            assert!(flowing.contains(entry.cause) && flowing.contains(entry.remedy), "{}", entry.reason);
        }
        assert!(page.lines().all(|line| line.chars().count() <= WIDTH));
    }

    #[test]
    fn the_page_has_every_type() {
        for name in types::COMMON.into_iter().chain([types::BOUND]) {
            assert!(TYPES.iter().any(|(listed, _)| *listed == name), "{name} is not described");
        }
    }
}
