/* auth_fixture.h: both stores in a directory of their own, a published configuration, keys and
 * tokens: what the tests of the catalog and of authentication stand on. Real store, real keys.
 */
#ifndef GATEHOUSE_TESTS_UNIT_WORKER_AUTH_FIXTURE_H
#define GATEHOUSE_TESTS_UNIT_WORKER_AUTH_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/base64url.h"
#include "shared/child.h"
#include "shared/clock.h"
#include "shared/generation_record.h"
#include "shared/host_record.h"
#include "shared/jose.h"
#include "shared/jose_jwk.h"
#include "shared/key_record.h"
#include "shared/revocation_record.h"
#include "worker/authenticate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
    char directory[64];
    struct store *config, *sessions;
    struct scoreboard_public public;
    struct scoreboard_block block;
    struct child child;
    int watcher; /* the other end of the channel */
    struct catalog *catalog;
    struct authenticator *authenticator;
    struct audit audit;               /* zeroed: none */
    struct jose_key *key, *other_key; /* ES256 */
    struct auth_attempt *done;        /* the last attempt whose `done` was called */
    int done_count;
};

static inline struct store *fixture_store(struct fixture *fixture,
                                          enum store_environment environment, uint64_t map_size)
{
    char path[128];
    struct store_options options = {path, environment, true, map_size};
    struct store *store;

    snprintf(path, sizeof(path), "%s/%s", fixture->directory,
             environment == STORE_CONFIG ? "config" : "sessions");
    assert_int_equal(0, mkdir(path, 0700));
    assert_int_equal(0, store_create(&options));
    assert_int_equal(0, store_open(&store, &options));
    return store;
}

static inline void fixture_remove(const char *directory)
{
    static const char *const names[] = {"config/data.mdb",   "config/lock.mdb",   "config",
                                        "sessions/data.mdb", "sessions/lock.mdb", "sessions"};
    char path[128];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
        remove(path);
    }
    assert_int_equal(0, rmdir(directory));
}

/* Begins a turn as the worker does. */
static inline void fixture_turn(struct fixture *fixture)
{
    int error = 0;

    store_turn_end(fixture->config);
    store_turn_end(fixture->sessions);
    store_turn_begin(fixture->config);
    store_turn_begin(fixture->sessions);
    if (catalog_turn(fixture->catalog, &error))
        authenticator_retry(fixture->authenticator);
    assert_int_equal(0, error);
}

static inline void fixture_open_sized(struct fixture *fixture, uint64_t map_size)
{
    int fds[2];

    memset(fixture, 0, sizeof(*fixture));
    snprintf(fixture->directory, sizeof(fixture->directory), "/tmp/gatehouse-auth-XXXXXX");
    assert_non_null(mkdtemp(fixture->directory));
    fixture->config = fixture_store(fixture, STORE_CONFIG, 16 << 20);
    fixture->sessions = fixture_store(fixture, STORE_SESSIONS, map_size);
    assert_int_equal(0, channel_pair(fds));
    fixture->child.channel = fds[0];
    fixture->watcher = fds[1];
    fixture->child.public = &fixture->public;
    fixture->child.block = &fixture->block;
    fixture->child.settings.limits.key_wait = 60000;
    fixture->child.settings.session_cache = true;
    assert_int_equal(0, catalog_open(&fixture->catalog, fixture->config, &fixture->public));
    assert_int_equal(0, authenticator_open(&fixture->authenticator, fixture->sessions,
                                           fixture->catalog, &fixture->child, &fixture->audit));
    assert_int_equal(0, jose_key_generate(&fixture->key, JOSE_ES256));
    assert_int_equal(0, jose_key_generate(&fixture->other_key, JOSE_ES256));
    fixture_turn(fixture);
}

static inline void fixture_open(struct fixture *fixture)
{
    fixture_open_sized(fixture, 16 << 20);
}

static inline void fixture_close(struct fixture *fixture)
{
    authenticator_close(fixture->authenticator);
    catalog_close(fixture->catalog);
    jose_key_free(fixture->key);
    jose_key_free(fixture->other_key);
    store_close(fixture->config);
    store_close(fixture->sessions);
    close(fixture->child.channel);
    close(fixture->watcher);
    fixture_remove(fixture->directory);
}

static inline uint64_t fixture_count(const struct fixture *fixture, enum scoreboard_counter counter)
{
    return fixture->block.counters[counter];
}

/* What the watcher does: records in one transaction, then the generation, then the scoreboard. */
static inline void publish_begin(struct fixture *fixture)
{
    assert_int_equal(0, store_write_begin(fixture->config));
}

static inline void publish_put(struct fixture *fixture, enum store_database database,
                               const struct store_key *key, struct buffer *record)
{
    assert_int_equal(0, store_put(fixture->config, database, key, buffer_slice(record)));
    buffer_free(record);
}

static inline void publish_end(struct fixture *fixture)
{
    uint64_t generation = fixture->public.generation + 1;
    struct buffer record = {0};
    struct store_key key;

    if (generation < (uint64_t)clock_wall_milliseconds())
        generation = (uint64_t)clock_wall_milliseconds() + 1000;
    generation_record_key(&key);
    assert_int_equal(0, generation_record_encode(generation, &record));
    publish_put(fixture, STORE_META, &key, &record);
    assert_int_equal(0, store_commit(fixture->config));
    fixture->public.generation = generation;
}

/* Writes a revocation, and the next sequence, as the watcher does; the generation stays. */
static inline void publish_revocation(struct fixture *fixture,
                                      const struct revocation_record *revocation)
{
    uint64_t sequence = fixture->public.revocations + 1;
    struct buffer record = {0};
    struct store_key key;

    publish_begin(fixture);
    revocation_record_key(&key, revocation);
    assert_int_equal(0, revocation_record_encode(revocation, &record));
    publish_put(fixture, STORE_REVOCATIONS, &key, &record);
    if (sequence < (uint64_t)clock_wall_milliseconds())
        sequence = (uint64_t)clock_wall_milliseconds() + 1000;
    revocation_sequence_key(&key);
    assert_int_equal(0, revocation_sequence_encode(sequence, &record));
    publish_put(fixture, STORE_META, &key, &record);
    assert_int_equal(0, store_commit(fixture->config));
    fixture->public.revocations = sequence;
}

static inline void publish_app(struct fixture *fixture, const char *name, const char *host)
{
    struct app_record app = {
        .name = slice_from(name), .public_addr = slice_from(host), .transport = APP_MCP_HTTP};
    struct buffer record = {0};
    struct store_key key;

    app.endpoint_count = 1;
    app.endpoints[0] = (struct app_endpoint){
        .host = slice_from("localhost"), .port = 3001, .path = slice_from("/mcp")};
    store_key_of(&key, app.name);
    assert_int_equal(0, app_record_encode(&app, &record));
    publish_put(fixture, STORE_APPS, &key, &record);
    if (host != NULL) {
        store_key_of(&key, app.public_addr);
        assert_int_equal(0, host_record_encode(app.name, &record));
        publish_put(fixture, STORE_HOSTS, &key, &record);
    }
}

/* A config as most tests want it; publish_config writes it. */
static inline struct auth_config_record config_of(const char *name, const char *issuer)
{
    return (struct auth_config_record){
        .name = slice_from(name),
        .revision = 1,
        .issuer = slice_from(issuer),
        .audiences = {slice_from("gate")},
        .audience_count = 1,
        .username_claim = slice_from("email"),
        .algorithms = JOSE_ALL,
        .clock_skew = 60,
        .max_token_age = 1800,
        .keys_usable = true,
        .last_fetch_ok = true,
        .keys_fetched = clock_wall_seconds() - 10,
        .next_refresh = clock_wall_seconds() + 1000,
    };
}

static inline void publish_config(struct fixture *fixture, const struct auth_config_record *config)
{
    struct buffer record = {0};
    struct store_key key;

    store_key_of(&key, config->name);
    assert_int_equal(0, auth_config_record_encode(config, &record));
    publish_put(fixture, STORE_APP_AUTH_CONFIGS, &key, &record);
}

/* Gives a config that was published an audience. */
static inline void publish_audience(struct fixture *fixture, const char *config,
                                    const char *audience)
{
    struct auth_config_record record;
    struct buffer copy = {0};
    struct store_key key;
    struct slice value;

    store_key_of(&key, slice_from(config));
    if (store_get(fixture->config, STORE_APP_AUTH_CONFIGS, &key, &value) != 0)
        return;
    assert_int_equal(0, buffer_append_slice(&copy, value));
    assert_int_equal(0, auth_config_record_decode(buffer_slice(&copy), &record));
    record.audiences[0] = slice_from(audience);
    record.audience_count = 1;
    publish_config(fixture, &record);
    buffer_free(&copy);
}

/* Binds a config, which may be missing, and gives it its audience. */
static inline void publish_binding(struct fixture *fixture, const char *app, const char *issuer,
                                   const char *config, const char *audience)
{
    struct binding_record binding = {.config = slice_from(config)};
    struct buffer record = {0};
    struct store_key key;

    publish_audience(fixture, config, audience);
    store_key_of(&key, slice_from(app));
    store_key_digest(&key, slice_from(issuer));
    assert_int_equal(0, binding_record_encode(&binding, &record));
    publish_put(fixture, STORE_BINDINGS, &key, &record);
}

static inline void publish_unbinding(struct fixture *fixture, const char *app, const char *issuer)
{
    struct store_key key;

    store_key_of(&key, slice_from(app));
    store_key_digest(&key, slice_from(issuer));
    assert_int_equal(0, store_delete(fixture->config, STORE_BINDINGS, &key));
}

/* The public half of a key as the watcher records it. */
static inline void publish_key(struct fixture *fixture, const char *config, const char *kid,
                               const struct jose_key *key, enum jose_algorithm algorithm,
                               int64_t good_until)
{
    struct buffer set = {0}, der = {0}, record = {0};
    struct arena arena = {0};
    struct jwk_set keys;
    struct key_record value = {.kid = slice_from(kid), .good_until = good_until};
    struct store_key name;
    const char *reason;

    assert_int_equal(0, buffer_append_text(&set, "{\"keys\":["));
    assert_int_equal(0, jose_jwk_append(key, algorithm, &set));
    assert_int_equal(0, buffer_append_text(&set, "]}"));
    assert_int_equal(0, jwk_set_parse(buffer_slice(&set), &arena, &keys, &reason));
    assert_int_equal(1, keys.count);
    assert_int_equal(0, jose_jwk_to_der(&keys.keys[0], &der, &value.algorithms, &reason));
    value.der = buffer_slice(&der);
    value.thumbprint = slice_from(keys.keys[0].thumbprint);
    value.fetched = clock_wall_seconds();
    store_key_of(&name, slice_from(config));
    store_key_part(&name, value.kid);
    store_key_plain(&name, "0");
    assert_int_equal(0, key_record_encode(&value, &record));
    publish_put(fixture, STORE_KEYS, &name, &record);
    buffer_free(&set);
    buffer_free(&der);
    arena_free(&arena);
}

/* App "red" bound to https://red.test by config "red", app "blue" likewise, both with the fixture's
 * key as kid "k1" and the audience "gate". */
static inline void publish_red_and_blue(struct fixture *fixture)
{
    static const char *const names[] = {"red", "blue"};

    publish_begin(fixture);
    for (size_t i = 0; i < 2; i++) {
        char issuer[64];
        struct auth_config_record config;

        snprintf(issuer, sizeof(issuer), "https://%s.test", names[i]);
        config = config_of(names[i], issuer);
        publish_app(fixture, names[i], NULL);
        publish_config(fixture, &config);
        publish_binding(fixture, names[i], issuer, names[i], "gate");
        publish_key(fixture, names[i], "k1", fixture->key, JOSE_ES256, 0);
    }
    publish_end(fixture);
    fixture_turn(fixture);
}

/* A compact JWS; owned by the caller's buffer. */
static inline struct slice token_make(struct buffer *out, struct jose_key *key, const char *header,
                                      const char *payload)
{
    struct buffer signature = {0};

    buffer_clear(out);
    assert_int_equal(0, base64url_encode(slice_from(header), out));
    assert_int_equal(0, buffer_append_text(out, "."));
    assert_int_equal(0, base64url_encode(slice_from(payload), out));
    assert_int_equal(0, jose_sign(key, JOSE_ES256, buffer_slice(out), &signature));
    assert_int_equal(0, buffer_append_text(out, "."));
    assert_int_equal(0, base64url_encode(buffer_slice(&signature), out));
    buffer_free(&signature);
    return buffer_slice(out);
}

static inline const char *header_of(const char *kid)
{
    static char text[128];

    if (kid == NULL)
        return "{\"alg\":\"ES256\",\"typ\":\"JWT\"}";
    snprintf(text, sizeof(text), "{\"alg\":\"ES256\",\"kid\":\"%s\",\"typ\":\"JWT\"}", kid);
    return text;
}

/* Good claims of an issuer; `iat` and `exp` relative to now; `more` members. */
static inline const char *claims_of(const char *issuer, int iat, int exp, const char *more)
{
    static char text[2048];
    long long now = clock_wall_seconds();

    snprintf(
        text, sizeof(text),
        "{\"iss\":\"%s\",\"aud\":\"gate\",\"email\":\"ann@x.test\",\"iat\":%lld,\"exp\":%lld%s%s}",
        issuer, now + iat, now + exp, more[0] == '\0' ? "" : ",", more);
    return text;
}

#endif
