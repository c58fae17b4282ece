#include "worker/mcp_identity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PLAIN                                                                                \
    "{\"protocolVersion\":\"2025-11-25\",\"serverInfo\":{\"name\":\"a\",\"version\":\"1\"}," \
    "\"capabilities\":{\"tools\":{\"listChanged\":true},\"logging\":{}}}"

/* false: it has none. */
static bool identity(const char *result, char out[DIGEST_HEX_SIZE + 1])
{
    static char text[3 * MCP_IDENTITY_MAX];
    struct mcp_result read;

    snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":%s}", result);
    assert_true(mcp_result_read(slice_from(text), &read));
    return mcp_identity_of(&read, out);
}

static void expect(const char *result, bool same)
{
    char first[DIGEST_HEX_SIZE + 1], second[DIGEST_HEX_SIZE + 1];

    assert_true(identity(PLAIN, first));
    assert_true(identity(result, second));
    if (same)
        assert_string_equal(first, second);
    else
        assert_string_not_equal(first, second);
}

static void test_what_means_the_same_is_the_same(void **state)
{
    (void)state;
    expect("{ \"capabilities\" : {\"logging\":{ },\r\n\"tools\":{\"listChanged\" :true}},\t"
           "\"serverInfo\":{\"version\":\"1\",\"name\":\"a\"},\"instructions\":\"other\"}",
           true);
    expect("{\"server\\u0049nfo\":{\"n\\u0061me\":\"\\u0061\",\"version\":\"1\"},"
           "\"capabilities\":{\"tools\":{\"listChanged\":true},\"logging\":{}}}",
           true);
}

static void test_what_means_another_thing_is_another(void **state)
{
    static const char *const others[] = {
        "{\"serverInfo\":{\"name\":\"b\",\"version\":\"1\"},"
        "\"capabilities\":{\"tools\":{\"listChanged\":true},\"logging\":{}}}",
        "{\"serverInfo\":{\"name\":\"a\",\"version\":\"1\"},"
        "\"capabilities\":{\"tools\":{\"listChanged\":false},\"logging\":{}}}",
        "{\"serverInfo\":{\"name\":\"a\",\"version\":\"1\"},"
        "\"capabilities\":{\"tools\":{\"listChanged\":true}}}",
        "{\"serverInfo\":{\"name\":\"a\",\"version\":\"1\"},"
        "\"capabilities\":{\"tools\":{\"listChanged\":true,\"logging\":{}}}}",
        "{\"serverInfo\":{\"name\":\"a\",\"version\":1},"
        "\"capabilities\":{\"tools\":{\"listChanged\":true},\"logging\":{}}}",
        /* what one says of itself is not said by the other half */
        "{\"capabilities\":{\"name\":\"a\",\"version\":\"1\"},"
        "\"serverInfo\":{\"tools\":{\"listChanged\":true},\"logging\":{}}}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        expect(others[i], false);
}

static void test_knows_no_half_of_one(void **state)
{
    char out[DIGEST_HEX_SIZE + 1];

    (void)state;
    assert_false(identity("{}", out));
    assert_false(identity("{\"serverInfo\":{}}", out));
    assert_false(identity("{\"capabilities\":{}}", out));
    assert_false(identity("{\"serverInfo\":[],\"capabilities\":{}}", out));
    assert_false(identity("{\"serverInfo\":{},\"capabilities\":{},\"serverInfo\":{}}", out));
    assert_true(identity("{\"serverInfo\":{},\"capabilities\":{}}", out));
}

static int spell(const char *text, struct buffer *out)
{
    struct json_value value;
    const char *reason;

    assert_int_equal(json_parse(slice_from(text), &value, &reason), 0);
    return mcp_identity_spell(out, &value);
}

static void test_spells_each_value_in_one_way(void **state)
{
    struct buffer out = {0};

    (void)state;
    assert_int_equal(spell(" { \"b\" : [ 3 , 1.0 , null ] , \"\\u0061\" : \"\\/\\u00e9\" , "
                           "\"c\":{} } ",
                           &out),
                     0);
    assert_true(slice_is(buffer_slice(&out), "{\"a\":\"/\xc3\xa9\",\"b\":[3,1.0,null],\"c\":{}}"));
    buffer_free(&out);
}

static void test_has_limits(void **state)
{
    static char text[2 * MCP_IDENTITY_MAX + 100];
    char out[DIGEST_HEX_SIZE + 1];
    struct buffer spelled = {0};
    size_t size = 0;

    (void)state;
    for (int i = 0; i <= MCP_IDENTITY_DEPTH; i++)
        text[size++] = '[';
    for (int i = 0; i <= MCP_IDENTITY_DEPTH; i++)
        text[size++] = ']';
    text[size] = '\0';
    assert_int_equal(spell(text, &spelled), -EMSGSIZE);
    buffer_clear(&spelled);
    text[size - 1] = '\0';
    assert_int_equal(spell(text + 1, &spelled), 0);
    buffer_free(&spelled);

    size = (size_t)sprintf(text, "{\"capabilities\":{},\"serverInfo\":{\"name\":\"");
    memset(text + size, 'x', MCP_IDENTITY_MAX);
    memcpy(text + size + MCP_IDENTITY_MAX, "\"}}", 4);
    assert_false(identity(text, out));
    memcpy(text + size + MCP_IDENTITY_MAX - 100, "\"}}", 4);
    assert_true(identity(text, out));

    size = (size_t)sprintf(text, "{\"capabilities\":{},\"serverInfo\":{\"a\":0");
    for (int i = 0; i < JSON_MEMBERS_MAX; i++)
        size += (size_t)sprintf(text + size, ",\"%d\":0", i);
    memcpy(text + size, "}}", 3);
    assert_false(identity(text, out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_means_the_same_is_the_same),
        cmocka_unit_test(test_what_means_another_thing_is_another),
        cmocka_unit_test(test_knows_no_half_of_one),
        cmocka_unit_test(test_spells_each_value_in_one_way),
        cmocka_unit_test(test_has_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
