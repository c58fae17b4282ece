#include "shared/store_files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int store_files_path(const char *directory, const char *name, char out[PATH_MAX])
{
    int length = snprintf(out, PATH_MAX, "%s/%s", directory, name);

    return length < 0 || length >= PATH_MAX ? -ENAMETOOLONG : 0;
}

static int store_file_exists(const char *directory, const char *name)
{
    char path[PATH_MAX];
    struct stat status;
    int error = store_files_path(directory, name, path);

    if (error != 0)
        return error;
    return stat(path, &status) == 0 ? 0 : -errno;
}

int store_files_exist(const char *directory, bool lock)
{
    int error = store_file_exists(directory, "data.mdb");

    return error == 0 && lock ? store_file_exists(directory, "lock.mdb") : error;
}

int store_files_make(const char *directory, enum store_environment environment)
{
    mode_t mode = environment == STORE_SESSIONS ? 0700 : 0750;

    return mkdir(directory, mode) == 0 || errno == EEXIST ? 0 : -errno;
}

int store_files_fill_lock(const char *directory, off_t size)
{
    char path[PATH_MAX];
    int error = store_files_path(directory, "lock.mdb", path);
    int fd;

    if (error != 0)
        return error;
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    if (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, size) != 0 && errno != EOPNOTSUPP)
        error = -errno;
    close(fd);
    return error;
}

mode_t store_files_mode(enum store_environment environment)
{
    return environment == STORE_SESSIONS ? 0600 : 0640;
}

static int store_files_protect_one(const char *directory, const char *name, mode_t mode)
{
    char path[PATH_MAX];
    struct stat above, file;
    int error = store_files_path(directory, name, path);

    if (error != 0)
        return error;
    if (stat(directory, &above) != 0 || stat(path, &file) != 0)
        return -errno;
    if (file.st_gid != above.st_gid && chown(path, (uid_t)-1, above.st_gid) != 0)
        return -errno;
    return chmod(path, mode) == 0 ? 0 : -errno;
}

int store_files_protect(const char *directory, enum store_environment environment)
{
    int error = store_files_protect_one(directory, "data.mdb", store_files_mode(environment));

    return error != 0 ? error : store_files_protect_one(directory, "lock.mdb", 0660);
}
