//! Groups on a tree that looks like resctrl. What the kernel puts into a new group is not there: the tests put it there
//! where they need it.

use std::fs;
use std::path::{Path, PathBuf};

use caisson_resctrl::{Mount, Operation, Request, remove};

/// A tree of its own, gone with the value.
struct Tree(PathBuf);

impl Tree {
    fn new(name: &str) -> Self {
        let root = std::env::temp_dir().join(format!("caisson-resctrl-{}-{name}", std::process::id()));
        for directory in ["info/L3", "info/MB", "mon_groups"] {
            fs::create_dir_all(root.join(directory)).unwrap();
        }
        fs::write(root.join("schemata"), "    L3:0=fff;1=fff\n    MB:0=100;1=100\n").unwrap();
        Self(root)
    }

    fn mount(&self) -> Mount {
        Mount::at(&self.0)
    }

    /// A class that exists, with these schemata.
    fn class(&self, name: &str, schemata: &str) -> PathBuf {
        let group = self.0.join(name);
        fs::create_dir_all(group.join("mon_groups")).unwrap();
        fs::write(group.join("schemata"), schemata).unwrap();
        group
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const BOX: Request<'static> = Request {
    id: "box",
    clos_id: None,
    l3_cache_schema: None,
    mem_bw_schema: None,
    schemata: &[],
    monitoring: false,
};

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn without_a_class_the_container_has_a_group_of_its_own_that_ends_with_it() {
    let tree = Tree::new("own");
    let group = tree.0.join("box");
    let placement = tree.mount().place(&BOX).unwrap();
    assert_eq!(placement.operations, [Operation::MakeGroup { directory: group.clone() }]);
    assert_eq!(placement.tasks, [group.join("tasks")]);
    assert_eq!(placement.removed, std::slice::from_ref(&group));
    assert!(!group.exists(), "nothing is made by deciding");
    placement.make().unwrap();
    assert!(group.is_dir());
    // Made by another process meanwhile: that group is not ours.
    assert!(placement.make().unwrap_err().errno.is_some());
    assert!(group.is_dir());
    remove(&placement.removed).unwrap();
    assert!(!group.exists());
    remove(&placement.removed).unwrap();
}

#[test]
fn a_group_that_the_runtime_has_not_made_stays() {
    let tree = Tree::new("stays");
    tree.class("box", "L3:0=f\n");
    let placement = tree.mount().place(&BOX).unwrap();
    assert_eq!((placement.operations, placement.removed), (vec![], vec![]));
    let lines = ["L3:0=f".to_owned()];
    let named = Request { clos_id: Some("gold"), schemata: &lines, ..BOX };
    let placement = tree.mount().place(&named).unwrap();
    assert_eq!(placement.operations[0], Operation::MakeGroup { directory: tree.0.join("gold") });
    assert!(placement.removed.is_empty(), "a named class belongs to others as well");
}

#[test]
fn a_class_without_schemata_must_exist() {
    let tree = Tree::new("exists");
    let request = Request { clos_id: Some("gold"), ..BOX };
    let error = tree.mount().place(&request).unwrap_err();
    assert_eq!((error.property, error.errno), ("linux.intelRdt.closID", None));
    assert!(error.message.contains("must be pre-created"), "{error}");
    let group = tree.class("gold", "");
    let placement = tree.mount().place(&request).unwrap();
    assert_eq!((placement.operations, placement.tasks), (vec![], vec![group.join("tasks")]));
    let root = tree.mount().place(&Request { clos_id: Some("/"), ..BOX }).unwrap();
    assert_eq!((root.operations, root.tasks), (vec![], vec![tree.0.join("tasks")]));
}

#[test]
fn a_class_that_exists_must_have_the_values_and_the_lines_are_written_in_their_order() {
    let tree = Tree::new("compare");
    let group = tree.class("gold", "    L3:0=7f0;1=01f\n    MB:0= 20;1=70\n");
    let lines = ["L2:0=f".to_owned()];
    let request = Request {
        clos_id: Some("gold"),
        l3_cache_schema: Some("L3:1=1f;0=7f0"),
        mem_bw_schema: Some("MB:0=20;1=70"),
        schemata: &lines,
        ..BOX
    };
    tree.mount().place(&request).unwrap().make().unwrap();
    assert_eq!(read(&group.join("schemata")), "L3:1=1f;0=7f0\nMB:0=20;1=70\nL2:0=f\n");
    for (request, property) in [
        (Request { l3_cache_schema: Some("L3:0=7f1"), ..request }, "linux.intelRdt.l3CacheSchema"),
        (Request { mem_bw_schema: Some("MB:0=30"), ..request }, "linux.intelRdt.memBwSchema"),
    ] {
        let error = tree.mount().place(&request).unwrap_err();
        assert_eq!((error.property, error.errno), (property, None), "{error}");
        assert!(error.message.contains("has other values"), "{error}");
    }
    assert_eq!(
        read(&group.join("schemata")),
        "L3:1=1f;0=7f0\nMB:0=20;1=70\nL2:0=f\n",
        "refused without an effect"
    );
}

#[test]
fn a_monitoring_group_is_the_containers_alone_and_ends_with_it() {
    let tree = Tree::new("monitor");
    let request = Request { clos_id: Some("/"), monitoring: true, ..BOX };
    let placement = tree.mount().place(&request).unwrap();
    let group = tree.0.join("mon_groups/box");
    assert_eq!(placement.tasks, [tree.0.join("tasks"), group.join("tasks")]);
    assert_eq!(placement.removed, std::slice::from_ref(&group));
    placement.make().unwrap();
    let again = tree.mount().place(&request).unwrap().make().unwrap_err();
    assert!(again.errno.is_some() && again.message.contains("mon_groups/box"), "{again}");
    remove(&placement.removed).unwrap();
    assert!(!group.exists());
}

#[test]
fn a_failure_leaves_no_group() {
    let tree = Tree::new("failure");
    // No mon_groups in the new group: the processor does not monitor.
    let placement = tree.mount().place(&Request { monitoring: true, ..BOX }).unwrap();
    assert_eq!(placement.removed, [tree.0.join("box/mon_groups/box"), tree.0.join("box")]);
    fs::write(tree.0.join("info/last_cmd_status"), "out of RMIDs\n").unwrap();
    let error = placement.make().unwrap_err();
    assert!(error.to_string().contains("(out of RMIDs)"), "{error}");
    assert!(!tree.0.join("box").exists());
}

#[test]
fn what_the_processor_does_not_control_and_reserved_names_are_refused() {
    let tree = Tree::new("refused");
    fs::remove_dir(tree.0.join("info/MB")).unwrap();
    let error = tree.mount().place(&Request { mem_bw_schema: Some("MB:0=1"), ..BOX }).unwrap_err();
    assert!(error.message.contains("Intel RDT/MBA is not enabled"), "{error}");
    fs::remove_dir(tree.0.join("info/L3")).unwrap();
    let error = tree.mount().place(&Request { l3_cache_schema: Some("L3:0=f"), ..BOX }).unwrap_err();
    assert!(error.message.contains("Intel RDT/CAT is not enabled"), "{error}");
    let error = tree.mount().place(&Request { id: "mon_groups", ..BOX }).unwrap_err();
    assert_eq!((error.property, error.errno), ("linux.intelRdt", None));
}
