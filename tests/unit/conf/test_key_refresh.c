#include "conf/key_refresh.h"
#include "shared/clock.h"

#include "key_server.h"

#include <ev.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { WEEK = 7 * 24 * 60 * 60 };

static unsigned ends;

static void on_ended(void *context)
{
    (void)context;
    ends++;
}

static void test_periods_are_bounded(void **state)
{
    (void)state;
    assert_int_equal(key_refresh_period(-1, WEEK), KEY_REFRESH_DEFAULT);
    assert_int_equal(key_refresh_period(0, WEEK), KEY_REFRESH_MIN);
    assert_int_equal(key_refresh_period(3600, WEEK), 3600);
    assert_int_equal(key_refresh_period(INT32_MAX, WEEK), KEY_REFRESH_MAX);
    /* What is given up soon is fetched sooner. */
    assert_int_equal(key_refresh_period(3600, 4000), 2000);
    assert_int_equal(key_refresh_period(3600, 60), KEY_REFRESH_MIN);
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
                                        .audiences = {slice_from("a")},
                                        .audience_count = 1,
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
    options.registry = &registry;
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

/* A provider: metadata, and a key set that is marked. */
struct provider {
    struct key_server server;
    struct ev_loop *loop;
    struct scoreboard_block *block;
    struct registry registry;
    struct key_refresher *refresher;
    char issuer[64];
    const char *metadata_issuer; /* NULL: its own */
    const char *jwks_uri;        /* of the metadata; NULL: issuer + /keys */
    bool openid;                 /* has OpenID Connect's place, not only RFC 8414's */
    char asked[8][64];           /* paths, in order */
    unsigned conditional;        /* requests that named the mark */
    struct key_set_outcome outcome;
    char url[128];
    size_t keys;
};

static struct provider *the_provider;

#define SET                                                          \
    "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"a\"," \
    "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}"

static void send_body(int fd, const char *body)
{
    char text[2048];

    snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nETag: \"v1\"\r\nContent-Length: %zu\r\n\r\n%s",
             strlen(body), body);
    send_text(fd, text);
}

static void answer(struct key_server *server, int fd, const char *path, const char *head)
{
    struct provider *provider = server->context;
    unsigned turn = atomic_load(&server->requests) - 1;
    char body[1024];

    if (turn < 8)
        snprintf(provider->asked[turn], sizeof(provider->asked[turn]), "%.63s", path);
    if (strstr(head, "If-None-Match: \"v1\"") != NULL) {
        provider->conditional++;
        send_text(fd, "HTTP/1.1 304 Not Modified\r\n\r\n");
        return;
    }
    if (strcmp(path, "/tenant/keys") == 0) {
        send_body(fd, SET);
        return;
    }
    if (strcmp(path, provider->openid ? "/tenant/.well-known/openid-configuration"
                                      : "/.well-known/oauth-authorization-server/tenant") != 0) {
        send_text(fd, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
        return;
    }
    snprintf(body, sizeof(body), "{\"issuer\":\"%s\",\"jwks_uri\":\"%s%s\"}",
             provider->metadata_issuer == NULL ? provider->issuer : provider->metadata_issuer,
             provider->jwks_uri == NULL ? provider->issuer : provider->jwks_uri,
             provider->jwks_uri == NULL ? "/keys" : "");
    send_body(fd, body);
}

/* Takes the outcome as the watcher would. */
static void on_outcome(void *context)
{
    struct provider *provider = the_provider;

    (void)context;
    ends++;
    assert_int_equal(key_refresher_take(provider->refresher, &provider->outcome, 1), 1);
    provider->keys = provider->outcome.keys == NULL ? 0 : provider->outcome.keys->count;
    snprintf(provider->url, sizeof(provider->url), "%.*s", (int)provider->outcome.url.size,
             provider->outcome.url.size == 0 ? "" : provider->outcome.url.data);
    key_refresher_taken(provider->refresher);
    ev_break(provider->loop, EVBREAK_ALL);
}

static int setup(void **state)
{
    struct provider *provider = calloc(1, sizeof(*provider));
    struct key_refresher_options options = {
        .timeout = 20000, .size_max = 10000, .max_stale = WEEK, .ended = on_outcome};

    the_provider = provider;
    provider->server.answer = answer;
    provider->server.context = provider;
    provider->openid = true;
    key_server_start(&provider->server);
    snprintf(provider->issuer, sizeof(provider->issuer), "http://127.0.0.1:%u/tenant",
             provider->server.port);
    provider->loop = options.loop = ev_loop_new(EVFLAG_AUTO);
    provider->block = options.block = aligned_alloc(64, sizeof(*options.block));
    memset(provider->block, 0, sizeof(*provider->block));
    options.registry = &provider->registry;
    ends = 0;
    assert_int_equal(key_refresher_open(&provider->refresher, &options), 0);
    *state = provider;
    return 0;
}

static int teardown(void **state)
{
    struct provider *provider = *state;

    key_refresher_close(provider->refresher);
    key_server_stop(&provider->server);
    registry_free(&provider->registry);
    ev_loop_destroy(provider->loop);
    free(provider->block);
    free(provider);
    return 0;
}

/* A config of the provider's issuer; with an empty URL the issuer is asked. */
static void follow(struct provider *provider, const char *url, const char *held_url)
{
    struct registry_slot *slot =
        registry_find(&provider->registry, DOCUMENT_AUTH_CONFIG, slice_from("idp"), true);
    struct auth_config_record record = {.name = slice_from("idp"),
                                        .revision = 1,
                                        .issuer = slice_from(provider->issuer),
                                        .audiences = {slice_from("a")},
                                        .audience_count = 1,
                                        .username_claim = slice_from("sub"),
                                        .keys_fetched = held_url == NULL ? 0 : 1};
    struct document_record origin = {.good_hash = slice_from("00"), .jwks_url = slice_from(url)};

    if (held_url != NULL) {
        origin.keys_url = slice_from(held_url);
        origin.keys_etag = slice_from("\"v1\"");
    }
    registry_entry_free(slot->good);
    slot->good = NULL;
    assert_int_equal(registry_entry_make(DOCUMENT_AUTH_CONFIG, &record, &origin, &slot->good), 0);
    assert_int_equal(
        key_refresher_follow(provider->refresher, &provider->registry.lists[DOCUMENT_AUTH_CONFIG]),
        0);
    ev_run(provider->loop, 0);
}

static const char *keys_url(const struct provider *provider)
{
    static char url[128];

    snprintf(url, sizeof(url), "%s/keys", provider->issuer);
    return url;
}

static void test_the_issuer_says_where_its_keys_are(void **state)
{
    struct provider *provider = *state;

    follow(provider, "", NULL);
    assert_int_equal(ends, 1);
    assert_int_equal(provider->keys, 1);
    assert_string_equal(provider->url, keys_url(provider));
    assert_string_equal(provider->asked[0], "/tenant/.well-known/openid-configuration");
    assert_string_equal(provider->asked[1], "/tenant/keys");
    assert_int_equal(provider->server.requests, 2);
}

static void test_the_place_of_rfc_8414_is_second(void **state)
{
    struct provider *provider = *state;

    provider->openid = false;
    follow(provider, "", NULL);
    assert_int_equal(provider->keys, 1);
    assert_string_equal(provider->asked[1], "/.well-known/oauth-authorization-server/tenant");
    assert_string_equal(provider->asked[2], "/tenant/keys");
}

static void test_metadata_of_another_issuer_is_refused(void **state)
{
    struct provider *provider = *state;

    provider->metadata_issuer = "https://evil.example.com";
    follow(provider, "", NULL);
    assert_int_equal(ends, 1);
    assert_null(provider->outcome.keys);
    assert_int_equal(provider->server.requests, 1);
    assert_int_equal(atomic_load(&provider->block->counters[COUNT_KEY_FETCHES_FAILED]), 1);
}

static void test_a_set_that_is_held_is_asked_for_by_its_mark(void **state)
{
    struct provider *provider = *state;

    follow(provider, keys_url(provider), keys_url(provider));
    assert_true(provider->outcome.unchanged);
    assert_null(provider->outcome.keys);
    assert_int_equal(provider->conditional, 1);
}

static void test_a_mark_of_another_place_is_not_sent(void **state)
{
    struct provider *provider = *state;

    follow(provider, keys_url(provider), "http://127.0.0.1:1/keys");
    assert_false(provider->outcome.unchanged);
    assert_int_equal(provider->keys, 1);
    assert_int_equal(provider->conditional, 0);
}

/* The fetch at the start leaves the throttle alone: the first unknown kid is looked for at once. A
 * second one within the time is not. */
static void test_only_what_was_wanted_throttles(void **state)
{
    struct provider *provider = *state;

    follow(provider, keys_url(provider), NULL);
    assert_true(provider->outcome.next_refresh <= clock_wall_seconds());
    key_refresher_want(provider->refresher, slice_from("idp"));
    ev_run(provider->loop, 0);
    assert_int_equal(provider->server.requests, 2);
    assert_int_equal(provider->outcome.next_refresh,
                     provider->outcome.ended + KEY_REFRESH_THROTTLE);
    key_refresher_want(provider->refresher, slice_from("idp"));
    ev_run(provider->loop, EVRUN_NOWAIT);
    assert_int_equal(atomic_load(&provider->block->counters[COUNT_KEY_FETCHES]), 2);
    assert_int_equal(ends, 2);
}

/* However many want it while it runs: one fetch. */
static void test_one_fetch_for_all_who_want_it(void **state)
{
    struct provider *provider = *state;

    follow(provider, keys_url(provider), NULL);
    for (unsigned i = 0; i < 1000; i++)
        key_refresher_want(provider->refresher, slice_from("idp"));
    ev_run(provider->loop, 0);
    assert_int_equal(provider->server.requests, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_periods_are_bounded),
        cmocka_unit_test(test_retries_double),
        cmocka_unit_test(test_failures_are_outcomes_and_throttled),
        TEST(test_the_issuer_says_where_its_keys_are),
        TEST(test_the_place_of_rfc_8414_is_second),
        TEST(test_metadata_of_another_issuer_is_refused),
        TEST(test_a_set_that_is_held_is_asked_for_by_its_mark),
        TEST(test_a_mark_of_another_place_is_not_sent),
        TEST(test_only_what_was_wanted_throttles),
        TEST(test_one_fetch_for_all_who_want_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
