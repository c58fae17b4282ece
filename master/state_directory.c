#include "master/state_directory.h"

#include "master/pid_file.h"
#include "master/privilege.h"
#include "shared/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BRIDGE_BACKLOG = 1024 }; /* the kernel cuts it to net.core.somaxconn */

static const char *const names[] = {[STORE_CONFIG] = "config", [STORE_SESSIONS] = "sessions"};

static int directory_path(const struct settings *settings, char path[PATH_MAX])
{
    struct slice name = settings->state_dir;

    if (name.size == 0 || name.size >= PATH_MAX || memchr(name.data, '\0', name.size) != NULL)
        return -EINVAL;
    memcpy(path, name.data, name.size);
    path[name.size] = '\0';
    return 0;
}

/* The state directory itself, or -errno. */
static int directory_open(const struct settings *settings)
{
    char path[PATH_MAX];
    int fd, error = directory_path(settings, path);

    if (error < 0)
        return error;
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* By descriptor, never by name: a link that a service's user put there is not followed. */
static int directory_make_one(int parent, const struct settings *settings,
                              enum store_environment environment)
{
    bool config = environment == STORE_CONFIG;
    const struct settings_user *owner = config ? &settings->watcher_user : &settings->worker_user;
    int fd, error = 0;

    if (mkdirat(parent, names[environment], 0700) < 0 && errno != EEXIST)
        return -errno;
    fd = openat(parent, names[environment], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (privilege_changes(owner) && fchown(fd, owner->uid, settings->worker_user.gid) < 0)
        error = -errno;
    /* The mode last: a change of owner clears the set-group-id bit of some file systems. */
    if (error == 0 && fchmod(fd, config ? 02750 : 0700) < 0)
        error = -errno;
    close(fd);
    return error;
}

/* The state directory's mode is set only when it is ours: an operator's own stays. */
static int directory_make_state(const struct settings *settings)
{
    char path[PATH_MAX];
    int error = directory_path(settings, path);

    if (error < 0)
        return error;
    if (mkdir(path, 0700) < 0)
        return errno == EEXIST ? 0 : -errno;
    return chmod(path, 0751) < 0 ? -errno : 0;
}

static int directory_hold(const struct settings *settings, const char **what)
{
    char path[PATH_MAX];
    int error = directory_path(settings, path);

    *what = "gatehouse.pid";
    if (error == 0)
        error = pid_file_hold(path);
    if (error == -EBUSY)
        *what = "gate.state_dir is in use by another gatehouse";
    return error;
}

int state_directory_prepare(const struct settings *settings, const char **what)
{
    int parent, error = directory_make_state(settings);
    const char *reason;

    *what = "gate.state_dir";
    if (error < 0)
        return error;
    parent = directory_open(settings);
    if (parent < 0)
        return parent;
    error = privilege_check_directory(parent, settings, &reason);
    if (error < 0)
        *what = "gate.state_dir can be changed by a user of the service";
    if (error == 0)
        error = directory_hold(settings, what);
    for (int i = STORE_CONFIG; i <= STORE_SESSIONS && error == 0; i++) {
        *what = names[i];
        error = directory_make_one(parent, settings, (enum store_environment)i);
    }
    close(parent);
    return error;
}

/* Bound by way of the directory's descriptor: what stands there by that name is ours to remove,
 * since pid_file_hold has proved that no other master lives. */
static int socket_bind(int directory, const struct settings *settings)
{
    const struct settings_user *user = &settings->worker_user;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int error = 0;

    if (fd < 0)
        return -errno;
    snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/socket", directory);
    if ((unlinkat(directory, "socket", 0) < 0 && errno != ENOENT) ||
        bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
        fchmodat(directory, "socket", 0600, 0) < 0 ||
        (privilege_changes(user) &&
         fchownat(directory, "socket", user->uid, user->gid, AT_SYMLINK_NOFOLLOW) < 0) ||
        listen(fd, BRIDGE_BACKLOG) < 0)
        error = -errno;
    if (error == 0)
        return fd;
    close(fd);
    return error;
}

/* Workers may pass through it, and nobody but master may change what is in it. The descriptor, or
 * -errno. */
static int bridge_directory_open(int parent, const struct settings *settings)
{
    bool shared = privilege_changes(&settings->worker_user);
    int fd, error = 0;

    if (mkdirat(parent, SETTINGS_BRIDGE_DIRECTORY, 0700) < 0 && errno != EEXIST)
        return -errno;
    fd = openat(parent, SETTINGS_BRIDGE_DIRECTORY, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (shared && fchown(fd, geteuid(), settings->worker_user.gid) < 0)
        error = -errno;
    if (error == 0 && fchmod(fd, shared ? 0710 : 0700) < 0)
        error = -errno;
    if (error == 0)
        return fd;
    close(fd);
    return error;
}

int state_directory_bind(const struct settings *settings, const char **what)
{
    struct sockaddr_un address;
    int parent, directory, fd;

    *what = "gate.state_dir: its path must be shorter, for the socket in it";
    if (settings->state_dir.size + sizeof("/" SETTINGS_BRIDGE_SOCKET) > sizeof(address.sun_path))
        return -ENAMETOOLONG;
    *what = SETTINGS_BRIDGE_SOCKET;
    parent = directory_open(settings);
    if (parent < 0)
        return parent;
    directory = bridge_directory_open(parent, settings);
    close(parent);
    if (directory < 0)
        return directory;
    fd = socket_bind(directory, settings);
    close(directory);
    return fd;
}

bool state_directory_has(const struct settings *settings, enum store_environment environment)
{
    char name[64];
    struct stat status;
    int parent = directory_open(settings);
    bool found;

    if (parent < 0)
        return false;
    snprintf(name, sizeof(name), "%s/data.mdb", names[environment]);
    found = fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) == 0;
    close(parent);
    return found;
}

int state_directory_retire(const struct settings *settings, enum store_environment environment,
                           char *moved, size_t room)
{
    int parent = directory_open(settings);
    int error = 0;

    if (parent < 0)
        return parent;
    snprintf(moved, room, "%s.bad-%" PRId64, names[environment], clock_wall_milliseconds());
    if (renameat(parent, names[environment], parent, moved) < 0 && errno != ENOENT)
        error = -errno;
    if (error == 0)
        error = directory_make_one(parent, settings, environment);
    close(parent);
    return error;
}
