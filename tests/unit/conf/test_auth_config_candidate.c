#include "publisher_fixture.h"

enum { MAX_STALE = 5000 }; /* seconds */

static int fetched(struct fixture *fixture, const char *text, int64_t ended)
{
    struct key_set_outcome outcome = {.config = slice_from("idp"),
                                      .ended = ended,
                                      .max_stale = MAX_STALE,
                                      .next_refresh = ended + 60};
    struct key_set keys = {0};
    const char *reason;
    int status;

    if (text != NULL) {
        assert_int_equal(key_set_read(slice_from(text), outcome.config, &keys, &reason), 0);
        outcome.keys = &keys;
    }
    status = publisher_fetched(&fixture->publisher, &outcome, 1);
    key_set_free(&keys);
    return status;
}

static void test_fetched_keys(void **state)
{
    struct fixture *fixture = *state;
    const char *config = CONFIG("idp", "a", "https://i", "x", FETCHED(""));
    struct auth_config_record record;
    uint64_t first;

    apply(fixture, APP("one", "a"), config);
    assert_true(look_config(fixture, "idp", &record));
    assert_false(record.keys_static || record.keys_usable || record.last_fetch_ok);
    first = record.revision;
    assert_int_equal(fetched(fixture, NULL, 1000), 1);
    assert_true(look_config(fixture, "idp", &record));
    assert_false(record.keys_usable || record.last_fetch_ok);
    assert_int_equal(record.next_refresh, 1060);
    assert_int_equal(fetched(fixture, "{\"keys\":[" KEY_A "]}", 2000), 1);
    assert_true(look_config(fixture, "idp", &record));
    assert_true(record.keys_usable && record.last_fetch_ok);
    assert_int_equal(record.keys_fetched, 2000);
    assert_int_equal(record.revision, first);
    assert_true(look_key(fixture, "idp", "a"));
    /* A key more: sessions stand. A key less: they are judged anew. */
    fetched(fixture, "{\"keys\":[" KEY_A "," KEY_B "]}", 3000);
    assert_int_equal(revision(fixture, "idp"), first);
    fetched(fixture, "{\"keys\":[" KEY_B "]}", 4000);
    assert_int_not_equal(revision(fixture, "idp"), first);
    assert_false(look_key(fixture, "idp", "a"));
    assert_true(look_key(fixture, "idp", "b"));
}

static void test_keys_outlive_failures_and_restarts(void **state)
{
    struct fixture *fixture = *state;
    const char *config = CONFIG("idp", "a", "https://i", "x", FETCHED(""));
    struct auth_config_record record;
    uint64_t left;

    apply(fixture, APP("one", "a"), config);
    fetched(fixture, "{\"keys\":[" KEY_A "]}", 1000);
    fetched(fixture, "{\"keys\":[" KEY_B "]}", 2000);
    left = revision(fixture, "idp");
    fetched(fixture, NULL, 3000);
    close_publisher(fixture);
    open_publisher(fixture);
    assert_int_equal(apply(fixture, APP("one", "a"), config), 0);
    assert_true(look_key(fixture, "idp", "b"));
    assert_true(look_config(fixture, "idp", &record));
    assert_true(record.keys_usable);
    assert_false(record.last_fetch_ok);
    assert_int_equal(record.revision, left);
    fetched(fixture, NULL, 2000 + MAX_STALE);
    assert_true(look_config(fixture, "idp", &record));
    assert_false(record.keys_usable);
    /* Another audience keeps the keys of this URL; another URL does not. */
    apply(fixture, APP("one", "a"), CONFIG("idp", "a", "https://i", "y", FETCHED("")));
    assert_true(look_key(fixture, "idp", "b"));
    apply(fixture, APP("one", "a"), CONFIG("idp", "a", "https://i", "y", FETCHED("2")));
    assert_false(look_key(fixture, "idp", "b"));
}

static int fetched_marked(struct fixture *fixture, const char *text, const char *etag,
                          int64_t ended)
{
    struct key_set_outcome outcome = {.config = slice_from("idp"),
                                      .unchanged = text == NULL,
                                      .ended = ended,
                                      .max_stale = MAX_STALE};
    struct key_set keys = {0};
    const char *reason;
    int status;

    if (text != NULL) {
        assert_int_equal(key_set_read(slice_from(text), outcome.config, &keys, &reason), 0);
        outcome.keys = &keys;
        outcome.url = slice_from("https://idp.example.com/keys");
        outcome.etag = slice_from(etag);
    }
    status = publisher_fetched(&fixture->publisher, &outcome, 1);
    key_set_free(&keys);
    return status;
}

static const struct document_record *origin(struct fixture *fixture)
{
    struct registry_slot *slot =
        registry_find(&fixture->publisher.registry, DOCUMENT_AUTH_CONFIG, slice_from("idp"), false);

    assert_non_null(slot);
    assert_non_null(slot->good);
    return &slot->good->origin;
}

static void test_unchanged_keys_are_renewed(void **state)
{
    struct fixture *fixture = *state;
    const char *config = CONFIG("idp", "a", "https://i", "x", FETCHED(""));
    struct auth_config_record record;
    struct key_record key;
    struct store_key name;
    struct slice value;
    uint64_t before;

    apply(fixture, APP("one", "a"), config);
    fetched_marked(fixture, "{\"keys\":[" KEY_A "]}", "\"v1\"", 1000);
    before = revision(fixture, "idp");
    fetched(fixture, NULL, 2000);
    assert_int_equal(fetched_marked(fixture, NULL, NULL, 3000), 1);
    assert_true(look_config(fixture, "idp", &record));
    assert_true(record.keys_usable && record.last_fetch_ok);
    assert_int_equal(record.keys_fetched, 3000);
    assert_int_equal(record.revision, before);
    store_key_of(&name, slice_from("idp"));
    store_key_part(&name, slice_from("a"));
    store_key_plain(&name, "0");
    assert_true(look(fixture, STORE_KEYS, &name, &value));
    assert_int_equal(key_record_decode(value, &key), 0);
    assert_int_equal(key.fetched, 3000);
    assert_int_equal(key.good_until, 3000 + MAX_STALE);
    /* The mark goes on through a restart and another audience, not to another place. */
    close_publisher(fixture);
    open_publisher(fixture);
    assert_true(slice_is(origin(fixture)->keys_etag, "\"v1\""));
    apply(fixture, APP("one", "a"), CONFIG("idp", "a", "https://i", "y", FETCHED("")));
    assert_true(slice_is(origin(fixture)->keys_etag, "\"v1\""));
    apply(fixture, APP("one", "a"), CONFIG("idp", "a", "https://i", "y", FETCHED("2")));
    assert_int_equal(origin(fixture)->keys_etag.size, 0);
}

/* Nothing can be renewed where nothing is: the next fetch has to ask for the whole set. */
static void test_unchanged_without_keys_is_no_success(void **state)
{
    struct fixture *fixture = *state;
    struct auth_config_record record;

    apply(fixture, APP("one", "a"), CONFIG("idp", "a", "https://i", "x", FETCHED("")));
    fetched_marked(fixture, NULL, NULL, 3000);
    assert_true(look_config(fixture, "idp", &record));
    assert_false(record.keys_usable || record.last_fetch_ok);
}

/* Without a URL the keys are the issuer's: another issuer's are others. */
static void test_discovered_keys_belong_to_the_issuer(void **state)
{
    struct fixture *fixture = *state;
    struct auth_config_record record;

    apply(fixture, APP("one", "a"), CONFIG("idp", "a", "https://i", "x", "algorithms: EdDSA"));
    assert_true(look_config(fixture, "idp", &record));
    assert_false(record.keys_static || record.keys_usable);
    fetched(fixture, "{\"keys\":[" KEY_A "]}", 1000);
    apply(fixture, APP("one", "a"), CONFIG("idp", "a", "https://i", "y", "algorithms: EdDSA"));
    assert_true(look_key(fixture, "idp", "a"));
    apply(fixture, APP("one", "a"), CONFIG("idp", "a", "https://j", "y", "algorithms: EdDSA"));
    assert_false(look_key(fixture, "idp", "a"));
}

static void test_removed_and_made_again_is_judged_anew(void **state)
{
    struct fixture *fixture = *state;
    const char *config = CONFIG("idp", "a", "https://i", "x", FETCHED(""));
    int64_t began;
    uint64_t before;

    apply(fixture, NULL, config);
    before = revision(fixture, "idp");
    apply(fixture, NULL, NULL);
    /* The epoch is a time in milliseconds. */
    began = clock_wall_milliseconds();
    while (clock_wall_milliseconds() == began)
        ;
    apply(fixture, NULL, config);
    assert_int_not_equal(revision(fixture, "idp"), before);
}

static void test_static_key_that_left(void **state)
{
    struct fixture *fixture = *state;
    uint64_t before;

    apply(fixture, NULL, CONFIG("idp", "a", "https://i", "x", STATIC_A));
    before = revision(fixture, "idp");
    apply(fixture, NULL, CONFIG("idp", "a", "https://i", "x", STATIC_B));
    assert_int_not_equal(revision(fixture, "idp"), before);
    assert_false(look_key(fixture, "idp", "a"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_fetched_keys),
        TEST(test_keys_outlive_failures_and_restarts),
        TEST(test_unchanged_keys_are_renewed),
        TEST(test_unchanged_without_keys_is_no_success),
        TEST(test_discovered_keys_belong_to_the_issuer),
        TEST(test_removed_and_made_again_is_judged_anew),
        TEST(test_static_key_that_left),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
