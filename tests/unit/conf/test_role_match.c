#include "publisher_fixture.h"

#define APPS APP("one", "a") APP("two", "a") APP("three", "b")
#define ROLE(name, env, tool)                              \
    "---\nversion: v1\nkind: role\nmetadata: {name: " name \
    "}\nspec:\n  allow:\n    app_labels: " env "\n    mcp: {tools: [" tool "]}\n"
#define DENIES(labels) "  deny:\n    " labels "mcp: {tools: [rm]}\n"

/* "allow", "deny", "both" or "". */
static const char *match(struct fixture *fixture, const char *app, const char *role)
{
    struct policy_match match;
    struct store_key key;
    struct slice value;

    policy_match_key(&key, slice_from(app), slice_from(role));
    if (!look(fixture, STORE_POLICIES, &key, &value))
        return "";
    assert_int_equal(policy_match_decode(value, &match), 0);
    return match.allow && match.deny ? "both" : match.allow ? "allow" : "deny";
}

static bool recorded(struct fixture *fixture, const char *role, bool deny, const char *pattern)
{
    struct policy_record record;
    struct store_key key;
    struct slice value;
    void *owned;
    bool same;

    policy_record_key(&key, slice_from(role), deny);
    if (!look(fixture, STORE_POLICIES, &key, &value))
        return false;
    assert_int_equal(policy_record_decode(value, &record, &owned), 0);
    same = record.rule_count == 1 && slice_is(record.rules[0].pattern, pattern);
    free(owned);
    return same;
}

static void test_sides_are_matched_apart(void **state)
{
    struct fixture *fixture = *state;

    apply(fixture, APPS,
          ROLE("r", "{env: a}", "x") DENIES("app_labels: {env: b}\n    ") ROLE("s", "{env: a}", "x")
              DENIES("") ROLE("t", "{'*': '*'}", "x") ROLE("u", "{env: none}", "x"));
    assert_string_equal(match(fixture, "one", "r"), "allow");
    assert_string_equal(match(fixture, "two", "r"), "allow");
    assert_string_equal(match(fixture, "three", "r"), "deny");
    assert_string_equal(match(fixture, "one", "s"), "both");
    assert_string_equal(match(fixture, "three", "s"), "deny");
    assert_string_equal(match(fixture, "three", "t"), "allow");
    assert_string_equal(match(fixture, "one", "u"), "");
    assert_true(recorded(fixture, "r", false, "x"));
    assert_true(recorded(fixture, "r", true, "rm"));
}

static void test_only_touched_pairs_are_matched(void **state)
{
    struct fixture *fixture = *state;
    uint64_t before;

    apply(fixture, APPS, ROLE("r", "{env: a}", "x") ROLE("s", "{env: b}", "x"));
    assert_int_equal(counted(fixture, COUNT_LABEL_MATCHES), 6);
    /* Its rules alone: no label is looked at. */
    assert_int_equal(apply(fixture, APPS, ROLE("r", "{env: a}", "y") ROLE("s", "{env: b}", "x")),
                     1);
    assert_int_equal(counted(fixture, COUNT_LABEL_MATCHES), 6);
    assert_true(recorded(fixture, "r", false, "y"));
    assert_string_equal(match(fixture, "one", "r"), "allow");
    /* Its labels: what it chose, and what it chooses now. */
    apply(fixture, APPS, ROLE("r", "{env: b}", "y") ROLE("s", "{env: b}", "x"));
    assert_int_equal(counted(fixture, COUNT_LABEL_MATCHES), 12);
    assert_string_equal(match(fixture, "one", "r"), "");
    assert_string_equal(match(fixture, "three", "r"), "allow");
    /* An app: each role against it. */
    before = counted(fixture, COUNT_LABEL_MATCHES);
    apply(fixture, APP("one", "b") APP("two", "a") APP("three", "b"),
          ROLE("r", "{env: b}", "y") ROLE("s", "{env: b}", "x"));
    assert_int_equal(counted(fixture, COUNT_LABEL_MATCHES), before + 2);
    assert_string_equal(match(fixture, "one", "r"), "allow");
    assert_string_equal(match(fixture, "one", "s"), "allow");
    assert_int_equal(apply(fixture, APP("one", "b") APP("two", "a") APP("three", "b"),
                           ROLE("r", "{env: b}", "y") ROLE("s", "{env: b}", "x")),
                     0);
}

static void test_what_goes_takes_its_matches(void **state)
{
    struct fixture *fixture = *state;

    apply(fixture, APPS, ROLE("r", "{env: a}", "x") DENIES("") ROLE("s", "{env: a}", "x"));
    apply(fixture, APP("two", "a") APP("three", "b"),
          ROLE("r", "{env: a}", "x") ROLE("s", "{env: a}", "x"));
    assert_string_equal(match(fixture, "one", "r"), "");
    assert_string_equal(match(fixture, "two", "r"), "allow");
    assert_string_equal(match(fixture, "three", "r"), "");
    assert_false(recorded(fixture, "r", true, "rm"));
    apply(fixture, APP("two", "a") APP("three", "b"), ROLE("s", "{env: a}", "x"));
    assert_string_equal(match(fixture, "two", "r"), "");
    assert_string_equal(match(fixture, "two", "s"), "allow");
    assert_false(recorded(fixture, "r", false, "x"));
}

static void test_a_refused_role_keeps_its_last_good_version(void **state)
{
    struct fixture *fixture = *state;

    apply(fixture, APPS, ROLE("r", "{env: a}", "x"));
    apply(fixture, APPS, ROLE("r", "{env: b}", "^("));
    assert_true(recorded(fixture, "r", false, "x"));
    assert_string_equal(match(fixture, "one", "r"), "allow");
    assert_string_equal(match(fixture, "three", "r"), "");
    /* An app that comes is matched by it. */
    apply(fixture, APPS APP("four", "a"), ROLE("r", "{env: b}", "^("));
    assert_string_equal(match(fixture, "four", "r"), "allow");
}

static void test_a_restart_knows_what_was_good(void **state)
{
    struct fixture *fixture = *state;

    apply(fixture, APPS, ROLE("r", "{env: a}", "x") DENIES(""));
    close_publisher(fixture);
    open_publisher(fixture);
    assert_int_equal(apply(fixture, APPS, ROLE("r", "{env: a}", "x") DENIES("")), 0);
    apply(fixture, APPS APP("four", "a"), ROLE("r", "{env: a}", "^("));
    assert_string_equal(match(fixture, "four", "r"), "both");
    apply(fixture, APPS, ROLE("r", "{env: b}", "x"));
    assert_string_equal(match(fixture, "one", "r"), "");
    assert_string_equal(match(fixture, "three", "r"), "allow");
}

/* What a run of before left behind is of nobody. */
static void test_strays_are_dropped_at_start(void **state)
{
    struct fixture *fixture = *state;
    struct buffer bytes = {0};
    struct store_key key;

    apply(fixture, APPS, ROLE("r", "{env: a}", "x"));
    store_turn_begin(fixture->store);
    assert_int_equal(store_write_begin(fixture->store), 0);
    assert_int_equal(policy_match_encode((struct policy_match){.allow = true}, &bytes), 0);
    policy_match_key(&key, slice_from("gone"), slice_from("r"));
    assert_int_equal(store_put(fixture->store, STORE_POLICIES, &key, buffer_slice(&bytes)), 0);
    policy_match_key(&key, slice_from("one"), slice_from("ghost"));
    assert_int_equal(store_put(fixture->store, STORE_POLICIES, &key, buffer_slice(&bytes)), 0);
    policy_record_key(&key, slice_from("ghost"), true);
    assert_int_equal(store_put(fixture->store, STORE_POLICIES, &key, buffer_slice(&bytes)), 0);
    assert_int_equal(store_commit(fixture->store), 0);
    store_turn_end(fixture->store);
    buffer_free(&bytes);
    close_publisher(fixture);
    open_publisher(fixture);
    assert_int_equal(apply(fixture, APPS, ROLE("r", "{env: a}", "x")), 1);
    assert_string_equal(match(fixture, "gone", "r"), "");
    assert_string_equal(match(fixture, "one", "ghost"), "");
    assert_string_equal(match(fixture, "one", "r"), "allow");
    policy_record_key(&key, slice_from("ghost"), true);
    assert_false(look(fixture, STORE_POLICIES, &key, &(struct slice){0}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sides_are_matched_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(test_only_touched_pairs_are_matched, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_goes_takes_its_matches, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_refused_role_keeps_its_last_good_version, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_restart_knows_what_was_good, setup, teardown),
        cmocka_unit_test_setup_teardown(test_strays_are_dropped_at_start, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
