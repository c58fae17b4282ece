#include "bridge_fixture.h"

#define INITIALIZE                                                             \
    "{\"jsonrpc\":\"2.0\",\"id\":\"i\",\"method\":\"initialize\",\"params\":{" \
    "\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"sampling\":{}},"   \
    "\"clientInfo\":{\"name\":\"t\",\"version\":\"1\"}}}"
#define INITIALIZED "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}"
#define WELCOME "{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{},\"serverInfo\":{}}"
#define CALL(id)                                                                \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"tools/call\",\"params\":{" \
    "\"name\":\"x\",\"_meta\":{\"progressToken\":" id "}}}"

static char session_line[128]; /* the header that names the session opened last */

static void remember_session(const char *answer)
{
    const char *at = strstr(answer, "Mcp-Session-Id: ");

    assert_non_null(at);
    snprintf(session_line, sizeof(session_line), "%.48s\r\n", at);
}

/* A session, open, over `worker`; its server is `server`, which may run already. */
static void session_opens(struct worked *worker, struct played *server, const char *app,
                          const char *owner, bool starts)
{
    static uint64_t number;

    worker_opens(worker);
    worker_sends(worker, "POST", "/mcp", app, owner, "", INITIALIZE);
    if (starts) {
        server_starts(server, ++number);
        expect_text(server_read(server), "\"method\":\"initialize\"");
        server_answers(server, WELCOME);
    }
    expect_text(worker_read(worker), "HTTP/1.1 200 OK");
    remember_session(worker->read);
    expect_text(worker->read, "\"id\":\"i\",\"result\":" WELCOME);
    worker_sends(worker, "POST", "/mcp", app, owner, session_line, INITIALIZED);
    expect_text(worker_read(worker), "HTTP/1.1 202");
    server_read(server);
}

static void test_one_server_a_session(void **state)
{
    struct worked first, second;
    struct played one, two;

    (void)state;
    session_opens(&first, &one, "own", OWNER_A, true);
    session_opens(&second, &two, "own", OWNER_A, true);
    assert_int_equal(bridge->server_count, 2);
    worker_sends(&second, "POST", "/mcp", "own", OWNER_A, session_line, CALL("5"));
    expect_text(server_read(&two), "tools/call");
    assert_string_equal(server_read(&one), "");
    server_answers(&two, "{\"ok\":1}");
    expect_text(worker_read(&second), "application/json");
    expect_text(second.read, "\"id\":5,\"result\":{\"ok\":1}");
    worker_sends(&second, "DELETE", "/mcp", "own", OWNER_A, session_line, "");
    expect_text(worker_read(&second), "HTTP/1.1 204");
    assert_true(server_stopped(&two));
    assert_int_equal(read(two.input, two.read, 1), 0); /* its input ended */
    worker_sends(&second, "POST", "/mcp", "own", OWNER_A, session_line, CALL("6"));
    expect_text(worker_read(&second), "HTTP/1.1 404");
    expect_text(second.read, "-32001");
    assert_int_equal(bridge->server_count, 1);
}

static void test_sessions_are_their_owners(void **state)
{
    struct worked worker;
    struct played server;

    (void)state;
    session_opens(&worker, &server, "own", OWNER_A, true);
    worker_sends(&worker, "POST", "/mcp", "own", OWNER_B, session_line, CALL("5"));
    expect_text(worker_read(&worker), "HTTP/1.1 404");
    worker_sends(&worker, "DELETE", "/mcp", "own", OWNER_B, session_line, "");
    expect_text(worker_read(&worker), "HTTP/1.1 404");
    worker_sends(&worker, "POST", "/mcp", "user", OWNER_A, session_line, CALL("5"));
    expect_text(worker_read(&worker), "HTTP/1.1 404");
    worker_sends(&worker, "POST", "/mcp", "own", OWNER_A, "", CALL("5"));
    expect_text(worker_read(&worker), "HTTP/1.1 400");
    assert_string_equal(server_read(&server), "");
}

static void test_stream_with_progress_and_questions(void **state)
{
    struct worked worker, other;
    struct played server;
    char line[256];

    (void)state;
    session_opens(&worker, &server, "own", OWNER_A, true);
    worker_sends(&worker, "POST", "/mcp", "own", OWNER_A, session_line, CALL("\"c\""));
    server_read(&server);
    snprintf(line, sizeof(line),
             "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":"
             "{\"progressToken\":%lu,\"progress\":1}}",
             server_id(&server));
    server_says(&server, line);
    expect_text(worker_read(&worker), "text/event-stream");
    expect_text(worker.read, "data: \n\n"); /* the priming event */
    expect_text(worker.read, "\"progressToken\":\"c\",\"progress\":1");
    server_says(&server, "{\"jsonrpc\":\"2.0\",\"id\":77,\"method\":\"sampling/createMessage\"}");
    expect_text(worker_read(&worker), "\"id\":77,\"method\":\"sampling/createMessage\"");
    /* An answer that nobody asked for goes nowhere; the right one does, once. */
    worker_opens(&other);
    worker_sends(&other, "POST", "/mcp", "own", OWNER_A, session_line,
                 "{\"jsonrpc\":\"2.0\",\"id\":78,\"result\":{}}");
    worker_sends(&other, "POST", "/mcp", "own", OWNER_A, session_line,
                 "{\"jsonrpc\":\"2.0\",\"id\":77,\"result\":{\"role\":\"x\"}}");
    worker_sends(&other, "POST", "/mcp", "own", OWNER_A, session_line,
                 "{\"jsonrpc\":\"2.0\",\"id\":77,\"result\":{\"role\":\"y\"}}");
    expect_text(worker_read(&other), "HTTP/1.1 202");
    assert_string_equal(server_read(&server),
                        "{\"jsonrpc\":\"2.0\",\"id\":77,\"result\":{\"role\":\"x\"}}\n");
    /* What the bridge is asked it answers itself. */
    server_says(&server, "{\"jsonrpc\":\"2.0\",\"id\":79,\"method\":\"ping\"}");
    assert_string_equal(server_read(&server), "{\"jsonrpc\":\"2.0\",\"id\":79,\"result\":{}}\n");
}

static void test_resumption(void **state)
{
    struct worked worker, again;
    struct played server;
    unsigned long id;
    char line[256];
    const char *event;

    (void)state;
    session_opens(&worker, &server, "own", OWNER_A, true);
    worker_sends(&worker, "POST", "/mcp", "own", OWNER_A, session_line, CALL("1"));
    server_read(&server);
    id = server_id(&server);
    for (int i = 1; i <= 3; i++) {
        snprintf(line, sizeof(line),
                 "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":"
                 "{\"progressToken\":%lu,\"progress\":%d}}",
                 id, i);
        server_says(&server, line);
    }
    /* The worker dies; what it has written last was not seen by the client. */
    event = strstr(worker_read(&worker), "id: ");
    for (const char *at = event; at != NULL && strstr(at, "\"progress\":1") != NULL;
         at = strstr(at + 1, "id: "))
        event = at;
    snprintf(line, sizeof(line), "%sLast-Event-ID: %.*s\r\n", session_line,
             (int)strcspn(event + 4, "\n"), event + 4);
    worker_closes(&worker);
    assert_string_equal(server_read(&server), ""); /* no cancellation: the request goes on */
    snprintf(worker.read, sizeof(worker.read), "{\"jsonrpc\":\"2.0\",\"id\":%lu,\"result\":{}}",
             id);
    server_says(&server, worker.read);
    worker_opens(&again);
    worker_sends(&again, "GET", "/mcp", "own", OWNER_A, line, "");
    expect_none(worker_read(&again), "\"progress\":1");
    expect_text(again.read, "\"progress\":2");
    expect_text(again.read, "\"progress\":3");
    expect_text(again.read, "\"id\":1,\"result\":{}");
    expect_text(again.read, "\r\n0\r\n\r\n"); /* and it is over */
    worker_sends(&again, "GET", "/mcp", "own", OWNER_A, "Last-Event-ID: 99-1\r\n", "");
    expect_text(worker_read(&again), "HTTP/1.1 404"); /* without a session */
    snprintf(line, sizeof(line), "%sLast-Event-ID: 99-1\r\n", session_line);
    worker_sends(&again, "GET", "/mcp", "own", OWNER_A, line, "");
    expect_text(worker_read(&again), "HTTP/1.1 400");
}

static void test_standing_stream(void **state)
{
    struct worked worker, standing, second;
    struct played server;

    (void)state;
    session_opens(&worker, &server, "own", OWNER_A, true);
    worker_opens(&standing);
    worker_sends(&standing, "GET", "/mcp", "own", OWNER_A, session_line, "");
    expect_text(worker_read(&standing), "text/event-stream");
    worker_opens(&second);
    worker_sends(&second, "GET", "/mcp", "own", OWNER_A, session_line, "");
    expect_text(worker_read(&second), "HTTP/1.1 409");
    server_says(&server, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}");
    expect_text(worker_read(&standing), "tools/list_changed");
    worker_closes(&standing);
    server_says(&server, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/prompts/list_changed\"}");
    worker_sends(&second, "GET", "/mcp", "own", OWNER_A, session_line, "");
    expect_text(worker_read(&second), "prompts/list_changed");
    expect_none(second.read, "tools/list_changed");
}

static void test_cancel(void **state)
{
    struct worked worker, other;
    struct played server;
    char line[256];
    unsigned long id;

    (void)state;
    session_opens(&worker, &server, "own", OWNER_A, true);
    worker_sends(&worker, "POST", "/mcp", "own", OWNER_A, session_line, CALL("9"));
    server_read(&server);
    id = server_id(&server);
    worker_opens(&other);
    worker_sends(&other, "POST", "/mcp", "own", OWNER_A, session_line,
                 "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":"
                 "{\"requestId\":8}}");
    assert_string_equal(server_read(&server), "");
    worker_sends(&other, "POST", "/mcp", "own", OWNER_A, session_line,
                 "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":"
                 "{\"requestId\":9}}");
    snprintf(line, sizeof(line), "\"requestId\":%lu", id);
    expect_text(server_read(&server), line);
    expect_text(worker_read(&worker), "\r\n0\r\n\r\n"); /* its stream is over */
}

static void test_crash(void **state)
{
    struct worked worker;
    struct played server;

    (void)state;
    session_opens(&worker, &server, "own", OWNER_A, true);
    worker_sends(&worker, "POST", "/mcp", "own", OWNER_A, session_line, CALL("9"));
    server_read(&server);
    server_dies(&server);
    expect_text(worker_read(&worker),
                "\"id\":9,\"error\":{\"code\":-32603,\"message\":\"the server "
                "ended; error id ");
    assert_true(server_stopped(&server));
    worker_sends(&worker, "POST", "/mcp", "own", OWNER_A, session_line, CALL("10"));
    expect_text(worker_read(&worker), "HTTP/1.1 404");
    assert_int_equal(bridge->server_count, 0);
    /* It worked before: another may be started at once. */
    session_opens(&worker, &server, "own", OWNER_A, true);
}

/* A server starts for that app, and dies before it has answered. */
static void dies_early(struct worked *worker, const char *app)
{
    struct played server;

    worker_sends(worker, "POST", "/mcp", app, OWNER_A, "", INITIALIZE);
    turn();
    if (!server_asked(&server))
        fail_msg("no server was asked for: %s", worker_read(worker));
    server_runs(&server, 100 + server.request);
    server_dies(&server);
    expect_text(worker_read(worker), "error id");
    expect_none(worker->read, "Mcp-Session-Id");
    assert_true(server_stopped(&server));
}

static bool is_refused(struct worked *worker, const char *app)
{
    struct message message;

    worker_sends(worker, "POST", "/mcp", app, OWNER_A, "", INITIALIZE);
    if (channel_receive(launcher, &message) == 1)
        return false;
    expect_text(worker_read(worker), "HTTP/1.1 503");
    expect_text(worker->read, "Retry-After: ");
    expect_text(worker->read, "keeps failing");
    return true;
}

static const struct server_board_entry *told(const char *app)
{
    return server_board_take(&fixture_board, slice_from(app));
}

static void test_one_early_death_costs_nothing_several_do(void **state)
{
    struct worked worker;

    (void)state;
    worker_opens(&worker);
    dies_early(&worker, "own");
    dies_early(&worker, "own");
    assert_true(is_refused(&worker, "own"));
    assert_int_equal(bridge->session_count, 0);
    assert_int_equal(told("own")->servers, 0);
    assert_int_equal(told("own")->starts, 2);
    assert_int_equal(told("own")->deaths, 2);
    assert_int_equal(told("own")->failures, 2);
    assert_false(is_refused(&worker, "user")); /* other apps have nothing to do with it */
}

static void test_early_deaths_are_forgotten_when_one_answers(void **state)
{
    struct worked worker, other;
    struct played server;

    (void)state;
    worker_opens(&worker);
    dies_early(&worker, "own");
    session_opens(&other, &server, "own", OWNER_A, true);
    dies_early(&worker, "own");
    assert_false(is_refused(&worker, "own"));
}

/* Its caller may have made it die: no others are to wait for that. */
static void test_a_death_after_an_answer_is_its_callers_own(void **state)
{
    struct worked worker;
    struct played server;

    (void)state;
    for (int i = 0; i < 4; i++) {
        session_opens(&worker, &server, "own", OWNER_A, true);
        server_dies(&server);
        assert_true(server_stopped(&server));
        worker_closes(&worker);
    }
    assert_int_equal(told("own")->deaths, 4);
    assert_int_equal(told("own")->failures, 0);
    worker_opens(&worker);
    assert_false(is_refused(&worker, "own"));
}

static void test_a_shared_server_that_dies_young_keeps_failing(void **state)
{
    struct worked worker;
    struct played server;

    (void)state;
    for (int i = 0; i < 2; i++) {
        session_opens(&worker, &server, "shared", OWNER_A, true);
        server_dies(&server);
        assert_true(server_stopped(&server));
        worker_closes(&worker);
    }
    worker_opens(&worker);
    assert_true(is_refused(&worker, "shared"));
}

static void test_what_dies_with_the_launcher_has_not_failed(void **state)
{
    struct worked worker;
    struct played server;

    (void)state;
    worker_opens(&worker);
    for (int i = 0; i < 4; i++) {
        worker_sends(&worker, "POST", "/mcp", "own", OWNER_A, "", INITIALIZE);
        server_starts(&server, 1);
        bridge_server_all_lost(bridge);
        expect_text(worker_read(&worker), "error id");
        server_dies(&server);
    }
    assert_false(is_refused(&worker, "own"));
}

/* What is plainly an answer, and yet none, is answered at once: its caller would wait till the time
 * is up. */
static void test_broken_answers(void **state)
{
    static const char *const broken[] = {
        "\"result\":7",
        "\"result\":[]",
        "\"result\":null",
        "\"x\":1",
        "\"result\":{},\"error\":{\"code\":1,\"message\":\"x\"}",
        "\"error\":\"no\"",
        "\"error\":{\"code\":\"x\"}",
        "\"result\":{},\"result\":{}",
    };
    struct worked worker;
    struct played server;
    char line[256];

    (void)state;
    session_opens(&worker, &server, "own", OWNER_A, true);
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        worker_sends(&worker, "POST", "/mcp", "own", OWNER_A, session_line, CALL("9"));
        server_read(&server);
        snprintf(line, sizeof(line), "{\"jsonrpc\":\"2.0\",\"id\":%lu,%s}", server_id(&server),
                 broken[i]);
        server_says(&server, line);
        expect_text(worker_read(&worker), "\"id\":9,\"error\":{\"code\":-32603,\"message\":\"the "
                                          "server's answer breaks JSON-RPC 2.0\"}");
    }
    /* The session goes on. */
    worker_sends(&worker, "POST", "/mcp", "own", OWNER_A, session_line, CALL("10"));
    server_read(&server);
    server_answers(&server, "{\"ok\":1}");
    expect_text(worker_read(&worker), "\"id\":10,\"result\":{\"ok\":1}");
}

/* A session that was not opened has no id; a server that was to be shared ends. */
static void test_broken_answers_to_initialize(void **state)
{
    static const char *const apps[] = {"own", "user"};
    struct worked worker;
    struct played server;
    char line[256];

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        worker_opens(&worker);
        worker_sends(&worker, "POST", "/mcp", apps[i], OWNER_A, "", INITIALIZE);
        server_starts(&server, 1 + i);
        server_read(&server);
        snprintf(line, sizeof(line), "{\"jsonrpc\":\"2.0\",\"id\":%lu,\"result\":\"welcome\"}",
                 server_id(&server));
        server_says(&server, line);
        expect_text(worker_read(&worker), "\"id\":\"i\",\"error\":{\"code\":-32603");
        expect_none(worker.read, "Mcp-Session-Id");
        assert_true(server_stopped(&server));
        assert_int_equal(bridge->session_count, 0);
    }
}

/* A server of 2025-03-26 may answer, ask and tell in one line. */
static void test_batches_of_servers(void **state)
{
    struct worked worker, other;
    struct played server;
    unsigned long first;
    char line[512];

    (void)state;
    session_opens(&worker, &server, "own", OWNER_A, true);
    worker_sends(&worker, "POST", "/mcp", "own", OWNER_A, session_line, CALL("9"));
    server_read(&server);
    first = server_id(&server);
    worker_opens(&other);
    worker_sends(&other, "POST", "/mcp", "own", OWNER_A, session_line, CALL("10"));
    server_read(&server);
    snprintf(line, sizeof(line),
             " [{\"jsonrpc\":\"2.0\",\"id\":%lu,\"result\":{\"n\":10}},{\"jsonrpc\":\"2.0\"},7,"
             "{\"jsonrpc\":\"2.0\",\"id\":%lu,\"result\":3}]",
             server_id(&server), first);
    server_says(&server, line);
    expect_text(worker_read(&other), "\"id\":10,\"result\":{\"n\":10}");
    expect_text(worker_read(&worker), "\"id\":9,\"error\":{\"code\":-32603");
}

/* What comes behind the answer that ends a server is not read any more. */
static void test_a_batch_that_ends_its_server(void **state)
{
    struct worked worker;
    struct played server;
    char line[512];

    (void)state;
    worker_opens(&worker);
    worker_sends(&worker, "POST", "/mcp", "own", OWNER_A, "", INITIALIZE);
    server_starts(&server, 1);
    server_read(&server);
    snprintf(line, sizeof(line),
             "[{\"jsonrpc\":\"2.0\",\"id\":%lu,\"result\":\"welcome\"},"
             "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]",
             server_id(&server));
    server_says(&server, line);
    expect_text(worker_read(&worker), "\"id\":\"i\",\"error\":{\"code\":-32603");
    assert_true(server_stopped(&server));
    assert_int_equal(bridge->session_count, 0);
}

static void test_caps(void **state)
{
    struct worked worker;
    struct played server[4];

    (void)state;
    for (int i = 0; i < 3; i++)
        session_opens(&worker, &server[i], "own", OWNER_A, true);
    worker_opens(&worker);
    worker_sends(&worker, "POST", "/mcp", "own", OWNER_A, "", INITIALIZE);
    expect_text(worker_read(&worker), "HTTP/1.1 503");
    expect_text(worker.read, "all the servers that this app may have");
    expect_text(worker.read, "Retry-After: ");
    bridge->child.settings.stdio.max_servers = 3;
    worker_sends(&worker, "POST", "/mcp", "user", OWNER_A, "", INITIALIZE);
    expect_text(worker_read(&worker), "all the servers that the gateway may have");
}

static void test_a_server_of_a_user(void **state)
{
    struct worked first, second, third;
    struct played of_a, of_b;
    char line_one[128];

    (void)state;
    session_opens(&first, &of_a, "user", OWNER_A, true);
    memcpy(line_one, session_line, sizeof(line_one));
    session_opens(&second, &of_a, "user", OWNER_A, false);
    session_opens(&third, &of_b, "user", OWNER_B, true);
    assert_int_equal(bridge->server_count, 2);
    assert_string_not_equal(line_one, session_line);
    worker_sends(&first, "POST", "/mcp", "user", OWNER_A, line_one, CALL("1"));
    expect_text(server_read(&of_a), "tools/call");
    server_answers(&of_a, "{}");
    expect_text(worker_read(&first), "\"id\":1,\"result\":{}");
    /* Nobody can be asked. */
    server_says(&of_a, "{\"jsonrpc\":\"2.0\",\"id\":\"q\",\"method\":\"roots/list\"}");
    expect_text(server_read(&of_a), "\"id\":\"q\",\"error\":{\"code\":-32601");
}

/* Two callers use the same ids at the same time. */
static void test_a_shared_server(void **state)
{
    struct worked first, second, standing;
    struct played server;
    unsigned long of_first;
    char line_one[128], line[256];

    (void)state;
    session_opens(&first, &server, "shared", OWNER_A, true);
    memcpy(line_one, session_line, sizeof(line_one));
    session_opens(&second, &server, "shared", OWNER_B, false);
    worker_sends(&first, "POST", "/mcp", "shared", OWNER_A, line_one, CALL("1"));
    server_read(&server);
    of_first = server_id(&server);
    worker_sends(&second, "POST", "/mcp", "shared", OWNER_B, session_line, CALL("1"));
    server_read(&server);
    assert_true(server_id(&server) != of_first);
    server_answers(&server, "{\"for\":\"b\"}");
    expect_text(worker_read(&second), "\"id\":1,\"result\":{\"for\":\"b\"}");
    snprintf(line, sizeof(line), "{\"jsonrpc\":\"2.0\",\"id\":%lu,\"result\":{\"for\":\"a\"}}",
             of_first);
    server_says(&server, line);
    expect_text(worker_read(&first), "{\"for\":\"a\"}");
    /* Only who subscribed hears of a change; nobody hears the other's log. */
    worker_opens(&standing);
    worker_sends(&standing, "GET", "/mcp", "shared", OWNER_A, line_one, "");
    worker_sends(&first, "POST", "/mcp", "shared", OWNER_A, line_one,
                 "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"resources/subscribe\",\"params\":{"
                 "\"uri\":\"a:\\u0062\"}}");
    server_read(&server);
    server_answers(&server, "{}");
    server_says(&server, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/resources/updated\","
                         "\"params\":{\"uri\":\"a:b\"}}");
    server_says(&server, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/resources/updated\","
                         "\"params\":{\"uri\":\"a:c\"}}");
    server_says(&server,
                "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{}}");
    expect_text(worker_read(&standing), "\"uri\":\"a:b\"");
    expect_none(standing.read, "\"uri\":\"a:c\"");
    expect_none(standing.read, "notifications/message");
    /* The session ends: so do its subscriptions. */
    worker_sends(&first, "DELETE", "/mcp", "shared", OWNER_A, line_one, "");
    expect_text(server_read(&server), "resources/unsubscribe");
    assert_int_equal(bridge->server_count, 1);
}

/* Who comes after the command changed gets a server of the new one. */
static void test_another_command(void **state)
{
    struct worked first, second;
    struct played old, new;
    char line_one[128];

    (void)state;
    session_opens(&first, &old, "shared", OWNER_A, true);
    memcpy(line_one, session_line, sizeof(line_one));
    fixture_apps[2].revision = slice_from("r2");
    bridge_app_reload(bridge);
    worker_opens(&second);
    worker_sends(&second, "POST", "/mcp", "shared", OWNER_B, "", INITIALIZE);
    expect_text(worker_read(&second), "HTTP/1.1 503"); /* its worker knows the old one */
    worker_sends(&second, "POST", "/mcp", "shared", OWNER_B, "Gatehouse-Revision: r2\r\n",
                 INITIALIZE);
    server_starts(&new, 99);
    worker_sends(&first, "POST", "/mcp", "shared", OWNER_A, line_one, CALL("1"));
    expect_text(server_read(&old), "tools/call");
    server_answers(&old, "{}");
    bridge_server_sweep(bridge);
    assert_int_equal(bridge->server_count, 2);
    worker_sends(&first, "DELETE", "/mcp", "shared", OWNER_A, line_one, "");
    bridge_server_sweep(bridge);
    assert_true(server_stopped(&old));
}

static void test_garbage(void **state)
{
    struct worked worker;
    struct played server;

    (void)state;
    log_configure(LOG_ERROR, LOG_TEXT);
    session_opens(&worker, &server, "own", OWNER_A, true);
    worker_sends(&worker, "POST", "/mcp", "own", OWNER_A, session_line, CALL("1"));
    server_read(&server);
    server_says(&server, "starting up...");
    server_says(&server, "{\"jsonrpc\":\"2.0\",\"id\":99999,\"result\":{}}");
    server_says(&server, "");
    server_answers(&server, "{}");
    expect_text(worker_read(&worker), "\"id\":1,\"result\":{}");
}

/* A client that does not read: its server waits, and what the bridge holds is bounded. */
static void test_back_pressure(void **state)
{
    static char noise[8192];
    struct worked worker;
    struct played server;
    size_t written = 0;
    ssize_t put = 0;

    (void)state;
    session_opens(&worker, &server, "own", OWNER_A, true);
    worker_sends(&worker, "GET", "/mcp", "own", OWNER_A, session_line, "");
    snprintf(
        noise, sizeof(noise),
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"data\":\"%04000d"
        "\"}}\n",
        0);
    for (int i = 0; i < 2000 && put >= 0; i++) {
        put = write(server.output, noise, strlen(noise));
        written += put > 0 ? (size_t)put : 0;
        turn();
    }
    assert_true(put < 0);              /* the pipe is full */
    assert_true(written < (2U << 20)); /* of 8 MB */
    assert_true(bridge->buffered < (1U << 20));
    expect_text(worker_read(&worker), "notifications/message");
    assert_true(write(server.output, noise, strlen(noise)) > 0);
}

static void test_a_server_that_does_not_read(void **state)
{
    static char body[5000];
    struct worked worker;
    struct played server;
    char full = 0;

    (void)state;
    session_opens(&worker, &server, "own", OWNER_A, true);
    for (int i = 0; i < 60 && !full; i++) {
        snprintf(
            body, sizeof(body),
            "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/x\",\"params\":{\"a\":\"%04000d\"}}",
            0);
        worker_sends(&worker, "POST", "/mcp", "own", OWNER_A, session_line, body);
        full = strstr(worker_read(&worker), "HTTP/1.1 503") != NULL;
    }
    assert_true(full);
    expect_text(worker.read, "the server does not read");
    assert_true(bridge->queued > 0);
}

static void test_long_line(void **state)
{
    static char line[300 * 1024];
    struct worked worker;
    struct played server;

    (void)state;
    session_opens(&worker, &server, "own", OWNER_A, true);
    worker_sends(&worker, "POST", "/mcp", "own", OWNER_A, session_line, CALL("1"));
    memset(line, 'x', sizeof(line) - 1);
    for (size_t at = 0; at < sizeof(line) - 1;) {
        ssize_t put = write(server.output, line + at, sizeof(line) - 1 - at);

        if (put <= 0)
            break;
        at += (size_t)put;
        turn();
    }
    expect_text(worker_read(&worker), "error id");
    assert_int_equal(bridge->server_count, 1); /* until nothing is left of it */
    assert_true(server_stopped(&server));
    assert_int_equal(bridge->server_count, 0);
}

static void test_batch(void **state)
{
    struct worked worker;
    struct played server;
    char line[256];
    unsigned long id;

    (void)state;
    session_opens(&worker, &server, "own", OWNER_A, true);
    worker_sends(&worker, "POST", "/mcp", "own", OWNER_A, session_line,
                 "[" CALL("1") "," INITIALIZED "," CALL("2") "]");
    expect_text(server_read(&server), "notifications/initialized");
    id = server_id(&server);
    server_answers(&server, "{\"n\":2}");
    expect_text(worker_read(&worker), "\"id\":2,\"result\":{\"n\":2}");
    expect_none(worker.read, "\r\n0\r\n\r\n");
    snprintf(line, sizeof(line), "{\"jsonrpc\":\"2.0\",\"id\":%lu,\"result\":{\"n\":1}}", id - 1);
    server_says(&server, line);
    expect_text(worker_read(&worker), "\"id\":1,\"result\":{\"n\":1}");
    expect_text(worker.read, "\r\n0\r\n\r\n");
    worker_sends(&worker, "POST", "/mcp", "own", OWNER_A, session_line, "[" INITIALIZED "]");
    expect_text(worker_read(&worker), "HTTP/1.1 202");
}

#define MODERN "MCP-Protocol-Version: 2026-07-28\r\n"

static void test_modern(void **state)
{
    struct worked worker;
    struct played server;
    char line[256];

    (void)state;
    worker_opens(&worker);
    worker_sends(&worker, "POST", "/mcp", "own", OWNER_A, MODERN, CALL("\"m\""));
    server_starts(&server, 1);
    expect_text(server_read(&server), "server/discover");
    expect_none(server.read, "tools/call");
    server_answers(&server, "{\"supportedVersions\":[\"2026-07-28\"]}");
    expect_text(server_read(&server), "tools/call");
    server_answers(&server, "{\"resultType\":\"complete\"}");
    expect_text(worker_read(&worker), "\"id\":\"m\",\"result\":{\"resultType\":\"complete\"}");
    expect_none(worker.read, "Mcp-Session-Id");
    /* The era is known now; an unknown method has a status of its own. */
    worker_sends(&worker, "POST", "/mcp", "own", OWNER_A, MODERN, CALL("2"));
    expect_text(server_read(&server), "tools/call");
    snprintf(line, sizeof(line),
             "{\"jsonrpc\":\"2.0\",\"id\":%lu,\"error\":{\"code\":-32601,\"message\":\"no\"}}",
             server_id(&server));
    server_says(&server, line);
    expect_text(worker_read(&worker), "HTTP/1.1 404");
    /* A subscription is named by its request. */
    worker_sends(&worker, "POST", "/mcp", "own", OWNER_A, MODERN, CALL("\"s\""));
    server_read(&server);
    snprintf(line, sizeof(line),
             "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/subscriptions/acknowledged\","
             "\"params\":{\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":%lu}}}",
             server_id(&server));
    server_says(&server, line);
    expect_text(worker_read(&worker), "\"io.modelcontextprotocol/subscriptionId\":\"s\"");
    expect_none(worker.read, "id: ");
    /* Who leaves cancels. */
    worker_closes(&worker);
    expect_text(server_read(&server), "notifications/cancelled");
}

static void test_modern_of_a_legacy_server(void **state)
{
    struct worked worker;
    struct played server;
    char line[256];

    (void)state;
    worker_opens(&worker);
    worker_sends(&worker, "POST", "/mcp", "own", OWNER_A, MODERN, CALL("1"));
    server_starts(&server, 1);
    server_read(&server);
    snprintf(line, sizeof(line),
             "{\"jsonrpc\":\"2.0\",\"id\":%lu,\"error\":{\"code\":-32601,\"message\":\"no\"}}",
             server_id(&server));
    server_says(&server, line);
    expect_text(worker_read(&worker), "HTTP/1.1 400");
    expect_text(worker.read, "-32000");
    assert_true(server_stopped(&server));
    worker_sends(&worker, "POST", "/mcp", "own", OWNER_A, MODERN, CALL("1"));
    expect_text(worker_read(&worker), "HTTP/1.1 400");
    assert_false(server_asked(&server));
    /* And one that ends when it is asked, which is no crash. */
    worker_sends(&worker, "POST", "/mcp", "user", OWNER_A, MODERN, CALL("1"));
    server_starts(&server, 2);
    server_dies(&server);
    expect_text(worker_read(&worker), "HTTP/1.1 400");
    assert_true(server_stopped(&server));
    session_opens(&worker, &server, "user", OWNER_A, true);
}

static void test_old_client(void **state)
{
    struct worked stream, poster;
    struct played server;
    char path[128];
    const char *at;

    (void)state;
    worker_opens(&stream);
    worker_sends(&stream, "GET", "/sse", "own", OWNER_A, "", "");
    at =
        strstr(worker_read(&stream), "event: endpoint\ndata: /mcp/apps/own/sse/message?sessionId=");
    assert_non_null(at);
    at = strstr(at, "sessionId=");
    snprintf(path, sizeof(path), "/sse/message?%.42s", at);
    server_starts(&server, 1);
    worker_opens(&poster);
    worker_sends(&poster, "POST", path, "own", OWNER_B, "", INITIALIZE);
    expect_text(worker_read(&poster), "HTTP/1.1 404");
    worker_sends(&poster, "POST", path, "own", OWNER_A, "", INITIALIZE);
    expect_text(worker_read(&poster), "HTTP/1.1 202");
    server_read(&server);
    server_answers(&server, WELCOME);
    expect_text(worker_read(&stream), "event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":\"i\"");
    expect_none(stream.read, "id: ");
    worker_sends(&poster, "POST", path, "own", OWNER_A, "", CALL("4"));
    expect_text(worker_read(&poster), "HTTP/1.1 202");
    server_read(&server);
    server_answers(&server, "{}");
    expect_text(worker_read(&stream), "\"id\":4,\"result\":{}");
    worker_closes(&stream);
    assert_true(server_stopped(&server));
    worker_sends(&poster, "POST", path, "own", OWNER_A, "", CALL("5"));
    expect_text(worker_read(&poster), "HTTP/1.1 404");
}

static void test_start_fails(void **state)
{
    struct message_server_failed failed = {.error = -ENOENT};
    struct message message = {.type = MESSAGE_SERVER_FAILED,
                              .payload = slice_make((const char *)&failed, sizeof(failed))};
    struct worked worker;
    struct played server;

    (void)state;
    worker_opens(&worker);
    worker_sends(&worker, "POST", "/mcp", "own", OWNER_A, "", INITIALIZE);
    assert_true(server_asked(&server));
    failed.request = server.request;
    bridge_server_failed(bridge, &message);
    expect_text(worker_read(&worker), "HTTP/1.1 503");
    expect_text(worker.read, "Retry-After: ");
    assert_int_equal(bridge->session_count, 0);
    /* Who leaves before his server has started leaves it behind: it is stopped at once. */
    worker_sends(&worker, "POST", "/mcp", "user", OWNER_A, "", INITIALIZE);
    turn();
    worker_closes(&worker);
    assert_true(server_asked(&server));
    assert_int_equal(bridge->session_count, 0);
    bridge_link_end(bridge->links, "over");
    server_runs(&server, 5);
    assert_true(server_stopped(&server));
}

static void test_idle(void **state)
{
    struct worked worker, standing;
    struct played server;

    (void)state;
    session_opens(&worker, &server, "own", OWNER_A, true);
    bridge->child.settings.stdio.idle_timeout = 20;
    worker_opens(&standing);
    worker_sends(&standing, "GET", "/mcp", "own", OWNER_A, session_line, "");
    pass(0.05);
    bridge_session_sweep(bridge);
    assert_int_equal(bridge->session_count, 1); /* somebody listens */
    worker_closes(&standing);
    bridge_session_sweep(bridge);
    assert_int_equal(bridge->session_count, 1);
    pass(0.05);
    bridge_session_sweep(bridge);
    assert_int_equal(bridge->session_count, 0);
    assert_true(server_stopped(&server));
}

/* The connections of a client that leaves, whose token ends, and whose worker dies end alike. */
static void test_a_client_that_leaves(void **state)
{
    struct worked worker, standing;
    struct played server;

    (void)state;
    session_opens(&worker, &server, "own", OWNER_A, true);
    bridge->child.settings.stdio.leave_timeout = 20;
    for (int i = 0; i < 3; i++) {
        worker_opens(&standing);
        worker_sends(&standing, "GET", "/mcp", "own", OWNER_A, session_line, "");
        expect_text(worker_read(&standing), "HTTP/1.1 200");
        /* The first two times it is not the client that leaves, or it comes back. */
        if (i > 0)
            assert_int_equal(write(standing.fd, "LEFT\r\n", 6), 6);
        worker_closes(&standing);
        if (i == 1) {
            worker_sends(&worker, "POST", "/mcp", "own", OWNER_A, session_line, CALL("5"));
            server_read(&server);
            server_answers(&server, "{}");
            expect_text(worker_read(&worker), "HTTP/1.1 200");
        }
        pass(0.05);
        bridge_session_sweep(bridge);
        assert_int_equal(bridge->session_count, i < 2 ? 1 : 0);
    }
    assert_true(server_stopped(&server));
}

/* It left its own stream, but waits for an answer. */
static void test_a_client_that_waits_has_not_left(void **state)
{
    struct worked worker, standing;
    struct played server;

    (void)state;
    session_opens(&worker, &server, "own", OWNER_A, true);
    bridge->child.settings.stdio.leave_timeout = 20;
    worker_opens(&standing);
    worker_sends(&standing, "GET", "/mcp", "own", OWNER_A, session_line, "");
    worker_sends(&worker, "POST", "/mcp", "own", OWNER_A, session_line, CALL("5"));
    assert_int_equal(write(standing.fd, "LEFT\r\n", 6), 6);
    worker_closes(&standing);
    pass(0.05);
    bridge_session_sweep(bridge);
    assert_int_equal(bridge->session_count, 1);
    server_read(&server);
    server_answers(&server, "{\"late\":1}");
    expect_text(worker_read(&worker), "{\"late\":1}");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_one_server_a_session),
        TEST(test_sessions_are_their_owners),
        TEST(test_stream_with_progress_and_questions),
        TEST(test_resumption),
        TEST(test_standing_stream),
        TEST(test_cancel),
        TEST(test_crash),
        TEST(test_one_early_death_costs_nothing_several_do),
        TEST(test_early_deaths_are_forgotten_when_one_answers),
        TEST(test_a_death_after_an_answer_is_its_callers_own),
        TEST(test_a_shared_server_that_dies_young_keeps_failing),
        TEST(test_what_dies_with_the_launcher_has_not_failed),
        TEST(test_broken_answers),
        TEST(test_broken_answers_to_initialize),
        TEST(test_batches_of_servers),
        TEST(test_a_batch_that_ends_its_server),
        TEST(test_caps),
        TEST(test_a_server_of_a_user),
        TEST(test_a_shared_server),
        TEST(test_another_command),
        TEST(test_garbage),
        TEST(test_back_pressure),
        TEST(test_a_server_that_does_not_read),
        TEST(test_long_line),
        TEST(test_batch),
        TEST(test_modern),
        TEST(test_modern_of_a_legacy_server),
        TEST(test_old_client),
        TEST(test_start_fails),
        TEST(test_idle),
        TEST(test_a_client_that_leaves),
        TEST(test_a_client_that_waits_has_not_left),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
