#include "conf/key_fetch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ev.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* A server of one thread, one connection after the other: the path decides the answer. */
struct server {
    pthread_t thread;
    int fd;
    unsigned port;
    unsigned requests;
};

struct fixture {
    struct server server;
    struct ev_loop *loop;
    struct key_fetcher *fetcher;
    unsigned ended;
    unsigned wanted;
    char failed[256];
    char body[256];
    int64_t max_age;
};

static void send_text(int fd, const char *text)
{
    size_t size = strlen(text);

    while (size > 0) {
        ssize_t sent = send(fd, text, size, MSG_NOSIGNAL);

        if (sent <= 0)
            return;
        text += sent;
        size -= (size_t)sent;
    }
}

static void answer(const struct server *server, int fd, const char *path)
{
    char text[512];

    if (strcmp(path, "/keys") == 0)
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

static void serve(struct server *server, int fd)
{
    char request[2048] = "";
    char path[256] = "";
    size_t size = 0;

    while (size < sizeof(request) - 1 && strstr(request, "\r\n\r\n") == NULL) {
        ssize_t got = recv(fd, request + size, sizeof(request) - 1 - size, 0);

        if (got <= 0)
            return;
        size += (size_t)got;
        request[size] = '\0';
    }
    server->requests++;
    sscanf(request, "GET %255s", path);
    /* Silence until the client gives up. */
    if (strcmp(path, "/silent") == 0)
        while (recv(fd, request, sizeof(request), 0) > 0)
            ;
    else
        answer(server, fd, path);
}

static void *server_run(void *context)
{
    struct server *server = context;
    int fd;

    while ((fd = accept(server->fd, NULL, NULL)) >= 0) {
        serve(server, fd);
        close(fd);
    }
    return NULL;
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(address);
    struct server *server = &fixture->server;

    server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server->fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(server->fd, 64), 0);
    getsockname(server->fd, (struct sockaddr *)&address, &size);
    server->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&server->thread, NULL, server_run, server), 0);
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
    shutdown(fixture->server.fd, SHUT_RDWR);
    pthread_join(fixture->server.thread, NULL);
    close(fixture->server.fd);
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
    fixture->max_age = result->max_age;
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

static void test_only_200(void **state)
{
    struct fixture *fixture = *state;

    fetch(fixture, "/none", 5000);
    assert_string_equal(fixture->failed, "status 404, not 200");
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
