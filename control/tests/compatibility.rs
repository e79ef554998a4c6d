//! The contract is additive only: runtimes of older releases stay connected while the API is upgraded, so nothing that
//! was ever released may change its number, type or name.
//!
//! `proto/released.txt` records every element of the contract, one per line. A line that disappears breaks old
//! runtimes. New lines are added by running this test with `VOXPLANE_RECORD_CONTRACT=1`.
#![allow(missing_docs)]

use std::collections::BTreeSet;
use std::path::PathBuf;

use prost_types::{DescriptorProto, EnumDescriptorProto, FileDescriptorProto, field_descriptor_proto::Type};

const RECORD: &str = "proto/released.txt";

#[test]
fn nothing_released_has_changed_and_everything_new_is_recorded() {
    let now = elements();
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(RECORD);
    let released: BTreeSet<String> =
        std::fs::read_to_string(&path).unwrap_or_default().lines().map(str::to_owned).collect();

    let broken: Vec<_> = released.difference(&now).collect();
    assert!(broken.is_empty(), "these were released and are gone or changed; older runtimes rely on them: {broken:#?}");

    if std::env::var_os("VOXPLANE_RECORD_CONTRACT").is_some() {
        let lines: Vec<_> = now.iter().map(String::as_str).collect();
        std::fs::write(&path, lines.join("\n") + "\n").unwrap();
        return;
    }
    let new: Vec<_> = now.difference(&released).collect();
    assert!(
        new.is_empty(),
        "record the new elements: VOXPLANE_RECORD_CONTRACT=1 cargo test -p voxplane-control; {new:#?}"
    );
}

/// Every field, enum value and method of the contract as one line each.
fn elements() -> BTreeSet<String> {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("proto");
    let files =
        protox::compile(["voxplane/control/v1/control.proto"], [&directory]).expect("the contract compiles").file;
    files.iter().filter(|file| file.package().starts_with("voxplane")).flat_map(of_file).collect()
}

fn of_file(file: &FileDescriptorProto) -> Vec<String> {
    let package = file.package();
    let mut lines = Vec::new();
    for message in &file.message_type {
        of_message(&format!("{package}.{}", message.name()), message, &mut lines);
    }
    for enumeration in &file.enum_type {
        of_enum(&format!("{package}.{}", enumeration.name()), enumeration, &mut lines);
    }
    for service in &file.service {
        for method in &service.method {
            lines.push(format!(
                "rpc {package}.{}.{} {}{} -> {}{}",
                service.name(),
                method.name(),
                if method.client_streaming() { "stream " } else { "" },
                method.input_type(),
                if method.server_streaming() { "stream " } else { "" },
                method.output_type(),
            ));
        }
    }
    lines
}

fn of_message(name: &str, message: &DescriptorProto, lines: &mut Vec<String>) {
    for field in &message.field {
        let kind = match field.r#type() {
            Type::Message | Type::Enum => field.type_name().to_owned(),
            scalar => format!("{scalar:?}").to_lowercase(),
        };
        let label = format!("{:?}", field.label()).to_lowercase();
        let choice = field
            .oneof_index
            .map_or(String::new(), |index| format!(" oneof {}", message.oneof_decl[index as usize].name()));
        lines.push(format!("field {name} {} = {} {label} {kind}{choice}", field.name(), field.number()));
    }
    for nested in &message.nested_type {
        of_message(&format!("{name}.{}", nested.name()), nested, lines);
    }
    for enumeration in &message.enum_type {
        of_enum(&format!("{name}.{}", enumeration.name()), enumeration, lines);
    }
}

fn of_enum(name: &str, enumeration: &EnumDescriptorProto, lines: &mut Vec<String>) {
    lines.extend(enumeration.value.iter().map(|value| format!("enum {name} {} = {}", value.name(), value.number())));
}
