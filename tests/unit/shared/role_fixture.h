/* role_fixture.h: starts this test program again as one role, as master would. For tests of roles.
 *
 * The test's main must call the role's main when it is started with arguments.
 */
#ifndef GATEHOUSE_TESTS_UNIT_SHARED_ROLE_FIXTURE_H
#define GATEHOUSE_TESTS_UNIT_SHARED_ROLE_FIXTURE_H

#include "shared/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct role {
    pid_t pid;
    int channel; /* master's end */
    struct scoreboard_work *work;
};

static inline struct settings role_settings(const char *state_dir)
{
    struct settings settings = {
        .path = slice_from("/etc/gatehouse.yaml"),
        .public_addr = slice_from("https://gate.example.com"),
        .public_host = slice_from("gate.example.com"),
        .listeners = {{.address = slice_from("127.0.0.1:8080")}},
        .listener_count = 1,
        .workers = 1,
        .state_dir = slice_from(state_dir),
        .log_output = slice_from("stderr"),
        .log_level = LOG_ERROR,
        .config_map_size = 2 * 1024 * 1024,
        .session_map_size = 2 * 1024 * 1024,
    };
    uint64_t limit = 10000;

    for (size_t at = 0; at < sizeof(settings.limits); at += sizeof(limit))
        memcpy((char *)&settings.limits + at, &limit, sizeof(limit));
    for (size_t at = 0; at < sizeof(settings.stdio); at += sizeof(limit))
        memcpy((char *)&settings.stdio + at, &limit, sizeof(limit));
    return settings;
}

static inline void role_exec(const char *name, int slot, const int *fds)
{
    char number[12];
    int null = open("/dev/null", O_WRONLY);
    bool board = strcmp(name, "janitor") == 0 || strcmp(name, "launcher") == 0;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    snprintf(number, sizeof(number), "%d", slot);
    /* Out of the way of the descriptors that the role expects. */
    for (int i = 0; i < 3; i++)
        dup2(fds[i], 20 + i);
    for (int i = 0; i < 3; i++)
        dup2(20 + i, CHANNEL_FD + i);
    dup2(null, STDERR_FILENO);
    /* Only some roles have a block on the board: without, the arguments end before it. */
    execl("/proc/self/exe", "test", "--role", name, "--slot", number, board ? "--block" : NULL, "0",
          (char *)NULL);
    _exit(127);
}

/* `become`, when given, makes the child what the role is to be started as. */
static inline void role_begin(struct role *role, const char *name, int slot,
                              const struct settings *settings, void (*become)(void))
{
    struct buffer message = {0};
    int pair[2], public, work, fds[3];

    assert_int_equal(channel_pair(pair), 0);
    assert_int_equal(scoreboard_create(geteuid(), &public, &work), 0);
    assert_int_equal(scoreboard_map_work(work, &role->work), 0);
    fds[0] = pair[1];
    fds[1] = public;
    fds[2] = work;
    role->pid = fork();
    assert_true(role->pid >= 0);
    if (role->pid == 0) {
        if (become != NULL)
            become();
        role_exec(name, slot, fds);
    }
    close(pair[1]);
    close(public);
    close(work);
    role->channel = pair[0];
    assert_int_equal(settings_encode(settings, &message), 0);
    assert_int_equal(channel_send(role->channel, MESSAGE_SETTINGS, buffer_slice(&message), NULL, 0),
                     0);
    buffer_free(&message);
}

static inline void role_start(struct role *role, const char *name, int slot, const char *state_dir)
{
    struct settings settings = role_settings(state_dir);

    role_begin(role, name, slot, &settings, NULL);
}

/* Its wait status. */
static inline int role_end(struct role *role)
{
    int status;

    assert_int_equal(waitpid(role->pid, &status, 0), role->pid);
    if (role->channel >= 0)
        close(role->channel);
    return status;
}

static inline int role_run(const char *name, int slot, const char *state_dir)
{
    struct role role;

    role_start(&role, name, slot, state_dir);
    return role_end(&role);
}

static inline void role_expect_exit(int status, int expected)
{
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), expected);
}

/* Waits until the role says READY. */
static inline void role_expect_ready(struct role *role)
{
    struct pollfd channel = {.fd = role->channel, .events = POLLIN};
    struct message message;

    assert_int_equal(poll(&channel, 1, 30000), 1);
    assert_int_equal(channel_receive(role->channel, &message), 1);
    assert_int_equal(message.type, MESSAGE_READY);
}

/* A scratch state_dir: parent/state, not made yet. */
static inline void role_scratch(char parent[64], char state_dir[80])
{
    strcpy(parent, "/tmp/gatehouse-role.XXXXXX");
    assert_non_null(mkdtemp(parent));
    snprintf(state_dir, 80, "%s/state", parent);
}

static inline void role_scratch_remove(const char *parent, const char *state_dir)
{
    static const char *const names[] = {"config", "sessions"};
    char path[128];

    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "%s/%s/data.mdb", state_dir, names[i]);
        unlink(path);
        snprintf(path, sizeof(path), "%s/%s/lock.mdb", state_dir, names[i]);
        unlink(path);
        snprintf(path, sizeof(path), "%s/%s", state_dir, names[i]);
        rmdir(path);
    }
    rmdir(state_dir);
    assert_int_equal(rmdir(parent), 0);
}

#endif
