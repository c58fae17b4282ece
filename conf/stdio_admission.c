#include "conf/stdio_admission.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    USER_NAME_MAX = 64,     /* bytes */
    USER_ENTRY_MAX = 16384, /* bytes of one entry of the user database */
};

static bool written_by_others(const struct stat *status)
{
    return (status->st_mode & (S_IWGRP | S_IWOTH)) != 0;
}

static bool owner_is_trusted(const struct stdio_authority *authority, uid_t owner)
{
    return owner == 0 || (!authority->root && owner == authority->self);
}

/* The directory of an absolute path. 0 or -errno. */
static int directory_look(const char *path, struct stat *status)
{
    char directory[PATH_MAX];
    const char *slash = strrchr(path, '/');

    if (slash == NULL)
        return -EINVAL;
    snprintf(directory, sizeof(directory), "%.*s", slash == path ? 1 : (int)(slash - path), path);
    return stat(directory, status) < 0 ? -errno : 0;
}

static const char *file_wrong(const struct stdio_authority *authority, int fd)
{
    char link[48], path[PATH_MAX] = "";
    struct stat status;

    if (fstat(fd, &status) < 0)
        return "is in a file that cannot be looked at";
    if (!S_ISREG(status.st_mode))
        return "is not in a regular file";
    if (!owner_is_trusted(authority, status.st_uid))
        return authority->root ? "is in a file that is not root's"
                               : "is in a file of another user than this service's";
    if (written_by_others(&status))
        return "is in a file that others than its owner can write";
    /* Where it really is, behind all links. */
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    if (readlink(link, path, sizeof(path) - 1) < 0 || directory_look(path, &status) < 0)
        return "is in a directory that cannot be looked at";
    if (!owner_is_trusted(authority, status.st_uid) || written_by_others(&status))
        return "is in a directory that others can write";
    return NULL;
}

bool stdio_admit_file(const struct stdio_authority *authority, int fd, struct place place,
                      struct diagnostics *diagnostics)
{
    const char *reason = file_wrong(authority, fd);

    if (reason != NULL)
        diagnostics_add(diagnostics, DIAGNOSTIC_ERROR, place, "mcp.command",
                        "who can write a command can run anything: chown root, chmod go-w", "%s",
                        reason);
    return reason == NULL;
}

static bool user_find(struct slice name, struct settings_user *out)
{
    char text[USER_NAME_MAX], memory[USER_ENTRY_MAX];
    struct passwd entry, *found = NULL;

    if (name.size >= sizeof(text))
        return false;
    snprintf(text, sizeof(text), "%.*s", (int)name.size, name.data);
    getpwnam_r(text, &entry, memory, sizeof(memory), &found);
    if (found == NULL)
        return false;
    *out = (struct settings_user){.name = name, .uid = found->pw_uid, .gid = found->pw_gid};
    return true;
}

static bool user_is_allowed(const struct settings *settings, struct settings_user *user)
{
    for (size_t i = 0; i < settings->stdio_user_count; i++)
        if (slice_equal(settings->stdio_users[i].name, user->name)) {
            *user = settings->stdio_users[i];
            return user->uid != 0 && user->gid != 0;
        }
    return false;
}

/* Without root there is but one user that a server can run as; as root there is none by default. */
static bool admit_user(const struct stdio_authority *authority, struct stdio_document *document,
                       struct diagnostics *diagnostics)
{
    const char *reason = NULL, *hint = "name it in gate.stdio.users";
    struct settings_user *user = &document->app.user, own = {0};

    if (authority->root && user->name.size == 0) {
        reason = "is required: a service that root started runs no server as root";
        hint = "such as run_as_host_user: mcp-tools, a user of gate.stdio.users";
    } else if (authority->root && !user_is_allowed(authority->settings, user)) {
        reason = "is not one of gate.stdio.users";
    } else if (!authority->root && user->name.size > 0 &&
               (!user_find(user->name, &own) || own.uid != authority->self)) {
        reason = "is another user, which only root can change to";
        hint = "leave it out, or start the service as root";
    }
    if (reason != NULL) {
        diagnostics_add(diagnostics, DIAGNOSTIC_ERROR, document->user, "mcp.run_as_host_user", hint,
                        "%s", reason);
        return false;
    }
    if (!authority->root)
        *user = (struct settings_user){.name = {NULL, 0}};
    return true;
}

static const char *command_wrong(const struct stdio_authority *authority,
                                 const struct stdio_app *app)
{
    char path[PATH_MAX], real[PATH_MAX];
    struct stat status;

    snprintf(path, sizeof(path), "%.*s", (int)app->command.size, app->command.data);
    if (realpath(path, real) == NULL || stat(real, &status) < 0)
        return errno == EACCES ? NULL : errno == ENOENT ? "does not exist" : "cannot be looked at";
    if (!S_ISREG(status.st_mode))
        return "is not a regular file";
    if ((status.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)) == 0)
        return "is not executable";
    if (!owner_is_trusted(authority, status.st_uid) && status.st_uid != app->user.uid)
        return "belongs to a user who is neither root nor the one it runs as";
    if (written_by_others(&status))
        return "can be written by others than its owner";
    if (directory_look(real, &status) == 0 && written_by_others(&status))
        return "is in a directory that others than its owner can write";
    return NULL;
}

static bool admit_command(const struct stdio_authority *authority,
                          const struct stdio_document *document, struct diagnostics *diagnostics)
{
    const char *reason = command_wrong(authority, &document->app);

    if (reason != NULL)
        diagnostics_add(diagnostics, DIAGNOSTIC_ERROR, document->command, "mcp.command", NULL,
                        "%.*s %s", (int)document->app.command.size, document->app.command.data,
                        reason);
    return reason == NULL;
}

static bool admit_working_dir(const struct stdio_document *document,
                              struct diagnostics *diagnostics)
{
    struct slice name = document->app.working_dir;
    char path[PATH_MAX];
    struct stat status;
    const char *reason = NULL;

    if (name.size >= sizeof(path))
        reason = "is too long";
    snprintf(path, sizeof(path), "%.*s", (int)name.size, name.data);
    if (reason == NULL && stat(path, &status) < 0)
        reason = errno == EACCES ? NULL : "does not exist";
    else if (reason == NULL && !S_ISDIR(status.st_mode))
        reason = "is not a directory";
    if (reason != NULL)
        diagnostics_add(diagnostics, DIAGNOSTIC_ERROR, document->working_dir, "mcp.working_dir",
                        NULL, "%s %s", path, reason);
    return reason == NULL;
}

bool stdio_admit_app(const struct stdio_authority *authority, struct stdio_document *document,
                     struct diagnostics *diagnostics)
{
    bool user = admit_user(authority, document, diagnostics);
    bool command = user && admit_command(authority, document, diagnostics);
    bool directory = admit_working_dir(document, diagnostics);

    return user && command && directory;
}
