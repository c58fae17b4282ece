#include "worker/exchange.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define HEAD                                                                   \
    "POST /mcp/apps/app HTTP/1.1\r\nHost: gate\r\nUser-Agent: tests \"1\"\r\n" \
    "Authorization: Bearer secret\r\nMcp-Session-Id: session-1\r\n\r\n"
#define BODY \
    "{\"method\": \"tools/call\", \"id\": 7, \"name\": \"echo\", \"arguments\": {\"a\":\n1}}"

struct scene {
    struct worker worker;
    struct client *client;
    struct exchange exchange;
    struct exchange_request request;
    struct scoreboard_work *work;
    int file;
    char text[8192];
};

static struct exchange_span span_of(const char *part)
{
    return (struct exchange_span){(uint32_t)(strstr(BODY, part) - BODY), (uint32_t)strlen(part)};
}

static void admit(struct scene *scene)
{
    struct session_record session = {.app = slice_from("app"),
                                     .config = slice_from("config"),
                                     .issuer = slice_from("https://issuer"),
                                     .subject = slice_from("subject"),
                                     .user = slice_from("alice"),
                                     .roles = {slice_from("dev")},
                                     .role_count = 1};

    session_id_make(&scene->exchange.session, SESSION_KIND_JWT, session.app, slice_from("token"));
    scene->client->caller =
        audit_caller_keep(scene->client->caller, &scene->exchange.session, &session);
    scene->request.mcp_id_at = (size_t)(strstr(HEAD, "session-1") - HEAD);
    scene->request.mcp_id_size = strlen("session-1");
    scene->request.rpc.name = span_of("\"tools/call\"");
    scene->request.rpc.id = span_of("7");
    scene->request.rpc.target = span_of("\"echo\"");
    scene->request.rpc.arguments = span_of("{\"a\":\n1}");
}

static int begin(void **state)
{
    static const struct settings_audit settings = {.output = {"/audit", 6}, .refusals = 1};
    struct scene *scene = calloc(1, sizeof(*scene));
    const char *reason;

    assert_int_equal(posix_memalign((void **)&scene->work, 64, sizeof(*scene->work)), 0);
    memset(scene->work, 0, sizeof(*scene->work));
    scene->file = memfd_create("audit", 0);
    audit_open(&scene->worker.audit, 0, &scene->work->blocks[0], scene->work);
    audit_configure(&scene->worker.audit, &settings);
    audit_take(&scene->worker.audit, dup(scene->file));
    scene->client = calloc(1, sizeof(*scene->client) + sizeof("10.1.2.3"));
    scene->client->worker = &scene->worker;
    scene->client->state = CLIENT_OPEN;
    scene->client->number = 5;
    memcpy(scene->client->address, "10.1.2.3", 9);
    assert_int_equal(buffer_append_text(&scene->client->in, HEAD BODY), 0);
    assert_int_equal(
        http_request_parse(buffer_slice(&scene->client->in), 4096, &scene->worker.request, &reason),
        strlen(HEAD));
    scene->exchange.worker = &scene->worker;
    scene->exchange.client = scene->client;
    scene->exchange.request = &scene->request;
    scene->exchange.method = HTTP_POST;
    scene->exchange.mcp = true;
    scene->request.in_place = true;
    scene->request.head_size = strlen(HEAD);
    scene->request.body_size = strlen(BODY);
    exchange_audit_begin(&scene->exchange);
    *state = scene;
    return 0;
}

static int end(void **state)
{
    struct scene *scene = *state;

    audit_close(&scene->worker.audit);
    buffer_free(&scene->client->in);
    buffer_free(&scene->client->out);
    free(scene->client->caller);
    free(scene->client);
    exchange_request_dispose(&scene->exchange);
    close(scene->file);
    free(scene->work);
    free(scene);
    return 0;
}

/* What was written so far. */
static const char *trail(struct scene *scene)
{
    ssize_t size;

    audit_flush(&scene->worker.audit);
    size = pread(scene->file, scene->text, sizeof(scene->text) - 1, 0);
    assert_true(size >= 0);
    scene->text[size] = '\0';
    return scene->text;
}

#define SAYS(scene, part) assert_non_null(strstr(trail(scene), part))
#define SAYS_NOT(scene, part) assert_null(strstr(trail(scene), part))

static void test_an_answer(void **state)
{
    struct scene *scene = *state;

    admit(scene);
    exchange_audit_sent(&scene->exchange);
    exchange_audit_head(&scene->exchange);
    scene->request.note.status = 200;
    exchange_audit_note(&scene->exchange);
    buffer_free(&scene->client->in); /* the request is gone before its answer is over */
    scene->request.in_place = false;
    scene->client->sent = 100;
    assert_int_equal(buffer_append_text(&scene->client->out, "waits"), 0);
    exchange_audit_end(&scene->exchange);
    exchange_audit_end(&scene->exchange); /* one line */
    SAYS(scene, "\"event\":\"request\"");
    SAYS(scene, "\"connection\":5,\"request\":1,\"client\":\"10.1.2.3\",\"session\":\"jwt_");
    SAYS(scene,
         "\",\"app\":\"app\",\"config\":\"config\",\"issuer\":\"https://issuer\",\"subject\":"
         "\"subject\",\"user\":\"alice\",\"roles\":[\"dev\"],\"http\":\"POST\",\"agent\":"
         "\"tests \\\"1\\\"\",\"mcp_session\":\"");
    SAYS(scene, "\",\"method\":\"tools/call\",\"id\":7,\"name\":\"echo\",\"status\":200,\"ms\":");
    SAYS(scene, ",\"bytes_out\":105}\n");
    assert_null(strchr(strchr(scene->text, '\n') + 1, '\n'));
    SAYS_NOT(scene, "secret");
    SAYS_NOT(scene, "session-1");
    SAYS_NOT(scene, "arguments");
}

static void refuse(struct scene *scene, enum policy_outcome outcome)
{
    struct exchange_rpc *rpc = &scene->request.rpc;

    admit(scene);
    rpc->policy = policy_set_open();
    rpc->outcome = outcome;
    rpc->refusal = "no";
    scene->request.note.refused = true;
    scene->exchange.audit.reason = "no";
    exchange_audit_end(&scene->exchange);
    SAYS(scene, "\"event\":\"refused\"");
    SAYS(scene, "\"reason\":\"no\"");
}

static void test_what_decided(void **state)
{
    struct scene *scene = *state;

    scene->request.rpc.role = slice_from("dev");
    scene->request.rpc.place = slice_from("roles.yaml:7:5");
    refuse(scene, POLICY_DENIED);
    SAYS(scene, "\"name\":\"echo\",\"decision\":\"denied\",\"role\":\"dev\",\"rule\":"
                "\"roles.yaml:7:5\",");
}

static void test_a_scope_is_missing(void **state)
{
    refuse(*state, POLICY_NEEDS_SCOPE);
    SAYS((struct scene *)*state, "\"decision\":\"needs_scope\",\"reason\"");
}

static void test_undecided(void **state)
{
    refuse(*state, POLICY_UNDECIDED);
    SAYS((struct scene *)*state, "\"decision\":\"undecided\",\"reason\"");
}

/* The protocol's own rules refused it: no policy has allowed anything. */
static void test_not_judged(void **state)
{
    refuse(*state, POLICY_ALLOWED);
    SAYS_NOT((struct scene *)*state, "decision");
}

static void test_arguments_are_one_line(void **state)
{
    struct scene *scene = *state;

    scene->worker.audit.arguments = true;
    admit(scene);
    exchange_audit_end(&scene->exchange);
    SAYS(scene, "\"arguments\":\"{\\\"a\\\":\\u000a1}\"");
}

static void test_a_stream_keeps_no_text(void **state)
{
    struct scene *scene = *state;

    admit(scene);
    scene->request.note.status = 200;
    exchange_audit_note(&scene->exchange);
    exchange_audit_stream(&scene->exchange);
    exchange_request_dispose(&scene->exchange);
    assert_null(scene->exchange.request);
    SAYS(scene, "\"event\":\"request\"");
    SAYS(scene, "\"stream\":true}\n");
    scene->client->state = CLIENT_CLOSED;
    exchange_audit_end(&scene->exchange);
    SAYS(scene, "\"event\":\"stream_end\"");
    SAYS(scene, "\"reason\":\"the client left\",\"ms\":");
}

static void test_strangers_are_counted(void **state)
{
    struct scene *scene = *state;

    scene->request.note.refused = true;
    exchange_audit_app(&scene->exchange, slice_make(buffer_data(&scene->client->in) + 15, 3));
    exchange_audit_end(&scene->exchange);
    SAYS(scene, "\"client\":\"10.1.2.3\",\"app\":\"app\",\"http\"");
    exchange_audit_malformed(scene->client, 400, "withheld");
    SAYS_NOT(scene, "withheld");
    assert_int_equal(scene->worker.audit.strangers.withheld, 1);
}

static void test_without_an_audit_trail(void **state)
{
    struct scene *scene = *state;

    audit_close(&scene->worker.audit);
    scene->exchange.audit = (struct exchange_audit){0};
    exchange_audit_begin(&scene->exchange);
    exchange_audit_sent(&scene->exchange);
    exchange_audit_note(&scene->exchange);
    assert_null(scene->request.note.text);
    exchange_audit_end(&scene->exchange);
    SAYS_NOT(scene, "{");
}

#define AUDIT_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        AUDIT_TEST(test_an_answer),
        AUDIT_TEST(test_what_decided),
        AUDIT_TEST(test_a_scope_is_missing),
        AUDIT_TEST(test_undecided),
        AUDIT_TEST(test_not_judged),
        AUDIT_TEST(test_arguments_are_one_line),
        AUDIT_TEST(test_a_stream_keeps_no_text),
        AUDIT_TEST(test_strangers_are_counted),
        AUDIT_TEST(test_without_an_audit_trail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
