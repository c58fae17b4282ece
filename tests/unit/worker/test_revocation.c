#include "worker/revocation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* What is looked up in a store is specified with the catalog: test_catalog.c. */

static struct revocation_answer answer_of(const char *token, uint64_t sequence)
{
    struct revocation_answer answer = {.sequence = sequence, .state = REVOCATION_REVOKED};

    session_id_make(&answer.id, SESSION_KIND_JWT, slice_from("app"), slice_from(token));
    return answer;
}

static void answers_are_of_one_session_and_sequence(void **state)
{
    struct revocation_cache *cache = calloc(1, sizeof(*cache));
    struct revocation_answer answer = answer_of("a", 0), other = answer_of("b", 0), found;

    (void)state;
    assert_int_equal(-ENOENT, revocation_cache_find(cache, &answer.id, 0, &found));
    revocation_cache_put(cache, &answer);
    assert_int_equal(0, revocation_cache_find(cache, &answer.id, 0, &found));
    assert_int_equal(REVOCATION_REVOKED, found.state);
    assert_int_equal(-ENOENT, revocation_cache_find(cache, &other.id, 0, &found));
    assert_int_equal(-ENOENT, revocation_cache_find(cache, &answer.id, 1, &found));
    free(cache);
}

/* Whatever shares a place with another is forgotten, never mistaken. */
static void more_sessions_than_places(void **state)
{
    struct revocation_cache *cache = calloc(1, sizeof(*cache));
    struct revocation_answer found;
    char token[16];
    int known = 0;

    (void)state;
    for (int i = 0; i < 4 * REVOCATION_CACHE_SIZE; i++) {
        struct revocation_answer answer;

        snprintf(token, sizeof(token), "%d", i);
        answer = answer_of(token, 7);
        answer.until = i + 1;
        revocation_cache_put(cache, &answer);
        assert_int_equal(0, revocation_cache_find(cache, &answer.id, 7, &found));
    }
    for (int i = 0; i < 4 * REVOCATION_CACHE_SIZE; i++) {
        struct revocation_answer answer;

        snprintf(token, sizeof(token), "%d", i);
        answer = answer_of(token, 7);
        if (revocation_cache_find(cache, &answer.id, 7, &found) != 0)
            continue;
        assert_int_equal(i + 1, found.until);
        known++;
    }
    assert_in_range(known, 1, REVOCATION_CACHE_SIZE);
    free(cache);
}

static void answers_end(void **state)
{
    struct revocation_answer answer = answer_of("a", 1);

    (void)state;
    assert_false(revocation_answer_is_over(&answer, INT64_MAX));
    answer.until = 100;
    assert_false(revocation_answer_is_over(&answer, 99));
    assert_true(revocation_answer_is_over(&answer, 100));
    answer.state = REVOCATION_NONE;
    assert_false(revocation_answer_is_over(&answer, 100));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_of_one_session_and_sequence),
        cmocka_unit_test(more_sessions_than_places),
        cmocka_unit_test(answers_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
