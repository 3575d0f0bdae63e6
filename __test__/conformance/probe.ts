/** What a program sees of its container, printed by a shell script and read back into sections. */

/** Lines `@section`, each followed by its content. Needs only the shell and tools of the test root file system. */
export const PROBE = `
begin() { echo "@$1"; }
begin ids; id -u; id -g; id -G
begin umask; umask
begin cwd; pwd
begin pid; echo $$
begin env; tr '\\000' '|' < /proc/$$/environ
begin hostname; cat /proc/sys/kernel/hostname
begin domainname; cat /proc/sys/kernel/domainname
begin status; while read -r key value; do case $key in Cap*|NoNewPrivs:|Seccomp:|Groups:) echo "$key $value";; esac; done < /proc/self/status
begin limits; cat /proc/self/limits
begin oom; cat /proc/self/oom_score_adj
begin namespaces; for name in cgroup ipc mnt net pid time user uts; do echo "$name $(readlink /proc/self/ns/$name)"; done
begin uid_map; cat /proc/self/uid_map
begin mounts; cat /proc/self/mountinfo
begin dev; for path in /dev/* /dev/fd/.; do [ -e "$path" ] && stat -c '%n %F %a %u %g %t:%T' "$path"; done
begin links; for path in /dev/fd /dev/stdin /dev/stdout /dev/stderr /dev/ptmx /dev/core; do echo "$path $(readlink $path)"; done
begin fds; echo /proc/self/fd/*
begin interfaces; while read -r name rest; do echo "$name"; done < /proc/net/dev
begin writable; for path in / /tmp /dev /proc/sys/kernel/domainname /sys/kernel /proc/irq $PLACES; do if [ -w "$path" ]; then echo "$path yes"; else echo "$path no"; fi; done
begin sysctl; for key in kernel/msgmax kernel/shmmax kernel/sem net/ipv4/ip_unprivileged_port_start net/ipv4/ping_group_range; do [ -e /proc/sys/$key ] && echo "$key $(cat /proc/sys/$key)"; done
begin cgroup; for file in memory/memory.limit_in_bytes memory/memory.soft_limit_in_bytes memory/memory.swappiness cpu/cpu.shares cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us cpuset/cpuset.cpus pids/pids.max memory.max memory.low memory.swap.max cpu.max cpu.weight pids.max cpuset.cpus; do [ -e /sys/fs/cgroup/$file ] && echo "$file $(cat /sys/fs/cgroup/$file)"; done
begin devices; [ -e /sys/fs/cgroup/devices/devices.list ] && cat /sys/fs/cgroup/devices/devices.list
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
