// The floor: the least that the kernel asks for one container of `runc spec`'s default configuration, done by a small
// C program with nothing around it. State directory, every cgroup hierarchy, device rules, namespaces, mounts, masks,
// exec, wait, clean-up. For each line on stdin it runs /bin/true once and prints the microseconds.
//
//   cc -O2 -o floor floor.c && ./floor ROOTFS STATE_ROOT
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHECK(call) do { if ((call) < 0) { fprintf(stderr, "floor: %s: %s\n", #call, strerror(errno)); _exit(111); } } while (0)
#define LENGTH(a) (sizeof(a) / sizeof((a)[0]))

static const char *rootfs, *state_root;
static char hierarchies[16][256]; // mount points of the v1 hierarchies
static int hierarchy_count, devices_index = -1, unified_index = -1;

static int is_known(const char *target) {
    for (int i = 0; i < hierarchy_count; i++)
        if (!strcmp(hierarchies[i], target)) return 1;
    return 0;
}

static void find_hierarchies(void) {
    FILE *file = fopen("/proc/self/mounts", "r");
    char source[256], target[256], type[64], options[1024];
    if (!file) exit(1);
    while (fscanf(file, "%255s %255s %63s %1023s %*d %*d", source, target, type, options) == 4) {
        if (hierarchy_count == LENGTH(hierarchies)) break;
        if (strcmp(type, "cgroup") && strcmp(type, "cgroup2")) continue;
        if (is_known(target)) continue; // covered by a later mount on the same place
        if (!strcmp(type, "cgroup2")) unified_index = hierarchy_count;
        if (strstr(options, "devices")) devices_index = hierarchy_count;
        strcpy(hierarchies[hierarchy_count++], target);
    }
    fclose(file);
}

static void write_file(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK(fd);
    CHECK(write(fd, text, strlen(text)));
    close(fd);
}

static pid_t self;

static void cgroup_path(char *out, size_t size, int index, const char *file) {
    // Named after this process: one that was interrupted is not in the way of the next.
    snprintf(out, size, "%s/caisson-floor-%d%s%s", hierarchies[index], self, *file ? "/" : "", file);
}

static void make_cgroups(void) {
    static const char *const allowed[] = {"c *:* m",    "b *:* m",     "c 1:3 rwm",  "c 1:5 rwm",   "c 1:7 rwm",
                                          "c 1:8 rwm",  "c 1:9 rwm",   "c 5:0 rwm",  "c 136:* rwm", "c 5:2 rwm",
                                          "c 10:200 rwm"};
    char path[512];
    for (int i = 0; i < hierarchy_count; i++) {
        cgroup_path(path, sizeof path, i, "");
        CHECK(mkdir(path, 0755));
        if (!strstr(hierarchies[i], "cpuset")) continue;
        for (const char **name = (const char *[]){"cpuset.cpus", "cpuset.mems", NULL}; *name; name++) {
            char parent[512], value[256] = "";
            snprintf(parent, sizeof parent, "%s/%s", hierarchies[i], *name);
            int fd = open(parent, O_RDONLY | O_CLOEXEC);
            CHECK(fd);
            CHECK(read(fd, value, sizeof value - 1));
            close(fd);
            cgroup_path(path, sizeof path, i, *name);
            write_file(path, value);
        }
    }
    if (devices_index < 0) return;
    cgroup_path(path, sizeof path, devices_index, "devices.deny");
    write_file(path, "a");
    cgroup_path(path, sizeof path, devices_index, "devices.allow");
    for (size_t i = 0; i < LENGTH(allowed); i++) write_file(path, allowed[i]);
}

static void join_cgroups(void) {
    char path[512];
    for (int i = 0; i < hierarchy_count; i++) {
        cgroup_path(path, sizeof path, i, "cgroup.procs");
        write_file(path, "0");
    }
}

static void remove_cgroups(void) {
    char path[512];
    for (int i = 0; i < hierarchy_count; i++) {
        cgroup_path(path, sizeof path, i, "");
        while (rmdir(path) < 0 && errno == EBUSY) usleep(50);
    }
}

static int root;

/// Mounts a new file system on `target` below the root.
static void mount_new(const char *type, const char *target, unsigned attributes, const char *const options[][2]) {
    int fs = syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);
    CHECK(fs);
    for (; options && (*options)[0]; options++) CHECK(syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, (*options)[0], (*options)[1], 0));
    CHECK(syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
    int tree = syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, attributes);
    CHECK(tree);
    CHECK(syscall(SYS_move_mount, tree, "", root, target, MOVE_MOUNT_F_EMPTY_PATH));
    close(tree);
    close(fs);
}

static void bind_over(int source, const char *name, const char *target, uint64_t attributes) {
    int tree = syscall(SYS_open_tree, source, name, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (*name ? 0 : AT_EMPTY_PATH));
    CHECK(tree);
    if (attributes) {
        struct mount_attr attr = {.attr_set = attributes};
        CHECK(syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attr, sizeof attr));
    }
    if (syscall(SYS_move_mount, tree, "", root, target, MOVE_MOUNT_F_EMPTY_PATH) < 0 && errno != ENOENT) CHECK(-1);
    close(tree);
}

static void make_devices(void) {
    static const struct { const char *path; int minor; int major; } nodes[] = {{"dev/null", 3, 1},   {"dev/zero", 5, 1},    {"dev/full", 7, 1},
                                                                             {"dev/random", 8, 1}, {"dev/urandom", 9, 1}, {"dev/tty", 0, 5}};
    static const char *const links[][2] = {{"/proc/self/fd", "dev/fd"},       {"/proc/self/fd/0", "dev/stdin"}, {"/proc/self/fd/1", "dev/stdout"},
                                           {"/proc/self/fd/2", "dev/stderr"}, {"pts/ptmx", "dev/ptmx"}};
    for (size_t i = 0; i < LENGTH(nodes); i++) CHECK(mknodat(root, nodes[i].path, S_IFCHR | 0666, makedev(nodes[i].major, nodes[i].minor)));
    for (size_t i = 0; i < LENGTH(links); i++) CHECK(symlinkat(links[i][0], root, links[i][1]));
}

/// `runc spec` has no cgroup namespace on version 1: the container's own directories are bound.
static void mount_cgroup_view(void) {
    mount_new("tmpfs", "sys/fs/cgroup", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, (const char *const[][2]){{"mode", "755"}, {NULL}});
    for (int i = 0; i < hierarchy_count; i++) {
        const char *name = strrchr(hierarchies[i], '/') + 1;
        char source[512], target[300];
        cgroup_path(source, sizeof source, i, "");
        snprintf(target, sizeof target, "sys/fs/cgroup/%s", name);
        CHECK(mkdirat(root, target, 0755));
        bind_over(AT_FDCWD, source, target, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_RDONLY);
    }
    struct mount_attr readonly = {.attr_set = MOUNT_ATTR_RDONLY};
    CHECK(syscall(SYS_mount_setattr, root, "sys/fs/cgroup", 0, &readonly, sizeof readonly));
}

static void loopback_up(void) {
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    CHECK(fd);
    CHECK(ioctl(fd, SIOCSIFFLAGS, &request));
    close(fd);
}

static void drop_capabilities(void) {
    static const uint32_t kept = 1u << CAP_AUDIT_WRITE | 1u << CAP_KILL | 1u << CAP_NET_BIND_SERVICE;
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{kept, kept, 0}, {0, 0, 0}};
    for (int cap = 0; cap <= CAP_LAST_CAP; cap++)
        if (cap > 31 || !(kept & 1u << cap)) CHECK(prctl(PR_CAPBSET_DROP, cap));
    CHECK(setgroups(0, NULL));
    CHECK(setresgid(0, 0, 0));
    CHECK(setresuid(0, 0, 0));
    CHECK(syscall(SYS_capset, &header, data));
}

static void contain(void) {
    static const char *const masked[] = {"proc/acpi", "proc/asound", "proc/kcore", "proc/keys", "proc/latency_stats", "proc/timer_list",
                                         "proc/timer_stats", "proc/sched_debug", "sys/firmware", "proc/scsi"};
    static const char *const readonly[] = {"proc/bus", "proc/fs", "proc/irq", "proc/sys", "proc/sysrq-trigger"};
    const unsigned strict = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    join_cgroups();
    loopback_up();
    CHECK(mount("", "/", "", MS_SLAVE | MS_REC, NULL));
    root = syscall(SYS_open_tree, AT_FDCWD, rootfs, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
    CHECK(root);
    CHECK(syscall(SYS_move_mount, root, "", AT_FDCWD, rootfs, MOVE_MOUNT_F_EMPTY_PATH));
    mount_new("proc", "proc", 0, NULL);
    mount_new("tmpfs", "dev", MOUNT_ATTR_NOSUID | MOUNT_ATTR_STRICTATIME, (const char *const[][2]){{"mode", "755"}, {"size", "65536k"}, {NULL}});
    for (const char **name = (const char *[]){"dev/pts", "dev/shm", "dev/mqueue", NULL}; *name; name++) CHECK(mkdirat(root, *name, 0755));
    mount_new("devpts", "dev/pts", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
              (const char *const[][2]){{"ptmxmode", "0666"}, {"mode", "0620"}, {"gid", "5"}, {NULL}});
    mount_new("tmpfs", "dev/shm", strict, (const char *const[][2]){{"mode", "1777"}, {"size", "65536k"}, {NULL}});
    mount_new("mqueue", "dev/mqueue", strict, NULL);
    mount_new("sysfs", "sys", strict | MOUNT_ATTR_RDONLY, NULL);
    mount_cgroup_view();
    make_devices();
    CHECK(fchdir(root));
    CHECK(syscall(SYS_pivot_root, ".", "."));
    CHECK(mount("", ".", "", MS_SLAVE | MS_REC, NULL));
    CHECK(umount2(".", MNT_DETACH));
    CHECK(chdir("/"));
    struct mount_attr readonly_root = {.attr_set = MOUNT_ATTR_RDONLY};
    CHECK(syscall(SYS_mount_setattr, AT_FDCWD, "/", 0, &readonly_root, sizeof readonly_root));
    CHECK(sethostname("runc", 4));
    for (size_t i = 0; i < LENGTH(readonly); i++)
        if (faccessat(root, readonly[i], F_OK, 0) == 0) bind_over(root, readonly[i], readonly[i], MOUNT_ATTR_RDONLY);
    int null = openat(root, "dev/null", O_PATH | O_CLOEXEC);
    CHECK(null);
    for (size_t i = 0; i < LENGTH(masked); i++) {
        struct stat stat;
        if (fstatat(root, masked[i], &stat, 0) < 0) continue;
        if (S_ISDIR(stat.st_mode)) mount_new("tmpfs", masked[i], MOUNT_ATTR_RDONLY, NULL);
        else bind_over(null, "", masked[i], 0);
    }
    struct rlimit files = {1024, 1024};
    CHECK(setrlimit(RLIMIT_NOFILE, &files));
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    drop_capabilities();
    CHECK(close_range(3, ~0u, CLOSE_RANGE_CLOEXEC));
    execve("/bin/true", (char *[]){"/bin/true", NULL}, (char *[]){"PATH=/bin", NULL});
    CHECK(-1);
}

static double microseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1e6 + now.tv_nsec / 1e3;
}

static void once(void) {
    char path[512], target[512];
    snprintf(path, sizeof path, "%s/floor", state_root);
    CHECK(mkdir(path, 0711));
    snprintf(path, sizeof path, "%s/floor/config.json", state_root);
    write_file(path, "{}");
    snprintf(path, sizeof path, "%s/floor/state.json", state_root);
    write_file(path, "{}");
    make_cgroups();
    int pidfd = -1;
    struct clone_args args = {.flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_PIDFD,
                              .pidfd = (uintptr_t)&pidfd, .exit_signal = SIGCHLD};
    pid_t pid = syscall(SYS_clone3, &args, sizeof args);
    CHECK(pid);
    if (pid == 0) contain();
    snprintf(path, sizeof path, "%s/floor/state.new", state_root);
    write_file(path, "{\"pid\":1}");
    snprintf(target, sizeof target, "%s/floor/state.json", state_root);
    CHECK(rename(path, target));
    siginfo_t info;
    CHECK(waitid(P_PIDFD, pidfd, &info, WEXITED));
    if (info.si_code != CLD_EXITED || info.si_status != 0) { remove_cgroups(); fprintf(stderr, "floor: the program ended with %d\n", info.si_status); exit(1); }
    close(pidfd);
    remove_cgroups();
    snprintf(path, sizeof path, "%s/floor/config.json", state_root);
    CHECK(unlink(path));
    CHECK(unlink(target));
    snprintf(path, sizeof path, "%s/floor", state_root);
    CHECK(rmdir(path));
}

int main(int argc, char **argv) {
    if (argc != 3) { fprintf(stderr, "usage: floor ROOTFS STATE_ROOT\n"); return 2; }
    rootfs = argv[1];
    state_root = argv[2];
    self = getpid();
    find_hierarchies();
    char line[16];
    while (fgets(line, sizeof line, stdin)) {
        double before = microseconds();
        once();
        printf("%.1f\n", microseconds() - before);
        fflush(stdout);
    }
    return 0;
}
