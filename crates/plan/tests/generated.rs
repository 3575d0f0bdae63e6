//! `ts/spec/runtime/names.ts` is what the tables of this crate say. `npm run generate` writes it again.

use std::fmt::Write as _;
use std::path::Path;

use caisson_plan::{HOOKS, NamespaceKind, mount_option_names};

const COLUMNS: usize = 110;

/// A constant array of names, in lines as prettier breaks them.
fn list(name: &str, about: &str, members: &[&str]) -> String {
    let quoted: Vec<_> = members.iter().map(|member| format!("'{member}'")).collect();
    let line = format!("export const {name} = [{}] as const\n", quoted.join(", "));
    let mut text = format!("/** {about} */\n");
    if line.trim_end().len() <= COLUMNS {
        text += &line;
        return text;
    }
    let _ = writeln!(text, "export const {name} = [");
    for member in quoted {
        let _ = writeln!(text, "  {member},");
    }
    text + "] as const\n"
}

fn generated() -> String {
    let namespaces: Vec<_> = NamespaceKind::ALL.iter().map(|kind| kind.name()).collect();
    format!(
        "/** Generated from the tables of crates/plan and crates/flags by `npm run generate`; a test compares. */\n\n{}\n{}\n{}",
        list("NAMESPACES", "Types of namespaces: config-linux.md, \"Namespaces\".", &namespaces),
        list("HOOKS", "The lists of `hooks`, in the order in which they run.", HOOKS),
        list(
            "MOUNT_OPTIONS",
            "Mount options that are understood; others are data for the file system.",
            &mount_option_names()
        ),
    )
}

#[test]
fn the_names_of_typescript_are_the_tables_here() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ts/spec/runtime/names.ts");
    let generated = generated();
    if std::env::var_os("CAISSON_GENERATE").is_some() {
        std::fs::write(&path, &generated).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == generated, "ts/spec/runtime/names.ts is stale: run `npm run generate`");
}
