#include "master/running.h"

#include "master/pid_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool running_is_board(int directory, const char *name, const char *link)
{
    char target[64];
    ssize_t size = readlinkat(directory, name, target, sizeof(target));
    ssize_t wanted = (ssize_t)strlen(link);

    /* The kernel adds " (deleted)". */
    return size >= wanted && memcmp(target, link, (size_t)wanted) == 0 &&
           (size == wanted || target[wanted] == ' ');
}

static const struct health_board *running_map_health(int directory, const char *name)
{
    struct scoreboard_public *board = NULL;
    int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return NULL;
    if (scoreboard_map_public(fd, 0, &board) < 0)
        board = NULL;
    close(fd);
    return board == NULL ? NULL : &board->health;
}

static const struct scoreboard_work *running_map(int directory, const char *name)
{
    const struct scoreboard_work *work = NULL;
    int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return NULL;
    if (scoreboard_map_work_read_only(fd, &work) < 0)
        work = NULL;
    close(fd);
    return work;
}

void running_find(const char *state_dir, struct running *out)
{
    char path[48];
    struct dirent *entry;
    DIR *directory;

    *out = (struct running){.pid = pid_file_owner(state_dir)};
    if (out->pid <= 0)
        return;
    snprintf(path, sizeof(path), "/proc/%ld/fd", (long)out->pid);
    directory = opendir(path);
    if (directory == NULL)
        return;
    while ((entry = readdir(directory)) != NULL) {
        if (out->work == NULL &&
            running_is_board(dirfd(directory), entry->d_name, "/memfd:" SCOREBOARD_WORK_NAME))
            out->work = running_map(dirfd(directory), entry->d_name);
        if (out->health == NULL &&
            running_is_board(dirfd(directory), entry->d_name, "/memfd:" SCOREBOARD_PUBLIC_NAME))
            out->health = running_map_health(dirfd(directory), entry->d_name);
    }
    closedir(directory);
}

int running_user(pid_t pid, uid_t *uid)
{
    char path[48], line[256];
    int error = -ESRCH;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%ld/status", (long)pid);
    file = fopen(path, "re");
    if (file == NULL)
        return -errno;
    /* Real, effective, saved, for files: the second. */
    while (error != 0 && fgets(line, sizeof(line), file) != NULL)
        if (sscanf(line, "Uid: %*u %u", uid) == 1)
            error = 0;
    fclose(file);
    return error;
}

void running_user_name(uid_t uid, char *out, size_t room)
{
    const struct passwd *user = getpwuid(uid);

    if (user != NULL)
        snprintf(out, room, "%s", user->pw_name);
    else
        snprintf(out, room, "uid %u", uid);
}
