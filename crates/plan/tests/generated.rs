//! `ts/spec/runtime/names.ts` is what the tables of this crate say. `npm run generate` writes it again.

use std::fmt::Write as _;
use std::path::Path;

use caisson_plan::{HOOKS, NamespaceKind, mount_option_names};
use caisson_seccomp::{Action, Architecture, Flag, Operator};

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
    let actions: Vec<_> = Action::ALL.iter().map(|action| action.name()).collect();
    let architectures: Vec<_> = Architecture::ALL.iter().map(|architecture| architecture.name()).collect();
    let operators: Vec<_> = Operator::ALL.iter().map(|operator| operator.name()).collect();
    let flags: Vec<_> = Flag::ALL.iter().map(|flag| flag.name()).collect();
    let lists = [
        list("NAMESPACES", "Types of namespaces: config-linux.md, \"Namespaces\".", &namespaces),
        list("HOOKS", "The lists of `hooks`, in the order in which they run.", HOOKS),
        list(
            "MOUNT_OPTIONS",
            "Mount options that are understood; others are data for the file system.",
            &mount_option_names(),
        ),
        list("SECCOMP_ACTIONS", "What happens to a system call: config-linux.md, \"Seccomp\".", &actions),
        list("SECCOMP_ARCHITECTURES", "ABIs for system calls.", &architectures),
        list("SECCOMP_OPERATORS", "How an argument is compared with a value.", &operators),
        list("SECCOMP_FLAGS", "Flags for a filter.", &flags),
    ];
    format!(
        "/** Generated from tables of crates/plan, flags and seccomp by `npm run generate`; a test compares. */\n\n{}",
        lists.join("\n"),
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
