#include "shared/store_files.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int store_files_path(const char *directory, const char *name, char out[PATH_MAX])
{
    int length = snprintf(out, PATH_MAX, "%s/%s", directory, name);

    return length < 0 || length >= PATH_MAX ? -ENAMETOOLONG : 0;
}

static int store_files_has(const char *directory, const char *name)
{
    char path[PATH_MAX];
    struct stat status;
    int error = store_files_path(directory, name, path);

    if (error != 0)
        return error;
    return stat(path, &status) == 0 ? 0 : -errno;
}

int store_files_exist(const char *directory, bool writable)
{
    int error = store_files_has(directory, "data.mdb");

    return error != 0 || writable ? error : store_files_has(directory, "lock.mdb");
}

int store_files_make(const char *directory, enum store_environment environment)
{
    mode_t mode = environment == STORE_SESSIONS ? 0700 : 0750;

    return mkdir(directory, mode) == 0 || errno == EEXIST ? 0 : -errno;
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
