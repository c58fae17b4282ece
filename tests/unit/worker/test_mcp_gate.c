#include "worker/mcp_gate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/shared/policy_example.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SIDE(forbids, list)                                                              \
    {                                                                                    \
        .role = TEXT("r"), .deny = (forbids), .file = TEXT("f"), .place = TEXT("f:9:1"), \
        .rules = (list), .rule_count = COUNT(list)                                       \
    }
#define MESSAGE "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":"
#define CALL(name, more) MESSAGE "\"tools/call\",\"params\":{\"name\":\"" name "\"" more "}}"
#define META                                                                 \
    "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\"," \
    "\"io.modelcontextprotocol/clientCapabilities\":{}}"

/* A request, a caller, and what the gate says. */
struct scene {
    struct http_request request;
    struct policy_set *set;
    struct mcp_policy policy;
    struct mcp_gate gate;
    const struct slice *scopes;
    size_t scope_count;
    int scopes_error;
    unsigned scopes_asked;
    char head[512];
};

static int scene_scopes(void *context, const struct slice **scopes, size_t *count)
{
    struct scene *scene = context;

    scene->scopes_asked++;
    *scopes = scene->scopes;
    *count = scene->scope_count;
    return scene->scopes_error;
}

static void scene_head(struct scene *scene, const char *method, const char *headers)
{
    const char *reason = NULL;

    snprintf(scene->head, sizeof(scene->head),
             "%s /mcp/apps/a HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n%s\r\n",
             method, headers);
    if (http_request_parse(slice_from(scene->head), 8192, &scene->request, &reason) <= 0)
        fail_msg("%s", reason);
}

static void scene_open(struct scene *scene, struct policy_set *set)
{
    *scene = (struct scene){.set = set};
    scene->policy = (struct mcp_policy){.set = set, .scopes = scene_scopes, .context = scene};
    scene_head(scene, "POST", "");
}

static void scene_close(struct scene *scene)
{
    policy_set_release(scene->set);
}

static bool scene_judge(struct scene *scene, struct slice body)
{
    const struct slice *methods = scene->gate.methods;
    size_t method_count = scene->gate.method_count;

    scene->gate = (struct mcp_gate){.request = &scene->request,
                                    .body = body,
                                    .policy = &scene->policy,
                                    .methods = methods,
                                    .method_count = method_count};
    return mcp_gate_admits(&scene->gate);
}

static void admitted(struct scene *scene, const char *body)
{
    if (!scene_judge(scene, slice_from(body)))
        fail_msg("%s: %s", body, scene->gate.refusal.reason);
    assert_int_equal(scene->gate.refusal.status, 0);
    assert_null(scene->gate.refusal.reason);
}

static void refused(struct scene *scene, const char *body, unsigned status, int code,
                    const char *reason, const char *detail)
{
    const struct mcp_refusal *refusal = &scene->gate.refusal;

    if (scene_judge(scene, slice_from(body)))
        fail_msg("admitted: %s", body);
    if (refusal->status != status || refusal->code != code ||
        strstr(refusal->reason, reason) == NULL || !slice_is(refusal->detail, detail))
        fail_msg("%s: %u %d %s \"%.*s\"", body, refusal->status, refusal->code, refusal->reason,
                 (int)refusal->detail.size, refusal->detail.data);
}

/* Three tools but one, one prompt, some resources. */
static struct policy_set *narrow(void)
{
    static const struct slice sales[] = {TEXT("\"sales\""), TEXT("\"stock\"")};
    static const struct policy_condition database[] = {
        {.pointer = TEXT("/database"), .values = sales, .value_count = 2}};
    static const struct slice admin[] = {TEXT("files:admin")};
    static const struct policy_rule allow[] = {
        RULE(POLICY_TOOL, "echo"),
        RULE(POLICY_TOOL, "get-*"),
        {.kind = POLICY_TOOL,
         .pattern = TEXT("query"),
         .conditions = database,
         .condition_count = 1,
         .place = TEXT("f:3:1")},
        {.kind = POLICY_TOOL,
         .pattern = TEXT("format"),
         .scopes = admin,
         .scope_count = 1,
         .place = TEXT("f:4:1")},
        RULE(POLICY_PROMPT, "greet"),
        RULE(POLICY_RESOURCE, "demo://open/*"),
    };
    static const struct policy_rule deny[] = {RULE(POLICY_TOOL, "get-env"),
                                              RULE(POLICY_RESOURCE, "demo://open/secret/*")};
    const struct policy_record records[] = {SIDE(false, allow), SIDE(true, deny)};
    struct policy_set *set;

    assert_int_equal(policy_set_make(&set, records, COUNT(records)), 0);
    return set;
}

static struct policy_set *shut(void)
{
    struct policy_set *set;

    assert_int_equal(policy_set_make(&set, NULL, 0), 0);
    return set;
}

static void test_who_may_everything_is_not_judged(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene, policy_set_open());
    admitted(&scene, CALL("rm", ",\"arguments\":[1,{\"a\":1,\"a\":2}]"));
    assert_int_equal(scene.gate.ruling.kind, MCP_RULING_PASS);
    assert_int_equal(scene.gate.ruling.name.kind, JSON_INVALID);
    admitted(&scene, MESSAGE "\"resources/read\",\"params\":{\"uri\":\"a:/../b\"}}");
    admitted(&scene, MESSAGE "\"tools/list\"}");
    assert_int_equal(scene.scopes_asked, 0);
    scene_close(&scene);
}

static void test_names(void **state)
{
    struct scene scene;
    static char text[MCP_POLICY_NAME_MAX + 256];

    (void)state;
    scene_open(&scene, narrow());
    admitted(&scene, CALL("echo", ""));
    assert_true(slice_is(scene.gate.ruling.decision.place, "f:1:1"));
    admitted(&scene, CALL("get-sum", ",\"arguments\":{\"a\":1,\"a\":2}"));
    admitted(&scene, CALL("g\\u0065t-sum", ""));
    admitted(&scene, CALL("echo", ",\"inputResponses\":{},\"requestState\":\"s\",\"task\":{}"));
    refused(&scene, CALL("rm", ""), 200, MCP_INVALID_PARAMS, "Unknown tool", "rm");
    assert_true(slice_is(scene.gate.id, "7"));
    assert_int_equal(scene.gate.ruling.decision.outcome, POLICY_DENIED);
    refused(&scene, CALL("rm", ",\"inputResponses\":{},\"requestState\":\"s\""), 200,
            MCP_INVALID_PARAMS, "Unknown tool", "rm");
    refused(&scene, CALL("get-env", ""), 200, MCP_INVALID_PARAMS, "Unknown tool", "get-env");
    refused(&scene, CALL("get-\\u0065nv", ""), 200, MCP_INVALID_PARAMS, "Unknown tool",
            "get-\\u0065nv");
    refused(&scene, CALL("Echo", ""), 200, MCP_INVALID_PARAMS, "Unknown tool", "Echo");
    refused(&scene, CALL("echo ", ""), 200, MCP_INVALID_PARAMS, "Unknown tool", "echo ");
    refused(&scene, CALL("", ""), 200, MCP_INVALID_PARAMS, "Unknown tool", "");
    snprintf(text, sizeof(text), CALL("get-%*d", ""), MCP_POLICY_NAME_MAX - 4, 1);
    admitted(&scene, text);
    snprintf(text, sizeof(text), CALL("get-%*d", ""), MCP_POLICY_NAME_MAX - 3, 1);
    refused(&scene, text, 200, MCP_INVALID_PARAMS, "Unknown tool", "");
    admitted(&scene, MESSAGE "\"prompts/get\",\"params\":{\"name\":\"greet\"}}");
    refused(&scene, MESSAGE "\"prompts/get\",\"params\":{\"name\":\"echo\"}}", 200,
            MCP_INVALID_PARAMS, "Unknown prompt", "echo");
    admitted(&scene, MESSAGE "\"prompts/list\"}");
    admitted(&scene, MESSAGE "\"logging/setLevel\",\"params\":{\"level\":\"info\"}}");
    scene_close(&scene);
}

static void test_resources(void **state)
{
    static const char *const methods[] = {"resources/read", "resources/subscribe",
                                          "resources/unsubscribe"};
    static const struct {
        const char *uri;
        bool good;
    } cases[] = {
        {"demo://open/1", true},           {"demo://shut/1", false},
        {"demo://open/secret/1", false},   {"demo://open/x/../secret/1", false},
        {"demo://open/%73ecret/1", false}, {"demo://open/\\u0073ecret/1", false},
        {"DEMO://open/1", false},          {"demo://open/SECRET/1", false},
    };
    char body[512];
    struct scene scene;

    (void)state;
    scene_open(&scene, narrow());
    for (size_t i = 0; i < COUNT(methods) * COUNT(cases); i++) {
        size_t c = i % COUNT(cases);

        snprintf(body, sizeof(body), MESSAGE "\"%s\",\"params\":{\"uri\":\"%s\"}}",
                 methods[i / COUNT(cases)], cases[c].uri);
        if (cases[c].good)
            admitted(&scene, body);
        else
            refused(&scene, body, 200, MCP_INVALID_PARAMS, "Resource not found", cases[c].uri);
    }
    scene_close(&scene);
}

static void test_completions(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene, narrow());
#define COMPLETE(ref) MESSAGE "\"completion/complete\",\"params\":{\"ref\":{" ref "}}}"
    admitted(&scene, COMPLETE("\"type\":\"ref/prompt\",\"name\":\"greet\""));
    refused(&scene,
            COMPLETE("\"type\":\"ref/prompt\",\"name\":\"other\",\"uri\":\"demo://open/1\""), 200,
            MCP_INVALID_PARAMS, "Unknown prompt", "other");
    admitted(&scene, COMPLETE("\"uri\":\"demo://open/{id}\",\"type\":\"ref/resource\""));
    refused(&scene,
            COMPLETE("\"uri\":\"demo://shut/{id}\",\"name\":\"greet\",\"type\":\"ref/resource\""),
            200, MCP_INVALID_PARAMS, "Resource not found", "demo://shut/{id}");
    refused(&scene, COMPLETE("\"type\":\"ref/tool\",\"name\":\"echo\""), 200, MCP_INVALID_PARAMS,
            "params do not name", "");
    scene_close(&scene);
}

static void test_conditions(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene, narrow());
    admitted(&scene, CALL("query", ",\"arguments\":{\"database\":\"sales\"}"));
    admitted(&scene, CALL("query", ",\"arguments\":{\"database\":\"s\\u0061les\"}"));
    refused(&scene, CALL("query", ",\"arguments\":{\"database\":\"hr\"}"), 200, MCP_INVALID_PARAMS,
            "Unknown tool", "query");
    refused(&scene, CALL("query", ",\"arguments\":{}"), 200, MCP_INVALID_PARAMS, "Unknown tool",
            "query");
    refused(&scene, CALL("query", ""), 200, MCP_INVALID_PARAMS, "Unknown tool", "query");
    refused(&scene, CALL("query", ",\"arguments\":{\"database\":\"sales\",\"database\":\"hr\"}"),
            400, MCP_INVALID_REQUEST, "more than one way", "");
    refused(&scene,
            CALL("query", ",\"arguments\":{\"database\":\"sales\",\"d\\u0061tabase\":\"hr\"}"), 400,
            MCP_INVALID_REQUEST, "more than one way", "");
    refused(&scene, CALL("query", ",\"arguments\":{\"database\":\"sales\",\"Database\":\"hr\"}"),
            400, MCP_INVALID_REQUEST, "more than one way", "");
    refused(&scene, CALL("echo", ",\"arguments\":null"), 400, MCP_INVALID_REQUEST,
            "more than one way", "");
    refused(&scene, CALL("echo", ",\"arguments\":[]"), 400, MCP_INVALID_REQUEST,
            "more than one way", "");
    scene_close(&scene);
}

static void test_scopes(void **state)
{
    static const struct slice scopes[] = {TEXT("files:admin")};
    struct scene scene;

    (void)state;
    scene_open(&scene, narrow());
    admitted(&scene, CALL("echo", ""));
    assert_int_equal(scene.scopes_asked, 0);
    refused(&scene, CALL("format", ""), 403, MCP_INVALID_REQUEST, "scope", "");
    assert_int_equal(scene.gate.ruling.kind, MCP_RULING_SCOPE);
    assert_int_equal(scene.gate.ruling.decision.scope_count, 1);
    assert_true(slice_is(scene.gate.ruling.decision.scopes[0], "files:admin"));
    scene.scopes = scopes;
    scene.scope_count = 1;
    admitted(&scene, CALL("format", ""));
    scene.scopes_error = -EIO;
    refused(&scene, CALL("format", ""), 503, MCP_INTERNAL_ERROR, "not known now", "");
    scene_close(&scene);
}

/* The gate, which asks for scopes only when it must, refused what explain said is allowed. */
static void test_a_doubt_beside_a_rule_with_scopes(void **state)
{
    static const struct slice seven[] = {TEXT("7")};
    static const struct policy_condition limit[] = {
        {.pointer = TEXT("/limit"), .values = seven, .value_count = 1}};
    static const struct slice admin[] = {TEXT("files:admin")};
    static const struct policy_rule allow[] = {
        {.kind = POLICY_TOOL,
         .pattern = TEXT("q*"),
         .scopes = admin,
         .scope_count = 1,
         .place = TEXT("f:1:1")},
        {.kind = POLICY_TOOL,
         .pattern = TEXT("query"),
         .conditions = limit,
         .condition_count = 1,
         .place = TEXT("f:2:1")},
    };
    static const char twice[] = CALL("query", ",\"arguments\":{\"limit\":1,\"limit\":7}");
    const struct policy_record records[] = {SIDE(false, allow)};
    struct policy_set *set;
    struct scene scene;

    (void)state;
    assert_int_equal(policy_set_make(&set, records, COUNT(records)), 0);
    scene_open(&scene, set);
    refused(&scene, twice, 400, MCP_INVALID_REQUEST, "more than one way", "");
    scene.scopes = admin;
    scene.scope_count = 1;
    admitted(&scene, twice);
    scene_close(&scene);
}

static void test_listening(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene, narrow());
    scene_head(&scene, "POST",
               "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: subscriptions/listen\r\n");
#define LISTEN(uris)                                                                 \
    MESSAGE "\"subscriptions/listen\",\"params\":{" META ",\"notifications\":{" uris \
            "\"toolsListChanged\":true}}}"
    admitted(&scene, LISTEN(""));
    admitted(&scene, LISTEN("\"resourceSubscriptions\":[],"));
    admitted(&scene, LISTEN("\"resourceSubscriptions\":[\"demo://open/1\",\"demo://open/2\"],"));
    refused(&scene, LISTEN("\"resourceSubscriptions\":[\"demo://open/1\",\"demo://shut/2\"],"), 200,
            MCP_INVALID_PARAMS, "Resource not found", "demo://shut/2");
    refused(&scene, LISTEN("\"resourceSubscriptions\":[\"demo://open/1\",\"demo://open/1\"],"), 400,
            MCP_INVALID_REQUEST, "each once", "");
    scene_close(&scene);
}

static void test_unknown_methods(void **state)
{
    static const struct slice methods[] = {TEXT("vendor/own"), TEXT("notifications/own")};
    struct scene scene;

    (void)state;
    scene_open(&scene, policy_set_open());
    refused(&scene, MESSAGE "\"vendor/own\"}", 200, MCP_METHOD_NOT_FOUND, "Method not found", "");
    refused(&scene, MESSAGE "\"Tools/call\"}", 200, MCP_METHOD_NOT_FOUND, "Method not found", "");
    refused(&scene, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/own\"}", 403,
            MCP_INVALID_REQUEST, "notification is not known", "");
    scene.gate.methods = methods;
    scene.gate.method_count = COUNT(methods);
    admitted(&scene, MESSAGE "\"vendor/own\"}");
    admitted(&scene, MESSAGE "\"vendor\\/own\"}");
    admitted(&scene, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/own\"}");
    refused(&scene, MESSAGE "\"vendor/Own\"}", 200, MCP_METHOD_NOT_FOUND, "Method not found", "");
    refused(&scene, MESSAGE "\"vendor/own/x\"}", 200, MCP_METHOD_NOT_FOUND, "Method not found", "");
    scene_head(&scene, "POST", "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: vendor/other\r\n");
    refused(&scene, MESSAGE "\"vendor/other\",\"params\":{" META "}}", 404, MCP_METHOD_NOT_FOUND,
            "Method not found", "");
    scene_close(&scene);
}

static void test_no_access(void **state)
{
    static const char *const requests[] = {CALL("echo", ""), MESSAGE "\"initialize\"}",
                                           MESSAGE "\"tools/list\"}", MESSAGE "\"vendor/own\"}"};
    static const char *const others[] = {
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}"};
    struct scene scene;

    (void)state;
    scene_open(&scene, shut());
    for (size_t i = 0; i < COUNT(requests); i++)
        refused(&scene, requests[i], 200, MCP_INVALID_PARAMS, "Access denied", "");
    for (size_t i = 0; i < COUNT(others); i++)
        refused(&scene, others[i], 403, MCP_INVALID_REQUEST, "Access denied", "");
    scene_head(&scene, "GET", "");
    refused(&scene, "", 403, MCP_INVALID_REQUEST, "Access denied", "");
    scene_head(&scene, "DELETE", "");
    refused(&scene, "", 403, MCP_INVALID_REQUEST, "Access denied", "");
    scene_close(&scene);
}

#define NOTE "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}"
#define OTHER_NOTE "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/own\"}"

/* All or nothing. What is wrong with the whole counts before what is denied to one, and what is
 * denied before what a new token would mend. */
static void test_batches(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene, narrow());
    scene_head(&scene, "POST", "MCP-Protocol-Version: 2025-03-26\r\n");
    admitted(&scene, "[" CALL("echo", "") "," NOTE "," CALL("get-sum", "") "]");
    assert_true(scene.gate.batch);
    assert_int_equal(scene.gate.requests, 2);
    refused(&scene, "[" CALL("echo", "") "," CALL("rm", "") "," CALL("ls", "") "]", 200,
            MCP_INVALID_PARAMS, "Unknown tool", "rm");
    assert_int_equal(scene.gate.requests, 3);
    assert_true(slice_is(scene.gate.refusal.id, "7"));
    assert_int_equal(scene.gate.id.size, 0);
    refused(&scene, "[" CALL("rm", "") "," CALL("a", ",\"Name\":\"b\"") "]", 400,
            MCP_INVALID_REQUEST, "another case", "");
    refused(&scene, "[" CALL("rm", "") "," CALL("echo", ",\"arguments\":1") "]", 400,
            MCP_INVALID_REQUEST, "more than one way", "");
    refused(&scene, "[" CALL("format", "") "," CALL("rm", "") "]", 200, MCP_INVALID_PARAMS,
            "Unknown tool", "rm");
    refused(&scene, "[" CALL("echo", "") "," CALL("format", "") "]", 403, MCP_INVALID_REQUEST,
            "scope", "");
    refused(&scene, "[" CALL("echo", "") "," MESSAGE "\"vendor/own\"}]", 200, MCP_METHOD_NOT_FOUND,
            "Method not found", "");
    refused(&scene, "[" CALL("echo", "") "," OTHER_NOTE "]", 403, MCP_INVALID_REQUEST,
            "notification is not known", "");
    assert_int_equal(scene.gate.requests, 1);
    assert_int_equal(scene.gate.refusal.id.size, 0);
    scene_close(&scene);
}

/* What a session's server said counts, and a header may only narrow it. */
static void test_batches_by_version(void **state)
{
    static const struct {
        enum mcp_revision negotiated;
        const char *header;
        bool taken;
    } cases[] = {
        {MCP_VERSION_NONE, "2025-03-26", true},     {MCP_VERSION_NONE, NULL, false},
        {MCP_VERSION_NONE, "2025-06-18", false},    {MCP_2025_03_26, NULL, true},
        {MCP_2025_03_26, "2025-03-26", true},       {MCP_2025_03_26, "2025-06-18", false},
        {MCP_2025_06_18, "2025-03-26", false},      {MCP_2025_11_25, NULL, false},
        {MCP_VERSION_UNKNOWN, "2025-03-26", false}, {MCP_VERSION_UNKNOWN, NULL, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct scene scene;
        char header[64] = "";

        scene_open(&scene, policy_set_open());
        if (cases[i].header != NULL)
            snprintf(header, sizeof(header), "MCP-Protocol-Version: %s\r\n", cases[i].header);
        scene_head(&scene, "POST", header);
        scene.gate = (struct mcp_gate){.request = &scene.request,
                                       .body = slice_from("[" CALL("echo", "") "]"),
                                       .negotiated = cases[i].negotiated,
                                       .policy = &scene.policy};
        assert_true(mcp_gate_admits(&scene.gate) == cases[i].taken);
        scene_close(&scene);
    }
}

#define MODERN(method, name) \
    "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: " method "\r\nMcp-Name: " name "\r\n"
#define TASK_META(extensions)                                                \
    "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\"," \
    "\"io.modelcontextprotocol/clientCapabilities\":{\"extensions\":" extensions "}}"
#define DECLARED TASK_META("{\"a\":1,\"io.modelcontextprotocol/tasks\":{}}")
#define TASK(method, meta) MESSAGE "\"" method "\",\"params\":{\"taskId\":\"t\"," meta "}}"
#define LISTEN_TASKS(ids, meta)                     \
    MESSAGE "\"subscriptions/listen\",\"params\":{" \
            "\"notifications\":{\"taskIds\":" ids "}," meta "}}"

/* Tasks extension, protocol errors. */
static void test_tasks(void **state)
{
    static const char *const undeclared[] = {META, TASK_META("{}"), TASK_META("1"),
                                             TASK_META("{\"io.modelcontextprotocol/tasks\":true}")};
    struct scene scene;

    (void)state;
    scene_open(&scene, policy_set_open());
    scene_head(&scene, "POST", MODERN("tasks/get", "t"));
    admitted(&scene, TASK("tasks/get", DECLARED));
    for (size_t i = 0; i < COUNT(undeclared); i++) {
        char text[512];

        snprintf(text, sizeof(text), MESSAGE "\"tasks/get\",\"params\":{\"taskId\":\"t\",%s}}",
                 undeclared[i]);
        refused(&scene, text, 400, MCP_CAPABILITY_MISSING, "capability", "");
    }
    refused(&scene, TASK("tasks/get", TASK_META("{\"IO.modelcontextprotocol/tasks\":{}}")), 400,
            MCP_INVALID_REQUEST, "another case", "");
    scene_head(&scene, "POST", MODERN("subscriptions/listen", ""));
    admitted(&scene, LISTEN_TASKS("[\"t\",\"u\"]", DECLARED));
    refused(&scene, LISTEN_TASKS("[\"t\"]", META), 400, MCP_CAPABILITY_MISSING, "capability", "");
    refused(&scene, LISTEN_TASKS("[\"t\",\"t\"]", DECLARED), 400, MCP_INVALID_REQUEST, "each once",
            "");
    /* Methods of 2025-11-25 alone. */
    scene_head(&scene, "POST", MODERN("tasks/result", "t"));
    refused(&scene, TASK("tasks/result", DECLARED), 404, MCP_METHOD_NOT_FOUND, "no such method",
            "");
    scene_head(&scene, "POST", MODERN("tasks/list", "t"));
    refused(&scene, TASK("tasks/list", DECLARED), 404, MCP_METHOD_NOT_FOUND, "no such method", "");
    /* Which knows no such declaration, and has no batches. */
    scene_head(&scene, "POST", "MCP-Protocol-Version: 2025-11-25\r\n");
    admitted(&scene, MESSAGE "\"tasks/result\",\"params\":{\"taskId\":\"t\"}}");
    scene_head(&scene, "POST", "MCP-Protocol-Version: 2025-03-26\r\n");
    refused(&scene, "[" MESSAGE "\"tasks/result\",\"params\":{\"taskId\":\"t\"}}]", 400,
            MCP_INVALID_REQUEST, "never part of a batch", "");
    refused(&scene, "[" MESSAGE "\"tasks/list\"}]", 400, MCP_INVALID_REQUEST,
            "never part of a batch", "");
    scene_close(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_may_everything_is_not_judged),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_resources),
        cmocka_unit_test(test_completions),
        cmocka_unit_test(test_conditions),
        cmocka_unit_test(test_scopes),
        cmocka_unit_test(test_a_doubt_beside_a_rule_with_scopes),
        cmocka_unit_test(test_listening),
        cmocka_unit_test(test_unknown_methods),
        cmocka_unit_test(test_no_access),
        cmocka_unit_test(test_batches),
        cmocka_unit_test(test_batches_by_version),
        cmocka_unit_test(test_tasks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
