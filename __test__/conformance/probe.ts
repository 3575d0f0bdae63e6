/** What a program sees of its container, printed by a shell script and read back into sections. */

/**
 * Lines `@section`, each followed by its content. Needs only the shell and tools of the test root file system, and
 * starts few processes: `show` prints files with the shell alone.
 */
export const PROBE = `
begin() { echo "@$1"; }
show() { for file; do [ -e "$file" ] && while IFS= read -r line; do echo "$file $line"; done < "$file"; done; }
lines() { while IFS= read -r line; do echo "$line"; done < "$1"; }
begin ids; id -u; id -g; id -G
begin umask; umask
begin cwd; pwd
begin pid; echo $$
begin env; tr '\\000' '|' < /proc/$$/environ
begin hostname; lines /proc/sys/kernel/hostname
begin domainname; lines /proc/sys/kernel/domainname
begin status; while read -r key value; do case $key in Cap*|NoNewPrivs:|Seccomp:|Groups:|Cpus_allowed_list:|Mems_allowed_list:|SigBlk:|SigIgn:|ShdPnd:) echo "$key $value";; esac; done < /proc/self/status
begin machine; uname -m
begin schedule; IFS= read -r stat < /proc/$$/stat; set -- \${stat##*) }; echo "\${16} \${17} \${38} \${39}"
begin limits; lines /proc/self/limits
begin oom; lines /proc/self/oom_score_adj
begin namespaces; for name in cgroup ipc mnt net pid time user uts; do echo "$name $(readlink /proc/self/ns/$name)"; done
begin offsets; show /proc/self/timens_offsets
begin uid_map; lines /proc/self/uid_map
begin gid_map; lines /proc/self/gid_map
begin setgroups; lines /proc/self/setgroups
begin mounts; lines /proc/self/mountinfo
begin dev; stat -c '%n %F %a %u %g %t:%T' /dev/* /dev/fd/. 2>/dev/null
begin links; for path in /dev/fd /dev/stdin /dev/stdout /dev/stderr /dev/ptmx /dev/core; do echo "$path $(readlink $path)"; done
begin fds; echo /proc/self/fd/*
begin interfaces; while read -r name rest; do echo "$name"; done < /proc/net/dev
begin writable; for path in / /tmp /dev /proc/sys/kernel/domainname /sys/kernel /proc/irq $PLACES; do if [ -w "$path" ]; then echo "$path yes"; else echo "$path no"; fi; done
begin sysctl; cd /proc/sys; show kernel/msgmax kernel/shmmax kernel/sem kernel/shm_rmid_forced net/ipv4/ip_unprivileged_port_start net/ipv4/ping_group_range fs/mqueue/msg_max
begin cgroup; cd /sys/fs/cgroup 2>/dev/null && show memory/memory.limit_in_bytes memory/memory.soft_limit_in_bytes memory/memory.memsw.limit_in_bytes memory/memory.swappiness cpu/cpu.shares cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us cpuset/cpuset.cpus cpuset/cpuset.mems pids/pids.max memory.max memory.low memory.swap.max cpu.max cpu.weight pids.max cpuset.cpus cpuset.mems
begin oom_control; [ -e memory/memory.oom_control ] && while read -r key value; do case $key in oom_kill_disable) echo "$key $value";; esac; done < memory/memory.oom_control
begin devices; [ -e devices/devices.list ] && lines devices/devices.list
begin places; for path in $PLACES; do stat -c '%n %F %a %u %g %t:%T' "$path"; [ -f "$path" ] && cat "$path"; done
begin end
`

export type Sections = Record<string, string[]>

export function sections(output: string): Sections {
  const found: Sections = {}
  let current: string[] = []
  for (const line of output.split('\n')) {
    if (line.startsWith('@')) found[line.slice(1)] = current = []
    else if (line !== '') current.push(line)
  }
  return found
}
