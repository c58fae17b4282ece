#include "conf/key_fetch.h"

#include "key_server.h"

#include <errno.h>
#include <ev.h>
#include <stdlib.h>

struct fixture {
    struct key_server server;
    struct ev_loop *loop;
    struct key_fetcher *fetcher;
    unsigned ended;
    unsigned wanted;
    char failed[256];
    char body[256];
    int64_t max_age;
    bool unchanged;
    long status;
    char etag[64];
    char modified[64];
};

#define MODIFIED "Sat, 01 Aug 2026 10:00:00 GMT"

/* The set that is marked: 304 to who names both marks. */
static void answer_marked(int fd, const char *head)
{
    if (strstr(head, "If-None-Match: \"v1\"\r\n") != NULL &&
        strstr(head, "If-Modified-Since: " MODIFIED "\r\n") != NULL)
        send_text(fd, "HTTP/1.1 304 Not Modified\r\nETag: \"v1\"\r\n"
                      "Cache-Control: max-age=300\r\nAge: 100\r\n\r\n");
    else
        send_text(fd, "HTTP/1.1 200 OK\r\nETag: \"v1\"\r\nLast-Modified: " MODIFIED "\r\n"
                      "Content-Length: 11\r\n\r\n{\"keys\":[]}");
}

static void answer(struct key_server *server, int fd, const char *path, const char *head)
{
    char text[2048];

    /* Silence until the client gives up. */
    while (strcmp(path, "/silent") == 0)
        if (recv(fd, text, sizeof(text), 0) <= 0)
            return;

    if (strcmp(path, "/marked") == 0)
        answer_marked(fd, head);
    else if (strcmp(path, "/304") == 0)
        send_text(fd, "HTTP/1.1 304 Not Modified\r\n\r\n");
    else if (strcmp(path, "/keys") == 0)
        send_text(fd, "HTTP/1.1 200 OK\r\nCache-Control: public, max-age=120\r\n"
                      "Content-Length: 11\r\n\r\n{\"keys\":[]}");
    else if (strcmp(path, "/large") == 0)
        send_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n01234567890123456789");
    else if (strcmp(path, "/moved") == 0)
        send_text(fd, "HTTP/1.1 302 Found\r\nLocation: /keys\r\nContent-Length: 0\r\n\r\n");
    else if (strcmp(path, "/loop") == 0)
        send_text(fd, "HTTP/1.1 302 Found\r\nLocation: /loop\r\nContent-Length: 0\r\n\r\n");
    else if (strcmp(path, "/away") == 0) {
        snprintf(text, sizeof(text),
                 "HTTP/1.1 302 Found\r\nLocation: http://localhost:%u/keys\r\n"
                 "Content-Length: 0\r\n\r\n",
                 server->port);
        send_text(fd, text);
    } else if (strcmp(path, "/empty") == 0)
        send_text(fd, "HTTP/1.1 204 No Content\r\n\r\n");
    else if (strcmp(path, "/cut") == 0)
        send_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{");
    else
        send_text(fd, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    fixture->server.answer = answer;
    key_server_start(&fixture->server);
    fixture->loop = ev_loop_new(EVFLAG_AUTO);
    fixture->wanted = 1;
    assert_int_equal(key_fetcher_open(&fixture->fetcher, fixture->loop), 0);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    key_fetcher_close(fixture->fetcher);
    ev_loop_destroy(fixture->loop);
    key_server_stop(&fixture->server);
    free(fixture);
    return 0;
}

static void on_done(void *context, const struct key_fetch_result *result)
{
    struct fixture *fixture = context;

    snprintf(fixture->failed, sizeof(fixture->failed), "%s",
             result->failed == NULL ? "" : result->failed);
    snprintf(fixture->body, sizeof(fixture->body), "%.*s", (int)result->body.size,
             result->body.size == 0 ? "" : result->body.data);
    snprintf(fixture->etag, sizeof(fixture->etag), "%.*s", (int)result->validators.etag.size,
             result->validators.etag.size == 0 ? "" : result->validators.etag.data);
    snprintf(fixture->modified, sizeof(fixture->modified), "%.*s",
             (int)result->validators.modified.size,
             result->validators.modified.size == 0 ? "" : result->validators.modified.data);
    fixture->max_age = result->max_age;
    fixture->unchanged = result->unchanged;
    fixture->status = result->status;
    if (++fixture->ended == fixture->wanted)
        ev_break(fixture->loop, EVBREAK_ALL);
}

static struct key_fetch *start(struct fixture *fixture, const char *path, uint64_t timeout)
{
    struct key_fetch *fetch;
    char url[256];
    struct key_fetch_request request = {.timeout = timeout, .size_max = 16};

    snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", fixture->server.port, path);
    request.url = slice_from(url);
    assert_int_equal(key_fetch_start(fixture->fetcher, &request, on_done, fixture, &fetch), 0);
    assert_int_equal(fixture->ended, 0); /* never from within the start */
    return fetch;
}

static void fetch(struct fixture *fixture, const char *path, uint64_t timeout)
{
    start(fixture, path, timeout);
    ev_run(fixture->loop, 0);
    assert_int_equal(fixture->ended, 1);
}

static void test_body_and_max_age(void **state)
{
    struct fixture *fixture = *state;

    fetch(fixture, "/keys", 5000);
    assert_string_equal(fixture->failed, "");
    assert_string_equal(fixture->body, "{\"keys\":[]}");
    assert_int_equal(fixture->max_age, 120);
}

static void fetch_marked(struct fixture *fixture, const char *path, const char *etag,
                         const char *modified)
{
    struct key_fetch *started;
    char url[256];
    struct key_fetch_request request = {
        .validators = {.etag = slice_from(etag), .modified = slice_from(modified)},
        .timeout = 5000,
        .size_max = 16};

    snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", fixture->server.port, path);
    request.url = slice_from(url);
    fixture->ended = 0;
    assert_int_equal(key_fetch_start(fixture->fetcher, &request, on_done, fixture, &started), 0);
    ev_run(fixture->loop, 0);
    assert_int_equal(fixture->ended, 1);
}

static void test_unchanged_is_not_sent_again(void **state)
{
    struct fixture *fixture = *state;

    fetch(fixture, "/marked", 5000);
    assert_false(fixture->unchanged);
    assert_string_equal(fixture->etag, "\"v1\"");
    assert_string_equal(fixture->modified, MODIFIED);
    fetch_marked(fixture, "/marked", "\"v1\"", MODIFIED);
    assert_string_equal(fixture->failed, "");
    assert_true(fixture->unchanged);
    assert_string_equal(fixture->body, "");
    assert_int_equal(fixture->max_age, 200); /* less the time it spent in a cache */
    fetch_marked(fixture, "/marked", "\"v0\"", MODIFIED);
    assert_false(fixture->unchanged);
    assert_string_equal(fixture->body, "{\"keys\":[]}");
}

static void test_304_to_who_did_not_ask_is_a_failure(void **state)
{
    struct fixture *fixture = *state;

    fetch(fixture, "/304", 5000);
    assert_string_equal(fixture->failed, "status 304, not 200");
    assert_false(fixture->unchanged);
}

static void test_a_host_that_nobody_configured_is_public(void **state)
{
    struct fixture *fixture = *state;
    struct key_fetch *started;
    char url[256];
    struct key_fetch_request request = {.public_only = true, .timeout = 5000, .size_max = 16};

    snprintf(url, sizeof(url), "https://127.0.0.1:%u/keys", fixture->server.port);
    request.url = slice_from(url);
    assert_int_equal(key_fetch_start(fixture->fetcher, &request, on_done, fixture, &started), 0);
    ev_run(fixture->loop, 0);
    assert_string_equal(fixture->failed, "its address may not be connected to");
    assert_int_equal(fixture->server.requests, 0);
}

static void test_only_200(void **state)
{
    struct fixture *fixture = *state;

    fetch(fixture, "/none", 5000);
    assert_string_equal(fixture->failed, "status 404, not 200");
    assert_int_equal(fixture->status, 404);
    assert_string_equal(fixture->body, "");
}

static void test_no_content_is_no_set(void **state)
{
    struct fixture *fixture = *state;

    fetch(fixture, "/empty", 5000);
    assert_string_equal(fixture->failed, "status 204, not 200");
}

static void test_oversize(void **state)
{
    struct fixture *fixture = *state;

    fetch(fixture, "/large", 5000);
    assert_string_equal(fixture->failed, "larger than the limit key_set_size");
}

static void test_cut_body(void **state)
{
    struct fixture *fixture = *state;

    fetch(fixture, "/cut", 5000);
    assert_string_not_equal(fixture->failed, "");
    assert_string_equal(fixture->body, "");
}

static void test_redirect_within_origin(void **state)
{
    struct fixture *fixture = *state;

    fetch(fixture, "/moved", 5000);
    assert_string_equal(fixture->failed, "");
    assert_string_equal(fixture->body, "{\"keys\":[]}");
}

static void test_redirects_are_bounded(void **state)
{
    struct fixture *fixture = *state;

    fetch(fixture, "/loop", 5000);
    assert_string_equal(fixture->failed, "too many redirects");
    assert_int_equal(fixture->server.requests, 1 + KEY_FETCH_REDIRECTS_MAX);
}

static void test_redirect_to_another_origin(void **state)
{
    struct fixture *fixture = *state;

    fetch(fixture, "/away", 5000);
    assert_string_equal(fixture->failed, "a redirect to another origin");
    assert_int_equal(fixture->server.requests, 1);
}

static void test_silence_times_out(void **state)
{
    struct fixture *fixture = *state;

    fetch(fixture, "/silent", 100);
    assert_string_equal(fixture->failed, "no complete answer within the limit key_fetch_timeout");
}

static void test_cancelled_is_never_told(void **state)
{
    struct fixture *fixture = *state;
    struct key_fetch *silent = start(fixture, "/silent", 60000);

    key_fetch_cancel(silent);
    fetch(fixture, "/keys", 5000);
    assert_string_equal(fixture->body, "{\"keys\":[]}");
}

static void test_more_than_run_at_once(void **state)
{
    struct fixture *fixture = *state;

    fixture->wanted = KEY_FETCH_RUNNING_MAX + 8;
    for (unsigned i = 0; i < fixture->wanted; i++)
        start(fixture, "/keys", 20000);
    ev_run(fixture->loop, 0);
    assert_int_equal(fixture->ended, fixture->wanted);
    assert_string_equal(fixture->failed, "");
}

static int try_url(struct fixture *fixture, const char *url, bool insecure)
{
    struct key_fetch *started = NULL;
    struct key_fetch_request request = {
        .url = slice_from(url), .insecure = insecure, .timeout = 1000, .size_max = 16};
    int status = key_fetch_start(fixture->fetcher, &request, on_done, fixture, &started);

    if (status == 0)
        key_fetch_cancel(started);
    return status;
}

static void test_urls(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(try_url(fixture, "http://idp.example.com/keys", false), -EINVAL);
    assert_int_equal(try_url(fixture, "ftp://127.0.0.1/keys", true), -EINVAL);
    assert_int_equal(try_url(fixture, "file:///etc/passwd", true), -EINVAL);
    assert_int_equal(try_url(fixture, "mcp+http://127.0.0.1/keys", false), -EINVAL);
    assert_int_equal(try_url(fixture, "", false), -EINVAL);
    assert_int_equal(try_url(fixture, "http://127.0.0.1:1/keys", false), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_body_and_max_age, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unchanged_is_not_sent_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_304_to_who_did_not_ask_is_a_failure, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_host_that_nobody_configured_is_public, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_only_200, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_content_is_no_set, setup, teardown),
        cmocka_unit_test_setup_teardown(test_oversize, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cut_body, setup, teardown),
        cmocka_unit_test_setup_teardown(test_redirect_within_origin, setup, teardown),
        cmocka_unit_test_setup_teardown(test_redirects_are_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_redirect_to_another_origin, setup, teardown),
        cmocka_unit_test_setup_teardown(test_silence_times_out, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cancelled_is_never_told, setup, teardown),
        cmocka_unit_test_setup_teardown(test_more_than_run_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_urls, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
