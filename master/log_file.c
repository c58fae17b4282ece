#include "master/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* O_NONBLOCK belongs to the open file, which others may share: hence another one. Without /proc,
 * or without a right to the pipe, a duplicate, as of a socket (which cannot be opened). */
static int log_file_original(int original)
{
    struct stat status;
    char path[48];
    int fd = -1;

    if (fstat(original, &status) == 0 &&
        (S_ISFIFO(status.st_mode) || (S_ISCHR(status.st_mode) && isatty(original)))) {
        snprintf(path, sizeof(path), "/proc/self/fd/%d", original);
        fd = open(path, O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    }
    if (fd < 0)
        fd = fcntl(original, F_DUPFD_CLOEXEC, 3);
    return fd < 0 ? -errno : fd;
}

/* A file, or a device that keeps nothing: /dev/null, and /dev/full, by which a full disk is tried
 * (Linux, admin-guide/devices.txt). */
static bool log_file_fits(const struct stat *status)
{
    return S_ISREG(status->st_mode) ||
           (S_ISCHR(status->st_mode) &&
            (status->st_rdev == makedev(1, 3) || status->st_rdev == makedev(1, 7)));
}

int log_file_open(struct slice output, int original)
{
    char path[PATH_MAX];
    struct stat status;
    int fd;

    if (output.size == 0 || slice_is(output, "stderr"))
        return log_file_original(original);
    if (output.size >= sizeof(path) || memchr(output.data, '\0', output.size) != NULL)
        return -EINVAL;
    memcpy(path, output.data, output.size);
    path[output.size] = '\0';
    /* Non-blocking: a pipe in its place must not stop master at the open. */
    fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
              0640);
    if (fd < 0)
        return -errno;
    if (fstat(fd, &status) < 0 || !log_file_fits(&status)) {
        close(fd);
        return -EINVAL;
    }
    return fd;
}
