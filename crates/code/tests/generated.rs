//! `ts/codes.ts` is what this crate says. `npm run generate` writes it again.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use caisson_code::{Code, Phase};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn union(name: &str, about: &str, members: impl Iterator<Item = (&'static str, &'static str)>) -> String {
    let mut text = format!("/** {about} */\nexport type {name} =\n");
    for (member, comment) in members {
        if !comment.is_empty() {
            let _ = writeln!(text, "  /** {} */", comment.trim());
        }
        let _ = writeln!(text, "  | '{member}'");
    }
    text
}

fn generated() -> String {
    let codes = Code::ALL.iter().filter(|code| !code.is_internal()).map(|code| (code.as_str(), code.about()));
    let phases = Phase::ALL.iter().map(|phase| (phase.as_str(), phase.about()));
    format!(
        "/** Generated from crates/code/src/lib.rs by `npm run generate`; a test of that crate compares. */\n\n{}\n{}",
        union("ErrorCode", "Stable error codes: docs/errors.md.", codes),
        union("Phase", "Where in the life of a container or image an error arose.", phases),
    )
}

#[test]
fn the_file_of_typescript_is_what_is_here() {
    let path = root().join("ts/codes.ts");
    let generated = generated();
    if std::env::var_os("CAISSON_GENERATE").is_some() {
        std::fs::write(&path, &generated).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == generated, "ts/codes.ts is stale: run `npm run generate`");
}

#[test]
fn every_code_is_documented_and_well_formed() {
    let docs = std::fs::read_to_string(root().join("docs/errors.md")).unwrap();
    for code in Code::ALL.iter().filter(|code| !code.is_internal()) {
        let text = code.as_str();
        assert!(
            text.starts_with("ERR_") && text.bytes().all(|byte| byte == b'_' || byte.is_ascii_uppercase())
        );
        assert!(docs.contains(&format!("| `{text}`")), "docs/errors.md does not explain {text}");
        assert!(!code.about().is_empty(), "{text} has no sentence");
    }
    let mut texts: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    texts.sort_unstable();
    texts.dedup();
    assert_eq!(texts.len(), Code::ALL.len());
}

#[test]
fn a_variant_is_serialised_as_its_name() {
    assert_eq!(serde_json::to_string(&(Code::Hook, Phase::Spawn)).unwrap(), r#"["ERR_HOOK","spawn"]"#);
    assert_eq!(serde_json::from_str::<Code>(r#""ERR_HOOK""#).unwrap(), Code::Hook);
    let unknown = serde_json::from_str::<Code>(r#""ERR_HOOKS""#).unwrap_err().to_string();
    assert!(unknown.contains("unknown variant `ERR_HOOKS`"), "{unknown}");
}
