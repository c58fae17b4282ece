#include "conf/text_file.h"

#include "conf/document.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_SIZE = 64 * 1024 };

int text_file_read(int fd, struct buffer *out)
{
    struct stat status;

    if (fstat(fd, &status) != 0)
        return -errno;
    if (!S_ISREG(status.st_mode))
        return -EINVAL;
    for (;;) {
        size_t room;
        char *space;
        ssize_t size;

        if (buffer_reserve(out, READ_SIZE) != 0)
            return -ENOMEM;
        space = buffer_space(out, &room);
        size = read(fd, space, room);
        if (size < 0 && errno != EINTR)
            return -errno;
        if (size == 0)
            return 0;
        if (size > 0)
            buffer_commit(out, (size_t)size);
        if (buffer_size(out) > DOCUMENT_FILE_MAX)
            return -EFBIG;
    }
}

const char *text_file_reason(int error)
{
    static char reason[128];

    if (error == -EINVAL)
        return "is not a regular file";
    if (error == -EFBIG)
        return "is larger than 16 MiB";
    snprintf(reason, sizeof(reason), "cannot be read: %s", strerror(-error));
    return reason;
}
