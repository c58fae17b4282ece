#include "conf/scalar.h"

#include "tests/unit/conf/expect.h"

static void test_integer(void **state)
{
    uint64_t value = 1;

    (void)state;
    assert_true(scalar_integer(slice_from("0"), &value) && value == 0);
    assert_true(scalar_integer(slice_from("20000"), &value) && value == 20000);
    assert_true(scalar_integer(slice_from("9007199254740992"), &value));
    assert_false(scalar_integer(slice_from("9007199254740993"), &value));
    assert_false(scalar_integer(slice_from("99999999999999999999999"), &value));
    assert_false(scalar_integer(slice_from(""), &value));
    assert_false(scalar_integer(slice_from("-1"), &value));
    assert_false(scalar_integer(slice_from("1.5"), &value));
    assert_false(scalar_integer(slice_from("1 "), &value));
}

static void test_size(void **state)
{
    uint64_t value;

    (void)state;
    assert_true(scalar_size(slice_from("512"), &value) && value == 512);
    assert_true(scalar_size(slice_from("16KiB"), &value) && value == 16384);
    assert_true(scalar_size(slice_from("10MiB"), &value) && value == 10485760);
    assert_true(scalar_size(slice_from("1GiB"), &value) && value == UINT64_C(1) << 30);
    assert_true(scalar_size(slice_from("2TiB"), &value) && value == UINT64_C(2) << 40);
    assert_false(scalar_size(slice_from("9999999TiB"), &value));
    assert_false(scalar_size(slice_from("1GB"), &value));
    assert_false(scalar_size(slice_from("1 GiB"), &value));
    assert_false(scalar_size(slice_from("GiB"), &value));
}

static void test_duration(void **state)
{
    uint64_t value;

    (void)state;
    assert_true(scalar_duration(slice_from("500ms"), &value) && value == 500);
    assert_true(scalar_duration(slice_from("30s"), &value) && value == 30000);
    assert_true(scalar_duration(slice_from("5m"), &value) && value == 300000);
    assert_true(scalar_duration(slice_from("1h30m"), &value) && value == 5400000);
    assert_true(scalar_duration(slice_from("7d"), &value) && value == 604800000);
    assert_true(scalar_duration(slice_from("0"), &value) && value == 0);
    assert_true(scalar_duration(slice_from("0s"), &value) && value == 0);
    assert_false(scalar_duration(slice_from("30"), &value));
    assert_false(scalar_duration(slice_from("30 s"), &value));
    assert_false(scalar_duration(slice_from("1m1h"), &value));
    assert_false(scalar_duration(slice_from("1s1s"), &value));
    assert_false(scalar_duration(slice_from("s"), &value));
    assert_false(scalar_duration(slice_from(""), &value));
    assert_false(scalar_duration(slice_from("9007199254740992d"), &value));
}

static const char *described(struct yaml_node node)
{
    static char text[128];

    scalar_describe(&node, text, sizeof(text));
    return text;
}

static void test_describe(void **state)
{
    struct yaml_node plain = {.kind = YAML_SCALAR, .plain = true};
    struct yaml_node quoted = {.kind = YAML_SCALAR, .text = slice_from("5")};

    (void)state;
    assert_string_equal(described(plain), "nothing");
    plain.text = slice_from("5");
    assert_string_equal(described(plain), "the number 5");
    plain.text = slice_from("true");
    assert_string_equal(described(plain), "the boolean true");
    plain.text = slice_from("yes");
    assert_string_equal(described(plain), "the text \"yes\"");
    assert_string_equal(described(quoted), "the text \"5\"");
    quoted.text = slice_from("0123456789012345678901234567890123456789012345");
    assert_string_equal(described(quoted),
                        "the text \"0123456789012345678901234567890123456789...\"");
    assert_string_equal(described((struct yaml_node){.kind = YAML_LIST}), "a list");
    assert_string_equal(described((struct yaml_node){.kind = YAML_MAPPING}), "a mapping");
}

static void test_format(void **state)
{
    char text[32];

    (void)state;
    scalar_format_size(16384, text, sizeof(text));
    assert_string_equal(text, "16KiB");
    scalar_format_size(1000, text, sizeof(text));
    assert_string_equal(text, "1000");
    scalar_format_duration(90000, text, sizeof(text));
    assert_string_equal(text, "90s");
    scalar_format_duration(3600000, text, sizeof(text));
    assert_string_equal(text, "1h");
    scalar_format_duration(0, text, sizeof(text));
    assert_string_equal(text, "0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integer),  cmocka_unit_test(test_size),
        cmocka_unit_test(test_duration), cmocka_unit_test(test_describe),
        cmocka_unit_test(test_format),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
