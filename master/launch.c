#include "master/launch.h"

#include "master/guardian.h"
#include "master/privilege.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

int launch_check(const struct stdio_app *app)
{
    char path[PATH_MAX];
    struct stat status;
    uid_t user = app->user.name.size > 0 ? app->user.uid : geteuid();

    if (user == 0)
        return -EPERM;
    if (snprintf(path, sizeof(path), "%.*s", (int)app->command.size, app->command.data) >=
        (int)sizeof(path))
        return -ENAMETOOLONG;
    if (stat(path, &status) < 0)
        return -errno;
    if (!S_ISREG(status.st_mode) || (status.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)) == 0)
        return -EACCES;
    if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0 ||
        (status.st_uid != 0 && status.st_uid != geteuid() && status.st_uid != user))
        return -EPERM;
    return 0;
}

static void close_all(int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
        fds[i] = -1;
    }
}

/* One pipe: *ours does not block, *theirs does, as programs expect, and is the user's, so that what
 * opens /dev/stdout may. 0 or -errno. */
static int pipe_open(bool input, const struct settings_user *user, int *ours, int *theirs)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    *ours = ends[input ? 1 : 0];
    *theirs = ends[input ? 0 : 1];
    if (fcntl(*ours, F_SETFL, O_NONBLOCK) < 0 ||
        (privilege_changes(user) && fchown(*theirs, user->uid, user->gid) < 0))
        return -errno;
    return 0;
}

static int pipes_open(const struct settings_user *user, int ours[3], int theirs[3])
{
    int error = 0;

    for (int i = 0; i < 3 && error == 0; i++)
        error = pipe_open(i == 0, user, &ours[i], &theirs[i]);
    return error;
}

/* The launcher's own, blocked signals stay so: the guardian restores them. */
static int launch_fork(struct launch *launch, const struct stdio_app *app,
                       const struct enclosure *enclosure, int executable)
{
    int ends[2], error = channel_pair(ends);
    pid_t pid;

    if (error < 0)
        return error;
    pid = enclosure_fork(enclosure);
    if (pid == 0)
        guardian_become(enclosure, &app->user, ends[1], executable);
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return (int)pid;
    }
    launch->guardian = pid;
    launch->channel = ends[0];
    return 0;
}

static int launch_order(const struct launch *launch, const struct stdio_app *app,
                        const int theirs[3])
{
    struct buffer order = {0};
    int error = stdio_app_encode(app, &order);

    if (error == 0)
        error = channel_send(launch->channel, MESSAGE_GUARD, buffer_slice(&order), theirs, 3);
    buffer_wipe(&order);
    return error;
}

int launch_begin(struct launch *launch, const struct stdio_app *app,
                 const struct enclosure *enclosure, int executable)
{
    int theirs[3] = {-1, -1, -1};
    int error = pipes_open(&app->user, launch->pipes, theirs);

    if (error == 0)
        error = launch_fork(launch, app, enclosure, executable);
    if (error == 0)
        error = launch_order(launch, app, theirs);
    close_all(theirs, 3);
    if (error < 0)
        launch_close(launch);
    return error;
}

void launch_stop(struct launch *launch, uint64_t term, uint64_t kill)
{
    struct message_guard_stop stop = {
        .term = term > UINT32_MAX ? UINT32_MAX : (uint32_t)term,
        .kill = kill > UINT32_MAX ? UINT32_MAX : (uint32_t)kill,
    };

    launch->stopping = true;
    if (launch->channel >= 0)
        (void)channel_send(launch->channel, MESSAGE_GUARD_STOP,
                           slice_make((const char *)&stop, sizeof(stop)), NULL, 0);
}

void launch_close(struct launch *launch)
{
    close_all(launch->pipes, 3);
    close_all(&launch->channel, 1);
}

const char *launch_stage_text(uint32_t stage)
{
    static const char *const texts[GUARD_STAGES] = {
        [GUARD_RUNS] = "nothing",        [GUARD_FORK] = "a process for it",
        [GUARD_SESSION] = "its session", [GUARD_FILES] = "its descriptors",
        [GUARD_LIMITS] = "its limits",   [GUARD_DIRECTORY] = "its working directory",
        [GUARD_EXEC] = "its command",
    };

    return stage < GUARD_STAGES ? texts[stage] : "something unknown";
}
