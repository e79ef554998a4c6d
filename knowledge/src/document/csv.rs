//! Rows of comma-separated values, each as a sentence of names and values.

use super::Paragraph;

/// Tried in this order; the one that the first line has most often separates.
const SEPARATORS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// Every row below the first, with the first row's names before the values. Values that are empty are left out.
pub(super) fn rows(text: &str) -> Vec<Paragraph> {
    let mut reader = ::csv::ReaderBuilder::new()
        .delimiter(separator(text))
        .has_headers(false)
        .flexible(true)
        .trim(::csv::Trim::All)
        .from_reader(text.as_bytes());
    // Bytes that are no UTF-8 cannot occur in a `&str`, and nothing else is an error in a flexible reader.
    let mut records = reader.records().filter_map(Result::ok);
    let names = records.next().unwrap_or_default();
    let rows: Vec<String> = records.map(|row| sentence(&names, &row)).filter(|row| !row.is_empty()).collect();
    let only_names: Vec<&str> = names.iter().filter(|name| !name.is_empty()).collect();
    let rows = if rows.is_empty() && !only_names.is_empty() { vec![only_names.join(", ")] } else { rows };
    rows.into_iter().map(|text| Paragraph { headings: Vec::new(), text, alone: true }).collect()
}

fn sentence(names: &::csv::StringRecord, row: &::csv::StringRecord) -> String {
    let cells = row.iter().enumerate().filter(|(_, value)| !value.is_empty());
    let cells = cells.map(|(column, value)| match names.get(column).filter(|name| !name.is_empty()) {
        Some(name) => format!("{}: {}", on_one_line(name), on_one_line(value)),
        None => on_one_line(value),
    });
    cells.collect::<Vec<_>>().join("; ")
}

fn on_one_line(value: &str) -> String {
    value.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn separator(text: &str) -> u8 {
    let first = text.lines().next().unwrap_or_default();
    let count = |separator: u8| first.bytes().filter(|byte| *byte == separator).count();
    // The first of equals, hence the reversed order.
    SEPARATORS.into_iter().rev().max_by_key(|separator| count(*separator)).unwrap_or(b',')
}
