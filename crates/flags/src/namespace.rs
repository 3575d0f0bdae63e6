//! `CLONE_NEW*` of namespaces(7).

use crate::set::flag_set;

flag_set! {
    /// Types of namespaces: `CLONE_NEW*`, named as in config.json.
    Namespaces {
        TIME = 0x80, "time";
        MOUNT = 0x2_0000, "mount";
        CGROUP = 0x200_0000, "cgroup";
        UTS = 0x400_0000, "uts";
        IPC = 0x800_0000, "ipc";
        USER = 0x1000_0000, "user";
        PID = 0x2000_0000, "pid";
        NETWORK = 0x4000_0000, "network";
    }
}
