#include "master/server.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    REPORT_FD = 3, /* in the server until it is the command */
    GIVEN = 4,     /* variables that every server gets */
};

/* What a server gets of us beside what its document says: no variable of ours. */
static const char server_path[] = "/usr/local/bin:/usr/bin:/bin";
static const char server_lang[] = "C.UTF-8";

struct server_report {
    int32_t error;
    uint32_t stage;
};

/* The command line and environment as execve(2) takes them. */
struct server_image {
    struct arena arena;
    const char *command, *working_dir;
    char *arguments[STDIO_ARGUMENTS_MAX + 2];
    char *variables[STDIO_VARIABLES_MAX + GIVEN + 1];
    size_t variable_count;
    bool failed; /* no memory */
};

static char *image_text(struct server_image *image, struct slice text)
{
    struct slice copy = arena_copy(&image->arena, text);

    if (copy.data == NULL)
        image->failed = true;
    return (char *)(uintptr_t)copy.data;
}

static void image_add(struct server_image *image, struct slice name, struct slice value)
{
    size_t size = name.size + 1 + value.size + 1;
    char *text = arena_allocate(&image->arena, size);

    if (text == NULL) {
        image->failed = true;
        return;
    }
    snprintf(text, size, "%.*s=%.*s", (int)name.size, name.data, (int)value.size,
             value.size == 0 ? "" : value.data);
    image->variables[image->variable_count++] = text;
}

/* The document's own comes first, and then the given one is left out. */
static void image_give(struct server_image *image, const char *name, const char *value)
{
    size_t size = strlen(name);

    for (size_t i = 0; i < image->variable_count; i++)
        if (strncmp(image->variables[i], name, size) == 0 && image->variables[i][size] == '=')
            return;
    if (value != NULL)
        image_add(image, slice_from(name), slice_from(value));
}

static void image_fill_environment(struct server_image *image, const struct stdio_app *app)
{
    const struct passwd *user = getpwuid(getuid());

    for (size_t i = 0; i < app->variable_count; i++)
        image_add(image, app->variables[i].name, app->variables[i].value);
    image_give(image, "PATH", server_path);
    image_give(image, "HOME", user == NULL || user->pw_dir[0] != '/' ? "/" : user->pw_dir);
    image_give(image, "LANG", server_lang);
    image_give(image, "TZ", getenv("TZ"));
}

static bool image_fill(struct server_image *image, const struct stdio_app *app)
{
    image->command = image_text(image, app->command);
    image->working_dir = image_text(image, app->working_dir);
    image->arguments[0] = image_text(image, app->command);
    for (size_t i = 0; i < app->argument_count; i++)
        image->arguments[i + 1] = image_text(image, app->arguments[i]);
    image_fill_environment(image, app);
    return !image->failed;
}

_Noreturn static void server_fail(enum guard_stage stage, int error)
{
    struct server_report report = {.error = error, .stage = (uint32_t)stage};

    _exit(write(REPORT_FD, &report, sizeof(report)) == (ssize_t)sizeof(report) ? 127 : 126);
}

/* Moved out of the way first: each may stand where another must go. */
static int server_place(const int fds[3], int report)
{
    int copies[4];

    for (int i = 0; i < 4; i++) {
        copies[i] = fcntl(i < 3 ? fds[i] : report, F_DUPFD_CLOEXEC, 16);
        if (copies[i] < 0)
            return -errno;
    }
    for (int i = 0; i < 3; i++)
        if (dup2(copies[i], i) < 0)
            return -errno;
    if (dup3(copies[3], REPORT_FD, O_CLOEXEC) < 0 || close_range(REPORT_FD + 1, ~0U, 0) < 0)
        return -errno;
    return 0;
}

static int server_limit(int resource, uint64_t value)
{
    struct rlimit limit = {.rlim_cur = value, .rlim_max = value};

    if (value == 0)
        return 0;
    return setrlimit((__rlimit_resource_t)resource, &limit) < 0 ? -errno : 0;
}

static int server_limits(const struct stdio_limits *limits)
{
    struct rlimit none = {0};
    int error = setrlimit(RLIMIT_CORE, &none) < 0 ? -errno : 0;

    if (error == 0)
        error = server_limit(RLIMIT_NOFILE, limits->open_files);
    if (error == 0)
        error = server_limit(RLIMIT_NPROC, limits->processes);
    if (error == 0)
        error = server_limit(RLIMIT_AS, limits->memory);
    if (error == 0)
        error = server_limit(RLIMIT_CPU, (limits->cpu_time + 999) / 1000);
    return error;
}

/* Whatever we block or ignore, exec would pass on. Then death with the guardian, which may have
 * died before that was asked for. */
static int server_detach(pid_t guardian)
{
    sigset_t none;

    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    sigemptyset(&none);
    if (setsid() < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 ||
        sigprocmask(SIG_SETMASK, &none, NULL) < 0)
        return -errno;
    if (getppid() != guardian)
        return -ESRCH;
    umask(027);
    return 0;
}

_Noreturn static void server_become(const struct stdio_app *app, struct server_image *image,
                                    const int fds[3], int report, pid_t guardian)
{
    int error = server_place(fds, report);

    if (error < 0)
        server_fail(GUARD_FILES, error);
    error = server_detach(guardian);
    if (error < 0)
        server_fail(GUARD_SESSION, error);
    error = server_limits(&app->limits);
    if (error < 0)
        server_fail(GUARD_LIMITS, error);
    if (chdir(image->working_dir) < 0)
        server_fail(GUARD_DIRECTORY, -errno);
    execve(image->command, image->arguments, image->variables);
    server_fail(GUARD_EXEC, -errno);
}

/* The pipe closes with exec: nothing in it is success. */
static pid_t server_await(pid_t pid, int report, enum guard_stage *stage)
{
    struct server_report read_report = {0};
    ssize_t size;

    do
        size = read(report, &read_report, sizeof(read_report));
    while (size < 0 && errno == EINTR);
    if (size == 0)
        return pid;
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    *stage =
        size == (ssize_t)sizeof(read_report) ? (enum guard_stage)read_report.stage : GUARD_SESSION;
    return size == (ssize_t)sizeof(read_report) && read_report.error < 0 ? read_report.error : -EIO;
}

pid_t server_start(const struct stdio_app *app, const int fds[3], enum guard_stage *stage)
{
    struct server_image image = {0};
    pid_t guardian = getpid(), pid = -ENOMEM;
    int report[2];

    *stage = GUARD_FORK;
    if (pipe2(report, O_CLOEXEC) < 0)
        return -errno;
    if (image_fill(&image, app)) {
        pid = fork();
        if (pid == 0)
            server_become(app, &image, fds, report[1], guardian);
        if (pid < 0)
            pid = -errno;
    }
    close(report[1]);
    if (pid > 0)
        pid = server_await(pid, report[0], stage);
    close(report[0]);
    arena_free(&image.arena);
    return pid;
}
