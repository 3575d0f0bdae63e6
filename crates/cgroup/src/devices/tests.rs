use super::*;

/// Parses `allow c 10:229 rw`; `*` for a number means absent.
fn rule(text: &str) -> LinuxDeviceCgroup {
    let parts: Vec<_> = text.split(' ').collect();
    let mut json = format!("{{\"allow\":{},\"type\":{:?}", parts[0] == "allow", parts[1]);
    if let Some((major, minor)) = parts.get(2).and_then(|numbers| numbers.split_once(':')) {
        for (name, number) in [("major", major), ("minor", minor)] {
            if number != "*" {
                json += &format!(",\"{name}\":{number}");
            }
        }
    }
    if let Some(access) = parts.get(3) {
        json += &format!(",\"access\":{access:?}");
    }
    serde_json::from_str(&(json + "}")).unwrap()
}

fn list(texts: &[&str]) -> Vec<Rule> {
    complete(&texts.iter().map(|text| rule(text)).collect::<Vec<_>>()).unwrap()
}

/// The exceptions for version 1, without those that every container has.
fn own_exceptions(texts: &[&str]) -> Result<Vec<String>> {
    let count = exceptions(&list(&[]))?.len();
    let all = exceptions(&list(texts))?;
    let own = all.len().saturating_sub(count);
    Ok(all.iter().take(own).map(Rule::text).collect())
}

#[test]
fn nothing_asked_for_is_not_everything() {
    let rules = list(&[]);
    assert!(!rules[0].allow && rules[0].is_total());
    assert_eq!(rules.len(), 12);
    assert_eq!(rules[1].text(), "c *:* m");
    assert_eq!(rules[3].text(), "c 1:3 rwm");
}

#[test]
fn the_last_rule_about_everything_replaces_what_came_before() {
    let rules = list(&["allow c 10:1 r", "allow a"]);
    assert!(rules.iter().all(|rule| rule.allow));
    assert_eq!(rules[0].text(), "a");
    assert_eq!(exceptions(&rules).unwrap(), []);
}

#[test]
fn unknown_access_is_refused() {
    assert!(complete(&[rule("allow c 1:3 rx")]).unwrap_err().to_string().contains("'x'"));
}

#[test]
fn reading_and_writing_allowed_apart_are_allowed_together() {
    assert_eq!(list(&["allow c 10:229 r", "allow b 8:0 r", "allow c 10:229 w"])[1].text(), "c 10:229 rw");
    let apart = list(&["allow c 10:229 r", "deny c 10:229 r", "allow c 10:229 w"]);
    assert_eq!(
        apart[1..4].iter().map(Rule::text).collect::<Vec<_>>(),
        ["c 10:229 r", "c 10:229 r", "c 10:229 w"]
    );
}

#[test]
fn a_rule_about_no_access_is_none() {
    assert_eq!(list(&["allow c 10:229"]), list(&[]));
}

#[test]
fn version_1_gets_what_the_list_comes_to() {
    assert_eq!(own_exceptions(&["allow c 10:229 rwm", "deny c 10:* w"]).unwrap(), ["c 10:229 rm"]);
    assert_eq!(own_exceptions(&["allow c 10:229 rw", "deny a *:* rw"]).unwrap(), [] as [&str; 0]);
    assert_eq!(own_exceptions(&["allow a 10:229 rw"]).unwrap(), ["b 10:229 rw", "c 10:229 rw"]);
}

#[test]
fn version_1_refuses_what_it_cannot_express() {
    let refusal = own_exceptions(&["allow c 10:* rw", "deny c 10:229 w"]).unwrap_err().to_string();
    assert!(refusal.contains("\"c 10:229 w\" takes back a part of \"c 10:* rw\""), "{refusal}");
}

#[test]
fn all_but_one_device_that_may_be_made_like_any() {
    let rules = list(&["allow a", "deny b 8:0 rwm"]);
    assert_eq!(exceptions(&rules).unwrap().iter().map(Rule::text).collect::<Vec<_>>(), ["b 8:0 rw"]);
}
