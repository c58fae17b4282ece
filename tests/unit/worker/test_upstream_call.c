#include "worker/upstream_call.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/shared/loopback.h"
#include "tests/unit/worker/worker_fixture.h"

enum { TIMEOUT = 10000, SHORT = 50 }; /* milliseconds */

/* A worker with a loop and a pool, a server's socket, and what was heard of a call. */
struct fixture {
    struct worker *worker;
    struct scoreboard_block block;
    struct upstream_target target;
    int server;
    unsigned status;
    int messages;
    char last[256];
    bool wants_all;
    int ends;
    enum upstream_call_end end;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    fixture->worker = worker_fixture_make(&fixture->block);
    fixture->worker->child.settings.limits.connect_timeout = TIMEOUT;
    fixture->worker->child.settings.limits.head_size = 4096;
    fixture->server = loopback_listen("127.0.0.1", &fixture->target.port, 0);
    snprintf(fixture->target.address, sizeof(fixture->target.address), "127.0.0.1");
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    worker_fixture_free(fixture->worker);
    close(fixture->server);
    free(fixture);
    return 0;
}

static void on_head(void *context, const struct http_response *response)
{
    struct fixture *fixture = context;

    fixture->status = response->status;
}

static bool on_message(void *context, struct slice text)
{
    struct fixture *fixture = context;

    fixture->messages++;
    snprintf(fixture->last, sizeof(fixture->last), "%.*s", (int)text.size, text.data);
    return !fixture->wants_all;
}

static void on_done(void *context, enum upstream_call_end end, const char *reason)
{
    struct fixture *fixture = context;

    assert_true((end == UPSTREAM_CALL_ANSWERED) == (reason == NULL));
    fixture->ends++;
    fixture->end = end;
}

static const struct upstream_call_hooks hooks = {on_head, on_message, on_done};

static struct upstream_call *start(struct fixture *fixture, uint64_t timeout)
{
    struct buffer request = {0};
    struct upstream_call *call;

    assert_int_equal(buffer_append_text(&request, "POST / HTTP/1.1\r\n\r\n{}"), 0);
    call =
        upstream_call_start(fixture->worker, &fixture->target, &request, timeout, &hooks, fixture);
    assert_int_equal(buffer_size(&request), 0);
    assert_int_equal(fixture->ends, 0);
    return call;
}

static void run(struct fixture *fixture)
{
    while (fixture->ends == 0)
        ev_run(fixture->worker->loop, EVRUN_ONCE);
    assert_int_equal(fixture->ends, 1);
}

/* The server's side: takes the request, and answers in pieces of `step` bytes. `stays`: it does not
 * close. */
static void answer(struct fixture *fixture, const char *text, size_t size, size_t step, bool stays)
{
    char request[64] = "";
    int fd;

    assert_non_null(start(fixture, stays && step == 0 ? SHORT : TIMEOUT));
    fd = accept(fixture->server, NULL, NULL);
    assert_true(fd >= 0);
    ev_run(fixture->worker->loop, EVRUN_ONCE);
    assert_true(recv(fd, request, sizeof(request) - 1, 0) > 0);
    assert_string_equal(request, "POST / HTTP/1.1\r\n\r\n{}");
    for (size_t at = 0; at < size && fixture->ends == 0; at += step) {
        size_t count = size - at < step ? size - at : step;

        if (send(fd, text + at, count, MSG_NOSIGNAL) < 0)
            break;
        while (ev_run(fixture->worker->loop, EVRUN_NOWAIT) &&
               ev_pending_count(fixture->worker->loop))
            ;
    }
    if (!stays)
        close(fd);
    run(fixture);
    if (stays)
        close(fd);
}

#define OK "HTTP/1.1 200 OK\r\n"
#define EVENTS OK "Content-Type: text/event-stream\r\n"

static const struct {
    const char *text;
    bool stays;
    enum upstream_call_end end;
    unsigned status;
    int messages;
    const char *last;
} answers[] = {
    {OK "Content-Length: 7\r\n\r\n{\"a\":1}", true, UPSTREAM_CALL_ANSWERED, 200, 1, "{\"a\":1}"},
    {OK "Content-Length: 7\r\n\r\n{\"a\":1}more", true, UPSTREAM_CALL_ANSWERED, 200, 1,
     "{\"a\":1}"},
    {"HTTP/1.1 100 Continue\r\n\r\n" OK "Transfer-Encoding: chunked\r\n\r\n3\r\n{\"a\r\n4\r\n\":1}"
     "\r\n0\r\n\r\n",
     true, UPSTREAM_CALL_ANSWERED, 200, 1, "{\"a\":1}"},
    {OK "\r\n{\"a\":1}", false, UPSTREAM_CALL_ANSWERED, 200, 1, "{\"a\":1}"},
    /* an event stream that goes on */
    {EVENTS "\r\n: hello\n\nid: 1\ndata:\n\ndata: {\"a\":\ndata: 1}\n\n", true,
     UPSTREAM_CALL_ANSWERED, 200, 1, "{\"a\":\n1}"},
    {EVENTS "Transfer-Encoding: chunked\r\n\r\n10\r\ndata: {\"a\":1}\n\n\r\n", true,
     UPSTREAM_CALL_ANSWERED, 200, 1, "{\"a\":1}"},
    {EVENTS "\r\n: nothing\n\n", false, UPSTREAM_CALL_ANSWERED, 200, 0, ""},
    /* of other answers only the head counts */
    {"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n", true, UPSTREAM_CALL_ANSWERED, 202, 0,
     ""},
    {"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}", true, UPSTREAM_CALL_ANSWERED, 404, 0,
     ""},
    {OK "Content-Length: 0\r\n\r\n", true, UPSTREAM_CALL_ANSWERED, 200, 0, ""},
    /* none at all */
    {"", false, UPSTREAM_CALL_BROKEN, 0, 0, ""},
    {OK "Content-Length: 7\r\n\r\n{\"a\"", false, UPSTREAM_CALL_BROKEN, 200, 0, ""},
    {OK "Transfer-Encoding: chunked\r\n\r\nzz\r\n", true, UPSTREAM_CALL_BROKEN, 200, 0, ""},
    {OK "Transfer-Encoding: chunked\r\n\r\n3\r\n{\"a\r\n", false, UPSTREAM_CALL_BROKEN, 200, 0, ""},
    {"SSH-2.0-OpenSSH_9.6\r\n\r\n", true, UPSTREAM_CALL_BROKEN, 0, 0, ""},
    {"HTTP/1.1 101 Switching Protocols\r\n\r\n", true, UPSTREAM_CALL_BROKEN, 0, 0, ""},
};

static void test_answers(void **state)
{
    struct fixture *fixture = *state;

    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        size_t size = strlen(answers[i].text);
        size_t steps[] = {1, 5, size + 1};

        for (size_t j = 0; j < 3; j++) {
            fixture->status = 0;
            fixture->messages = fixture->ends = 0;
            fixture->last[0] = '\0';
            answer(fixture, answers[i].text, size, steps[j], answers[i].stays);
            assert_int_equal(fixture->end, answers[i].end);
            assert_int_equal(fixture->status, answers[i].status);
            assert_int_equal(fixture->messages, answers[i].messages);
            assert_string_equal(fixture->last, answers[i].last);
        }
    }
}

static void test_shows_messages_until_one_is_enough(void **state)
{
    static const char text[] = EVENTS "\r\ndata: [1]\n\ndata: [[2],[3]]\n\n";
    struct fixture *fixture = *state;

    answer(fixture, text, sizeof(text) - 1, sizeof(text), true);
    assert_int_equal(fixture->messages, 1);
    fixture->messages = fixture->ends = 0;
    fixture->wants_all = true;
    answer(fixture, text, sizeof(text) - 1, sizeof(text), false);
    assert_int_equal(fixture->end, UPSTREAM_CALL_ANSWERED);
    assert_int_equal(fixture->messages, 3);
    assert_string_equal(fixture->last, "[3]");
}

static void test_takes_no_endless_message(void **state)
{
    static char text[UPSTREAM_CALL_MESSAGE_MAX + 200] = OK "\r\n";
    struct fixture *fixture = *state;
    size_t head = strlen(text);

    memset(text + head, ' ', sizeof(text) - head);
    answer(fixture, text, sizeof(text), 16384, true);
    assert_int_equal(fixture->end, UPSTREAM_CALL_BROKEN);
    fixture->ends = 0;
    head = strlen(strcpy(text, EVENTS "\r\n"));
    memset(text + head, ':', sizeof(text) - head);
    answer(fixture, text, sizeof(text), 16384, true);
    assert_int_equal(fixture->end, UPSTREAM_CALL_BROKEN);
}

static void test_waits_no_longer_than_told(void **state)
{
    struct fixture *fixture = *state;

    answer(fixture, "", 0, 0, true);
    assert_int_equal(fixture->end, UPSTREAM_CALL_BROKEN);
}

static void test_nobody_is_there(void **state)
{
    struct fixture *fixture = *state;

    close(fixture->server);
    fixture->server = -1;
    if (start(fixture, TIMEOUT) == NULL)
        return; /* refused at once: it is not begun */
    run(fixture);
    assert_int_equal(fixture->end, UPSTREAM_CALL_UNREACHED);
}

static void test_what_is_stopped_says_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct upstream_call *call = start(fixture, TIMEOUT);

    assert_non_null(call);
    upstream_call_stop(call);
    upstream_call_stop(NULL);
    ev_run(fixture->worker->loop, EVRUN_NOWAIT);
    assert_int_equal(fixture->ends, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_answers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_shows_messages_until_one_is_enough, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_takes_no_endless_message, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_waits_no_longer_than_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nobody_is_there, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_stopped_says_nothing, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
