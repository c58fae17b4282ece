/* What HTTP and MCP probes ask, whom they believe, and that they end what they began. */
#include "conf/probe_http.h"

#include "conf/http_fetch.h"
#include "key_server.h"
#include "tests/unit/shared/certificate_example.h"

#include <ev.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>

enum { HEARD_MAX = 8, TIMEOUT = 20000 /* milliseconds; tests of lateness have their own */ };

#define OK_JSON "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
#define NOT_KNOWN "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"

struct fixture {
    struct key_server server;
    struct ev_loop *loop;
    struct http_fetcher *fetcher;
    struct app_record app;
    bool legacy;
    unsigned ended;
    bool good;
    char failed[400];
    /* The server's: what it answers to each request, in turn, and what it heard. */
    const char *answers[HEARD_MAX];
    char heard[HEARD_MAX][4096];
    atomic_uint heard_count;
    atomic_bool crowded; /* a second connection came while one was open */
};

static void answer(struct key_server *server, int fd, const char *path, const char *head)
{
    struct fixture *fixture = server->context;
    unsigned n = atomic_load(&fixture->heard_count);
    struct pollfd waiting = {.fd = server->fd, .events = POLLIN};
    char rest[512];

    (void)path;
    assert_true(n < HEARD_MAX);
    snprintf(fixture->heard[n], sizeof(fixture->heard[n]), "%s", head);
    atomic_store(&fixture->heard_count, n + 1);
    if (poll(&waiting, 1, 0) > 0)
        atomic_store(&fixture->crowded, true);
    if (fixture->answers[n] != NULL)
        send_text(fd, fixture->answers[n]);
    /* Until the client closes: a response that its head does not end stays open. */
    while (recv(fd, rest, sizeof(rest), 0) > 0)
        ;
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    struct app_endpoint *endpoint = &fixture->app.endpoints[0];

    fixture->server.answer = answer;
    fixture->server.context = fixture;
    key_server_start(&fixture->server);
    fixture->loop = ev_loop_new(EVFLAG_AUTO);
    assert_int_equal(http_fetcher_open(&fixture->fetcher, fixture->loop), 0);
    endpoint->host = slice_from("gate.example.com");
    endpoint->port = fixture->server.port;
    endpoint->path = slice_from("/mcp");
    endpoint->addresses[0] = slice_from("127.0.0.1");
    endpoint->address_count = 1;
    fixture->app.endpoint_count = 1;
    fixture->app.health = (struct app_health){
        .probe = APP_PROBE_HTTP, .path = slice_from("/healthz"), .timeout = TIMEOUT};
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

static void on_done(void *context, const char *failed)
{
    struct fixture *fixture = context;

    fixture->ended++;
    fixture->good = failed == NULL;
    snprintf(fixture->failed, sizeof(fixture->failed), "%s", failed == NULL ? "" : failed);
    ev_break(fixture->loop, EVBREAK_ALL);
}

static void probe(struct fixture *fixture)
{
    fixture->ended = 0;
    assert_non_null(probe_http_start(fixture->loop, fixture->fetcher, &fixture->app, 0,
                                     &fixture->legacy, on_done, fixture));
    assert_int_equal(fixture->ended, 0); /* never from within the start */
    ev_run(fixture->loop, 0);
    assert_int_equal(fixture->ended, 1);
}

static void expect_heard(struct fixture *fixture, unsigned n, const char *line)
{
    assert_true(n < atomic_load(&fixture->heard_count));
    if (strstr(fixture->heard[n], line) == NULL)
        fail_msg("%s is not in %s", line, fixture->heard[n]);
}

static void test_get_is_judged_by_its_status(void **state)
{
    static const struct {
        const char *answer;
        bool good;
        const char *failed;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true, ""},
        {"HTTP/1.1 204 No Content\r\n\r\n", true, ""},
        {"HTTP/1.1 399 Odd\r\nContent-Length: 0\r\n\r\n", true, ""},
        {"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", false, "status 400"},
        {"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", false, "status 503"},
        {"SSH-2.0-OpenSSH_9.2\r\n", false, "HTTP/0.9"},
    };
    struct fixture *fixture = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fixture->answers[i] = cases[i].answer;
        probe(fixture);
        assert_int_equal(fixture->good, cases[i].good);
        if (strstr(fixture->failed, cases[i].failed) == NULL)
            fail_msg("%zu: %s", i, fixture->failed);
        expect_heard(fixture, (unsigned)i, "GET /healthz HTTP/1.1\r\nHost: gate.example.com:");
    }
    assert_false(atomic_load(&fixture->crowded));
}

/* A redirect is an answer; nobody goes where it points. */
static void test_follows_no_redirect(void **state)
{
    struct fixture *fixture = *state;

    fixture->answers[0] = "HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n";
    probe(fixture);
    assert_true(fixture->good);
    assert_int_equal(atomic_load(&fixture->heard_count), 1);
    fixture->app.health.probe = APP_PROBE_MCP;
    fixture->answers[1] = fixture->answers[0];
    probe(fixture);
    assert_false(fixture->good);
    assert_string_equal(fixture->failed, "status 302");
    assert_int_equal(atomic_load(&fixture->heard_count), 2);
}

/* The server sends without end, and is not waited for: the status is known. */
static void serve_endlessly(struct key_server *server, int fd)
{
    static char block[65536];

    (void)server;
    send_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n");
    while (send(fd, block, sizeof(block), MSG_NOSIGNAL) > 0)
        ;
}

static void test_an_oversized_answer_is_cut_off(void **state)
{
    struct fixture *fixture = *state;
    ev_tstamp began = ev_time();

    fixture->server.serve = serve_endlessly;
    probe(fixture);
    assert_true(fixture->good);
    assert_true(ev_time() - began < TIMEOUT / 1000.);
}

static void serve_endless_head(struct key_server *server, int fd)
{
    static const char line[] = "X-More: 0123456789012345678901234567890123456789\r\n";

    (void)server;
    send_text(fd, "HTTP/1.1 200 OK\r\n");
    while (send(fd, line, sizeof(line) - 1, MSG_NOSIGNAL) > 0)
        ;
}

static void test_an_oversized_head_fails(void **state)
{
    struct fixture *fixture = *state;

    fixture->server.serve = serve_endless_head;
    probe(fixture);
    assert_false(fixture->good);
    assert_string_equal(fixture->failed, "the head of the answer is too large");
}

static void test_silence_is_late(void **state)
{
    struct fixture *fixture = *state;

    fixture->app.health.timeout = 50;
    probe(fixture);
    assert_false(fixture->good);
    assert_non_null(strstr(fixture->failed, "timed out"));
    /* What began with a good status is good, though it does not end. */
    fixture->answers[1] = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc";
    probe(fixture);
    assert_true(fixture->good);
}

/* One that refuses, and one that is not there, before the one that answers. */
static void test_tries_each_address(void **state)
{
    struct fixture *fixture = *state;
    struct app_endpoint *endpoint = &fixture->app.endpoints[0];

    endpoint->addresses[0] = slice_from("127.0.0.9");
    endpoint->addresses[1] = slice_from("127.0.0.1");
    endpoint->address_count = 2;
    fixture->answers[0] = OK_JSON;
    probe(fixture);
    assert_true(fixture->good);
    endpoint->address_count = 1;
    probe(fixture);
    assert_false(fixture->good);
    endpoint->address_count = 0;
    probe(fixture);
    assert_false(fixture->good);
    assert_string_equal(fixture->failed, "its name has no address");
}

static void test_sends_the_apps_own_headers(void **state)
{
    struct fixture *fixture = *state;

    fixture->app.headers[0] =
        (struct app_header){.name = slice_from("X-Key"), .value = slice_from("secret")};
    fixture->app.headers[1] =
        (struct app_header){.name = slice_from("X-Empty"), .value = slice_from("")};
    fixture->app.header_count = 2;
    fixture->answers[0] = OK_JSON;
    probe(fixture);
    expect_heard(fixture, 0, "\r\nX-Key: secret\r\n");
    expect_heard(fixture, 0, "\r\nX-Empty:\r\n");
}

static void test_mcp_asks_a_modern_server_once(void **state)
{
    struct fixture *fixture = *state;

    fixture->app.health.probe = APP_PROBE_MCP;
    fixture->answers[0] = OK_JSON;
    probe(fixture);
    assert_true(fixture->good);
    assert_false(fixture->legacy);
    assert_int_equal(atomic_load(&fixture->heard_count), 1);
    expect_heard(fixture, 0, "POST /mcp HTTP/1.1\r\n");
    expect_heard(fixture, 0, "\r\nMCP-Protocol-Version: 2026-07-28\r\n");
    expect_heard(fixture, 0, "\"method\":\"server/discover\"");
}

/* The session is ended before the probe is over, and the server is not asked for what it does not
 * know again. Its answer is an event stream that it keeps open. */
static void test_mcp_ends_the_session_it_began(void **state)
{
    static const char begun[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                                "Mcp-Session-Id: abc-1\r\n\r\ndata: {}\n\n";
    struct fixture *fixture = *state;

    fixture->app.health.probe = APP_PROBE_MCP;
    fixture->answers[0] = NOT_KNOWN;
    fixture->answers[1] = fixture->answers[3] = begun;
    fixture->answers[2] = fixture->answers[4] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    probe(fixture);
    assert_true(fixture->good && fixture->legacy);
    assert_int_equal(atomic_load(&fixture->heard_count), 3);
    expect_heard(fixture, 1, "\"method\":\"initialize\"");
    expect_heard(fixture, 2, "DELETE /mcp HTTP/1.1\r\n");
    expect_heard(fixture, 2, "\r\nMcp-Session-Id: abc-1\r\n");
    probe(fixture);
    assert_true(fixture->good && fixture->legacy);
    assert_int_equal(atomic_load(&fixture->heard_count), 5);
    expect_heard(fixture, 3, "\"method\":\"initialize\"");
    expect_heard(fixture, 4, "DELETE ");
    assert_false(atomic_load(&fixture->crowded));
}

/* Neither what DELETE is answered, nor that it is not, makes the server a dead one; and a failure
 * that began a session ends it, too. */
static void test_mcp_judges_before_the_end(void **state)
{
    struct fixture *fixture = *state;

    fixture->app.health.probe = APP_PROBE_MCP;
    fixture->legacy = true;
    fixture->answers[0] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                          "Mcp-Session-Id: abc-1\r\nContent-Length: 2\r\n\r\n{}";
    fixture->answers[1] = "HTTP/1.1 405 No\r\nContent-Length: 0\r\n\r\n";
    probe(fixture);
    assert_true(fixture->good);
    fixture->answers[2] = "HTTP/1.1 500 No\r\nMcp-Session-Id: abc-2\r\nContent-Length: 0\r\n\r\n";
    fixture->answers[3] = fixture->answers[1];
    probe(fixture);
    assert_false(fixture->good || fixture->legacy);
    assert_string_equal(fixture->failed, "status 500");
    expect_heard(fixture, 3, "\r\nMcp-Session-Id: abc-2\r\n");
}

static void test_mcp_is_not_any_page(void **state)
{
    struct fixture *fixture = *state;

    fixture->app.health.probe = APP_PROBE_MCP;
    fixture->answers[0] = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\n"
                          "<p/>";
    probe(fixture);
    assert_false(fixture->good);
    assert_string_equal(fixture->failed, "it does not answer as MCP's servers do");
}

/* A probe that is cancelled tells nothing, and leaves nothing in the loop. */
static void test_a_cancelled_probe_is_silent(void **state)
{
    struct fixture *fixture = *state;
    struct probe_http *probe = probe_http_start(fixture->loop, fixture->fetcher, &fixture->app, 0,
                                                &fixture->legacy, on_done, fixture);

    assert_non_null(probe);
    ev_run(fixture->loop, EVRUN_NOWAIT);
    probe_http_cancel(probe);
    ev_run(fixture->loop, 0); /* returns: nothing is watched */
    assert_int_equal(fixture->ended, 0);
    probe_http_cancel(NULL);
}

static X509 *example_certificate(void)
{
    BIO *bio = BIO_new_mem_buf(EXAMPLE_CERTIFICATE, -1);
    X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);

    BIO_free(bio);
    return certificate;
}

static void serve_tls(struct key_server *server, int fd)
{
    BIO *bio = BIO_new_mem_buf(EXAMPLE_KEY, -1);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    X509 *certificate = example_certificate();
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    SSL *ssl;
    char text[4096];

    (void)server;
    SSL_CTX_use_certificate(context, certificate);
    SSL_CTX_use_PrivateKey(context, key);
    ssl = SSL_new(context);
    SSL_set_fd(ssl, fd);
    if (SSL_accept(ssl) == 1 && SSL_read(ssl, text, sizeof(text)) > 0)
        SSL_write(ssl, OK_JSON, sizeof(OK_JSON) - 1);
    SSL_shutdown(ssl);
    SSL_free(ssl);
    SSL_CTX_free(context);
    X509_free(certificate);
    EVP_PKEY_free(key);
    BIO_free(bio);
}

static void test_tls_is_checked_as_requests_check_it(void **state)
{
    struct fixture *fixture = *state;
    struct app_endpoint *endpoint = &fixture->app.endpoints[0];

    fixture->server.serve = serve_tls;
    endpoint->tls = true;
    probe(fixture); /* by the system's bundle: nobody vouches for it */
    assert_false(fixture->good);
    assert_non_null(strstr(fixture->failed, "certificate"));
    fixture->app.ca_pem = slice_from(EXAMPLE_CERTIFICATE);
    probe(fixture);
    assert_true(fixture->good);
    endpoint->host = slice_from("other.example.com");
    probe(fixture);
    assert_false(fixture->good);
    assert_non_null(strstr(fixture->failed, "other.example.com"));
    fixture->app.insecure_skip_verify = true;
    probe(fixture);
    assert_true(fixture->good);
}

static void test_no_tls_is_a_failure(void **state)
{
    struct fixture *fixture = *state;

    fixture->server.serve = serve_endlessly;
    fixture->app.endpoints[0].tls = true;
    fixture->app.insecure_skip_verify = true;
    probe(fixture);
    assert_false(fixture->good);
}

/* As many servers of other people's listen there. */
static void test_asks_an_address_that_is_the_host(void **state)
{
    struct fixture *fixture = *state;
    struct app_endpoint *endpoint = &fixture->app.endpoints[0];

    endpoint->host = slice_from("127.0.0.1");
    fixture->answers[0] = OK_JSON;
    probe(fixture);
    assert_true(fixture->good);
    endpoint->host = endpoint->addresses[0] = slice_from("::1");
    probe(fixture); /* no one is there, and this is said, not that it could not be asked */
    assert_false(fixture->good);
    assert_non_null(strstr(fixture->failed, "::1 port"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_get_is_judged_by_its_status, setup, teardown),
        cmocka_unit_test_setup_teardown(test_follows_no_redirect, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_oversized_answer_is_cut_off, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_oversized_head_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(test_silence_is_late, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tries_each_address, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sends_the_apps_own_headers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mcp_asks_a_modern_server_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mcp_ends_the_session_it_began, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mcp_judges_before_the_end, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mcp_is_not_any_page, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_cancelled_probe_is_silent, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tls_is_checked_as_requests_check_it, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_tls_is_a_failure, setup, teardown),
        cmocka_unit_test_setup_teardown(test_asks_an_address_that_is_the_host, setup, teardown),
    };

    /* As in the watcher (child.c): TLS that ended writes once more. */
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
