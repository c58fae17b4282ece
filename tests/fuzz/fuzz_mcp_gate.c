/* Any body, by a caller with few rights: a server that takes the last of two members and ignores
 * their case finds nothing in what was admitted but what the policy allows. */
#include "tests/unit/shared/policy_example.h"
#include "worker/mcp_gate.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
    if (!condition)
        abort();
}

static int no_scopes(void *context, const struct slice **scopes, size_t *count)
{
    (void)context;
    *scopes = NULL;
    *count = 0;
    return 0;
}

static const struct policy_set *rights(void)
{
    static const struct slice small[] = {TEXT("1"), TEXT("\"a\"")};
    static const struct policy_condition condition[] = {
        {.pointer = TEXT("/a"), .values = small, .value_count = 2}};
    static const struct policy_rule rules[] = {RULE(POLICY_TOOL, "echo"),
                                               {.kind = POLICY_TOOL,
                                                .pattern = TEXT("b*"),
                                                .conditions = condition,
                                                .condition_count = 1,
                                                .place = TEXT("f:2:1")},
                                               RULE(POLICY_PROMPT, "p"),
                                               RULE(POLICY_RESOURCE, "a:*")};
    static const struct policy_record record = {.role = TEXT("r"),
                                                .file = TEXT("f"),
                                                .place = TEXT("f:9:1"),
                                                .rules = rules,
                                                .rule_count = sizeof(rules) / sizeof(rules[0])};
    static struct policy_set *set;

    if (set == NULL)
        check(policy_set_make(&set, &record, 1) == 0);
    return set;
}

/* As a careless server: the last member of that name, whatever its case. */
static struct json_value careless(const struct json_value *object, const char *wanted)
{
    struct json_value found = {.kind = JSON_INVALID};
    struct json_iterator iterator;
    struct json_value value;
    struct slice name;
    bool escaped;
    char text[64];

    if (object->kind != JSON_OBJECT)
        return found;
    json_iterate(&iterator, object);
    while (json_next(&iterator, &name, &escaped, &value) == 1) {
        long size = json_text_decode((struct json_text){.raw = name, .escaped = escaped}, text, 64);

        if (size >= 0 && slice_equal_nocase(slice_make(text, (size_t)size), slice_from(wanted)))
            found = value;
    }
    return found;
}

static void check_thing(enum policy_kind kind, const struct json_value *name,
                        const struct json_value *arguments)
{
    static char text[MCP_POLICY_NAME_MAX];
    struct policy_query query = {.kind = kind, .arguments = arguments};
    long size = json_string(name, text, sizeof(text));

    check(size >= 0);
    query.name = slice_make(text, (size_t)size);
    check(policy_judge(rights(), &query).outcome == POLICY_ALLOWED);
}

/* However it is written: 1.0, 10e-1. */
static bool is_one(struct slice number)
{
    char text[512];

    if (number.size >= sizeof(text))
        return true; /* the evaluator's own target looks at such */
    memcpy(text, number.data, number.size);
    text[number.size] = '\0';
    return strtod(text, NULL) == 1.;
}

static void check_message(const struct json_value *message)
{
    struct json_value method = careless(message, "method");
    struct json_value params = careless(message, "params");
    struct json_value name = careless(&params, "name");
    struct json_value uri = careless(&params, "uri");
    struct json_value arguments = careless(&params, "arguments");

    if (json_string_is(&method, slice_from("tools/call"))) {
        check_thing(POLICY_TOOL, &name, arguments.kind == JSON_OBJECT ? &arguments : NULL);
        if (!json_string_is(&name, slice_from("echo"))) {
            struct json_value a = careless(&arguments, "a");

            check(a.kind == JSON_NUMBER ? is_one(a.text) : json_string_is(&a, slice_from("a")));
        }
    } else if (json_string_is(&method, slice_from("prompts/get"))) {
        check_thing(POLICY_PROMPT, &name, NULL);
    } else if (json_string_is(&method, slice_from("resources/read"))) {
        check_thing(POLICY_RESOURCE, &uri, NULL);
    }
}

static void judge(struct slice body, const struct http_request *request)
{
    const struct mcp_policy policy = {.set = rights(), .scopes = no_scopes};
    struct mcp_gate gate = {.request = request, .body = body, .policy = &policy};
    struct json_iterator iterator;
    struct json_value root, message;
    const char *reason;

    if (!mcp_gate_admits(&gate)) {
        check(gate.refusal.status >= 200 && gate.refusal.reason != NULL);
        return;
    }
    check(json_parse(body, &root, &reason) == 0);
    if (root.kind != JSON_ARRAY) {
        check_message(&root);
        return;
    }
    json_iterate(&iterator, &root);
    while (json_next(&iterator, NULL, NULL, &message) == 1)
        check_message(&message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const heads[] = {
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        "MCP-Protocol-Version: 2025-03-26\r\n\r\n"};
    static struct http_request requests[2];
    const char *reason;

    for (size_t i = 0; i < 2; i++) {
        if (requests[i].method != HTTP_POST || requests[i].header_count == 0)
            check(http_request_parse(slice_from(heads[i]), 8192, &requests[i], &reason) > 0);
        judge(slice_make((const char *)data, size), &requests[i]);
    }
    return 0;
}
