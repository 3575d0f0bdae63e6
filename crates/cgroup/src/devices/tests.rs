use proptest::prelude::*;

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
    let always = exceptions(&list(&[]))?;
    let all = exceptions(&list(texts))?;
    Ok(all.iter().filter(|rule| !always.contains(rule)).map(Rule::text).collect())
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
    let rules = list(&["allow c 10:1 r", "allow a *:* rwm"]);
    assert!(rules.iter().all(|rule| rule.allow));
    assert_eq!(rules[0].text(), "a");
    assert_eq!(exceptions(&rules).unwrap(), rules[..1]);
}

#[test]
fn unknown_access_is_refused() {
    assert!(complete(&[rule("allow c 1:3 rx")]).unwrap_err().to_string().contains("'x'"));
}

#[test]
fn a_rule_without_access_is_refused() {
    for text in ["allow c 10:229", "deny a", "allow a *:*"] {
        let refusal = complete(&[rule(text)]).unwrap_err().to_string();
        assert!(refusal.contains("missing access"), "{text}: {refusal}");
    }
}

#[test]
fn devices_that_may_be_read_and_written_by_different_rules_may_be_opened_for_both() {
    assert_eq!(own_exceptions(&["allow c 10:229 r", "allow c 10:229 w"]).unwrap(), ["c 10:229 rw"]);
    assert_eq!(
        own_exceptions(&["allow c 10:* r", "allow c *:229 w"]).unwrap(),
        ["c 10:* r", "c *:229 w", "c 10:229 rw"]
    );
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
    let rules = list(&["allow a *:* rwm", "deny b 8:0 rwm"]);
    let shown: Vec<_> = exceptions(&rules).unwrap().iter().map(Rule::text).collect();
    assert_eq!(shown, ["a", "b 8:0 rw"]);
}

/// The definition: each kind of access is decided by the last rule about this device and this access.
fn allows(rules: &[Rule], device: &Rule) -> bool {
    let asks = |letter: fn(&Rule) -> bool| {
        let decisive = rules.iter().rev().find(|rule| letter(rule) && rule.covers_devices_of(device));
        !letter(device) || decisive.is_some_and(|rule| rule.allow)
    };
    asks(|rule| rule.read) && asks(|rule| rule.write) && asks(|rule| rule.mknod)
}

/// security/device_cgroup.c: an allowing exception must have all of the access, a denying one any of it.
fn kernel_allows(default_and_exceptions: &[Rule], device: &Rule) -> bool {
    let (default, exceptions) = default_and_exceptions.split_first().unwrap();
    let all = |rule: &Rule| {
        [(rule.read, device.read), (rule.write, device.write), (rule.mknod, device.mknod)]
            .iter()
            .all(|(has, asks)| *has || !*asks)
    };
    let mut matching = exceptions.iter().filter(|rule| rule.covers_devices_of(device));
    if default.allow { !matching.any(|rule| rule.overlaps(device)) } else { matching.any(all) }
}

fn any_rule() -> impl Strategy<Value = Rule> {
    let number = || prop_oneof![Just(None), Just(Some(1)), Just(Some(2))];
    let kind = prop_oneof![Just('a'), Just('b'), Just('c')];
    (any::<bool>(), kind, number(), number(), 1u8..8).prop_map(|(allow, kind, major, minor, access)| Rule {
        allow,
        kind,
        major,
        minor,
        read: access & 1 != 0,
        write: access & 2 != 0,
        mknod: access & 4 != 0,
    })
}

proptest! {
    #[test]
    fn version_1_decides_as_the_list_does(
        total in any::<bool>(),
        rules in proptest::collection::vec(any_rule(), 0..6),
    ) {
        let first = with_access(Rule::none(total, 'a', None, None), "rwm").unwrap();
        let rules: Vec<_> = std::iter::once(first).chain(rules).collect();
        let rules = rules[rules.iter().rposition(Rule::is_total).unwrap()..].to_vec();
        let Ok(exceptions) = exceptions(&rules) else { return Ok(()) }; // it cannot express the list
        for (major, minor) in [(1, 1), (1, 2), (2, 1), (2, 2), (3, 3)] {
            for kind in ['b', 'c'] {
                // The kernel asks for mknod alone.
                for access in ["r", "w", "rw", "m"] {
                    let device = Rule::none(true, kind, Some(major), Some(minor));
                    let device = with_access(device, access).unwrap();
                    prop_assert_eq!(
                        kernel_allows(&exceptions, &device),
                        allows(&rules, &device),
                        "{}: {:?}", device.text(), exceptions
                    );
                }
            }
        }
    }
}
