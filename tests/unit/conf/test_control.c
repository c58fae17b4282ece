#include "conf/control.h"

#include "shared/clock.h"

#include <errno.h>
#include <ev.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    char directory[64], socket[96];
    struct ev_loop *loop;
    struct control *control;
    int handled;
    uid_t uid;
    char user[64]; /* of the last request */
};

static void handle(void *context, const struct control_request *request, uid_t uid,
                   struct control_answer *answer)
{
    struct fixture *fixture = context;
    struct slice user = request->target.values[REVOCATION_USER];

    fixture->handled++;
    fixture->uid = uid;
    snprintf(fixture->user, sizeof(fixture->user), "%.*s", (int)user.size, user.data);
    *answer = (struct control_answer){.until = 42};
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    char path[96];

    strcpy(fixture->directory, "/tmp/gatehouse-control-XXXXXX");
    assert_non_null(mkdtemp(fixture->directory));
    snprintf(path, sizeof(path), "%s/config", fixture->directory);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(fixture->socket, sizeof(fixture->socket), "%s/config/control", fixture->directory);
    fixture->loop = ev_loop_new(EVFLAG_AUTO);
    assert_int_equal(
        control_open(&fixture->control, fixture->loop, fixture->directory, handle, fixture), 0);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    char path[96];

    control_close(fixture->control);
    ev_loop_destroy(fixture->loop);
    unlink(fixture->socket);
    snprintf(path, sizeof(path), "%s/config", fixture->directory);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(rmdir(fixture->directory), 0);
    free(fixture);
    return 0;
}

static int client_connect(struct fixture *fixture)
{
    struct sockaddr_un address;
    int directory;
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);

    assert_true(fd >= 0);
    assert_int_equal(control_address(fixture->directory, &directory, &address), 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    close(directory);
    return fd;
}

static void client_send(int fd, const char *user)
{
    struct control_request request = {0};
    struct buffer bytes = {0};

    request.target.values[REVOCATION_USER] = slice_from(user);
    assert_int_equal(control_request_encode(&request, &bytes), 0);
    assert_int_equal(send(fd, buffer_data(&bytes), buffer_size(&bytes), 0),
                     (ssize_t)buffer_size(&bytes));
    buffer_free(&bytes);
}

/* Turns the loop until the client has an answer (its status), or its end (-ECONNRESET). */
static int client_answer(struct fixture *fixture, int fd)
{
    int64_t end = clock_monotonic_milliseconds() + 5000;
    struct control_answer answer;
    char bytes[CONTROL_MESSAGE_MAX];
    ssize_t size;

    do {
        ev_run(fixture->loop, EVRUN_NOWAIT);
        size = recv(fd, bytes, sizeof(bytes), 0);
    } while (size < 0 && errno == EAGAIN && clock_monotonic_milliseconds() < end);
    if (size == 0 || (size < 0 && errno == ECONNRESET))
        return -ECONNRESET;
    assert_true(size > 0);
    assert_int_equal(control_answer_decode(slice_make(bytes, (size_t)size), &answer), 0);
    if (answer.status == 0)
        assert_int_equal(answer.until, 42);
    return answer.status;
}

static void test_request_and_answer(void **state)
{
    struct fixture *fixture = *state;
    struct stat status;
    int fd = client_connect(fixture);

    assert_int_equal(stat(fixture->socket, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    client_send(fd, "ann");
    assert_int_equal(client_answer(fixture, fd), 0);
    assert_int_equal(fixture->handled, 1);
    assert_int_equal(fixture->uid, geteuid());
    assert_string_equal(fixture->user, "ann");
    /* One request a connection. */
    assert_int_equal(client_answer(fixture, fd), -ECONNRESET);
    close(fd);
}

static void test_what_is_no_request(void **state)
{
    struct fixture *fixture = *state;
    static char large[CONTROL_MESSAGE_MAX + 1];
    int fd = client_connect(fixture);

    assert_int_equal(send(fd, "1 command=5:reset", 17, 0), 17);
    assert_int_equal(client_answer(fixture, fd), -EBADMSG);
    close(fd);
    fd = client_connect(fixture);
    assert_int_equal(send(fd, large, sizeof(large), 0), sizeof(large));
    assert_int_equal(client_answer(fixture, fd), -ECONNRESET);
    close(fd);
    fd = client_connect(fixture);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    assert_int_equal(client_answer(fixture, fd), -ECONNRESET);
    close(fd);
    assert_int_equal(fixture->handled, 0);
}

/* Those who say nothing take places; the others are served when a place is free again. */
static void test_bounded_clients(void **state)
{
    struct fixture *fixture = *state;
    int silent[CONTROL_CLIENTS_MAX];
    char byte;
    int last;

    for (int i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        silent[i] = client_connect(fixture);
        ev_run(fixture->loop, EVRUN_NOWAIT);
    }
    last = client_connect(fixture);
    client_send(last, "ann");
    for (int i = 0; i < 10; i++)
        ev_run(fixture->loop, EVRUN_NOWAIT);
    assert_int_equal(recv(last, &byte, 1, 0), -1);
    assert_int_equal(fixture->handled, 0);
    close(silent[3]);
    assert_int_equal(client_answer(fixture, last), 0);
    close(last);
    for (int i = 0; i < CONTROL_CLIENTS_MAX; i++)
        if (i != 3)
            close(silent[i]);
}

/* What a watcher that was killed left behind is replaced. */
static void test_stale_socket(void **state)
{
    struct fixture *fixture = *state;
    int fd;

    control_close(fixture->control);
    assert_int_equal(access(fixture->socket, F_OK), 0);
    assert_int_equal(
        control_open(&fixture->control, fixture->loop, fixture->directory, handle, fixture), 0);
    fd = client_connect(fixture);
    client_send(fd, "bob");
    assert_int_equal(client_answer(fixture, fd), 0);
    assert_string_equal(fixture->user, "bob");
    close(fd);
}

static void test_no_directory(void **state)
{
    struct fixture *fixture = *state;
    struct control *control;

    assert_int_equal(control_open(&control, fixture->loop, "/nonexistent", handle, fixture),
                     -ENOENT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_request_and_answer), TEST(test_what_is_no_request), TEST(test_bounded_clients),
        TEST(test_stale_socket),       TEST(test_no_directory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
