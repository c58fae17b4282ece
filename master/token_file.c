#include "master/token_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TOKEN_FILE_STEP = 4096 }; /* bytes of room before each read */

int token_file_read_descriptor(int descriptor, struct buffer *out)
{
    for (;;) {
        size_t room;
        char *space;
        ssize_t size;
        int error = buffer_reserve(out, TOKEN_FILE_STEP);

        if (error != 0)
            return error;
        space = buffer_space(out, &room);
        size = read(descriptor, space, room);
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0)
            return -errno;
        if (size == 0)
            return 0;
        buffer_commit(out, (size_t)size);
        if (buffer_size(out) > TOKEN_FILE_MAX)
            return -EFBIG;
    }
}

int token_file_read(const char *path, struct buffer *out)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    int error;

    if (descriptor < 0)
        return -errno;
    error = token_file_read_descriptor(descriptor, out);
    close(descriptor);
    return error;
}

static int token_file_write(int descriptor, struct slice bytes)
{
    while (bytes.size > 0) {
        ssize_t size = write(descriptor, bytes.data, bytes.size);

        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0)
            return -errno;
        bytes = slice_skip(bytes, (size_t)size);
    }
    return 0;
}

int token_file_create(const char *path, mode_t mode, struct slice bytes)
{
    int descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    int error;

    if (descriptor < 0)
        return -errno;
    error = token_file_write(descriptor, bytes);
    if (error == 0 && (fchmod(descriptor, mode) != 0 || fsync(descriptor) != 0))
        error = -errno;
    if (close(descriptor) != 0 && error == 0)
        error = -errno;
    if (error != 0)
        unlink(path);
    return error;
}
