/* Lists lose what a policy hides, and no other byte; what is ambiguous is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/shared/policy_example.h"

#include "worker/list_filter.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct policy_set *narrow; /* some of everything */
static struct policy_set *tools;  /* some tools; all prompts and resources */

static struct policy_set *set_of(const struct policy_rule *rules, size_t count)
{
    struct policy_record record = {.role = TEXT("r"),
                                   .file = TEXT("f"),
                                   .place = TEXT("f:1:1"),
                                   .rules = rules,
                                   .rule_count = count};
    struct policy_set *set;

    assert_int_equal(policy_set_make(&set, &record, 1), 0);
    return set;
}

static int setup(void **state)
{
    const struct policy_rule some[] = {RULE(POLICY_TOOL, "echo"), RULE(POLICY_TOOL, "get-*"),
                                       RULE(POLICY_PROMPT, "simple"),
                                       RULE(POLICY_RESOURCE, "file:///a/*")};
    const struct policy_rule most[] = {RULE(POLICY_TOOL, "echo"), RULE(POLICY_PROMPT, "*"),
                                       RULE(POLICY_RESOURCE, "*")};

    (void)state;
    narrow = set_of(some, COUNT(some));
    tools = set_of(most, COUNT(most));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    policy_set_release(narrow);
    policy_set_release(tools);
    return 0;
}

static void assert_verdict(struct list_filter *filter, const char *text, enum mcp_verdict verdict,
                           const char *expected)
{
    struct buffer out = {0};
    enum mcp_verdict found = list_filter_message(filter, slice_from(text), &out);

    if (found != verdict)
        print_error("%s\n%s\n", text, filter->refusal == NULL ? "-" : filter->refusal);
    assert_int_equal(found, verdict);
    if (found == MCP_REPLACED) {
        if (!slice_equal(buffer_slice(&out), slice_from(expected)))
            print_error("%.*s\n", (int)buffer_size(&out), buffer_data(&out));
        assert_true(slice_equal(buffer_slice(&out), slice_from(expected)));
    }
    buffer_free(&out);
}

static void assert_filtered(const char *text, const char *expected)
{
    struct list_filter filter = {.policy = narrow};

    assert_verdict(&filter, text, expected == NULL ? MCP_PASSES : MCP_REPLACED, expected);
    assert_null(filter.refusal);
}

static void test_tools(void **state)
{
    (void)state;
    assert_filtered("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":[{\"name\":\"echo\","
                    "\"x\":1.50},{\"name\":\"rm\"},{\"title\":\"n\",\"name\":\"get-sum\"}],"
                    "\"nextCursor\":\"\"}}",
                    "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":[{\"name\":\"echo\","
                    "\"x\":1.50},{\"title\":\"n\",\"name\":\"get-sum\"}],"
                    "\"nextCursor\":\"\"}}");
    assert_filtered("{\"result\":{\"tools\":[{\"name\":\"rm\"},\n{\"name\":\"cp\"}]},\"id\":\"a\"}",
                    "{\"result\":{\"tools\":[]},\"id\":\"a\"}");
    assert_filtered(" { \"id\" : 1 , \"result\" : { \"tools\" : [ { \"name\" : \"rm\" } , "
                    "{ \"name\" : \"echo\" } ] , \"more\" : [ \"\\u0041\" ] } } ",
                    " { \"id\" : 1 , \"result\" : { \"tools\" : [ "
                    "{ \"name\" : \"echo\" } ] , \"more\" : [ \"\\u0041\" ] } } ");
    assert_filtered("{\"id\":1,\"result\":{\"tools\":[]}}", NULL);
    assert_filtered("{\"id\":1,\"result\":{\"tools\":[{\"name\":\"echo\"}]}}", NULL);
    /* The name is what it says when it is decoded. */
    assert_filtered("{\"id\":1,\"result\":{\"tools\":[{\"name\":\"\\u0065cho\"},"
                    "{\"\\u006eame\":\"r\\u006d\"}]}}",
                    "{\"id\":1,\"result\":{\"tools\":[{\"name\":\"\\u0065cho\"}]}}");
    assert_filtered("{\"id\":1,\"result\":{\"tools\":[{\"name\":\"echo\\u0000\"}]}}",
                    "{\"id\":1,\"result\":{\"tools\":[]}}");
}

static void test_other_lists(void **state)
{
    (void)state;
    assert_filtered("{\"id\":1,\"result\":{\"prompts\":[{\"name\":\"simple\"},{\"name\":\"x\"}]}}",
                    "{\"id\":1,\"result\":{\"prompts\":[{\"name\":\"simple\"}]}}");
    assert_filtered(
        "{\"id\":1,\"result\":{\"resources\":[{\"uri\":\"file:///b\",\"name\":\"echo\"},"
        "{\"uri\":\"file:///a/b\",\"name\":\"x\"}]}}",
        "{\"id\":1,\"result\":{\"resources\":["
        "{\"uri\":\"file:///a/b\",\"name\":\"x\"}]}}");
    assert_filtered("{\"id\":1,\"result\":{\"resourceTemplates\":[{\"uriTemplate\":\"x:{a}\"},"
                    "{\"uriTemplate\":\"file:///a/{b}\"},{\"uriTemplate\":\"file:///b/{b}\"}]}}",
                    "{\"id\":1,\"result\":{\"resourceTemplates\":["
                    "{\"uriTemplate\":\"file:///a/{b}\"}]}}");
    /* None of a result that has the names elsewhere. */
    assert_filtered("{\"id\":1,\"result\":{\"content\":[{\"tools\":[{\"name\":\"rm\"}]}],"
                    "\"structuredContent\":{\"tools\":[{\"name\":\"rm\"}]}}}",
                    NULL);
}

static void test_open_kinds(void **state)
{
    struct list_filter filter = {.policy = tools};

    (void)state;
    assert_verdict(&filter, "{\"id\":1,\"result\":{\"prompts\":[{\"name\":1},3]}}", MCP_PASSES,
                   NULL);
    assert_verdict(&filter, "{\"id\":1,\"result\":{\"tools\":[{\"name\":\"x\"}]}}", MCP_REPLACED,
                   "{\"id\":1,\"result\":{\"tools\":[]}}");
    assert_verdict(&filter,
                   "{\"method\":\"notifications/resources/updated\",\"params\":{\"uri\":\"x:y\"}}",
                   MCP_PASSES, NULL);
}

static void test_cache_scope(void **state)
{
    struct list_filter modern = {.policy = narrow, .modern = true};

    (void)state;
    assert_verdict(&modern,
                   "{\"id\":1,\"result\":{\"cacheScope\":\"public\",\"ttlMs\":5,\"tools\":[]}}",
                   MCP_REPLACED,
                   "{\"id\":1,\"result\":{\"cacheScope\":\"private\",\"ttlMs\":5,\"tools\":[]}}");
    assert_verdict(&modern, "{\"id\":1,\"result\":{\"tools\":[],\"cacheScope\" : \"public\" }}",
                   MCP_REPLACED,
                   "{\"id\":1,\"result\":{\"tools\":[],\"cacheScope\" : \"private\" }}");
    assert_verdict(&modern, "{\"id\":1,\"result\":{\"tools\":[],\"cacheScope\":\"private\"}}",
                   MCP_PASSES, NULL);
    assert_verdict(&modern, "{\"id\":1,\"result\":{\"ttlMs\":5,\"tools\":[ ] } }", MCP_REPLACED,
                   "{\"id\":1,\"result\":{\"ttlMs\":5,\"tools\":[ ] "
                   ",\"cacheScope\":\"private\"} }");
    /* What is no list is not completed; what a caller reads is theirs. */
    assert_verdict(&modern, "{\"id\":1,\"result\":{\"contents\":[]}}", MCP_PASSES, NULL);
    assert_verdict(&modern, "{\"id\":1,\"result\":{\"contents\":[],\"cacheScope\":\"public\"}}",
                   MCP_REPLACED,
                   "{\"id\":1,\"result\":{\"contents\":[],\"cacheScope\":\"private\"}}");
    assert_filtered("{\"id\":1,\"result\":{\"tools\":[]}}", NULL);
}

static void test_input_requests(void **state)
{
    static const char *const wrong[] = {
        "{\"a\":{\"method\":\"tools/call\"}}",
        "{\"a\":{\"method\":\"roots/list\"},\"b\":{\"method\":\"ping\"}}",
        "{\"a\":{\"method\":\"roots/list\",\"method\":\"roots/list\"}}",
        "{\"a\":{\"Method\":\"roots/list\"}}",
        "{\"a\":{\"method\":1}}",
        "{\"a\":{}}",
        "{\"a\":3}",
        "[]",
    };
    struct list_filter filter = {.policy = narrow, .modern = true};

    (void)state;
    assert_filtered("{\"id\":1,\"result\":{\"resultType\":\"input_required\",\"inputRequests\":{"
                    "\"a\":{\"method\":\"elicitation/create\",\"params\":{}},"
                    "\"b\":{\"method\":\"sampling/createMessage\"},"
                    "\"c\":{\"method\":\"roots/list\"}},\"requestState\":\"x\"}}",
                    NULL);
    assert_filtered("{\"id\":1,\"result\":{\"inputRequests\":{}}}", NULL);
    for (size_t i = 0; i < COUNT(wrong); i++) {
        struct buffer text = {0};
        struct buffer out = {0};

        buffer_append_format(&text, "{\"id\":1,\"result\":{\"inputRequests\":%s}}", wrong[i]);
        assert_int_equal(list_filter_message(&filter, buffer_slice(&text), &out), MCP_REPLACED);
        assert_non_null(filter.refusal);
        assert_non_null(memmem(buffer_data(&out), buffer_size(&out), "-32603", 6));
        buffer_free(&text);
        buffer_free(&out);
    }
}

static void test_notifications(void **state)
{
    struct list_filter filter = {.policy = narrow};
    static const char *const hidden[] = {
        "{\"uri\":\"file:///b\"}",
        "{\"uri\":\"file:///a/b\",\"uri\":\"file:///b\"}",
        "{\"uri\":\"file:///a/b\",\"URI\":\"file:///b\"}",
        "{\"uri\":5}",
        "{}",
        "[]",
        "null",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(hidden); i++) {
        struct buffer text = {0};

        buffer_append_format(
            &text,
            "{\"params\":%s,\"jsonrpc\":\"2.0\",\"method\":\"notifications/resources/updated\"}%c",
            hidden[i], 0);
        assert_verdict(&filter, buffer_data(&text), MCP_DROPPED, NULL);
        buffer_free(&text);
    }
    assert_verdict(&filter, "{\"method\":\"notifications\\/resources\\/updated\"}", MCP_DROPPED,
                   NULL);
    assert_filtered("{\"method\":\"notifications/resources/updated\","
                    "\"params\":{\"uri\":\"file:///a/b\"}}",
                    NULL);
    assert_filtered("{\"method\":\"notifications/message\",\"params\":{\"uri\":\"file:///b\"}}",
                    NULL);
    assert_filtered("{\"id\":3,\"method\":\"sampling/createMessage\",\"params\":{\"tools\":[]}}",
                    NULL);
    assert_filtered("{\"id\":3,\"error\":{\"code\":-32601,\"message\":\"x\"}}", NULL);
    assert_filtered("{\"id\":null,\"error\":{\"code\":-32601,\"message\":\"x\"}}", NULL);
}

#define ERROR(reason, id)                                                                       \
    "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32603,\"message\":\"The server's answer cannot " \
    "be judged: " reason "\"},\"id\":" id "}"

static void test_refused(void **state)
{
    struct list_filter filter = {.policy = narrow, .id = slice_from("7")};
    static const struct {
        const char *text, *answer;
    } cases[] = {
        {"{\"id\":1,\"result\":{\"tools\":[],\"tools\":[]}}", ERROR("a member appears twice", "1")},
        {"{\"result\":{\"tools\":[],\"to\\u006fls\":[]},\"id\":\"x\"}",
         ERROR("a member appears twice", "\"x\"")},
        {"{\"id\":1,\"result\":{\"Tools\":[]}}", ERROR("a member is spelled in another case", "1")},
        {"{\"id\":1,\"result\":{},\"result\":{}}", ERROR("a member appears twice", "1")},
        {"{\"id\":1,\"Result\":{}}", ERROR("a member is spelled in another case", "1")},
        {"{\"id\":1,\"id\":2,\"result\":{}}", ERROR("a member appears twice", "7")},
        {"{\"id\":1,\"result\":{\"tools\":[{\"name\":\"echo\",\"name\":\"echo\"}]}}",
         ERROR("a member appears twice", "1")},
        {"{\"id\":1,\"result\":{\"tools\":[{\"name\":\"echo\",\"NAME\":\"echo\"}]}}",
         ERROR("a member is spelled in another case", "1")},
        {"{\"id\":1,\"result\":{\"tools\":[{\"title\":\"echo\"}]}}",
         ERROR("an element of a list has no name", "1")},
        {"{\"id\":1,\"result\":{\"tools\":[{\"name\":1}]}}",
         ERROR("an element of a list has no name", "1")},
        {"{\"id\":1,\"result\":{\"tools\":[\"echo\"]}}",
         ERROR("an element of a list is no object", "1")},
        {"{\"id\":1,\"result\":{\"tools\":{\"name\":\"echo\"}}}", ERROR("a list is no array", "1")},
        {"{\"id\":1,\"result\":[]}", ERROR("the result is no object", "1")},
        {"{\"id\":1,\"result\":{},\"error\":{}}",
         ERROR("it is not one of a request, a notification and a response", "1")},
        {"{\"id\":1,\"result\":{},\"method\":\"x\"}",
         ERROR("it is not one of a request, a notification and a response", "1")},
        {"{\"id\":1}", ERROR("it is not one of a request, a notification and a response", "1")},
        {"{\"id\":1,\"result\":{\"tools\":[{\"name\":\"rm\"}]}",
         ERROR("the text ends too early", "1")},
        {"{\"id\":1,\"result\":{\"tools\":[{\"name\":\"rm\"}]}}x",
         ERROR("something follows the JSON value", "1")},
        {"<html>", ERROR("the message is no object", "7")},
        {"", ERROR("there is no JSON value", "7")},
        {"[{\"id\":1,\"result\":{}}]", ERROR("the message is no object", "7")},
        {"{\"id\":[1],\"result\":1}", ERROR("the result is no object", "7")},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_verdict(&filter, cases[i].text, MCP_REPLACED, cases[i].answer);
        assert_non_null(filter.refusal);
    }
    /* Nothing to answer to, or what is no answer. */
    filter.id = slice_make(NULL, 0);
    assert_verdict(&filter, "<html>", MCP_DROPPED, NULL);
    assert_verdict(&filter, "{\"method\":\"x\",\"method\":\"y\",\"id\":3}", MCP_DROPPED, NULL);
    filter.id = slice_from("7");
    assert_verdict(&filter, "{\"method\":\"x\",\"Method\":\"y\",\"id\":3}", MCP_DROPPED, NULL);
    assert_verdict(&filter, "{\"method\":\"x\",", MCP_DROPPED, NULL);
}

static void test_too_many(void **state)
{
    struct list_filter filter = {.policy = narrow};

    (void)state;
    for (unsigned count = 10000; count <= 10001; count++) {
        struct buffer text = {0};
        struct buffer out = {0};

        buffer_append_text(&text, "{\"id\":1,\"result\":{\"tools\":[{\"name\":\"rm\"}");
        for (unsigned i = 1; i < count; i++)
            buffer_append_text(&text, ",{\"name\":\"rm\"}");
        buffer_append_text(&text, "]}}");
        assert_int_equal(list_filter_message(&filter, buffer_slice(&text), &out), MCP_REPLACED);
        if (count == 10000)
            assert_true(slice_is(buffer_slice(&out), "{\"id\":1,\"result\":{\"tools\":[]}}"));
        else
            assert_string_equal(filter.refusal, "a list has too many elements");
        buffer_free(&text);
        buffer_free(&out);
    }
}

/* Cut short anywhere, nothing passes. */
static void test_every_cut(void **state)
{
    static const char text[] =
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":[{\"name\":\"rm\"},{\"name\":"
        "\"echo\",\"d\":[1,{}]}],\"nextCursor\":\"\\u00e9\",\"cacheScope\":\"public\"}}";
    struct list_filter filter = {.policy = narrow, .id = slice_from("1")};

    (void)state;
    for (size_t size = 0; size < sizeof(text) - 1; size++) {
        struct buffer out = {0};

        assert_int_equal(list_filter_message(&filter, slice_make(text, size), &out), MCP_REPLACED);
        assert_non_null(filter.refusal);
        assert_null(memmem(buffer_data(&out), buffer_size(&out), "rm", 2));
        buffer_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tools),          cmocka_unit_test(test_other_lists),
        cmocka_unit_test(test_open_kinds),     cmocka_unit_test(test_cache_scope),
        cmocka_unit_test(test_input_requests), cmocka_unit_test(test_notifications),
        cmocka_unit_test(test_refused),        cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_too_many),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
