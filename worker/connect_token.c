#include "worker/connect_token.h"

#include "worker/http_field.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    TOKEN_MAX = 16 * 1024,    /* bytes: more than any gate takes in a head */
    TOKEN_COMMAND_MS = 60000, /* for a command, which may ask its user something */
};

extern char **environ;

void connect_token_open(struct connect_token *token)
{
    token->pipe = -1;
}

bool connect_token_ready(const struct connect_token *token)
{
    const struct connect_options *options = token->options;

    return buffer_size(&token->value) > 0 ||
           (options->token_file == NULL && options->token_command == NULL &&
            options->token_env == NULL);
}

bool connect_token_can_change(const struct connect_token *token)
{
    return token->options->token_file != NULL || token->options->token_command != NULL;
}

/* White space around it is what editors and commands leave. */
static struct slice token_trim(struct slice text)
{
    while (text.size > 0 && strchr(" \t\r\n", text.data[0]) != NULL && text.data[0] != '\0')
        text = slice_skip(text, 1);
    while (text.size > 0 && text.data[text.size - 1] != '\0' &&
           strchr(" \t\r\n", text.data[text.size - 1]) != NULL)
        text.size--;
    return text;
}

/* `source`: said when it is none. */
static void token_take(struct connect_token *token, struct slice text, const char *source)
{
    char failure[512];

    token->asking = false;
    text = token_trim(text);
    if (text.size == 0 || text.size > TOKEN_MAX || !http_is_b64token(text)) {
        snprintf(failure, sizeof(failure), "%s gave no bearer token", source);
        token->answered(token->context, failure);
        return;
    }
    if (!slice_equal(text, buffer_slice(&token->value))) {
        buffer_wipe(&token->value);
        token->serial++;
        if (buffer_append_slice(&token->value, text) != 0) {
            token->answered(token->context, "out of memory");
            return;
        }
    }
    token->answered(token->context, NULL);
}

static void token_fail(struct connect_token *token, const char *what, const char *why)
{
    char failure[512];

    token->asking = false;
    snprintf(failure, sizeof(failure), "%s: %s", what, why);
    token->answered(token->context, failure);
}

static void token_read_file(struct connect_token *token)
{
    const char *path = token->options->token_file;
    char text[TOKEN_MAX + 2];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof(text));
    int error = errno;

    if (fd >= 0)
        close(fd);
    if (size < 0)
        token_fail(token, path, strerror(error));
    else
        token_take(token, slice_make(text, (size_t)size), path);
    explicit_bzero(text, sizeof(text));
}

static void token_stop(struct connect_token *token)
{
    ev_io_stop(token->loop, &token->reader);
    ev_child_stop(token->loop, &token->child);
    deadline_close(&token->deadline);
    if (token->pipe >= 0)
        close(token->pipe);
    token->pipe = -1;
}

static void token_command_read(struct connect_token *token)
{
    char text[4096];
    ssize_t size;

    while ((size = read(token->pipe, text, sizeof(text))) > 0)
        if (buffer_size(&token->said) <= TOKEN_MAX)
            buffer_append(&token->said, text, (size_t)size);
    explicit_bzero(text, sizeof(text));
    if (size == 0)
        ev_io_stop(token->loop, &token->reader);
}

static void token_command_readable(struct ev_loop *loop, struct ev_io *watcher, int events)
{
    (void)loop;
    (void)events;
    token_command_read(watcher->data);
}

static void token_command_ended(struct ev_loop *loop, struct ev_child *watcher, int events)
{
    struct connect_token *token = watcher->data;
    int status = watcher->rstatus;

    (void)loop;
    (void)events;
    token_command_read(token);
    token_stop(token);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        token_fail(token, "the token command", "it failed");
    else
        token_take(token, buffer_slice(&token->said), "the token command");
    buffer_wipe(&token->said);
}

static void token_command_late(struct deadline *deadline)
{
    struct connect_token *token = deadline->owner;

    kill(-token->child.pid, SIGKILL);
    token_stop(token);
    buffer_wipe(&token->said);
    token_fail(token, "the token command", "it did not end in time");
}

/* In a process group of its own, so that all of it can be ended. 0 or an errno. */
static int token_spawn(const char *command, int output, pid_t *pid)
{
    char *arguments[] = {"sh", "-c", (char *)command, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t defaults;
    int error;

    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF);
    error = posix_spawn(pid, "/bin/sh", &actions, &attributes, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return error;
}

static void token_run(struct connect_token *token)
{
    int ends[2];
    pid_t pid;
    int error = pipe2(ends, O_CLOEXEC) == 0 ? 0 : errno;

    if (error == 0) {
        error = token_spawn(token->options->token_command, ends[1], &pid);
        close(ends[1]);
        if (error != 0)
            close(ends[0]);
    }
    if (error != 0) {
        token_fail(token, "the token command", strerror(error));
        return;
    }
    token->pipe = ends[0];
    fcntl(token->pipe, F_SETFL, O_NONBLOCK);
    ev_io_init(&token->reader, token_command_readable, token->pipe, EV_READ);
    token->reader.data = token;
    ev_io_start(token->loop, &token->reader);
    ev_child_init(&token->child, token_command_ended, pid, 0);
    token->child.data = token;
    ev_child_start(token->loop, &token->child);
    deadline_open(&token->deadline, token->loop, token_command_late, token);
    deadline_set(&token->deadline, TOKEN_COMMAND_MS);
}

void connect_token_ask(struct connect_token *token)
{
    const struct connect_options *options = token->options;

    if (token->asking)
        return;
    token->asking = true;
    if (options->token_command != NULL)
        token_run(token);
    else if (options->token_file != NULL)
        token_read_file(token);
    else
        token_take(token, slice_from(getenv(options->token_env)), "the environment");
}

void connect_token_close(struct connect_token *token)
{
    if (token->pipe >= 0) {
        kill(-token->child.pid, SIGKILL);
        token_stop(token);
    }
    buffer_wipe(&token->said);
    buffer_wipe(&token->value);
}
