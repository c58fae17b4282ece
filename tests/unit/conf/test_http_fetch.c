/* How a fetch ends, what can stand in its head, and where it may connect. */
#include "conf/http_fetch.h"

#include "key_server.h"

#include <ev.h>
#include <stdlib.h>

struct fixture {
    struct key_server server;
    struct ev_loop *loop;
    struct http_fetcher *fetcher;
    unsigned parts_max; /* of the body that are taken */
    unsigned parts, ended;
    bool refuse;
    enum http_fetch_outcome outcome;
    long status;
    char redirect[128], etag[32], failure[128], heard[2048];
};

static void answer(struct key_server *server, int fd, const char *path, const char *head)
{
    struct fixture *fixture = server->context;
    char text[64];

    snprintf(fixture->heard, sizeof(fixture->heard), "%s", head);
    if (strcmp(path, "/whole") == 0)
        send_text(fd, "HTTP/1.1 200 OK\r\nETag: \"v1\"\r\nContent-Length: 2\r\n\r\n{}");
    else if (strcmp(path, "/moved") == 0)
        send_text(fd, "HTTP/1.1 307 Moved\r\nLocation: /whole\r\nContent-Length: 0\r\n\r\n");
    else if (strcmp(path, "/cut") == 0)
        send_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{");
    else
        while (recv(fd, text, sizeof(text), 0) > 0)
            ;
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    fixture->server.answer = answer;
    fixture->server.context = fixture;
    fixture->parts_max = 100;
    key_server_start(&fixture->server);
    fixture->loop = ev_loop_new(EVFLAG_AUTO);
    assert_int_equal(http_fetcher_open(&fixture->fetcher, fixture->loop), 0);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    http_fetcher_close(fixture->fetcher);
    ev_loop_destroy(fixture->loop);
    key_server_stop(&fixture->server);
    free(fixture);
    return 0;
}

static bool on_part(void *context, struct slice part)
{
    struct fixture *fixture = context;

    assert_true(part.size > 0);
    return ++fixture->parts <= fixture->parts_max;
}

static bool on_address(void *context, const struct sockaddr *address, socklen_t size)
{
    assert_true(address->sa_family == AF_INET && size == sizeof(struct sockaddr_in));
    return !((struct fixture *)context)->refuse;
}

static void on_done(void *context, const struct http_fetch *fetch,
                    const struct http_fetch_result *result)
{
    struct fixture *fixture = context;
    const char *etag = http_fetch_answered(fetch, "etag");

    fixture->ended++;
    fixture->outcome = result->outcome;
    fixture->status = result->status;
    assert_int_equal(result->failure == NULL, result->outcome == HTTP_FETCH_WHOLE);
    snprintf(fixture->failure, sizeof(fixture->failure), "%s",
             result->failure == NULL ? "" : result->failure);
    snprintf(fixture->redirect, sizeof(fixture->redirect), "%s",
             result->redirect == NULL ? "" : result->redirect);
    snprintf(fixture->etag, sizeof(fixture->etag), "%s", etag == NULL ? "" : etag);
}

static void fetch(struct fixture *fixture, const char *path, const char *name, const char *value)
{
    struct http_fetch *fetch = http_fetch_make(fixture->fetcher, on_done);
    char url[128];
    struct http_fetch_request request = {.url = url,
                                         .user_agent = "test",
                                         .timeout = strcmp(path, "/silent") == 0 ? 30 : 20000,
                                         .plain = true,
                                         .admits = on_address,
                                         .take = on_part,
                                         .context = fixture};

    snprintf(url, sizeof(url), "http://nowhere.example.com:%u%s", fixture->server.port, path);
    fixture->ended = fixture->parts = 0;
    assert_non_null(fetch);
    if (name != NULL)
        assert_true(http_fetch_header(fetch, name, slice_from(value)));
    assert_true(http_fetch_addresses(fetch, slice_from("nowhere.example.com"), fixture->server.port,
                                     (const struct slice[]){slice_from("127.0.0.1")}, 1));
    assert_true(http_fetch_start(fetch, &request));
    assert_int_equal(fixture->ended, 0); /* never from within the start */
    ev_run(fixture->loop, 0);            /* returns: nothing is watched any more */
    assert_int_equal(fixture->ended, 1);
}

static void test_ends_in_every_way(void **state)
{
    struct fixture *fixture = *state;

    fetch(fixture, "/whole", "X-A", "b");
    assert_int_equal(fixture->outcome, HTTP_FETCH_WHOLE);
    assert_int_equal(fixture->status, 200);
    assert_string_equal(fixture->etag, "\"v1\"");
    assert_non_null(strstr(fixture->heard, "\r\nX-A: b\r\n"));
    fixture->parts_max = 0;
    fetch(fixture, "/whole", NULL, NULL);
    assert_int_equal(fixture->outcome, HTTP_FETCH_STOPPED);
    assert_int_equal(fixture->status, 200);
    fixture->parts_max = 100;
    fetch(fixture, "/cut", NULL, NULL);
    assert_int_equal(fixture->outcome, HTTP_FETCH_FAILED);
    fetch(fixture, "/silent", NULL, NULL);
    assert_int_equal(fixture->outcome, HTTP_FETCH_LATE);
    assert_int_equal(fixture->status, 0);
    assert_string_equal(fixture->etag, "");
}

/* It is told, and not followed. */
static void test_tells_of_redirects(void **state)
{
    struct fixture *fixture = *state;

    fetch(fixture, "/moved", NULL, NULL);
    assert_int_equal(fixture->outcome, HTTP_FETCH_WHOLE);
    assert_int_equal(fixture->status, 307);
    assert_non_null(strstr(fixture->redirect, "/whole"));
    assert_int_equal(atomic_load(&fixture->server.requests), 1);
}

static void test_connects_only_where_it_may(void **state)
{
    struct fixture *fixture = *state;

    fixture->refuse = true;
    fetch(fixture, "/whole", NULL, NULL);
    assert_int_equal(fixture->outcome, HTTP_FETCH_UNCONNECTED);
    assert_int_equal(atomic_load(&fixture->server.requests), 0);
}

/* Nothing that is set can add a line to the head. */
static void test_refuses_what_no_head_can_hold(void **state)
{
    static const char nul[] = "a\0b";
    struct fixture *fixture = *state;
    struct http_fetch *fetch = http_fetch_make(fixture->fetcher, on_done);

    assert_non_null(fetch);
    assert_false(http_fetch_header(fetch, "X-A", slice_from("b\r\nX-C: d")));
    assert_false(http_fetch_header(fetch, "X-A", slice_from("b\nX-C: d")));
    assert_false(http_fetch_header(fetch, "X-A\r\nX-C", slice_from("d")));
    assert_false(http_fetch_header(fetch, "X-A", slice_make(nul, sizeof(nul) - 1)));
    assert_true(http_fetch_header(fetch, "X-A", slice_from("")));
    http_fetch_cancel(fetch);
    http_fetch_cancel(NULL);
}

static void test_asks_by_https_alone_unless_told(void **state)
{
    struct fixture *fixture = *state;
    struct http_fetch *fetch = http_fetch_make(fixture->fetcher, on_done);
    struct http_fetch_request request = {.url = "http://127.0.0.1/",
                                         .user_agent = "test",
                                         .timeout = 20000,
                                         .take = on_part,
                                         .context = fixture};

    assert_true(http_fetch_start(fetch, &request));
    ev_run(fixture->loop, 0);
    assert_int_equal(fixture->ended, 1);
    assert_int_equal(fixture->outcome, HTTP_FETCH_FAILED);
    assert_non_null(strstr(fixture->failure, "rotocol"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_ends_in_every_way, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tells_of_redirects, setup, teardown),
        cmocka_unit_test_setup_teardown(test_connects_only_where_it_may, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refuses_what_no_head_can_hold, setup, teardown),
        cmocka_unit_test_setup_teardown(test_asks_by_https_alone_unless_told, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
