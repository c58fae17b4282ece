/* The launcher and its guardians, driven over a channel as master and bridge would; this program is
 * started again as both. Each test runs as every enclosure there is: a PID namespace, one within a
 * user namespace, and a child subreaper where none is allowed. */

#include "master/launcher.h"

#include "master/guardian.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <grp.h>
#include <sched.h>
#include <sys/stat.h>

#include "shared/clock.h"
#include "tests/unit/shared/role_fixture.h"

enum { NOBODY = 65534, PATIENCE = 20 * 1000, REVISION_SIZE = 64 };

enum mode { MODE_NAMESPACE, MODE_USER_NAMESPACE, MODE_SUBREAPER, MODES };

static const char *const mode_names[] = {"namespace", "user namespace", "subreaper"};

static enum mode mode;
static struct role launcher;
static char mark[64]; /* in the environment of every server, and of what it starts */
static uint32_t last_request;

/* What the launcher of each mode is. */

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        _exit(98);
    close(fd);
}

static void become_nobody(void)
{
    if (geteuid() != 0)
        return;
    if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
        setresuid(NOBODY, NOBODY, NOBODY) < 0 || prctl(PR_SET_DUMPABLE, 1) < 0)
        _exit(99);
}

/* In a user namespace that allows no PID namespace below it. */
static void become_poor(void)
{
    char map[48];
    unsigned uid, gid;

    become_nobody();
    uid = geteuid();
    gid = getegid();
    if (unshare(CLONE_NEWUSER) < 0)
        _exit(97);
    snprintf(map, sizeof(map), "%u %u 1", uid, uid);
    write_file("/proc/self/setgroups", "deny");
    write_file("/proc/self/uid_map", map);
    snprintf(map, sizeof(map), "%u %u 1", gid, gid);
    write_file("/proc/self/gid_map", map);
    write_file("/proc/sys/user/max_pid_namespaces", "0");
}

static void (*const becomes[MODES])(void) = {NULL, become_nobody, become_poor};

static struct stdio_app shell(const char *name, const char *script)
{
    static const char revision[] =
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    struct stdio_app app = {
        .name = slice_from(name),
        .revision = slice_from(revision),
        .scope = STDIO_SESSION,
        .command = slice_from("/bin/sh"),
        .arguments = {slice_from("-c"), slice_from(script)},
        .argument_count = 2,
        .variables = {{slice_from("GATEHOUSE_TEST"), slice_from(mark)}},
        .variable_count = 1,
        .file = slice_from("/etc/gatehouse/apps.yaml"),
        .working_dir = slice_from("/"),
        .limits = {.open_files = 77},
    };

    if (mode == MODE_NAMESPACE)
        app.user = (struct settings_user){slice_from("nobody"), NOBODY, NOBODY};
    return app;
}

static void send_apps(struct stdio_app *apps, size_t count)
{
    struct stdio_app_list list = {apps, count};
    struct buffer message = {0};

    assert_int_equal(stdio_apps_encode(&list, true, &message), 0);
    assert_int_equal(
        channel_send(launcher.channel, MESSAGE_STDIO_APPS, buffer_slice(&message), NULL, 0), 0);
    buffer_free(&message);
}

static void start_launcher(struct stdio_app *apps, size_t count)
{
    struct settings settings = role_settings("/nowhere");

    settings.stdio.max_servers = 4;
    settings.stdio.stop_timeout = 100;
    settings.stdio.kill_timeout = 200;
    role_begin(&launcher, "launcher", -1, &settings, becomes[mode]);
    send_apps(apps, count);
    role_expect_ready(&launcher);
}

static void receive(struct message *message)
{
    struct pollfd channel = {.fd = launcher.channel, .events = POLLIN};

    assert_int_equal(poll(&channel, 1, PATIENCE), 1);
    assert_int_equal(channel_receive(launcher.channel, message), 1);
}

static void order(enum message_type type, const void *payload, size_t size)
{
    assert_int_equal(channel_send(launcher.channel, type, slice_make(payload, size), NULL, 0), 0);
}

static uint32_t ask(const char *app)
{
    struct message_server_start start = {.request = ++last_request,
                                         .app_size = (uint32_t)strlen(app)};

    memcpy(start.app, app, strlen(app));
    order(MESSAGE_SERVER_START, &start, sizeof(start));
    return start.request;
}

struct server {
    uint64_t number;
    int in, out, error;
};

static struct server start(const char *app)
{
    uint32_t request = ask(app);
    struct message_server_started started;
    struct message message;

    receive(&message);
    assert_int_equal(message.type, MESSAGE_SERVER_STARTED);
    memcpy(&started, message.payload.data, sizeof(started));
    assert_int_equal(started.request, request);
    return (struct server){started.server, message.fds[0], message.fds[1], message.fds[2]};
}

static int fails(const char *app)
{
    uint32_t request = ask(app);
    struct message_server_failed failed;
    struct message message;

    receive(&message);
    assert_int_equal(message.type, MESSAGE_SERVER_FAILED);
    memcpy(&failed, message.payload.data, sizeof(failed));
    assert_int_equal(failed.request, request);
    return failed.error;
}

static int ends(const struct server *server)
{
    struct message_server_ended ended;
    struct message message;

    receive(&message);
    assert_int_equal(message.type, MESSAGE_SERVER_ENDED);
    memcpy(&ended, message.payload.data, sizeof(ended));
    assert_int_equal(ended.server, server->number);
    return ended.status;
}

static void stop(struct server *server)
{
    struct message_server_stop message = {server->number};

    close(server->in);
    server->in = -1;
    order(MESSAGE_SERVER_STOP, &message, sizeof(message));
}

static void forget(struct server *server)
{
    if (server->in >= 0)
        close(server->in);
    close(server->out);
    close(server->error);
}

/* Reads until `wanted` is in what was read, or with NULL to the end. */
static void read_until(int fd, const char *wanted, char *out, size_t room)
{
    size_t size = 0;

    out[0] = '\0';
    while (wanted == NULL || strstr(out, wanted) == NULL) {
        struct pollfd end = {.fd = fd, .events = POLLIN};
        ssize_t count;

        assert_int_equal(poll(&end, 1, PATIENCE), 1);
        count = read(fd, out + size, room - size - 1);
        assert_true(count >= 0);
        if (count == 0 && wanted != NULL)
            fail_msg("\"%s\" did not come, but \"%s\"", wanted, out);
        if (count == 0)
            return;
        size += (size_t)count;
        out[size] = '\0';
    }
}

/* Calls `visit` for each process with our mark; how many there are. */
static size_t marked(void (*visit)(pid_t pid))
{
    DIR *directory = opendir("/proc");
    struct dirent *entry;
    size_t count = 0;

    assert_non_null(directory);
    while ((entry = readdir(directory)) != NULL) {
        char path[300], environment[8192];
        ssize_t size;
        int fd;

        snprintf(path, sizeof(path), "/proc/%s/environ", entry->d_name);
        if (entry->d_name[0] < '0' || entry->d_name[0] > '9' ||
            (fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
            continue;
        size = read(fd, environment, sizeof(environment));
        close(fd);
        if (size <= 0 || memmem(environment, (size_t)size, mark, strlen(mark)) == NULL)
            continue;
        count++;
        if (visit != NULL)
            visit(atoi(entry->d_name));
    }
    closedir(directory);
    return count;
}

static void expect_marked(size_t count)
{
    int64_t deadline = clock_monotonic_milliseconds() + PATIENCE;

    while (marked(NULL) != count) {
        if (clock_monotonic_milliseconds() > deadline)
            fail_msg("%zu processes of the server are there, not %zu", marked(NULL), count);
        poll(NULL, 0, 10);
    }
}

static void drain(void)
{
    order(MESSAGE_DRAIN, NULL, 0);
    role_expect_exit(role_end(&launcher), 0);
}

/* The launcher's children. */
static pid_t guardian(void)
{
    char path[64], text[256] = "";
    int fd;

    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)launcher.pid, (int)launcher.pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_true(read(fd, text, sizeof(text) - 1) > 0);
    close(fd);
    return atoi(text);
}

static void test_the_enclosure_is_the_one_meant(void **state)
{
    struct stdio_app app = shell("one", "exec cat");
    char path[64], own[64] = "", other[64] = "";
    struct server server;

    (void)state;
    if (geteuid() != 0) /* a guardian shows itself to root alone */
        skip();
    start_launcher(&app, 1);
    server = start("one");
    snprintf(path, sizeof(path), "/proc/%d/ns/pid", (int)guardian());
    assert_true(readlink("/proc/self/ns/pid", own, sizeof(own) - 1) > 0);
    assert_true(readlink(path, other, sizeof(other) - 1) > 0);
    assert_int_equal(strcmp(own, other) == 0, mode == MODE_SUBREAPER);
    drain();
    forget(&server);
}

/* A child that would outlive any but the strictest end: of another session, deaf to SIGTERM. */
#define ORPHAN "setsid sh -c 'trap \"\" TERM; echo orphan; while :; do sleep 1; done' & "

static void test_what_is_written_comes_back(void **state)
{
    struct stdio_app app = shell("echo", "echo ready >&2; exec cat");
    struct server server;
    char text[64];

    (void)state;
    start_launcher(&app, 1);
    server = start("echo");
    read_until(server.error, "ready\n", text, sizeof(text));
    assert_int_equal(write(server.in, "hello\n", 6), 6);
    read_until(server.out, "hello\n", text, sizeof(text));
    stop(&server);
    assert_int_equal(ends(&server), 0); /* by itself, since its input ended */
    read_until(server.out, NULL, text, sizeof(text));
    forget(&server);
    expect_marked(0);
    drain();
}

static void test_a_server_gets_what_was_promised_and_no_more(void **state)
{
    static const char script[] =
        "env | cut -d= -f1 | sort | tr '\\n' ' '; echo;"
        "fd=0; while [ $fd -lt 64 ]; do [ -e /proc/$$/fd/$fd ] && printf '%s ' $fd;"
        "fd=$((fd + 1)); done; echo;"
        "exec 2>/dev/stdout; cat /proc/self/status;"
        "ulimit -n; ulimit -c; umask; pwd; echo end $HOME $LANG $GIVEN";
    struct stdio_app app = shell("look", script);
    const char *ignored;
    struct server server;
    char text[4096], wanted[64];

    (void)state;
    app.variables[app.variable_count++] =
        (struct stdio_variable){slice_from("GIVEN"), slice_from("a b=c")};
    app.variables[app.variable_count++] =
        (struct stdio_variable){slice_from("LANG"), slice_from("de_DE")};
    app.working_dir = slice_from("/usr");
    setenv("SECRET_OF_OURS", "x", 1);
    start_launcher(&app, 1);
    server = start("look");
    read_until(server.out, NULL, text, sizeof(text));
    assert_int_equal(ends(&server), 0);
    forget(&server);
    /* PWD and _ are the shell's own. */
    assert_non_null(strstr(text, "GATEHOUSE_TEST GIVEN HOME LANG PATH PWD"));
    assert_null(strstr(text, "SECRET"));
    assert_non_null(strstr(text, "\n0 1 2 \n"));
    assert_non_null(strstr(text, "SigBlk:\t0000000000000000\n"));
    ignored = strstr(text, "SigIgn:\t");
    assert_non_null(ignored);
    /* 32 and 33 are the C library's own: it lets nobody reset them, and make's children ignore
     * them. */
    assert_int_equal(strtoull(ignored + 8, NULL, 16) & ~UINT64_C(0x180000000), 0);
    assert_non_null(strstr(text, "NoNewPrivs:\t1\n"));
    assert_non_null(strstr(text, "CapEff:\t0000000000000000\n"));
    assert_non_null(strstr(text, "CapPrm:\t0000000000000000\n"));
    snprintf(wanted, sizeof(wanted), "Uid:\t%u\t", geteuid() == 0 ? NOBODY : geteuid());
    assert_non_null(strstr(text, wanted));
    assert_null(strstr(text, "Uid:\t0"));
    assert_non_null(strstr(text, "\n77\n0\n0027\n/usr\n"));
    assert_non_null(strstr(text, " de_DE a b=c\n"));
    drain();
}

static void test_a_stubborn_server_is_killed_with_all_it_started(void **state)
{
    struct stdio_app app =
        shell("stubborn", "trap '' TERM; " ORPHAN "echo self; while :; do sleep 1; done");
    struct server server;
    char text[64];

    (void)state;
    start_launcher(&app, 1);
    server = start("stubborn");
    read_until(server.out, "self", text, sizeof(text));
    if (strstr(text, "orphan") == NULL)
        read_until(server.out, "orphan", text, sizeof(text));
    stop(&server);
    assert_int_equal(WTERMSIG(ends(&server)), SIGKILL);
    assert_int_equal(marked(NULL), 0); /* what is said to have ended has */
    forget(&server);
    drain();
}

static void test_sigterm_is_tried_first(void **state)
{
    struct stdio_app app =
        shell("polite", "trap 'exit 7' TERM; echo on; while :; do sleep 0.01; done");
    struct server server;
    char text[64];

    (void)state;
    start_launcher(&app, 1);
    server = start("polite");
    read_until(server.out, "on\n", text, sizeof(text));
    stop(&server);
    assert_int_equal(WEXITSTATUS(ends(&server)), 7);
    forget(&server);
    expect_marked(0);
    drain();
}

static void test_what_a_server_leaves_behind_ends_with_it(void **state)
{
    struct stdio_app app = shell("careless", ORPHAN "sleep 0.2; exit 3");
    struct server server;

    (void)state;
    start_launcher(&app, 1);
    server = start("careless");
    assert_int_equal(WEXITSTATUS(ends(&server)), 3);
    assert_int_equal(marked(NULL), 0);
    forget(&server);
    drain();
}

static struct server start_with_orphan(struct stdio_app *app)
{
    struct server server;
    char text[64];

    *app = shell("parent", ORPHAN "exec sleep 1000");
    start_launcher(app, 1);
    server = start("parent");
    read_until(server.out, "orphan", text, sizeof(text));
    return server;
}

static void test_a_killed_guardian_leaves_nothing(void **state)
{
    struct stdio_app app;
    struct server server = start_with_orphan(&app);

    (void)state;
    assert_int_equal(kill(guardian(), SIGKILL), 0);
    assert_int_equal(WTERMSIG(ends(&server)), SIGKILL);
    expect_marked(0);
    forget(&server);
    drain();
}

static void test_a_killed_launcher_leaves_nothing(void **state)
{
    struct stdio_app app;
    struct server server = start_with_orphan(&app);

    (void)state;
    kill(launcher.pid, SIGKILL);
    role_end(&launcher);
    expect_marked(0);
    forget(&server);
}

static void test_a_dead_master_leaves_nothing(void **state)
{
    struct stdio_app app;
    struct server server = start_with_orphan(&app);

    (void)state;
    close(launcher.channel);
    launcher.channel = -1;
    role_expect_exit(role_end(&launcher), 0);
    expect_marked(0);
    forget(&server);
}

static void test_a_lost_bridge_ends_its_servers(void **state)
{
    struct stdio_app app;
    struct server server = start_with_orphan(&app);

    (void)state;
    forget(&server);
    order(MESSAGE_SERVERS_LOST, NULL, 0);
    (void)ends(&server);
    assert_int_equal(marked(NULL), 0);
    drain();
}

static void test_a_drained_launcher_ends_its_servers(void **state)
{
    struct stdio_app app;
    struct server server = start_with_orphan(&app);

    (void)state;
    drain();
    assert_int_equal(marked(NULL), 0);
    forget(&server);
}

static void test_only_what_is_in_force_is_started(void **state)
{
    struct stdio_app app = shell("one", "exec cat");

    (void)state;
    start_launcher(&app, 1);
    assert_int_equal(fails("two"), -ENOENT);
    assert_int_equal(fails(""), -ENOENT);
    app.name = slice_from("two");
    send_apps(&app, 1);
    assert_int_equal(fails("one"), -ENOENT);
    drain();
}

static void test_what_cannot_run_is_told(void **state)
{
    struct stdio_app apps[5] = {shell("missing", ""), shell("writable", ""), shell("nowhere", ""),
                                shell("rubbish", ""), shell("plain", "")};
    char directory[] = "/tmp/gatehouse-launcher.XXXXXX", program[64], rubbish[64];
    int fd;

    (void)state;
    assert_non_null(mkdtemp(directory));
    assert_int_equal(chmod(directory, 0755), 0);
    snprintf(program, sizeof(program), "%s/program", directory);
    snprintf(rubbish, sizeof(rubbish), "%s/rubbish", directory);
    fd = open(program, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
    assert_true(fd >= 0 && fchmod(fd, 0777) == 0);
    close(fd);
    fd = open(rubbish, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
    assert_true(fd >= 0 && write(fd, "\1\2\3", 3) == 3 && fchmod(fd, 0755) == 0);
    close(fd);
    apps[0].command = slice_from("/nowhere/at/all");
    apps[1].command = slice_from(program);
    apps[2].working_dir = slice_from("/nowhere");
    apps[3].command = slice_from(rubbish);
    apps[4].command = slice_from("/etc/passwd");
    start_launcher(apps, 5);
    assert_int_equal(fails("missing"), -ENOENT);
    assert_int_equal(fails("writable"), -EPERM);
    assert_int_equal(fails("nowhere"), -ENOENT);
    assert_int_equal(fails("rubbish"), -ENOEXEC);
    assert_int_equal(fails("plain"), -EACCES);
    drain();
    unlink(program);
    unlink(rubbish);
    rmdir(directory);
}

static void test_there_are_never_more_than_allowed(void **state)
{
    struct stdio_app apps[2] = {shell("few", "exec cat"), shell("many", "exec cat")};
    struct server servers[4];

    (void)state;
    apps[0].max_servers = 2;
    start_launcher(apps, 2);
    servers[0] = start("few");
    servers[1] = start("few");
    assert_int_equal(fails("few"), -EAGAIN);
    servers[2] = start("many");
    servers[3] = start("many");
    assert_int_equal(fails("many"), -EAGAIN);
    stop(&servers[0]);
    (void)ends(&servers[0]);
    forget(&servers[0]);
    servers[0] = start("few");
    drain();
    for (int i = 0; i < 4; i++)
        forget(&servers[i]);
    expect_marked(0);
}

static void test_root_runs_nothing_as_itself(void **state)
{
    struct stdio_app app = shell("one", "exec cat");

    (void)state;
    if (mode != MODE_NAMESPACE)
        return;
    app.user = (struct settings_user){.name = {NULL, 0}};
    start_launcher(&app, 1);
    assert_int_equal(fails("one"), -EPERM);
    drain();
}

static int set_mark(void **state)
{
    static unsigned count;

    (void)state;
    snprintf(mark, sizeof(mark), "launcher-%d-%u", (int)getpid(), ++count);
    return 0;
}

#define TEST(function) cmocka_unit_test_setup(function, set_mark)

static int run_mode(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_enclosure_is_the_one_meant),
        TEST(test_what_is_written_comes_back),
        TEST(test_a_server_gets_what_was_promised_and_no_more),
        TEST(test_a_stubborn_server_is_killed_with_all_it_started),
        TEST(test_sigterm_is_tried_first),
        TEST(test_what_a_server_leaves_behind_ends_with_it),
        TEST(test_a_killed_guardian_leaves_nothing),
        TEST(test_a_killed_launcher_leaves_nothing),
        TEST(test_a_dead_master_leaves_nothing),
        TEST(test_a_lost_bridge_ends_its_servers),
        TEST(test_a_drained_launcher_ends_its_servers),
        TEST(test_only_what_is_in_force_is_started),
        TEST(test_what_cannot_run_is_told),
        TEST(test_there_are_never_more_than_allowed),
        TEST(test_root_runs_nothing_as_itself),
    };

    return cmocka_run_group_tests_name(mode_names[mode], tests, NULL, NULL);
}

/* What the mode stands on, tried as the launcher would. */
static bool mode_is_possible(void)
{
    struct enclosure enclosure;
    int status;
    pid_t pid;

    if (mode == MODE_NAMESPACE && geteuid() != 0)
        return false;
    pid = fork();
    if (pid == 0) {
        if (becomes[mode] != NULL)
            becomes[mode]();
        if (mode == MODE_SUBREAPER) /* exec takes the rights in the new namespace away */
            _exit(0);
        enclosure_probe(&enclosure);
        _exit(enclosure.flags != 0 ? 0 : 1);
    }
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int main(int argc, char **argv)
{
    int failed = 0;

    if (argc > 2 && strcmp(argv[2], "launcher") == 0)
        return launcher_main(argc, argv);
    if (argc > 2 && strcmp(argv[2], "guardian") == 0)
        return guardian_main(argc, argv);
    for (mode = MODE_NAMESPACE; mode < MODES; mode++)
        if (mode_is_possible())
            failed += run_mode();
        else
            print_message("skipped: a %s is not allowed here\n", mode_names[mode]);
    return failed;
}
