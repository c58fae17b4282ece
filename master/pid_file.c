#include "master/pid_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int pid_file_fd = -1; /* of the one that this process holds */

static int pid_file_open(const char *state_dir, int flags)
{
    char path[PATH_MAX];
    int fd;

    if (snprintf(path, sizeof(path), "%s/gatehouse.pid", state_dir) >= (int)sizeof(path))
        return -ENAMETOOLONG;
    fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
    return fd < 0 ? -errno : fd;
}

/* A record lock belongs to the process: children do not inherit it, and no death leaves it. */
static struct flock pid_file_lock(void)
{
    return (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET};
}

int pid_file_hold(const char *state_dir)
{
    struct flock lock = pid_file_lock();
    int fd = pid_file_open(state_dir, O_RDWR | O_CREAT);
    int error = 0;

    if (fd < 0)
        return fd;
    if (fcntl(fd, F_SETLK, &lock) < 0)
        error = errno == EACCES || errno == EAGAIN ? -EBUSY : -errno;
    if (error == 0 && (ftruncate(fd, 0) < 0 || dprintf(fd, "%ld\n", (long)getpid()) < 0))
        error = -errno;
    if (error < 0)
        close(fd);
    else
        pid_file_fd = fd;
    return error;
}

void pid_file_clear(void)
{
    /* What stays in it misleads nobody who asks for the lock. */
    if (pid_file_fd >= 0 && ftruncate(pid_file_fd, 0) < 0)
        return;
}

pid_t pid_file_owner(const char *state_dir)
{
    struct flock lock = pid_file_lock();
    int fd = pid_file_open(state_dir, O_RDONLY);
    int error = 0;

    if (fd == -ENOENT)
        return 0;
    if (fd < 0)
        return fd;
    if (fcntl(fd, F_GETLK, &lock) < 0)
        error = -errno;
    close(fd);
    if (error < 0)
        return error;
    return lock.l_type == F_UNLCK ? 0 : lock.l_pid;
}
