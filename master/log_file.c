#include "master/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

int log_file_open(const struct settings *settings, int original)
{
    struct slice output = settings->log_output;
    char path[PATH_MAX];
    struct stat status;
    int fd;

    if (output.size == 0 || slice_is(output, "stderr")) {
        fd = fcntl(original, F_DUPFD_CLOEXEC, 3);
        return fd < 0 ? -errno : fd;
    }
    if (output.size >= sizeof(path) || memchr(output.data, '\0', output.size) != NULL)
        return -EINVAL;
    memcpy(path, output.data, output.size);
    path[output.size] = '\0';
    /* Non-blocking: a pipe in its place must not stop master at the open. */
    fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
              0640);
    if (fd < 0)
        return -errno;
    if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode)) {
        close(fd);
        return -EINVAL;
    }
    return fd;
}
