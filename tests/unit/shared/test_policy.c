#include "shared/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/shared/policy_example.h"

#include <errno.h>
#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define PLACE(at) TEXT("role.yaml:" at)
#define TOOL(text, at)                                                 \
    {                                                                  \
        .kind = POLICY_TOOL, .pattern = TEXT(text), .place = PLACE(at) \
    }
#define RESOURCE(text)                                                        \
    {                                                                         \
        .kind = POLICY_RESOURCE, .pattern = TEXT(text), .place = PLACE("1:1") \
    }
#define SIDE(of, forbids, list)                                                                \
    {                                                                                          \
        .role = TEXT(of), .deny = (forbids), .file = TEXT("role.yaml"), .place = PLACE("9:1"), \
        .rules = (list), .rule_count = COUNT(list)                                             \
    }

static struct policy_set *set_of(const struct policy_record *records, size_t count)
{
    struct policy_set *set;

    assert_int_equal(policy_set_make(&set, records, count), 0);
    return set;
}

static struct policy_decision judge(const struct policy_set *set, enum policy_kind kind,
                                    const char *name, const char *arguments)
{
    struct policy_query query = {.kind = kind, .name = slice_from(name)};
    struct json_value value;
    const char *reason;

    if (arguments != NULL) {
        assert_int_equal(json_parse(slice_from(arguments), &value, &reason), 0);
        query.arguments = &value;
    }
    return policy_judge(set, &query);
}

static enum policy_outcome tool(const struct policy_set *set, const char *name)
{
    return judge(set, POLICY_TOOL, name, NULL).outcome;
}

static enum policy_outcome read_uri(const struct policy_set *set, const char *uri)
{
    return judge(set, POLICY_RESOURCE, uri, NULL).outcome;
}

static void test_deny_wins(void **state)
{
    const struct policy_rule allow[] = {TOOL("get_*", "3:7"), TOOL("^list_[a-z]+$", "4:7"),
                                        TOOL("echo", "5:7")};
    const struct policy_rule deny[] = {TOOL("get_env", "12:7"), TOOL("*_secret", "13:7")};
    const struct policy_record records[] = {SIDE("reader", false, allow),
                                            SIDE("careful", true, deny)};
    struct policy_set *set = set_of(records, 2);
    struct policy_decision decision;

    (void)state;
    assert_true(policy_set_admits(set));
    assert_false(policy_set_is_open(set, POLICY_TOOL));
    assert_int_equal(tool(set, "get_sum"), POLICY_ALLOWED);
    assert_int_equal(tool(set, "list_all"), POLICY_ALLOWED);
    assert_int_equal(tool(set, "echo"), POLICY_ALLOWED);
    assert_int_equal(tool(set, "echos"), POLICY_DENIED);
    assert_int_equal(tool(set, "Echo"), POLICY_DENIED);
    assert_int_equal(tool(set, "list_secret"), POLICY_DENIED);
    decision = judge(set, POLICY_TOOL, "get_env", NULL);
    assert_int_equal(decision.outcome, POLICY_DENIED);
    assert_true(decision.deny);
    assert_true(slice_is(decision.role, "careful"));
    assert_true(slice_is(decision.place, "role.yaml:12:7"));
    assert_true(slice_is(decision.rule->pattern, "get_env"));
    decision = judge(set, POLICY_TOOL, "get_sum", NULL);
    assert_true(slice_is(decision.place, "role.yaml:3:7"));
    assert_true(slice_is(decision.role, "reader"));
    decision = judge(set, POLICY_TOOL, "unknown", NULL);
    assert_int_equal(decision.outcome, POLICY_DENIED);
    assert_null(decision.rule);
    assert_false(decision.deny);
    assert_true(policy_lists(set, POLICY_TOOL, slice_from("get_sum")));
    assert_false(policy_lists(set, POLICY_TOOL, slice_from("get_env")));
    assert_false(policy_lists(set, POLICY_TOOL, slice_from("other")));
    policy_set_release(set);
}

/* What is not named is not allowed. */
static void test_a_kind_without_rules_is_closed(void **state)
{
    const struct policy_rule allow[] = {TOOL("*", "1:1")};
    const struct policy_record records[] = {SIDE("tools", false, allow)};
    struct policy_set *set = set_of(records, 1);

    (void)state;
    assert_true(policy_set_is_open(set, POLICY_TOOL));
    assert_false(policy_set_is_open(set, POLICY_PROMPT));
    assert_int_equal(tool(set, "anything"), POLICY_ALLOWED);
    assert_int_equal(judge(set, POLICY_PROMPT, "p", NULL).outcome, POLICY_DENIED);
    assert_int_equal(read_uri(set, "demo://x"), POLICY_DENIED);
    policy_set_release(set);
}

static void test_no_role_no_app(void **state)
{
    const struct policy_rule rules[] = {TOOL("a", "1:1")};
    const struct policy_record deny_only[] = {SIDE("x", true, rules)};
    const struct policy_record whole[] = {SIDE("x", false, rules),
                                          {.role = TEXT("y"),
                                           .deny = true,
                                           .whole_app = true,
                                           .file = TEXT("role.yaml"),
                                           .place = PLACE("7:3")}};
    struct policy_decision decision;
    struct policy_set *set = set_of(NULL, 0);

    (void)state;
    assert_false(policy_set_admits(set));
    assert_int_equal(tool(set, "a"), POLICY_DENIED);
    assert_false(policy_lists(set, POLICY_TOOL, slice_from("a")));
    policy_set_release(set);
    set = set_of(deny_only, 1);
    assert_false(policy_set_admits(set));
    policy_set_release(set);
    set = set_of(whole, 2);
    assert_false(policy_set_admits(set));
    assert_false(policy_set_is_open(set, POLICY_TOOL));
    decision = judge(set, POLICY_TOOL, "a", NULL);
    assert_int_equal(decision.outcome, POLICY_DENIED);
    assert_true(slice_is(decision.place, "role.yaml:7:3"));
    assert_true(slice_is(decision.role, "y"));
    policy_set_release(set);
}

static void test_the_built_in_role(void **state)
{
    const struct policy_rule deny[] = {TOOL("rm", "1:1")};
    const struct policy_record records[] = {*policy_record_access(), SIDE("careful", true, deny)};
    struct policy_set *set = policy_set_hold(policy_set_open());

    (void)state;
    for (int kind = 0; kind < POLICY_KINDS; kind++)
        assert_true(policy_set_is_open(set, (enum policy_kind)kind));
    assert_int_equal(tool(set, ""), POLICY_ALLOWED);
    assert_true(slice_is(judge(set, POLICY_TOOL, "x", NULL).role, "access"));
    policy_set_release(set);
    policy_set_release(set);
    set = set_of(records, 2);
    assert_false(policy_set_is_open(set, POLICY_TOOL));
    assert_true(policy_set_is_open(set, POLICY_RESOURCE));
    assert_int_equal(tool(set, "rm"), POLICY_DENIED);
    assert_int_equal(tool(set, "ls"), POLICY_ALLOWED);
    policy_set_release(set);
}

static const struct slice databases[] = {TEXT("\"sales\""), TEXT("\"hr_*\""), TEXT("\"^x[0-9]$\""),
                                         TEXT("7"),         TEXT("true"),     TEXT("null"),
                                         TEXT("\"\"")};
static const struct policy_condition on_database[] = {
    {.pointer = TEXT("/database"), .values = databases, .value_count = COUNT(databases)}};

static void test_conditions_allow(void **state)
{
    const struct policy_rule allow[] = {{.kind = POLICY_TOOL,
                                         .pattern = TEXT("query"),
                                         .conditions = on_database,
                                         .condition_count = 1,
                                         .place = PLACE("1:1")}};
    const struct policy_record records[] = {SIDE("reader", false, allow)};
    struct policy_set *set = set_of(records, 1);
    static const struct {
        const char *arguments;
        enum policy_outcome outcome;
    } cases[] = {
        {NULL, POLICY_DENIED},
        {"{}", POLICY_DENIED},
        {"{\"database\":\"sales\"}", POLICY_ALLOWED},
        {"{\"database\":\"s\\u0061les\"}", POLICY_ALLOWED},
        {"{\"d\\u0061tabase\":\"sales\"}", POLICY_ALLOWED},
        {"{\"database\":\"hr_2026\"}", POLICY_ALLOWED},
        {"{\"database\":\"hr\"}", POLICY_DENIED},
        {"{\"database\":\"x1\"}", POLICY_ALLOWED},
        {"{\"database\":\"x1\\n\"}", POLICY_DENIED},
        {"{\"database\":\"\"}", POLICY_ALLOWED},
        {"{\"database\":7}", POLICY_ALLOWED},
        {"{\"database\":7.0}", POLICY_ALLOWED},
        {"{\"database\":0.7e1}", POLICY_ALLOWED},
        {"{\"database\":700E-2}", POLICY_ALLOWED},
        {"{\"database\":-7}", POLICY_DENIED},
        {"{\"database\":70}", POLICY_DENIED},
        {"{\"database\":7.0000000000000000001}", POLICY_DENIED},
        {"{\"database\":\"7\"}", POLICY_DENIED},
        {"{\"database\":true}", POLICY_ALLOWED},
        {"{\"database\":false}", POLICY_DENIED},
        {"{\"database\":null}", POLICY_ALLOWED},
        {"{\"database\":[\"sales\"]}", POLICY_DENIED},
        {"{\"database\":{\"a\":1}}", POLICY_DENIED},
        {"{\"other\":{\"a\":1,\"a\":2},\"database\":\"sales\"}", POLICY_ALLOWED},
        /* Whose of two would the server take? */
        {"{\"database\":\"sales\",\"database\":\"all\"}", POLICY_UNDECIDED},
        {"{\"database\":\"sales\",\"Database\":\"all\"}", POLICY_UNDECIDED},
        {"{\"Database\":\"sales\"}", POLICY_UNDECIDED},
        {"{\"databa\\u017fe\":\"sales\"}", POLICY_UNDECIDED},
        {"{\"a\":1,\"a\":2,\"database\":\"sales\"}", POLICY_UNDECIDED},
        {"[\"database\"]", POLICY_UNDECIDED},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        if (judge(set, POLICY_TOOL, "query", cases[i].arguments).outcome != cases[i].outcome)
            fail_msg("%s", cases[i].arguments == NULL ? "none" : cases[i].arguments);
    /* It may be met. */
    assert_true(policy_lists(set, POLICY_TOOL, slice_from("query")));
    policy_set_release(set);
}

static void test_conditions_deny(void **state)
{
    const struct policy_rule allow[] = {TOOL("*", "1:1")};
    const struct policy_rule deny[] = {{.kind = POLICY_TOOL,
                                        .pattern = TEXT("query"),
                                        .conditions = on_database,
                                        .condition_count = 1,
                                        .place = PLACE("1:1")}};
    const struct policy_record records[] = {SIDE("a", false, allow), SIDE("d", true, deny)};
    struct policy_set *set = set_of(records, 2);
    static const struct {
        const char *arguments;
        enum policy_outcome outcome;
    } cases[] = {
        {NULL, POLICY_ALLOWED},
        {"{\"database\":\"other\"}", POLICY_ALLOWED},
        {"{\"database\":8}", POLICY_ALLOWED},
        {"{\"database\":\"sales\"}", POLICY_DENIED},
        {"{\"database\":7}", POLICY_DENIED},
        /* A double is 7; a list of one becomes its element in some servers. */
        {"{\"database\":7.0000000000000000001}", POLICY_DENIED},
        {"{\"database\":[\"sales\"]}", POLICY_DENIED},
        {"{\"database\":\"other\",\"DATABASE\":\"sales\"}", POLICY_UNDECIDED},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        if (judge(set, POLICY_TOOL, "query", cases[i].arguments).outcome != cases[i].outcome)
            fail_msg("%s", cases[i].arguments == NULL ? "none" : cases[i].arguments);
    assert_int_equal(judge(set, POLICY_TOOL, "q", "{\"a\":1,\"A\":2}").outcome, POLICY_ALLOWED);
    /* A conditional deny hides nothing. */
    assert_true(policy_lists(set, POLICY_TOOL, slice_from("query")));
    policy_set_release(set);
}

static void test_all_conditions_must_hold(void **state)
{
    const struct slice one[] = {TEXT("1")};
    const struct policy_condition both[] = {
        {.pointer = TEXT("/a/b~1c/0"), .values = one, .value_count = 1},
        {.pointer = TEXT("/d~0"), .values = one, .value_count = 1}};
    const struct policy_rule allow[] = {{.kind = POLICY_TOOL,
                                         .pattern = TEXT("*"),
                                         .conditions = both,
                                         .condition_count = 2,
                                         .place = PLACE("1:1")}};
    const struct policy_record records[] = {SIDE("a", false, allow)};
    struct policy_set *set = set_of(records, 1);

    (void)state;
    assert_int_equal(judge(set, POLICY_TOOL, "t", "{\"a\":{\"b/c\":[1,2]},\"d~\":1}").outcome,
                     POLICY_ALLOWED);
    assert_int_equal(judge(set, POLICY_TOOL, "t", "{\"a\":{\"b/c\":[2,1]},\"d~\":1}").outcome,
                     POLICY_DENIED);
    assert_int_equal(judge(set, POLICY_TOOL, "t", "{\"a\":{\"b/c\":[1]}}").outcome, POLICY_DENIED);
    assert_int_equal(judge(set, POLICY_TOOL, "t", "{\"a\":{\"b/c\":1},\"d~\":1}").outcome,
                     POLICY_DENIED);
    /* Doubt in a place that is passed. */
    assert_int_equal(judge(set, POLICY_TOOL, "t", "{\"a\":{\"B/c\":[1]},\"d~\":1}").outcome,
                     POLICY_UNDECIDED);
    policy_set_release(set);
}

static void test_too_many_members_are_not_judged(void **state)
{
    const struct policy_rule allow[] = {{.kind = POLICY_TOOL,
                                         .pattern = TEXT("query"),
                                         .conditions = on_database,
                                         .condition_count = 1,
                                         .place = PLACE("1:1")}};
    const struct policy_record records[] = {SIDE("reader", false, allow)};
    struct policy_set *set = set_of(records, 1);
    struct buffer text = {0};

    (void)state;
    assert_int_equal(buffer_append_text(&text, "{\"database\":7"), 0);
    for (int i = 0; i < JSON_MEMBERS_MAX; i++)
        assert_int_equal(buffer_append_format(&text, ",\"m%d\":0", i), 0);
    assert_int_equal(buffer_append(&text, "}\0", 2), 0);
    assert_int_equal(judge(set, POLICY_TOOL, "query", buffer_data(&text)).outcome,
                     POLICY_UNDECIDED);
    buffer_free(&text);
    policy_set_release(set);
}

static enum policy_outcome with_scopes(const struct policy_set *set, const char *name,
                                       const struct slice *scopes, size_t count,
                                       struct policy_decision *decision)
{
    struct policy_query query = {
        .kind = POLICY_TOOL, .name = slice_from(name), .scopes = scopes, .scope_count = count};

    *decision = policy_judge(set, &query);
    return decision->outcome;
}

static void test_scopes(void **state)
{
    const struct slice write_scope[] = {TEXT("db:write"), TEXT("mcp:read")};
    const struct policy_rule narrow[] = {TOOL("get_*", "1:1"),
                                         {.kind = POLICY_TOOL,
                                          .pattern = TEXT("write"),
                                          .scopes = write_scope,
                                          .scope_count = 2,
                                          .place = PLACE("2:1")}};
    const struct policy_rule free_rules[] = {TOOL("get_f*", "1:1")};
    const struct policy_record records[] = {{.role = TEXT("scoped"),
                                             .file = TEXT("role.yaml"),
                                             .place = PLACE("9:1"),
                                             .scopes = {TEXT("mcp:read")},
                                             .scope_count = 1,
                                             .rules = narrow,
                                             .rule_count = 2},
                                            SIDE("free", false, free_rules)};
    const struct slice has_read[] = {TEXT("openid"), TEXT("mcp:read")};
    const struct slice has_all[] = {TEXT("mcp:read"), TEXT("db:write")};
    struct policy_set *set = set_of(records, 2);
    struct policy_decision decision;

    (void)state;
    assert_int_equal(with_scopes(set, "get_x", NULL, 0, &decision), POLICY_NEEDS_SCOPE);
    assert_int_equal(decision.scope_count, 1);
    assert_true(slice_is(decision.scopes[0], "mcp:read"));
    assert_int_equal(with_scopes(set, "get_x", has_read, 2, &decision), POLICY_ALLOWED);
    assert_int_equal(with_scopes(set, "write", has_read, 2, &decision), POLICY_NEEDS_SCOPE);
    assert_int_equal(decision.scope_count, 2);
    assert_true(slice_is(decision.scopes[0], "mcp:read"));
    assert_true(slice_is(decision.scopes[1], "db:write"));
    assert_int_equal(with_scopes(set, "write", has_all, 2, &decision), POLICY_ALLOWED);
    /* Another rule asks for none. */
    assert_int_equal(with_scopes(set, "get_free", NULL, 0, &decision), POLICY_ALLOWED);
    assert_true(slice_is(decision.role, "free"));
    /* It is the one that is named, also when the scopes are known. */
    assert_int_equal(with_scopes(set, "get_free", has_all, 2, &decision), POLICY_ALLOWED);
    assert_true(slice_is(decision.role, "free"));
    assert_int_equal(with_scopes(set, "other", NULL, 0, &decision), POLICY_DENIED);
    assert_false(policy_set_is_open(set, POLICY_TOOL));
    assert_true(policy_lists(set, POLICY_TOOL, slice_from("write")));
    policy_set_release(set);
}

static void test_forbidden_resources_in_other_spellings(void **state)
{
    const struct policy_rule allow[] = {RESOURCE("file:///*"), RESOURCE("demo://open/*")};
    const struct policy_rule deny[] = {RESOURCE("file:///secret/*"), RESOURCE("file:///a b*"),
                                       RESOURCE("^file:///keys/.*$"), RESOURCE("file:///c%20d")};
    const struct policy_record records[] = {SIDE("a", false, allow), SIDE("d", true, deny)};
    struct policy_set *set = set_of(records, 2);
    static const char *const denied[] = {
        "file:///secret/x",
        "file:///public/../secret/x",
        "file:///public/%2e%2e/secret/x",
        "file:///secret%2Fx",
        "file:///s%65cret/x",
        "FILE:///secret/x",
        "file:////secret//x",
        "file:///SECRET/x",
        "file:///./secret/x",
        "file:///public/..;/secret",
        "file:///public\\..\\secret",
        "file:///%252e/secret/x",
        "file:///a%20b.txt",
        "file:///a b.txt",
        "file:///keys/k",
        "file:///k%65ys/k",
        "file:///KEYS/k",
        "file:///c d",
        "file:///c%20d",
        "file:///c d?x",
        "file:///c d#x",
        "file:///c%20d?x=y#z",
        "file:///public/x ",
        " file:///public/x",
        "file:///100%",
        "file:///x/..",
        "demo://open/../closed",
        "demo://open/%2e%2e/closed",
        "demo://Open/x",
        "demo://open",
        "http://example.com/",
    };
    static const char *const allowed[] = {"file:///public/x",  "file:///secrets",
                                          "file:///caf%C3%A9", "demo://open/x?y=z",
                                          "file:///a%3Fb",     "file:///..x/y..z"};

    (void)state;
    for (size_t i = 0; i < COUNT(denied); i++) {
        if (read_uri(set, denied[i]) != POLICY_DENIED)
            fail_msg("%s", denied[i]);
        assert_false(policy_lists(set, POLICY_RESOURCE, slice_from(denied[i])));
    }
    for (size_t i = 0; i < COUNT(allowed); i++) {
        if (read_uri(set, allowed[i]) != POLICY_ALLOWED)
            fail_msg("%s", allowed[i]);
        assert_true(policy_lists(set, POLICY_RESOURCE, slice_from(allowed[i])));
    }
    /* A template stands in lists as it is. */
    assert_true(policy_lists(set, POLICY_RESOURCE, slice_from("file:///{path}")));
    policy_set_release(set);
}

/* Where nothing narrows, the server alone reads the URI. */
static void test_open_resources_take_any_spelling(void **state)
{
    const struct policy_rule allow[] = {RESOURCE("*")};
    const struct policy_record records[] = {SIDE("a", false, allow)};
    struct policy_set *set = set_of(records, 1);

    (void)state;
    assert_int_equal(read_uri(set, "file:///a/../b"), POLICY_ALLOWED);
    policy_set_release(set);
}

static void test_what_gives_up_forbids(void **state)
{
    const struct policy_rule bomb[] = {TOOL("^(a+)+[bc]$", "1:1")};
    const struct policy_rule all[] = {TOOL("*", "1:1")};
    const struct policy_record allows[] = {SIDE("a", false, bomb)};
    const struct policy_record denies[] = {SIDE("a", false, all), SIDE("d", true, bomb)};
    const char *name = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    struct policy_set *set = set_of(allows, 1);

    (void)state;
    assert_int_equal(tool(set, name), POLICY_DENIED);
    assert_int_equal(tool(set, "aab"), POLICY_ALLOWED);
    policy_set_release(set);
    set = set_of(denies, 2);
    assert_int_equal(tool(set, name), POLICY_DENIED);
    assert_int_equal(tool(set, "aad"), POLICY_ALLOWED);
    policy_set_release(set);
}

static void test_sets_are_held(void **state)
{
    const struct policy_rule allow[] = {TOOL("a", "1:1")};
    const struct policy_record records[] = {SIDE("a", false, allow)};
    struct policy_set *set = set_of(records, 1);

    (void)state;
    policy_set_hold(set);
    policy_set_release(set);
    assert_int_equal(tool(set, "a"), POLICY_ALLOWED);
    assert_true(policy_set_size(set) > sizeof(allow));
    policy_set_release(set);
    policy_set_release(NULL);
}

static void test_what_no_document_says_is_refused(void **state)
{
    const struct policy_rule broken[] = {TOOL("^a($", "1:1")};
    const struct slice object[] = {TEXT("{}")};
    const struct policy_condition no_pointer[] = {
        {.pointer = TEXT("a"), .values = databases, .value_count = 1}};
    const struct policy_condition no_scalar[] = {
        {.pointer = TEXT("/a"), .values = object, .value_count = 1}};
    struct policy_rule rules[] = {{.kind = POLICY_TOOL,
                                   .pattern = TEXT("a"),
                                   .conditions = no_pointer,
                                   .condition_count = 1,
                                   .place = PLACE("1:1")}};
    const struct policy_record pattern[] = {SIDE("a", false, broken)};
    const struct policy_record condition[] = {SIDE("a", false, rules)};
    struct policy_set *set;

    (void)state;
    assert_int_equal(policy_set_make(&set, pattern, 1), -EBADMSG);
    assert_int_equal(policy_set_make(&set, condition, 1), -EBADMSG);
    rules[0].conditions = no_scalar;
    assert_int_equal(policy_set_make(&set, condition, 1), -EBADMSG);
}

static void test_templates(void **state)
{
    const struct policy_rule allow[] = {RESOURCE("file:///a/b.txt"), RESOURCE("file:///docs/*"),
                                        RESOURCE("file:///c/*.md"), RESOURCE("x:{id}"),
                                        RESOURCE("^git:/[a-z{}]+$")};
    const struct policy_rule deny[] = {RESOURCE("file:///docs/secret/*"), RESOURCE("file:///c/x*")};
    const struct policy_record records[] = {SIDE("reader", false, allow),
                                            SIDE("careful", true, deny)};
    static const struct {
        const char *template;
        bool listed;
    } cases[] = {
        {"file:///{name}", true}, /* what could be anything could be what is allowed */
        {"{+uri}", true},
        {"file:///a/{name}", true},
        {"file:///a/b.txt", true},
        {"file:///a/b.txt{?x}", true},
        {"file:///a/b.txtx{?x}", false},
        {"file:///docs/{name}", true},
        {"file:///docs/deep/{name}", true},
        {"file:///c/d{name}", true},
        {"file:///e/{name}", false},
        {"file:///e/plain", false},
        {"file:///docs/secret/{name}", false},
        {"file:///DOCS/secret/{name}", false},
        {"file:///c/x{name}", false},
        {"file:///docs/../{name}", false},
        {"x:{id}", true},
        {"git:/{id}", true},
        {"git:/1/{id}", false},
        {"", false},
    };
    struct policy_set *set = set_of(records, 2);

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        bool listed = policy_lists_template(set, slice_from(cases[i].template));

        if (listed != cases[i].listed)
            print_error("%s\n", cases[i].template);
        assert_int_equal(listed, cases[i].listed);
    }
    policy_set_release(set);
    set = policy_set_open();
    assert_true(policy_lists_template(set, slice_from("file:///{x}")));
    policy_set_release(set);
    set = set_of(NULL, 0);
    assert_false(policy_lists_template(set, slice_from("file:///{x}")));
    policy_set_release(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deny_wins),
        cmocka_unit_test(test_a_kind_without_rules_is_closed),
        cmocka_unit_test(test_no_role_no_app),
        cmocka_unit_test(test_the_built_in_role),
        cmocka_unit_test(test_conditions_allow),
        cmocka_unit_test(test_conditions_deny),
        cmocka_unit_test(test_all_conditions_must_hold),
        cmocka_unit_test(test_too_many_members_are_not_judged),
        cmocka_unit_test(test_scopes),
        cmocka_unit_test(test_forbidden_resources_in_other_spellings),
        cmocka_unit_test(test_open_resources_take_any_spelling),
        cmocka_unit_test(test_what_gives_up_forbids),
        cmocka_unit_test(test_sets_are_held),
        cmocka_unit_test(test_what_no_document_says_is_refused),
        cmocka_unit_test(test_templates),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
