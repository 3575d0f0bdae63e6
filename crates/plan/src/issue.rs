//! Problems of a document, all of them, each at its JSON path.

/// Where, and what was found against what is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// `linux.resources.memory.limit`, `mounts[3].options[1]`; empty for the document itself.
    pub path: String,
    pub message: String,
    /// What to do about it.
    pub hint: Option<&'static str>,
}

impl Issue {
    fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into(), hint: None }
    }
}

/// A configuration that is refused before any side effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecError {
    /// The document is valid, but asks for what is not implemented yet.
    pub unsupported: bool,
    pub issues: Vec<Issue>,
}

impl SpecError {
    pub fn invalid(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { unsupported: false, issues: vec![Issue::new(path, message)] }
    }

    /// The problems of two looks at one document, in one list.
    pub(crate) fn both(first: Result<(), Self>, second: Result<(), Self>) -> Result<(), Self> {
        match (first, second) {
            (Err(mut first), Err(second)) => {
                first.issues.extend(second.issues);
                Err(first)
            }
            (first, second) => first.and(second),
        }
    }
}

impl std::fmt::Display for SpecError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let lines = self.issues.iter().map(|Issue { path, message, .. }| {
            if path.is_empty() { message.clone() } else { format!("{path}: {message}") }
        });
        f.write_str(&lines.collect::<Vec<_>>().join("; "))
    }
}

impl std::error::Error for SpecError {}

/// Problems that are kept: one more than ever are listed (`MAX_ISSUES` of ts/errors.ts).
const MAX_ISSUES: usize = 101;

/// Collects problems; finishing with any of them is an error.
#[derive(Debug, Default)]
pub(crate) struct Issues(pub Vec<Issue>);

impl Issues {
    pub fn add(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.push(Issue::new(path, message));
    }

    pub fn add_with_hint(&mut self, path: impl Into<String>, message: impl Into<String>, hint: &'static str) {
        self.push(Issue { hint: Some(hint), ..Issue::new(path, message) });
    }

    fn push(&mut self, issue: Issue) {
        if self.0.len() < MAX_ISSUES {
            self.0.push(issue);
        }
    }

    pub fn finish(self, unsupported: bool) -> Result<(), SpecError> {
        if self.0.is_empty() { Ok(()) } else { Err(SpecError { unsupported, issues: self.0 }) }
    }
}
