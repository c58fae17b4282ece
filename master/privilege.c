#include "master/privilege.h"

#include "shared/log.h"

#include <errno.h>
#include <grp.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

bool privilege_changes(const struct settings_user *user)
{
    return geteuid() == 0 && user->name.size > 0;
}

uid_t privilege_uid(const struct settings_user *user)
{
    return privilege_changes(user) ? user->uid : geteuid();
}

/* Real, effective, saved and file system ids must all be the user's, and root out of reach. */
static int privilege_prove(uid_t uid, gid_t gid)
{
    uid_t uids[3];
    gid_t gids[3];

    if (getresuid(&uids[0], &uids[1], &uids[2]) < 0 || getresgid(&gids[0], &gids[1], &gids[2]) < 0)
        return -errno;
    for (int i = 0; i < 3; i++)
        if (uids[i] != uid || gids[i] != gid)
            return -EPERM;
    /* An impossible id changes nothing and tells the present one. */
    if ((uid_t)setfsuid((uid_t)-1) != uid || (gid_t)setfsgid((gid_t)-1) != gid)
        return -EPERM;
    if (setuid(0) == 0 || seteuid(0) == 0 || setgid(0) == 0 || getgroups(0, NULL) != 0)
        return -EPERM;
    return 0;
}

int privilege_drop(const struct settings_user *user)
{
    if (user->uid == 0 || user->gid == 0)
        return -EPERM;
    if (setgroups(0, NULL) < 0 || setresgid(user->gid, user->gid, user->gid) < 0 ||
        setresuid(user->uid, user->uid, user->uid) < 0)
        return -errno;
    return privilege_prove(user->uid, user->gid);
}

static bool privilege_is_same(const struct settings_user *a, const struct settings_user *b)
{
    return a->name.size > 0 && b->name.size > 0 && a->uid == b->uid;
}

/* A stdio server is a stranger's program: as a user of the service it could read sessions, connect
 * to the bridge, and signal workers. */
static int privilege_check_stdio_users(const struct settings *settings, const char **reason)
{
    for (size_t i = 0; i < settings->stdio_user_count; i++) {
        const struct settings_user *user = &settings->stdio_users[i];

        if (privilege_is_same(user, &settings->watcher_user) ||
            privilege_is_same(user, &settings->worker_user) ||
            privilege_is_same(user, &settings->bridge_user)) {
            *reason = "names a user that gate.stdio.users names too: give stdio servers their own";
            return -EPERM;
        }
    }
    return 0;
}

int privilege_check_users(const struct settings *settings, const char **reason)
{
    const struct settings_user *watcher = &settings->watcher_user;
    const struct settings_user *worker = &settings->worker_user;

    if (geteuid() != 0)
        return 0;
    if ((watcher->name.size == 0) != (worker->name.size == 0)) {
        *reason = "names one of watcher and worker: name both or neither";
        return -EPERM;
    }
    if (watcher->name.size > 0 &&
        (watcher->uid == 0 || watcher->gid == 0 || worker->uid == 0 || worker->gid == 0)) {
        *reason = "names root, or a user of root's group";
        return -EPERM;
    }
    return privilege_check_stdio_users(settings, reason);
}

static bool privilege_can_write(const struct stat *status, const struct settings_user *user)
{
    if (!privilege_changes(user))
        return false;
    return status->st_uid == user->uid ||
           (status->st_gid == user->gid && (status->st_mode & S_IWGRP) != 0) ||
           (status->st_mode & S_IWOTH) != 0;
}

static int privilege_check(int fd, mode_t type, const struct settings *settings,
                           const char **reason)
{
    struct stat status;

    *reason = "cannot be looked at";
    if (fstat(fd, &status) < 0)
        return -errno;
    *reason = type == S_IFREG ? "is not a regular file" : "is not a directory";
    if ((status.st_mode & S_IFMT) != type)
        return -EINVAL;
    *reason = "can be changed by a user of the service";
    if (privilege_can_write(&status, &settings->watcher_user) ||
        privilege_can_write(&status, &settings->worker_user) ||
        privilege_can_write(&status, &settings->bridge_user))
        return -EPERM;
    for (size_t i = 0; i < settings->stdio_user_count; i++)
        if (privilege_can_write(&status, &settings->stdio_users[i]))
            return -EPERM;
    return 0;
}

int privilege_check_file(int fd, const struct settings *settings, const char **reason)
{
    return privilege_check(fd, S_IFREG, settings, reason);
}

int privilege_check_directory(int fd, const struct settings *settings, const char **reason)
{
    return privilege_check(fd, S_IFDIR, settings, reason);
}

void privilege_report(const struct settings *settings)
{
    if (!privilege_changes(&settings->watcher_user)) {
        log_warning("separation", "processes are not separated by user: all run as user id %u%s",
                    (unsigned)geteuid(),
                    geteuid() == 0 ? " because gate.users is not set" : ", who started master");
        return;
    }
    if (settings->watcher_user.uid == settings->worker_user.uid)
        log_warning("separation", "watcher and workers share user id %u: give each its own",
                    (unsigned)settings->worker_user.uid);
    else
        log_info("separation",
                 "watcher runs as user id %u, workers and janitor as %u, the bridge as %u",
                 (unsigned)settings->watcher_user.uid, (unsigned)settings->worker_user.uid,
                 (unsigned)settings->bridge_user.uid);
}
