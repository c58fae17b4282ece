#include "shared/policy_record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/shared/policy_example.h"
#include "tests/unit/shared/record_cuts.h"

static const struct slice values[] = {TEXT("\"sales\""), TEXT("7")};
static const struct policy_condition conditions[] = {
    {.pointer = TEXT("/database"), .values = values, .value_count = 2},
    {.pointer = TEXT("/limit"), .values = values + 1, .value_count = 1}};
static const struct slice scopes[] = {TEXT("db:read")};
static const struct policy_rule rules[] = {
    {.kind = POLICY_TOOL, .pattern = TEXT("get_*"), .place = TEXT("/r/a.yaml:9:9")},
    {.kind = POLICY_TOOL,
     .pattern = TEXT("query"),
     .scopes = scopes,
     .scope_count = 1,
     .conditions = conditions,
     .condition_count = 2,
     .place = TEXT("/r/a.yaml:10:9")},
    {.kind = POLICY_RESOURCE, .pattern = TEXT("x is=1:y"), .place = TEXT("/r/a.yaml:12:9")}};
static const struct slice labels[] = {TEXT("prod"), TEXT("test")};
static const struct label_selector selectors[] = {
    {.name = TEXT("env"), .values = labels, .value_count = 2}};

static struct policy_record example(void)
{
    return (struct policy_record){.role = TEXT("reader"),
                                  .file = TEXT("/r/a.yaml"),
                                  .place = TEXT("/r/a.yaml:5:3"),
                                  .selectors = selectors,
                                  .selector_count = 1,
                                  .scopes = {TEXT("mcp:read")},
                                  .scope_count = 1,
                                  .rules = rules,
                                  .rule_count = 3};
}

static void test_round_trip(void **state)
{
    struct policy_record record = example(), decoded;
    struct buffer out = {0};
    void *owned;

    (void)state;
    assert_int_equal(policy_record_encode(&record, &out), 0);
    assert_int_equal(policy_record_decode(buffer_slice(&out), &decoded, &owned), 0);
    assert_true(slice_is(decoded.role, "reader"));
    assert_false(decoded.deny);
    assert_true(slice_is(decoded.place, "/r/a.yaml:5:3"));
    assert_int_equal(decoded.selector_count, 1);
    assert_true(slice_is(decoded.selectors[0].values[1], "test"));
    assert_int_equal(decoded.scope_count, 1);
    assert_int_equal(decoded.rule_count, 3);
    assert_true(slice_is(decoded.rules[0].place, "/r/a.yaml:9:9"));
    assert_true(slice_is(decoded.rules[1].place, "/r/a.yaml:10:9"));
    assert_true(slice_is(decoded.rules[1].scopes[0], "db:read"));
    assert_int_equal(decoded.rules[1].condition_count, 2);
    assert_true(slice_is(decoded.rules[1].conditions[0].values[0], "\"sales\""));
    assert_true(slice_is(decoded.rules[1].conditions[1].pointer, "/limit"));
    assert_int_equal(decoded.rules[2].kind, POLICY_RESOURCE);
    assert_true(slice_is(decoded.rules[2].pattern, "x is=1:y"));
    free(owned);
    buffer_free(&out);
}

/* Read in mdb_dump; the file stands there once. */
static void test_reads_as_a_report(void **state)
{
    struct policy_record record = example();
    struct buffer out = {0};

    (void)state;
    record.rule_count = 1;
    assert_int_equal(policy_record_encode(&record, &out), 0);
    assert_true(slice_is(buffer_slice(&out),
                         "1 role=6:reader deny=1:0 whole_app=1:0 file=9:/r/a.yaml at=3:5:3 "
                         "label=3:env is=4:prod is=4:test scope=8:mcp:read tool=5:get_* at=3:9:9"));
    buffer_free(&out);
}

static void test_whole_app(void **state)
{
    struct policy_record record = example(), decoded;
    struct buffer out = {0};
    void *owned;

    (void)state;
    record.deny = record.whole_app = true;
    record.rule_count = 0;
    assert_int_equal(policy_record_encode(&record, &out), 0);
    assert_int_equal(policy_record_decode(buffer_slice(&out), &decoded, &owned), 0);
    assert_true(decoded.deny && decoded.whole_app);
    free(owned);
    buffer_clear(&out);
    record.deny = false; /* what allows cannot forbid */
    assert_int_equal(policy_record_encode(&record, &out), 0);
    assert_int_equal(policy_record_decode(buffer_slice(&out), &decoded, &owned), -EBADMSG);
    assert_null(owned);
    buffer_free(&out);
}

static int decode(struct slice bytes)
{
    struct policy_record record;
    void *owned;
    int status = policy_record_decode(bytes, &record, &owned);

    free(owned);
    return status;
}

static int decode_match(struct slice bytes)
{
    struct policy_match match;

    return policy_match_decode(bytes, &match);
}

/* A beginning that ends with a field is a record of fewer rules; every other cut is refused. */
static void test_cuts(void **state)
{
    struct policy_record record = example();
    struct buffer out = {0};
    size_t good = 0;

    (void)state;
    assert_int_equal(policy_record_encode(&record, &out), 0);
    for (size_t size = 0; size < buffer_size(&out); size++) {
        char *copy = malloc(size + 1);

        memcpy(copy, buffer_data(&out), size);
        good += decode(slice_make(copy, size)) == 0;
        free(copy);
    }
    assert_true(good <= 12);
    assert_int_equal(buffer_append(&out, " tool=1:a", 9), 0);
    assert_int_equal(decode(buffer_slice(&out)), -EBADMSG);
    buffer_clear(&out);
    assert_int_equal(policy_match_encode((struct policy_match){.deny = true}, &out), 0);
    expect_cuts_refused(buffer_slice(&out), decode_match);
    buffer_free(&out);
}

static void test_limits(void **state)
{
    struct policy_record record = example();
    struct policy_rule rule = rules[0];
    struct buffer out = {0};

    (void)state;
    record.rules = &rule;
    record.rule_count = 1;
    rule.place = slice_from("/other.yaml:1:1");
    assert_int_equal(policy_record_encode(&record, &out), -EINVAL);
    rule = rules[1];
    rule.condition_count = POLICY_CONDITIONS_MAX + 1;
    assert_int_equal(policy_record_encode(&record, &out), -EINVAL);
    record.rule_count = POLICY_RULES_MAX + 1;
    assert_int_equal(policy_record_encode(&record, &out), -EINVAL);
    buffer_free(&out);
}

/* The most that is written is read, within the room that its bytes promise. */
static void test_many_rules(void **state)
{
    struct policy_rule many[POLICY_RULES_MAX];
    struct policy_record record = example(), decoded;
    struct buffer out = {0};
    void *owned;

    (void)state;
    for (size_t i = 0; i < POLICY_RULES_MAX; i++)
        many[i] = rules[i % 2];
    record.rules = many;
    record.rule_count = POLICY_RULES_MAX;
    assert_int_equal(policy_record_encode(&record, &out), 0);
    assert_int_equal(policy_record_decode(buffer_slice(&out), &decoded, &owned), 0);
    assert_int_equal(decoded.rule_count, POLICY_RULES_MAX);
    assert_true(slice_is(decoded.rules[POLICY_RULES_MAX - 1].conditions[1].values[0], "7"));
    free(owned);
    buffer_free(&out);
}

static void test_keys(void **state)
{
    struct store_key key;

    (void)state;
    policy_record_key(&key, slice_from("reader"), true);
    assert_string_equal(key.text, "role/reader/deny");
    policy_match_key(&key, slice_from("app"), slice_from("reader"));
    assert_string_equal(key.text, "app/app/reader");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_reads_as_a_report),
        cmocka_unit_test(test_whole_app),  cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_limits),     cmocka_unit_test(test_many_rules),
        cmocka_unit_test(test_keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
