//! What a person sees with the real kubectl: the tables, the explanations, the short names.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use voxplane_e2e::lab;
use voxplane_e2e::world::{CLINIC_NAMESPACE, CLINIC_NUMBER, World, of_kind};

/// Runs kubectl against the lab and returns what it printed.
fn kubectl(world: &World, arguments: &[&str]) -> Result<String> {
    let output = lab::kubectl(&world.env).args(arguments).output().context(lab::NO_KUBECTL)?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "kubectl {arguments:?}: {said}");
    Ok(String::from_utf8(output.stdout)?)
}

/// A table of kubectl: the titles of its columns, and its rows cut at them.
struct Table {
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// kubectl separates tables by an empty line, and aligns cells under their titles.
fn tables(text: &str) -> Vec<Table> {
    text.split("\n\n").map(str::trim_end).filter(|block| !block.is_empty()).filter_map(table).collect()
}

fn table(block: &str) -> Option<Table> {
    let mut lines = block.lines();
    let head = lines.next()?;
    let starts: Vec<usize> = head
        .char_indices()
        .filter(|(at, letter)| *letter != ' ' && (*at == 0 || head[..*at].ends_with("  ")))
        .map(|(at, _)| at)
        .collect();
    let cut = |line: &str| -> Vec<String> {
        let ends = starts.iter().skip(1).copied().chain([line.len()]);
        starts.iter().zip(ends).map(|(from, to)| line.get(*from..to).unwrap_or_default().trim().to_owned()).collect()
    };
    Some(Table { columns: cut(head), rows: lines.map(cut).collect() })
}

/// Titles and what is expected under them.
type Cells = &'static [(&'static str, &'static str)];

impl Table {
    /// The cell under a title in the row of an object.
    fn cell(&self, namespace: &str, name: &str, title: &str) -> Result<&str> {
        let at = |title: &str| self.columns.iter().position(|column| column == title);
        let column = at(title).with_context(|| format!("no column {title}: {:?}", self.columns))?;
        let name_column = at("NAME").context("no column NAME")?;
        let row = self.rows.iter().find(|row| {
            row[name_column] == name && at("NAMESPACE").is_none_or(|namespaces| row[namespaces] == namespace)
        });
        Ok(&row.with_context(|| format!("no row {namespace} {name}: {:?}", self.rows))?[column])
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_table_per_kind_shows_what_is_ready() -> Result<()> {
    let world = World::open().await?;
    let objects = world.sample("dental-clinic").await?;
    // Earlier tests' calls and pods leave the pool within seconds.
    world
        .cluster
        .wait_until(of_kind(&objects, "VoiceAgent"), "to have four idle slots", Duration::from_secs(60), |agent| {
            agent.data["status"]["slots"] == serde_json::json!({"ready": 4, "busy": 0})
        })
        .await?;
    let text = kubectl(&world, &["get", "voxplane", "--all-namespaces"])?;
    println!("{text}");
    let tables = tables(&text);
    assert_eq!(tables.len(), 5, "one table per kind:\n{text}");
    let own = ["READY", "REASON", "AGE"];
    let sample: [(&str, &str, &str, Cells); 5] = [
        ("agency", "", "brightline", &[]),
        ("tenant", "vx-brightline", "dental-clinic", &[("HOME", CLINIC_NAMESPACE), ("REASON", "Ready")]),
        ("knowledgebase", CLINIC_NAMESPACE, "clinic", &[("DOCUMENTS", "2")]),
        ("voiceagent", CLINIC_NAMESPACE, "receptionist", &[("SLOTS", "4"), ("BUSY", "0")]),
        ("phonenumber", CLINIC_NAMESPACE, "main", &[("NUMBER", CLINIC_NUMBER), ("AGENT", "receptionist")]),
    ];
    for (kind, namespace, name, cells) in sample {
        let name = format!("{kind}.voxplane.dev/{name}");
        let table = tables
            .iter()
            .find(|table| table.rows.iter().any(|row| row.contains(&name)))
            .with_context(|| format!("no table has {name}:\n{text}"))?;
        assert!(own.iter().all(|title| table.columns.iter().any(|column| column == title)), "{:?}", table.columns);
        assert_eq!(table.cell(namespace, &name, "READY")?, "True", "{name}\n{text}");
        for (title, expected) in cells {
            assert_eq!(table.cell(namespace, &name, title)?, *expected, "{name} {title}\n{text}");
        }
    }
    // The agency's row counts its tenants; other samples may be installed too.
    let agencies = tables.iter().find(|table| table.columns.iter().any(|column| column == "TENANTS"));
    let tenants = agencies.context("no table counts tenants")?.cell("", "agency.voxplane.dev/brightline", "TENANTS")?;
    assert!(tenants.parse::<u32>()? >= 1, "{text}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_tells_what_a_field_is_for() -> Result<()> {
    let world = World::open().await?;
    let text = kubectl(&world, &["explain", "va.spec.greeting.text"])?;
    // kubectl wraps lines.
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("The first words, after the tenant's disclosure and consent message."), "{text}");
    assert!(words.contains("<string>"), "{text}");
    for kind in ["agency", "tenant", "voiceagent", "phonenumber", "knowledgebase"] {
        for part in ["spec", "status"] {
            let text = kubectl(&world, &["explain", &format!("{kind}.{part}"), "--recursive=false"])?;
            assert!(
                text.contains("DESCRIPTION") && !text.contains("<empty>"),
                "{kind}.{part} is not explained:\n{text}"
            );
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn short_names_and_the_category_work() -> Result<()> {
    let world = World::open().await?;
    world.sample("dental-clinic").await?;
    for (short, kind) in
        [("ag", "agency"), ("tn", "tenant"), ("va", "voiceagent"), ("pn", "phonenumber"), ("kb", "knowledgebase")]
    {
        let names = kubectl(&world, &["get", short, "--all-namespaces", "--output=name"])?;
        let prefix = format!("{kind}.voxplane.dev/");
        assert!(!names.trim().is_empty(), "`kubectl get {short}` lists nothing");
        assert!(names.lines().all(|name| name.starts_with(&prefix)), "`kubectl get {short}`:\n{names}");
    }
    let resources = kubectl(&world, &["api-resources", "--categories=voxplane", "--output=name"])?;
    let mut kinds: Vec<_> = resources.lines().collect();
    kinds.sort_unstable();
    let plural = ["agencies", "knowledgebases", "phonenumbers", "tenants", "voiceagents"];
    assert_eq!(kinds, plural.map(|plural| format!("{plural}.voxplane.dev")));
    Ok(())
}
