use super::*;

fn rights(uid: u32, effective: u64, executed: u64) -> Rights {
    let capabilities = Capabilities { effective, executed };
    Rights { uid, gid: uid, in_user_namespace: false, single_id: false, sets_groups: true, capabilities }
}

#[test]
fn only_the_full_identity_map_is_the_initial_namespace() {
    assert!(!is_nested("         0          0 4294967295\n"));
    assert!(!is_nested(""));
    assert!(is_nested("0 1000 1\n"));
    assert!(is_nested("0 0 4294967294\n4294967294 1 1\n"));
    assert!(has_single_id("         0       1000          1\n"));
    assert!(!has_single_id("0 1000 1\n1 100000 65536\n"));
}

#[test]
fn root_without_cap_sys_admin_needs_a_user_namespace_and_gives_files_away() {
    let root = rights(0, !SYS_ADMIN, !SYS_ADMIN);
    assert!(root.needs_user_namespace() && !root.administers_host());
    assert!(root.maps_ids() && root.changes_owners() && root.writes_root_files());
}

#[test]
fn an_ordinary_user_has_what_its_helper_keeps() {
    let some = SYS_ADMIN | NET_ADMIN | SETUID | SETGID;
    let ambient = rights(1000, some, some);
    assert!(!ambient.needs_user_namespace() && ambient.administers_host() && ambient.maps_ids());
    assert!(!ambient.changes_owners() && !ambient.makes_devices() && !ambient.writes_root_files());
    // Capabilities of the file of Node are lost at execve(2).
    let of_the_file = rights(1000, u64::MAX, 0);
    assert!(of_the_file.needs_user_namespace() && !of_the_file.administers_host());
    assert!(of_the_file.maps_ids() && of_the_file.changes_owners());
}

#[test]
fn root_of_a_user_namespace_has_nothing_of_the_host() {
    let root = Rights { in_user_namespace: true, ..rights(0, u64::MAX, u64::MAX) };
    assert!(!root.administers_host() && !root.makes_devices());
    assert!(!root.needs_user_namespace() && root.maps_ids() && root.changes_owners());
    assert!(Rights { single_id: true, ..root }.needs_user_namespace());
}

#[test]
fn they_are_those_of_this_thread() {
    let found = Rights::find().unwrap();
    assert!(found.are_current());
    assert_eq!(found.changes_owners(), changes_owners());
    assert_eq!((found.uid, found.gid), (credentials::effective_uid(), credentials::effective_gid()));
}
