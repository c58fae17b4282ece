#include "master/enclosure.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* The kernel's clone, without a stack of its own: it returns twice, as fork does. */
pid_t enclosure_fork(const struct enclosure *enclosure)
{
    long pid = syscall(SYS_clone, enclosure->flags | SIGCHLD, NULL, NULL, NULL, NULL);

    return pid < 0 ? -errno : (pid_t)pid;
}

static int enclosure_write(const char *path, const char *text)
{
    int error = 0, fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        error = errno == 0 ? -EIO : -errno;
    close(fd);
    return error;
}

/* One user, mapped to itself; without groups, which an unprivileged process could not map
 * (user_namespaces(7)). */
static int enclosure_map_user(const struct enclosure *enclosure)
{
    char uids[48], gids[48];
    int error;

    snprintf(uids, sizeof(uids), "%u %u 1\n", (unsigned)enclosure->uid, (unsigned)enclosure->uid);
    snprintf(gids, sizeof(gids), "%u %u 1\n", (unsigned)enclosure->gid, (unsigned)enclosure->gid);
    /* The files are root's while we are not dumpable. */
    if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0)
        return -errno;
    error = enclosure_write("/proc/self/setgroups", "deny");
    if (error == 0)
        error = enclosure_write("/proc/self/uid_map", uids);
    if (error == 0)
        error = enclosure_write("/proc/self/gid_map", gids);
    return error;
}

/* A program that looks itself up by its process id must find itself; that it sees no other process
 * is welcome. What the machine mounts later still appears. */
static int enclosure_mount_proc(void)
{
    if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 ||
        mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
        return -errno;
    return 0;
}

int enclosure_enter(const struct enclosure *enclosure)
{
    int error = (enclosure->flags & CLONE_NEWUSER) != 0 ? enclosure_map_user(enclosure) : 0;

    if (error == 0 && (enclosure->flags & CLONE_NEWNS) != 0)
        error = enclosure_mount_proc();
    return error;
}

static bool enclosure_works(const struct enclosure *enclosure)
{
    pid_t pid = enclosure_fork(enclosure);
    int status;

    if (pid == 0)
        _exit(enclosure_enter(enclosure) == 0 ? 0 : 1);
    if (pid < 0)
        return false;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return false;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void enclosure_probe(struct enclosure *out)
{
    int user = geteuid() == 0 ? 0 : CLONE_NEWUSER;
    const int flags[] = {user | CLONE_NEWPID | CLONE_NEWNS, user | CLONE_NEWPID};

    *out = (struct enclosure){.uid = geteuid(), .gid = getegid()};
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        out->flags = flags[i];
        if (enclosure_works(out))
            return;
    }
    out->flags = 0;
}

const char *enclosure_text(const struct enclosure *enclosure)
{
    if (enclosure->flags == 0)
        return "a child subreaper, since no PID namespace is allowed here";
    if ((enclosure->flags & CLONE_NEWUSER) != 0)
        return "a PID namespace in a user namespace";
    return "a PID namespace";
}
