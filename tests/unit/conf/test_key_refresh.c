#include "conf/key_refresh.h"

#include <ev.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static unsigned ends;

static void on_ended(void *context)
{
    (void)context;
    ends++;
}

static void test_periods_are_bounded(void **state)
{
    (void)state;
    assert_int_equal(key_refresh_period(-1), KEY_REFRESH_DEFAULT);
    assert_int_equal(key_refresh_period(0), KEY_REFRESH_MIN);
    assert_int_equal(key_refresh_period(3600), 3600);
    assert_int_equal(key_refresh_period(INT32_MAX), KEY_REFRESH_MAX);
}

static void test_retries_double(void **state)
{
    static const int64_t expected[] = {1, 2, 4, 8, 16, 32, 60, 60};

    (void)state;
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(key_refresh_retry(i + 1), expected[i]);
    assert_int_equal(key_refresh_retry(4000000000u), KEY_REFRESH_RETRY_MAX);
}

/* A config that says where its keys are: at a URL that is refused without a connection. */
static void fill(struct registry *registry, const char *url)
{
    struct registry_slot *slot =
        registry_find(registry, DOCUMENT_AUTH_CONFIG, slice_from("idp"), true);
    struct auth_config_record record = {.name = slice_from("idp"),
                                        .revision = 1,
                                        .issuer = slice_from("https://i"),
                                        .username_claim = slice_from("sub")};
    struct document_record origin = {.good_hash = slice_from("00"), .jwks_url = slice_from(url)};

    registry_entry_free(slot->good);
    slot->good = NULL;
    assert_int_equal(registry_entry_make(DOCUMENT_AUTH_CONFIG, &record, &origin, &slot->good), 0);
}

static void test_failures_are_outcomes_and_throttled(void **state)
{
    struct scoreboard_block *block = aligned_alloc(64, sizeof(*block));
    struct key_refresher_options options = {
        .loop = ev_loop_new(EVFLAG_AUTO), .timeout = 1000, .size_max = 1000, .ended = on_ended};
    struct registry registry = {0};
    struct key_set_outcome outcome;
    struct key_refresher *refresher;

    (void)state;
    memset(block, 0, sizeof(*block));
    options.block = block;
    ends = 0;
    assert_int_equal(key_refresher_open(&refresher, &options), 0);
    assert_true(key_refresher_settled(refresher));
    fill(&registry, "http://idp.example.com/keys");
    assert_int_equal(key_refresher_follow(refresher, &registry.lists[DOCUMENT_AUTH_CONFIG]), 0);
    assert_int_equal(ends, 1);
    assert_true(key_refresher_settled(refresher));
    assert_int_equal(key_refresher_take(refresher, &outcome, 1), 1);
    assert_null(outcome.keys);
    assert_int_equal(outcome.next_refresh, outcome.ended + 1);
    key_refresher_taken(refresher);
    assert_int_equal(key_refresher_take(refresher, &outcome, 1), 0);
    /* Within the back-off nobody's wish starts another; the same place goes on as it was. */
    key_refresher_want(refresher, slice_from("idp"));
    key_refresher_want(refresher, slice_from("nobody"));
    assert_int_equal(key_refresher_follow(refresher, &registry.lists[DOCUMENT_AUTH_CONFIG]), 0);
    assert_int_equal(ends, 1);
    assert_int_equal(atomic_load(&block->counters[COUNT_KEY_FETCHES]), 1);
    assert_int_equal(atomic_load(&block->counters[COUNT_KEY_FETCHES_FAILED]), 1);
    /* Another place is fetched at once. */
    fill(&registry, "http://idp2.example.com/keys");
    assert_int_equal(key_refresher_follow(refresher, &registry.lists[DOCUMENT_AUTH_CONFIG]), 0);
    assert_int_equal(ends, 2);
    key_refresher_close(refresher);
    registry_free(&registry);
    ev_loop_destroy(options.loop);
    free(block);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_periods_are_bounded),
        cmocka_unit_test(test_retries_double),
        cmocka_unit_test(test_failures_are_outcomes_and_throttled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
