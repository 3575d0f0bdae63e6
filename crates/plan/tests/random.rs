//! Documents made at random: no panic, and what is accepted survives its way to the helper unchanged.

mod support;

use caisson_plan::{Config, Plan, protocol};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use support::{default_config, host, hybrid, options};

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        "\\PC{0,8}".prop_map(Value::from),
        prop_oneof![
            Just("/"),
            Just("/dev"),
            Just(".."),
            Just("bind"),
            Just("tmpfs"),
            Just("user"),
            Just("CAP_KILL")
        ]
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-zA-Z.]{0,8}", inner), 0..4)
                .prop_map(|entries| Value::Object(entries.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Every place in a document, depth first.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(map) => map.iter().map(|(key, child)| (key.clone(), child)).collect(),
        Value::Array(list) => {
            list.iter().enumerate().map(|(index, child)| (index.to_string(), child)).collect()
        }
        _ => vec![],
    };
    for (key, child) in children {
        let place = format!("{at}/{key}");
        places(child, &place, found);
        found.push(place);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_configuration_with_some_places_changed(
        changes in prop::collection::vec((any::<prop::sample::Index>(), value()), 1..4),
        old in any::<bool>(),
    ) {
        let mut config = default_config();
        for (index, value) in changes {
            let mut all = Vec::new();
            places(&config, "", &mut all);
            if all.is_empty() { break }
            *config.pointer_mut(&all[index.index(all.len())]).unwrap() = value;
        }
        let host = if old { hybrid() } else { host() };
        if let Ok(parsed) = Config::parse(config.to_string().as_bytes())
            && let Ok(plan) = caisson_plan::plan(&parsed, &options(), &host) {
            let encoded = protocol::encode(&plan).unwrap();
            prop_assert_eq!(protocol::decode::<Plan>(&encoded).unwrap(), plan);
        }
    }

    #[test]
    fn bytes_of_any_kind(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Config::parse(&bytes);
        let _ = protocol::decode::<Plan>(&bytes);
        let _ = protocol::decode::<protocol::Report>(&bytes);
        let _ = protocol::decode::<protocol::Command>(&bytes);
    }

    #[test]
    fn a_plan_that_was_cut_or_changed_is_an_error_and_no_panic(cut in any::<prop::sample::Index>(), bit in 0u8..8) {
        let plan = support::planned(&default_config()).unwrap();
        let encoded = protocol::encode(&plan).unwrap();
        let at = cut.index(encoded.len());
        prop_assert!(protocol::decode::<Plan>(&encoded[..at]).is_err());
        let mut changed = encoded.clone();
        changed[at] ^= 1 << bit;
        let _ = protocol::decode::<Plan>(&changed);
    }
}
