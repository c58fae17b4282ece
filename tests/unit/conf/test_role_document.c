#include "conf/role_document.h"

#include "tests/unit/conf/documents.h"

#define ROLE "version: v1\nkind: role\nmetadata: {name: reader}\nspec:\n"
#define ALLOW(mcp) ROLE "  allow:\n    app_labels: {env: prod}\n    mcp: " mcp "\n"

static const struct role_sides *sides(void)
{
    assert_int_equal(documents.count, 1);
    assert_int_equal(documents.documents[0].kind, DOCUMENT_ROLE);
    assert_int_equal(documents.documents[0].state, DOCUMENT_GOOD);
    return &documents.documents[0].role;
}

static void refused(const char *text, const char *mention)
{
    read_documents(text);
    assert_int_equal(documents.documents[0].state, DOCUMENT_REFUSED);
    finish_mention(mention);
}

static void warned(const char *text, const char *mention)
{
    read_documents(text);
    assert_int_equal(documents.documents[0].state, DOCUMENT_GOOD);
    assert_true(diagnostics.count > 0);
    expect_mention(&diagnostics, mention);
    diagnostics_free(&diagnostics);
    document_list_free(&documents);
}

static void test_everything(void **state)
{
    const struct policy_record *allow, *deny;

    (void)state;
    read_documents(ROLE "  allow:\n"
                        "    app_labels: {env: [prod, test]}\n"
                        "    required_scopes: [mcp:read]\n"
                        "    mcp:\n"
                        "      tools:\n"
                        "      - get_*\n"
                        "      - ^list_[a-z]+$\n"
                        "      - name: query\n"
                        "        arguments:\n"
                        "        - {pointer: /database, values: [sales, 7, true, null, \"7\"]}\n"
                        "        scopes: [db:read]\n"
                        "      prompts: ['*']\n"
                        "      resources: ['demo://*']\n"
                        "  deny:\n"
                        "    app_labels: [{name: env, values: [test]}]\n"
                        "    mcp: {tools: [rm]}\n");
    allow = &sides()->records[0];
    deny = &sides()->records[1];
    expect_slice(allow->role, "reader");
    expect_slice(allow->place, "/r/f.yaml:5:3");
    assert_int_equal(allow->selector_count, 1);
    expect_slice(allow->scopes[0], "mcp:read");
    assert_int_equal(allow->rule_count, 5);
    expect_slice(allow->rules[0].pattern, "get_*");
    expect_slice(allow->rules[0].place, "/r/f.yaml:10:9");
    expect_slice(allow->rules[2].pattern, "query");
    expect_slice(allow->rules[2].place, "/r/f.yaml:12:9");
    expect_slice(allow->rules[2].scopes[0], "db:read");
    expect_slice(allow->rules[2].conditions[0].pointer, "/database");
    expect_slice(allow->rules[2].conditions[0].values[0], "\"sales\"");
    expect_slice(allow->rules[2].conditions[0].values[1], "7");
    expect_slice(allow->rules[2].conditions[0].values[2], "true");
    expect_slice(allow->rules[2].conditions[0].values[3], "null");
    expect_slice(allow->rules[2].conditions[0].values[4], "\"7\"");
    assert_int_equal(allow->rules[3].kind, POLICY_PROMPT);
    assert_int_equal(allow->rules[4].kind, POLICY_RESOURCE);
    assert_true(deny->deny);
    assert_false(deny->whole_app);
    expect_slice(deny->rules[0].pattern, "rm");
    finish("");
}

static void test_whole_app(void **state)
{
    (void)state;
    read_documents(ROLE "  deny: {app_labels: {env: prod}}\n");
    assert_false(sides()->has[0]);
    assert_true(sides()->records[1].whole_app);
    finish("");
    /* Without labels too, it forbids nothing: a slip, and no order to shut every app. */
    warned(ROLE "  deny: {}\n", "spec.deny: it forbids nothing");
    refused(ROLE "  deny: {app_labels: {env: prod}, mcp: {}}\n",
            "spec.deny.mcp: names no tools, prompts or resources; leave it out to forbid");
}

static void test_refused(void **state)
{
    (void)state;
    refused(ALLOW("{tools: ['^a($']}"),
            "f.yaml:7:19: spec.allow.mcp.tools[0]: behind its first 4 bytes: missing closing");
    refused(ALLOW("{tools: [^a]}"), "a regular expression stands between ^ and $");
    refused(ALLOW("{tools: [^a|b$]}"), "alternatives stand in parentheses");
    refused(ALLOW("{tools: ['']}"), "spec.allow.mcp.tools[0]: is empty");
    refused(ALLOW("{tools: ['{{internal.mcp_tools}}']}"), "are not filled in");
    refused(ALLOW("{tools: [[a]]}"), "spec.allow.mcp.tools[0]: must be a text, or a mapping");
    refused(ALLOW("{tools: a}"), "spec.allow.mcp.tools: must be a list");
    refused(ALLOW("{tool: [a]}"), "did you mean \"tools\"");
    refused(ALLOW("{tools: [{name: a, argument: []}]}"), "did you mean \"arguments\"");
    refused(ALLOW("{tools: [{name: a, arguments: []}]}"), "spec.allow.mcp.tools[0].arguments");
    refused(ALLOW("{tools: [{name: a, arguments: [{pointer: a, values: [b]}]}]}"),
            "must be a JSON pointer");
    refused(ALLOW("{tools: [{name: a, arguments: [{pointer: /a, values: [[b]]}]}]}"),
            "must be a text, a number, true, false or null");
    refused(ALLOW("{tools: [{name: a, arguments: [{pointer: /a, values: [^b]}]}]}"),
            "a regular expression stands between");
    refused(ALLOW("{prompts: [{name: a, arguments: [{pointer: /a, values: [b]}]}]}"),
            "only a tool's arguments are judged");
    refused(ALLOW("{tools: [{name: a, scopes: ['a b']}]}"), "a scope has no spaces");
    refused(ROLE "  deny: {mcp: {tools: [{name: a, scopes: [b]}]}}\n",
            "what is forbidden is so with every scope");
    refused(ROLE "  deny: {required_scopes: [b], mcp: {tools: [a]}}\n",
            "what is forbidden is so with every scope");
    refused(ROLE "  allow: {app_labels: {env: 'pro*'}}\n", "only \"*\" alone is a wildcard");
    refused("version: v1\nkind: role\nmetadata: {name: access}\nspec: {}\n", "is built in");
    refused("version: v1\nkind: role\nmetadata: {name: a/b}\nspec: {}\n", "metadata.name");
}

static void test_limits(void **state)
{
    struct buffer text = {0};

    (void)state;
    assert_int_equal(buffer_append_text(&text, ROLE "  deny:\n    mcp:\n      tools:\n"), 0);
    for (int i = 0; i < POLICY_RULES_MAX; i++)
        assert_int_equal(buffer_append_format(&text, "      - tool_%d\n", i), 0);
    assert_int_equal(buffer_append(&text, "", 1), 0);
    read_documents(buffer_data(&text));
    assert_int_equal(sides()->records[1].rule_count, POLICY_RULES_MAX);
    finish("");
    text.end--;
    assert_int_equal(buffer_append(&text, "      - more\n", 14), 0);
    refused(buffer_data(&text), "a side of a role has at most 256 rules");
    buffer_clear(&text);
    assert_int_equal(buffer_append_text(&text, ROLE "  deny:\n    mcp:\n      tools:\n"), 0);
    for (int i = 0; i < POLICY_RULES_MAX; i++)
        assert_int_equal(buffer_append_format(&text, "      - tool_%0120d\n", i), 0);
    assert_int_equal(buffer_append(&text, "", 1), 0);
    refused(buffer_data(&text), "spec.deny: is too large for a record of 34000 bytes");
    buffer_free(&text);
}

#define WHERE(...) ALLOW("{tools: [{name: q, arguments: [" __VA_ARGS__ "]}]}")
#define IS(pointer, values) "{pointer: " pointer ", values: [" values "]}"

static void test_warnings(void **state)
{
    (void)state;
    warned(ROLE "  allow: {mcp: {tools: [a]}}\n", "without app_labels it allows no app");
    warned(ROLE "  allow: {app_labels: {a: b}}\n", "it names no tool, prompt or resource");
    warned(ALLOW("{tools: [a, b, a]}"), "f.yaml:7:25: warning: spec.allow.mcp.tools: \"a\" stands");
    warned(ALLOW("{tools: [\"a b\"]}"), "no spaces");
    warned(ALLOW("{tools: [{name: a, arguments: [{pointer: /a, values: []}]}]}"),
           "the rule never matches");
    warned(ALLOW("{tools: [get_x, set]}") "  deny: {mcp: {tools: [get_*]}}\n",
           "\"get_x\" allows nothing: spec.deny forbids all of it");
    warned(ALLOW("{tools: [get_x*]}") "  deny: {mcp: {tools: ['get_*']}}\n", "allows nothing");
    warned(ALLOW("{tools: [get_x]}") "  deny: {mcp: {tools: ['^get_.$']}}\n", "allows nothing");
    warned(ALLOW("{tools: [a]}") "  deny: {app_labels: {env: prod}}\n",
           "spec.allow: allows nothing: spec.deny forbids its apps whole");
    warned(WHERE(IS("/a", "x, 1") ", " IS("/b", "y") ", " IS("/a", "y, '1'")),
           "\"q\" never matches: no arguments meet all of its conditions");
    warned(WHERE(IS("/a/b", "x") ", " IS("/a", "x")), "no arguments meet all");
    warned(ROLE "  {}\n", "the role allows and forbids nothing");
}

/* What is narrower, or elsewhere, is no reason to warn. */
static void test_no_warnings(void **state)
{
    static const char *const texts[] = {
        ALLOW("{tools: ['get_*']}") "  deny: {mcp: {tools: [get_x]}}\n",
        ALLOW("{tools: [get_x]}") "  deny: {app_labels: {env: test}, mcp: {tools: ['*']}}\n",
        ALLOW("{tools: [get_x]}") "  deny: {mcp: {prompts: ['*']}}\n",
        ALLOW("{tools: [a]}") "  deny: {mcp: {tools: [{name: a, arguments: [{pointer: /b, values: "
                              "[c]}]}]}}\n",
        ALLOW("{tools: [{name: a, arguments: [{pointer: /b, values: [c]}]}, a]}"),
        WHERE(IS("/a", "x, y") ", " IS("/a", "y, z")),
        WHERE(IS("/a", "x") ", " IS("/a", "'x*'")),
        WHERE(IS("/a", "1") ", " IS("/a", "1.0")),
        WHERE(IS("/a", "x") ", " IS("/ab", "y")),
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        read_documents(texts[i]);
        assert_int_equal(documents.documents[0].state, DOCUMENT_GOOD);
        finish("");
    }
}

/* Decisions name places: a role that moved is another. */
static void test_hash(void **state)
{
    struct slice first;
    char hash[128];

    (void)state;
    read_documents(ALLOW("{tools: [a]}"));
    first = documents.documents[0].hash;
    memcpy(hash, first.data, first.size);
    finish("");
    read_documents(ALLOW("{tools: [a]} # again"));
    assert_memory_equal(documents.documents[0].hash.data, hash, first.size);
    finish("");
    read_documents("\n" ALLOW("{tools: [a]}"));
    assert_memory_not_equal(documents.documents[0].hash.data, hash, first.size);
    finish("");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything), cmocka_unit_test(test_whole_app),
        cmocka_unit_test(test_refused),    cmocka_unit_test(test_limits),
        cmocka_unit_test(test_warnings),   cmocka_unit_test(test_no_warnings),
        cmocka_unit_test(test_hash),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
