//! Where memory comes from on a machine with several nodes: `set_mempolicy(2)`.

use serde::{Deserialize, Serialize};

use crate::enumeration::enumeration;
use crate::id_list::IdList;
use crate::set::flag_set;

enumeration! {
    /// `MPOL_*` of set_mempolicy(2).
    MemoryPolicyMode {
        Default = 0, "MPOL_DEFAULT";
        Preferred = 1, "MPOL_PREFERRED";
        Bind = 2, "MPOL_BIND";
        Interleave = 3, "MPOL_INTERLEAVE";
        Local = 4, "MPOL_LOCAL";
        /// Linux 5.15.
        PreferredMany = 5, "MPOL_PREFERRED_MANY";
        /// Linux 6.9.
        WeightedInterleave = 6, "MPOL_WEIGHTED_INTERLEAVE";
    }
}

flag_set! {
    /// `MPOL_F_*` of set_mempolicy(2).
    MemoryPolicyFlags {
        NUMA_BALANCING = 1 << 13, "MPOL_F_NUMA_BALANCING";
        RELATIVE_NODES = 1 << 14, "MPOL_F_RELATIVE_NODES";
        STATIC_NODES = 1 << 15, "MPOL_F_STATIC_NODES";
    }
}

/// Arguments of set_mempolicy(2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryPolicy {
    pub mode: MemoryPolicyMode,
    pub flags: MemoryPolicyFlags,
    /// Empty: no mask at all.
    pub nodes: IdList,
}
