/* The whole of master, with the real reader and small children of its own: this program plays the
 * other roles when it is started with --role, as master starts the binary that it runs. */

#include "master/supervisor.h"

#include "conf/roles.h"
#include "shared/child.h"
#include "shared/clock.h"
#include "shared/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATIENCE = 20 * 1000, LOG_MAX = 256 * 1024, FAKE_LISTENERS = 32 };

/* Fake roles. A file "<role>" beside gatehouse.yaml makes the role exit with the status in it; a
 * file "<role>.once" does so once. */

static int ordered_exit(const struct child *child)
{
    static const char *const forms[] = {"%.*s%s", "%.*s%s.once"};
    const struct slice path = child->settings.path;
    const char *end = memrchr(path.data, '/', path.size);
    int directory = (int)(end + 1 - path.data);

    for (size_t i = 0; i < 2; i++) {
        char name[PATH_MAX], text[8] = "";
        int fd;

        snprintf(name, sizeof(name), forms[i], directory, path.data, child_role_name(child->role));
        fd = open(name, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            continue;
        if (i == 1)
            unlink(name);
        if (read(fd, text, sizeof(text) - 1) < 0)
            abort();
        close(fd);
        return atoi(text);
    }
    return 0;
}

#define DEADLY "# deadly\n"

static int fake_store_role(int argc, char **argv)
{
    struct child child;
    char path[PATH_MAX];
    int status, fd;

    child_start(argc, argv, &child);
    status = ordered_exit(&child);
    snprintf(path, sizeof(path), "%.*s/%s/data.mdb", (int)child.settings.state_dir.size,
             child.settings.state_dir.data, child.slot == STORE_CONFIG ? "config" : "sessions");
    if (status == 0 && child.role == ROLE_CREATOR) {
        fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
        status = fd < 0 ? 1 : 0;
    }
    arena_free(&child.arena);
    return status;
}

struct fake {
    struct child child;
    int listeners[FAKE_LISTENERS];
    struct message_listener which[FAKE_LISTENERS];
    bool ready, done;
};

static void fake_unlisten(struct fake *fake, const struct message_listener *which)
{
    for (int i = 0; i < FAKE_LISTENERS; i++)
        if (fake->listeners[i] >= 0 && memcmp(&fake->which[i], which, sizeof(*which)) == 0) {
            close(fake->listeners[i]);
            fake->listeners[i] = -1;
        }
}

static void fake_listen(struct fake *fake, struct message *message)
{
    struct message_listener which;

    memcpy(&which, message->payload.data, sizeof(which));
    if (message->type == MESSAGE_UNLISTEN) {
        fake_unlisten(fake, &which);
        return;
    }
    for (int i = 0; i < FAKE_LISTENERS; i++)
        if (fake->listeners[i] < 0) {
            fake->listeners[i] = message->fds[0];
            fake->which[i] = which;
            message->fds[0] = -1;
            return;
        }
}

/* The last listener's place is the bridge's. */
static void fake_take_bridge(struct fake *fake, struct message *message)
{
    fake->listeners[FAKE_LISTENERS - 1] = message->fds[0];
    message->fds[0] = -1;
}

/* A launcher that starts nothing, but passes its standard descriptors on. */
static void fake_start_server(const struct message *message)
{
    const struct message_server_started started = {.server = 7};
    const int fds[3] = {0, 1, 2};

    log_info("fake_heard", "start of %s",
             ((const struct message_server_start *)message->payload.data)->app);
    (void)channel_send(CHANNEL_FD, MESSAGE_SERVER_STARTED,
                       slice_make((const char *)&started, sizeof(started)), fds, 3);
}

static void fake_message(struct fake *fake, struct message *message)
{
    if (child_handle(&fake->child, message))
        return;
    if (message->type == MESSAGE_DRAIN)
        fake->done = true;
    else if (message->type == MESSAGE_BRIDGE_LISTENER)
        fake_take_bridge(fake, message);
    else if (message->type == MESSAGE_SERVER_START)
        fake_start_server(message);
    else if (message->type == MESSAGE_SERVER_STARTED)
        log_info("fake_heard", "started, with %zu descriptors", message->fd_count);
    else if (message->type == MESSAGE_SERVERS_LOST)
        log_info("fake_heard", "servers are lost");
    else if (message->type == MESSAGE_LISTENER || message->type == MESSAGE_UNLISTEN)
        fake_listen(fake, message);
    else if (message->type == MESSAGE_START && !fake->ready) {
        fake->ready = true;
        child_ready(&fake->child);
    } else if (message->type == MESSAGE_START)
        log_info("fake_committed", "workers %zu", fake->child.settings.workers);
    else if (message->type == MESSAGE_RELOAD || message->type == MESSAGE_KEY_WANTED)
        log_info("fake_heard", "message %d", message->type);
}

/* "w<slot> <pid>\n" for '.'; other bytes make the worker misbehave. */
static void fake_answer(struct fake *fake, int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    char order = '.', text[32];

    if (fd < 0)
        return;
    if (read(fd, &order, 1) != 1)
        order = '.';
    if (order == 'm')
        (void)channel_send(CHANNEL_FD, MESSAGE_DRAIN, slice_make(NULL, 0), NULL, 0);
    if (order == 'r')
        (void)send(CHANNEL_FD, "rubbish", 7, 0);
    if (order == 'k')
        (void)channel_send(CHANNEL_FD, MESSAGE_KEY_WANTED, slice_from("idp"), NULL, 0);
    if (order == 'S') {
        const struct message_server_start start = {.request = 5, .app_size = 3, .app = "one"};

        (void)channel_send(CHANNEL_FD, MESSAGE_SERVER_START,
                           slice_make((const char *)&start, sizeof(start)), NULL, 0);
    }
    if (order == 'c')
        exit(EXIT_STORE);
    if (order == 's') {
        signal(SIGSEGV, SIG_DFL); /* a sanitizer's handler would exit */
        raise(SIGSEGV);
    }
    scoreboard_count(fake->child.block, COUNT_REQUESTS);
    snprintf(text, sizeof(text), "w%d %d\n", fake->child.slot, (int)getpid());
    if (write(fd, text, strlen(text)) < 0)
        abort();
    close(fd);
}

static void fake_turn(struct fake *fake)
{
    struct pollfd polls[FAKE_LISTENERS + 1] = {{.fd = CHANNEL_FD, .events = POLLIN}};
    struct message message;
    int status;

    for (int i = 0; i < FAKE_LISTENERS; i++)
        polls[i + 1] = (struct pollfd){.fd = fake->listeners[i], .events = POLLIN};
    poll(polls, FAKE_LISTENERS + 1, 100);
    child_heartbeat(&fake->child);
    while ((status = channel_receive(CHANNEL_FD, &message)) == 1) {
        fake_message(fake, &message);
        message_close(&message);
    }
    if (status < 0)
        exit(0); /* master died */
    for (int i = 0; i < FAKE_LISTENERS; i++)
        if (polls[i + 1].revents != 0 && fake->listeners[i] == polls[i + 1].fd)
            fake_answer(fake, fake->listeners[i]);
}

static int fake_service(int argc, char **argv)
{
    static struct fake fake;
    int status;

    child_start(argc, argv, &fake.child);
    for (int i = 0; i < FAKE_LISTENERS; i++)
        fake.listeners[i] = -1;
    status = ordered_exit(&fake.child);
    if (status == 0 && fake.child.role != ROLE_WORKER)
        child_ready(&fake.child);
    while (status == 0 && !fake.done)
        fake_turn(&fake);
    arena_free(&fake.child.arena);
    return status;
}

/* Dies of a file that begins with DEADLY. */
static int fake_reader(int argc, char **argv)
{
    char begin[sizeof(DEADLY)] = "";

    if (pread(SETTINGS_FILE_FD, begin, sizeof(begin) - 1, 0) > 0 && strcmp(begin, DEADLY) == 0)
        raise(SIGKILL);
    return reader_main(argc, argv);
}

static int fake_main(int argc, char **argv)
{
    if (strcmp(argv[2], "reader") == 0)
        return fake_reader(argc, argv);
    if (strcmp(argv[2], "collector") == 0)
        return collector_main(argc, argv);
    if (strcmp(argv[2], "creator") == 0 || strcmp(argv[2], "checker") == 0)
        return fake_store_role(argc, argv);
    return fake_service(argc, argv);
}

/* A run of master in a directory of its own. */

struct run {
    char directory[64];
    pid_t pid;
    int output; /* its log */
    char *log;
    size_t size, seen; /* seen: where run_expect looks on */
    in_port_t port;
};

static void run_write(const struct run *run, const char *name, const char *text)
{
    char path[128];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", run->directory, name);
    file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void run_write_settings(const struct run *run, int workers, const char *more)
{
    char text[1024];

    snprintf(text, sizeof(text),
             "version: v1\nkind: gatehouse\ngate:\n  public_addr: http://127.0.0.1:1\n"
             "  listen:\n  - address: 127.0.0.1:%u\n  workers: %d\n  state_dir: state\n%s",
             ntohs(run->port), workers, more);
    run_write(run, "gatehouse.yaml", text);
}

/* A port that nobody has now, from below those that the kernel gives to clients. */
static in_port_t free_port(void)
{
    static unsigned next;

    for (int i = 0; i < 1000; i++) {
        struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        int error;

        next = next == 0 ? 12000 + (unsigned)getpid() % 15000 : next + 1;
        address.sin_port = htons((in_port_t)next);
        error = bind(fd, (struct sockaddr *)&address, sizeof(address));
        close(fd);
        if (error == 0)
            return address.sin_port;
    }
    fail_msg("no free port");
    return 0;
}

static void run_launch(struct run *run)
{
    int ends[2];
    char path[128];

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    snprintf(path, sizeof(path), "%s/gatehouse.yaml", run->directory);
    run->pid = fork();
    assert_true(run->pid >= 0);
    if (run->pid == 0) {
        dup2(ends[1], STDERR_FILENO);
        _exit(supervisor_run(path));
    }
    close(ends[1]);
    run->output = ends[0];
}

static int run_setup(void **state)
{
    struct run *run = calloc(1, sizeof(*run));

    if (run == NULL)
        return -1;
    run->log = calloc(1, LOG_MAX);
    snprintf(run->directory, sizeof(run->directory), "/tmp/gatehouse-unit.XXXXXX");
    if (run->log == NULL || mkdtemp(run->directory) == NULL)
        return -1;
    run->port = free_port();
    run->output = -1;
    *state = run;
    return 0;
}

static void remove_tree(int parent, const char *name)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *directory = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;

    while (directory != NULL && (entry = readdir(directory)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            remove_tree(fd, entry->d_name);
    unlinkat(parent, name, directory == NULL ? 0 : AT_REMOVEDIR);
    if (directory != NULL)
        closedir(directory);
}

static int run_teardown(void **state)
{
    struct run *run = *state;

    if (run->pid > 0) { /* the children follow it */
        kill(run->pid, SIGKILL);
        waitpid(run->pid, NULL, 0);
    }
    if (run->output >= 0)
        close(run->output);
    remove_tree(AT_FDCWD, run->directory);
    free(run->log);
    free(run);
    return 0;
}

/* Waits for a text in the log after what was expected before. The rest of its line. */
static const char *run_expect(struct run *run, const char *text)
{
    int64_t deadline = clock_monotonic_milliseconds() + PATIENCE;

    for (;;) {
        struct pollfd output = {.fd = run->output, .events = POLLIN};
        char *found = strstr(run->log + run->seen, text);
        int64_t left = deadline - clock_monotonic_milliseconds();
        ssize_t count;

        if (found != NULL && strchr(found, '\n') != NULL) {
            run->seen = (size_t)(found - run->log) + strlen(text);
            return found + strlen(text);
        }
        if (left <= 0 || poll(&output, 1, (int)left) <= 0)
            fail_msg("no \"%s\" in time in:\n%s", text, run->log);
        count = read(run->output, run->log + run->size, LOG_MAX - 1 - run->size);
        if (count <= 0)
            fail_msg("master ended without \"%s\":\n%s", text, run->log);
        run->size += (size_t)count;
        run->log[run->size] = '\0';
    }
}

static int run_wait(struct run *run)
{
    int status;

    assert_int_equal(waitpid(run->pid, &status, 0), run->pid);
    run->pid = 0;
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void run_start(struct run *run, int workers)
{
    run_write_settings(run, workers, "  limits: {watchdog: 2s, drain_timeout: 10s}\n");
    run_launch(run);
    run_expect(run, " ready: READY: ");
}

/* One connection; the answering worker's slot and pid. false: it was cut. */
static bool run_ask(const struct run *run, char order, int *slot, int *pid)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = run->port, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char text[64] = "";
    ssize_t count;

    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(write(fd, &order, 1), 1);
    count = read(fd, text, sizeof(text) - 1);
    close(fd);
    return count > 0 && sscanf(text, "w%d %d", slot, pid) == 2;
}

/* The same of the bridge. */
static bool run_ask_bridge(const struct run *run, char order)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), slot, pid;
    char text[64] = "";
    ssize_t count;

    snprintf(address.sun_path, sizeof(address.sun_path), "%s/state/bridge/socket", run->directory);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(write(fd, &order, 1), 1);
    count = read(fd, text, sizeof(text) - 1);
    close(fd);
    return count > 0 && sscanf(text, "w%d %d", &slot, &pid) == 2;
}

/* The pid that follows "<role> (pid " in the line that says it is ready. */
static pid_t run_expect_ready(struct run *run, const char *role)
{
    char text[64];

    snprintf(text, sizeof(text), "process_ready: %s (pid ", role);
    return atoi(run_expect(run, text));
}

/* An app that is a stdio server, as this program's user may name it. */
static const char *stdio_app(void)
{
    return geteuid() == 0 ? "  stdio: {users: nobody}\n"
                            "app_service: {apps: [{name: one, mcp: {command: /bin/cat, "
                            "run_as_host_user: nobody}}]}\n"
                          : "app_service: {apps: [{name: one, mcp: {command: /bin/cat}}]}\n";
}

/* Asks until the worker of that slot answered. Its pid. */
static int run_find_worker(const struct run *run, char order, int wanted)
{
    int64_t deadline = clock_monotonic_milliseconds() + PATIENCE;
    int slot, pid;

    while (clock_monotonic_milliseconds() < deadline)
        if (run_ask(run, '.', &slot, &pid) && slot == wanted)
            break;
    assert_int_equal(slot, wanted);
    /* The same port of a client hashes to the same slot only by chance: ask on until it fits. */
    while (order != '.' && clock_monotonic_milliseconds() < deadline) {
        bool answered = run_ask(run, order, &slot, &pid);

        if (!answered || slot == wanted)
            break;
    }
    return pid;
}

static void run_stop(struct run *run)
{
    kill(run->pid, SIGTERM);
    assert_int_equal(run_wait(run), 0);
}

static void test_serves_and_drains(void **state)
{
    struct run *run = *state;
    int slot, pid;

    run_start(run, 2);
    assert_true(run_ask(run, '.', &slot, &pid));
    assert_int_not_equal(kill(pid, 0), -1);
    run_stop(run);
    assert_int_equal(kill(pid, 0), -1);
    assert_int_equal(errno, ESRCH);
}

static void test_directories_have_their_modes(void **state)
{
    struct run *run = *state;
    struct stat status;
    char path[128];

    run_start(run, 1);
    snprintf(path, sizeof(path), "%s/state/config", run->directory);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 02750);
    snprintf(path, sizeof(path), "%s/state/sessions", run->directory);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    run_stop(run);
}

static void test_wrong_settings_end_the_start(void **state)
{
    struct run *run = *state;

    run_write(run, "gatehouse.yaml", "version: v1\nkind: nonsense\n");
    run_launch(run);
    run_expect(run, "start_failed: ");
    assert_int_equal(run_wait(run), EXIT_SETTINGS);
}

/* It may have been the kernel's, for want of memory: the file is not to blame, and may be tried
 * again. */
static void test_a_reader_that_is_killed_does_not_refuse_the_settings(void **state)
{
    struct run *run = *state;

    run_write(run, "gatehouse.yaml", DEADLY);
    run_launch(run);
    run_expect(run, "start_failed: the reader died: signal 9");
    assert_int_equal(run_wait(run), 71);
    close(run->output);
    run_start(run, 1);
    run_write(run, "gatehouse.yaml", DEADLY);
    kill(run->pid, SIGHUP);
    run_expect(run, "reload_failed: the settings stay as they were: the reader died: signal 9");
    run_stop(run);
}

static void test_a_second_gateway_on_the_same_state_ends(void **state)
{
    struct run *run = *state;
    struct run second = *run;

    run_start(run, 1);
    second.log = calloc(1, LOG_MAX);
    run_launch(&second);
    run_expect(&second, "gate.state_dir is in use by another gatehouse");
    assert_int_equal(run_wait(&second), 69);
    close(second.output);
    free(second.log);
    run_stop(run);
}

static void test_a_taken_port_ends_the_start(void **state)
{
    struct run *run = *state;
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = run->port, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int taken = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(taken, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(taken, 1), 0);
    run_write_settings(run, 1, "");
    run_launch(run);
    run_expect(run, "cannot listen on 127.0.0.1:");
    assert_int_equal(run_wait(run), 69);
    close(taken);
}

static void test_a_refusing_worker_ends_the_start(void **state)
{
    struct run *run = *state;

    run_write(run, "worker", "78");
    run_write_settings(run, 2, "");
    run_launch(run);
    run_expect(run, "did not come up");
    assert_int_equal(run_wait(run), EXIT_SETTINGS);
}

static void test_a_watcher_that_fails_ends_the_start(void **state)
{
    struct run *run = *state;

    run_write(run, "watcher", "3");
    run_write_settings(run, 2, "");
    run_launch(run);
    run_expect(run, "the watcher did not come up");
    assert_int_equal(run_wait(run), 3);
}

static void test_a_killed_worker_is_back_and_nobody_else_notices(void **state)
{
    struct run *run = *state;
    int pid, other, slot, answered;

    run_start(run, 2);
    pid = run_find_worker(run, '.', 0);
    other = run_find_worker(run, '.', 1);
    kill(pid, SIGKILL);
    /* What comes meanwhile waits in the slot's own queue. */
    for (int i = 0; i < 20; i++)
        assert_true(run_ask(run, '.', &slot, &answered));
    run_expect(run, "worker 0 (pid ");
    run_expect(run, "signal 9 (Killed); the next starts now");
    run_expect(run, "process_ready: worker 0 (pid ");
    assert_int_not_equal(run_find_worker(run, '.', 0), pid);
    assert_int_equal(run_find_worker(run, '.', 1), other);
    run_stop(run);
}

static void test_the_slot_of_a_worker_that_stays_away_is_lent(void **state)
{
    struct run *run = *state;
    int pid, slot, answered;

    run_start(run, 2);
    pid = run_find_worker(run, '.', 0);
    run_write(run, "worker", "71");
    kill(pid, SIGKILL);
    run_expect(run, "process_backoff: the next worker 0 starts in 2000 ms");
    for (int i = 0; i < 20; i++) {
        assert_true(run_ask(run, '.', &slot, &answered));
        assert_int_equal(slot, 1);
    }
    run_stop(run);
}

static void test_a_silent_worker_is_killed(void **state)
{
    struct run *run = *state;
    int pid;

    run_start(run, 2);
    pid = run_find_worker(run, '.', 1);
    kill(pid, SIGSTOP);
    run_expect(run, "watchdog: worker 1 ");
    run_expect(run, "process_ready: worker 1 ");
    run_stop(run);
}

static void test_what_a_worker_may_not_say_ends_it(void **state)
{
    struct run *run = *state;

    run_start(run, 1);
    run_find_worker(run, 'm', 0);
    run_expect(run, "message_refused: worker 0 ");
    run_expect(run, "process_ready: worker 0 ");
    run_find_worker(run, 'r', 0);
    run_expect(run, "broke the form");
    run_expect(run, "process_ready: worker 0 ");
    run_find_worker(run, 'k', 0);
    run_expect(run, "fake_heard: message 10");
    run_stop(run);
}

static void test_a_suspected_sound_store_is_kept(void **state)
{
    struct run *run = *state;

    run_start(run, 1);
    run_find_worker(run, 'c', 0);
    run_expect(run, "environment_suspected: the config");
    run_expect(run, "environment_suspected: the sessions");
    run_expect(run, "process_ready: worker 0 ");
    assert_null(strstr(run->log, "environment_corrupt"));
    run_stop(run);
}

static void test_a_store_that_is_suspected_twice_is_taken_from_all(void **state)
{
    struct run *run = *state;

    run_start(run, 1);
    run_find_worker(run, 'c', 0);
    run_expect(run, "process_ready: worker 0 ");
    run_find_worker(run, 'c', 0);
    run_expect(run, "environment_reopened: the config environment");
    run_expect(run, "process_ready: watcher "); /* it had the environment open, too */
    run_find_worker(run, '.', 0);
    assert_null(strstr(run->log, "environment_corrupt"));
    run_stop(run);
}

/* The lock file was in the way, which any worker can write: no reason to lose what is stored. */
static void test_a_store_that_is_sound_alone_is_kept(void **state)
{
    struct run *run = *state;

    run_start(run, 1);
    run_write(run, "checker.once", "70");
    run_find_worker(run, 'c', 0);
    run_expect(run, "environment_doubted: ");
    run_expect(run, "process_ready: worker 0 ");
    run_find_worker(run, '.', 0);
    assert_null(strstr(run->log, "environment_corrupt"));
    run_stop(run);
}

/* A damaged page may kill who reads it before he can say so. */
static void test_a_crash_has_the_stores_checked_once(void **state)
{
    struct run *run = *state;

    run_start(run, 1);
    run_find_worker(run, 's', 0);
    run_expect(run, "environment_suspected: the config");
    run_expect(run, "process_ready: worker 0 ");
    run_find_worker(run, 's', 0);
    run_expect(run, "process_ready: worker 0 ");
    run_find_worker(run, '.', 0);
    assert_null(strstr(strstr(run->log, "environment_suspected: the config") + 1,
                       "environment_suspected: the config"));
    assert_null(strstr(run->log, "environment_doubted"));
    run_stop(run);
}

static void test_a_corrupt_store_is_moved_aside(void **state)
{
    struct run *run = *state;
    const char *moved;
    char path[256], name[64];
    struct stat status;

    run_start(run, 1);
    run_write(run, "checker", "70");
    run_find_worker(run, 'c', 0);
    moved = run_expect(run, "CANNOT BE USED: moved aside as ");
    assert_int_equal(sscanf(moved, "%63[a-z0-9.-]", name), 1);
    run_expect(run, "process_ready: worker 0 ");
    snprintf(path, sizeof(path), "%s/state/%s/data.mdb", run->directory, name);
    assert_int_equal(stat(path, &status), 0);
    run_stop(run);
}

static void test_a_store_that_the_start_finds_corrupt_is_moved_aside(void **state)
{
    struct run *run = *state;

    run_start(run, 1);
    run_stop(run);
    close(run->output);
    run_write(run, "checker.once", "70");
    run_launch(run);
    run_expect(run, "CANNOT BE USED");
    run_expect(run, "READY: ");
    run_stop(run);
}

static void test_a_reload_in_place_keeps_the_workers(void **state)
{
    struct run *run = *state;
    static const char *const texts[] = {"worker/0[", "worker/1[", "fake_heard: message 8"};
    size_t mark;
    int pid;

    run_start(run, 2);
    pid = run_find_worker(run, '.', 0);
    run_write_settings(run, 2, "  limits: {watchdog: 3s}\n");
    kill(run->pid, SIGHUP);
    mark = run->seen;
    for (size_t i = 0; i < 3; i++) {
        run->seen = mark; /* they speak in any order */
        run_expect(run, texts[i]);
    }
    run->seen = mark;
    run_expect(run, " reloaded: every process was given the settings");
    assert_int_equal(run_find_worker(run, '.', 0), pid);
    run_stop(run);
}

static void test_a_broken_file_changes_nothing(void **state)
{
    struct run *run = *state;
    int pid;

    run_start(run, 1);
    pid = run_find_worker(run, '.', 0);
    run_write(run, "gatehouse.yaml", "version: v1\nkind: gatehouse\ngate: [\n");
    kill(run->pid, SIGHUP);
    run_expect(run, "reload_failed: ");
    run_write_settings(run, 1, "  log: {output: stderr}\n  state_dir_of_another_time: x\n");
    kill(run->pid, SIGHUP);
    run_expect(run, "reload_failed: ");
    assert_int_equal(run_find_worker(run, '.', 0), pid);
    run_stop(run);
}

static void test_more_and_fewer_workers_are_a_new_generation(void **state)
{
    struct run *run = *state;
    int old, slot, pid;

    run_start(run, 1);
    old = run_find_worker(run, '.', 0);
    run_write_settings(run, 3, "");
    kill(run->pid, SIGHUP);
    run_expect(run, "reloaded: generation 2 serves with 3 workers");
    run_expect(run, "generation_ended: generation 1");
    assert_int_not_equal(run_find_worker(run, '.', 2), old);
    run_write_settings(run, 1, "");
    kill(run->pid, SIGHUP);
    run_expect(run, "reloaded: generation 3 serves with 1 workers");
    run_expect(run, "generation_ended: generation 2");
    /* Connections to the two slots that nobody has any more are answered. */
    for (int i = 0; i < 30; i++) {
        assert_true(run_ask(run, '.', &slot, &pid));
        assert_int_equal(slot, 0);
    }
    run_stop(run);
}

static void test_a_generation_that_refuses_is_given_up(void **state)
{
    struct run *run = *state;
    int old;

    run_start(run, 1);
    old = run_find_worker(run, '.', 0);
    run_write(run, "worker", "78");
    run_write_settings(run, 2, "");
    kill(run->pid, SIGHUP);
    run_expect(run, "reload_failed: the settings stay as they were: a new worker refused them");
    run_expect(run, "generation_ended: generation 2");
    assert_int_equal(run_find_worker(run, '.', 0), old);
    run_stop(run);
}

static void test_bridge_and_launcher_hear_of_each_other(void **state)
{
    struct run *run = *state;
    pid_t bridge, launcher;
    size_t before;

    run_write_settings(run, 1, stdio_app());
    run_launch(run);
    run_expect(run, " ready: READY: ");
    run->seen = 0; /* they come up in any order */
    bridge = run_expect_ready(run, "bridge");
    run->seen = 0;
    launcher = run_expect_ready(run, "launcher");
    assert_true(run_ask_bridge(run, 'S'));
    run_expect(run, "fake_heard: start of one");
    run_expect(run, "fake_heard: started, with 3 descriptors");
    before = run->seen;
    kill(launcher, SIGKILL);
    run_expect(run, "fake_heard: servers are lost");
    run->seen = before; /* the bridge hears of it before or after the next launcher is ready */
    (void)run_expect_ready(run, "launcher");
    kill(bridge, SIGKILL);
    assert_true(run_ask_bridge(run, '.')); /* waits in the socket's queue for the next bridge */
    run_expect(run, "fake_heard: servers are lost");
    run_stop(run);
}

static void test_without_a_launcher_a_start_is_lost(void **state)
{
    struct run *run = *state;

    run_start(run, 1);
    assert_null(strstr(run->log, "launcher"));
    assert_true(run_ask_bridge(run, 'S'));
    run_expect(run, "fake_heard: servers are lost");
    run_stop(run);
}

static void test_what_a_bridge_may_not_say_ends_it(void **state)
{
    struct run *run = *state;

    run_start(run, 1);
    (void)run_ask_bridge(run, 'm');
    run_expect(run, "message_refused: bridge (pid ");
    (void)run_expect_ready(run, "bridge");
    (void)run_ask_bridge(run, 'k');
    run_expect(run, "message_refused: bridge (pid ");
    (void)run_expect_ready(run, "bridge");
    run_stop(run);
}

static void test_a_launcher_comes_and_goes_with_its_apps(void **state)
{
    struct run *run = *state;

    run_start(run, 1);
    run_write_settings(run, 1, stdio_app());
    kill(run->pid, SIGHUP);
    (void)run_expect_ready(run, "launcher");
    run_write_settings(run, 1, "");
    kill(run->pid, SIGHUP);
    run_expect(run, "process_ended: launcher (pid ");
    run_write_settings(run, 1, "app_service: {enabled: false}\n");
    kill(run->pid, SIGHUP);
    run_expect(run, "process_ended: bridge (pid ");
    run_stop(run);
}

static void test_a_refused_stdio_server_keeps_the_settings(void **state)
{
    struct run *run = *state;

    run_start(run, 1);
    run_write_settings(run, 1, "app_service: {apps: [{name: one, mcp: {command: /no/such}}]}\n");
    kill(run->pid, SIGHUP);
    run_expect(run, "stdio_refused: ");
    run_expect(run, "reload_failed: the settings stay as they were: the file was refused");
    run_stop(run);
    close(run->output);
    run_launch(run);
    run_expect(run, "stdio_refused: ");
    assert_int_equal(run_wait(run), EXIT_SETTINGS);
}

static void test_the_log_file_is_opened_again(void **state)
{
    struct run *run = *state;
    char first[128], second[128], more[256];
    struct stat status;

    run_write_settings(run, 1, "");
    snprintf(first, sizeof(first), "%s/log", run->directory);
    snprintf(second, sizeof(second), "%s/log.1", run->directory);
    snprintf(more, sizeof(more), "  log: {output: %s}\n", first);
    run_start(run, 1);
    run_write_settings(run, 1, more);
    kill(run->pid, SIGHUP);
    while (stat(first, &status) < 0 || status.st_size == 0)
        sched_yield();
    assert_int_equal(rename(first, second), 0);
    kill(run->pid, SIGUSR1);
    while (stat(first, &status) < 0)
        sched_yield();
    kill(run->pid, SIGTERM);
    assert_int_equal(run_wait(run), 0);
    assert_int_equal(stat(first, &status), 0);
    assert_true(status.st_size > 0);
}

static ino_t run_file(const char *path)
{
    struct stat status;

    return stat(path, &status) < 0 ? 0 : status.st_ino;
}

/* The audit trail is opened at start, at SIGUSR1, and at SIGHUP, even when that is refused. */
static void test_the_audit_trail_is_opened_again(void **state)
{
    static const int signals[] = {SIGUSR1, SIGHUP, SIGHUP};
    struct run *run = *state;
    char path[128], aside[128], more[256];

    snprintf(path, sizeof(path), "%s/audit", run->directory);
    snprintf(aside, sizeof(aside), "%s/audit.1", run->directory);
    snprintf(more, sizeof(more), "  audit: {output: %s}\n", path);
    run_write_settings(run, 1, more);
    run_launch(run);
    run_expect(run, " ready: READY: ");
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        assert_int_not_equal(run_file(path), 0);
        assert_int_equal(rename(path, aside), 0);
        if (i == 2)
            run_write_settings(run, 1, "  nonsense: 1\n");
        kill(run->pid, signals[i]);
        while (run_file(path) == 0)
            sched_yield();
    }
    run_expect(run, "reload_failed: ");
    run_stop(run);
}

static void test_an_audit_trail_that_cannot_be_opened(void **state)
{
    struct run *run = *state;

    run_write_settings(run, 1, "");
    run_start(run, 1);
    run_write_settings(run, 1, "  audit: {output: /nowhere/at/all}\n");
    kill(run->pid, SIGHUP);
    run_expect(run, "gate.audit.output: /nowhere/at/all: No such file");
    run_expect(run, "reload_failed: ");
    run_stop(run);
}

static void test_a_second_signal_forces(void **state)
{
    struct run *run = *state;
    int pid;

    run_start(run, 1);
    pid = run_find_worker(run, '.', 0);
    kill(pid, SIGSTOP); /* it cannot drain */
    kill(run->pid, SIGTERM);
    run_expect(run, "draining: ");
    kill(run->pid, SIGTERM);
    run_expect(run, "forced: ");
    assert_int_equal(run_wait(run), 0);
}

static void test_a_dead_master_takes_its_children_along(void **state)
{
    struct run *run = *state;
    int64_t deadline;

    run_start(run, 1);
    kill(run->pid, SIGKILL);
    waitpid(run->pid, NULL, 0);
    run->pid = 0;
    deadline = clock_monotonic_milliseconds() + 2000;
    /* Its log ends when the last process that has it is gone. */
    for (;;) {
        struct pollfd output = {.fd = run->output, .events = POLLIN};
        char scrap[512];
        int64_t left = deadline - clock_monotonic_milliseconds();

        assert_true(left > 0);
        assert_int_equal(poll(&output, 1, (int)left), 1);
        if (read(run->output, scrap, sizeof(scrap)) == 0)
            break;
    }
}

#define RUN_TEST(name) cmocka_unit_test_setup_teardown(name, run_setup, run_teardown)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        RUN_TEST(test_serves_and_drains),
        RUN_TEST(test_directories_have_their_modes),
        RUN_TEST(test_wrong_settings_end_the_start),
        RUN_TEST(test_a_reader_that_is_killed_does_not_refuse_the_settings),
        RUN_TEST(test_a_second_gateway_on_the_same_state_ends),
        RUN_TEST(test_a_taken_port_ends_the_start),
        RUN_TEST(test_a_refusing_worker_ends_the_start),
        RUN_TEST(test_a_watcher_that_fails_ends_the_start),
        RUN_TEST(test_a_killed_worker_is_back_and_nobody_else_notices),
        RUN_TEST(test_the_slot_of_a_worker_that_stays_away_is_lent),
        RUN_TEST(test_a_silent_worker_is_killed),
        RUN_TEST(test_what_a_worker_may_not_say_ends_it),
        RUN_TEST(test_a_suspected_sound_store_is_kept),
        RUN_TEST(test_a_store_that_is_suspected_twice_is_taken_from_all),
        RUN_TEST(test_a_store_that_is_sound_alone_is_kept),
        RUN_TEST(test_a_crash_has_the_stores_checked_once),
        RUN_TEST(test_a_corrupt_store_is_moved_aside),
        RUN_TEST(test_a_store_that_the_start_finds_corrupt_is_moved_aside),
        RUN_TEST(test_a_reload_in_place_keeps_the_workers),
        RUN_TEST(test_a_broken_file_changes_nothing),
        RUN_TEST(test_more_and_fewer_workers_are_a_new_generation),
        RUN_TEST(test_a_generation_that_refuses_is_given_up),
        RUN_TEST(test_bridge_and_launcher_hear_of_each_other),
        RUN_TEST(test_without_a_launcher_a_start_is_lost),
        RUN_TEST(test_what_a_bridge_may_not_say_ends_it),
        RUN_TEST(test_a_launcher_comes_and_goes_with_its_apps),
        RUN_TEST(test_a_refused_stdio_server_keeps_the_settings),
        RUN_TEST(test_the_log_file_is_opened_again),
        RUN_TEST(test_the_audit_trail_is_opened_again),
        RUN_TEST(test_an_audit_trail_that_cannot_be_opened),
        RUN_TEST(test_a_second_signal_forces),
        RUN_TEST(test_a_dead_master_takes_its_children_along),
    };

    if (argc > 2 && strcmp(argv[1], "--role") == 0)
        return fake_main(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
