/* publisher_fixture.h: a publisher on a store of its own, readings from texts, and a look at what
 * was published. For tests of what publishes.
 */
#ifndef GATEHOUSE_TESTS_PUBLISHER_FIXTURE_H
#define GATEHOUSE_TESTS_PUBLISHER_FIXTURE_H

#include "conf/publisher.h"

#include "shared/clock.h"
#include "shared/generation_record.h"
#include "shared/host_record.h"

#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define GATE "https://gate.example.com"
/* Public keys of RFC 8037, A.2 and RFC 7515, A.3. */
#define KEY_A                                             \
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"a\"," \
    "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}"
#define KEY_B                                                \
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"b\","       \
    "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"," \
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}"

#define APP(name, env)                                                               \
    "---\nversion: v1\nkind: app\nmetadata:\n  name: " name "\n  labels: {env: " env \
    "}\nspec:\n  uri: mcp+http://localhost:3001/mcp\n"
#define CONFIG(name, env, issuer, audience, keys)                          \
    "---\nversion: v1\nkind: app_auth_config\nmetadata:\n  name: " name    \
    "\nspec:\n  app_labels: {env: [" env "]}\n  jwt:\n    issuer: " issuer \
    "\n    audience: \"" audience "\"\n    " keys "\n"
#define STATIC_A "static_jwks: '{\"keys\":[" KEY_A "]}'"
#define STATIC_B "static_jwks: '{\"keys\":[" KEY_B "]}'"
#define FETCHED(n) "jwks_url: https://idp" n ".example.com/keys"

struct fixture {
    char directory[64];
    struct store *store;
    struct scoreboard_public public;
    struct scoreboard_block block;
    struct publisher publisher;
    const char *addresses[4]; /* what every host but localhost resolves to */
    struct slice gate;
    uint64_t first; /* the generation that the creator gave */
    /* of the last look */
    char *bytes;
};

static inline size_t known_addresses(void *context, struct slice host, struct slice *out,
                                     size_t max)
{
    struct fixture *fixture = context;
    size_t count = 0;

    (void)host;
    while (count < max && fixture->addresses[count] != NULL) {
        out[count] = slice_from(fixture->addresses[count]);
        count++;
    }
    return count;
}

static inline void open_publisher(struct fixture *fixture)
{
    struct store_options options = {.directory = fixture->directory,
                                    .environment = STORE_CONFIG,
                                    .writable = true,
                                    .map_size = 16 * 1024 * 1024};

    assert_int_equal(store_open(&fixture->store, &options), 0);
    fixture->publisher = (struct publisher){.store = fixture->store,
                                            .public = &fixture->public,
                                            .block = &fixture->block,
                                            .addresses = known_addresses,
                                            .addresses_context = fixture};
    assert_int_equal(publisher_open(&fixture->publisher), 0);
}

static inline void close_publisher(struct fixture *fixture)
{
    publisher_close(&fixture->publisher);
    store_close(fixture->store);
}

/* A copy of a record, as a reader of a new turn sees it. false: there is none. */
static inline bool look(struct fixture *fixture, enum store_database database,
                        const struct store_key *key, struct slice *value)
{
    struct slice found = {0};
    int status;

    store_turn_begin(fixture->store);
    status = store_get(fixture->store, database, key, &found);
    free(fixture->bytes);
    fixture->bytes = malloc(found.size + 1);
    if (found.size > 0)
        memcpy(fixture->bytes, found.data, found.size);
    *value = slice_make(fixture->bytes, found.size);
    store_turn_end(fixture->store);
    assert_true(status == 0 || status == -ENOENT);
    return status == 0;
}

static inline uint64_t stored_generation(struct fixture *fixture)
{
    struct store_key key;
    struct slice value;
    uint64_t generation = 0;

    generation_record_key(&key);
    if (look(fixture, STORE_META, &key, &value))
        assert_int_equal(generation_record_decode(value, &generation), 0);
    return generation;
}

static inline int setup(void **state)
{
    struct fixture *fixture = aligned_alloc(64, (sizeof(*fixture) + 63) / 64 * 64);
    struct store_options options = {.environment = STORE_CONFIG, .map_size = 16 * 1024 * 1024};

    memset(fixture, 0, sizeof(*fixture));
    strcpy(fixture->directory, "/tmp/gatehouse-publisher-XXXXXX");
    assert_non_null(mkdtemp(fixture->directory));
    fixture->gate = slice_from(GATE);
    options.directory = fixture->directory;
    assert_int_equal(store_create(&options), 0);
    open_publisher(fixture);
    fixture->first = stored_generation(fixture);
    *state = fixture;
    return 0;
}

static inline int remove_entry(const char *path, const struct stat *status, int type,
                               struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

static inline int teardown(void **state)
{
    struct fixture *fixture = *state;

    close_publisher(fixture);
    nftw(fixture->directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    free(fixture->bytes);
    free(fixture);
    return 0;
}

/* Two files of the resources; NULL: the file is not there. */
static inline int apply(struct fixture *fixture, const char *first, const char *second)
{
    struct reading reading = {0};
    int status;

    reading.settings.source = slice_from("/etc/gatehouse.yaml");
    if (first != NULL)
        documents_read_text(slice_from(first), slice_from("/r/1.yaml"), &reading.resources.list,
                            &reading.resources.diagnostics);
    if (second != NULL)
        documents_read_text(slice_from(second), slice_from("/r/2.yaml"), &reading.resources.list,
                            &reading.resources.diagnostics);
    assert_int_equal(reading_attribute(&reading.resources), 0);
    status = publisher_apply(&fixture->publisher, &reading, fixture->gate);
    reading_free(&reading);
    return status;
}

static inline bool look_config(struct fixture *fixture, const char *name,
                               struct auth_config_record *out)
{
    struct store_key key;
    struct slice value;

    store_key_of(&key, slice_from(name));
    if (!look(fixture, STORE_APP_AUTH_CONFIGS, &key, &value))
        return false;
    assert_int_equal(auth_config_record_decode(value, out), 0);
    return true;
}

static inline bool look_app(struct fixture *fixture, const char *name, struct app_record *out)
{
    struct store_key key;
    struct slice value;

    store_key_of(&key, slice_from(name));
    if (!look(fixture, STORE_APPS, &key, &value))
        return false;
    assert_int_equal(app_record_decode(value, out), 0);
    return true;
}

static inline bool look_binding(struct fixture *fixture, const char *app, const char *issuer,
                                struct binding_record *out)
{
    struct store_key key;
    struct slice value;

    store_key_begin(&key);
    store_key_part(&key, slice_from(app));
    store_key_digest(&key, slice_from(issuer));
    if (!look(fixture, STORE_BINDINGS, &key, &value))
        return false;
    assert_int_equal(binding_record_decode(value, out), 0);
    return true;
}

/* The config that is bound, or "". */
static inline const char *bound(struct fixture *fixture, const char *app, const char *issuer)
{
    static char name[64];
    struct binding_record binding;

    if (!look_binding(fixture, app, issuer, &binding))
        return "";
    snprintf(name, sizeof(name), "%.*s", (int)binding.config.size, binding.config.data);
    return name;
}

static inline bool look_key(struct fixture *fixture, const char *config, const char *kid)
{
    struct key_record record;
    struct store_key key;
    struct slice value;

    store_key_begin(&key);
    store_key_part(&key, slice_from(config));
    store_key_part(&key, slice_from(kid));
    store_key_plain(&key, "0");
    if (!look(fixture, STORE_KEYS, &key, &value))
        return false;
    assert_int_equal(key_record_decode(value, &record), 0);
    return true;
}

/* The reason of a refusal, "" when accepted, "none" without a status. */
static inline const char *refusal(struct fixture *fixture, enum document_kind kind,
                                  const char *name)
{
    static char reason[2048];
    struct document_record record;
    struct store_key key;
    struct slice value;
    void *selectors;

    if (kind == DOCUMENT_UNKNOWN)
        document_record_file_key(&key, slice_from(name));
    else
        document_record_key(&key, kind, slice_from(name));
    if (!look(fixture, STORE_STATUS, &key, &value))
        return "none";
    assert_int_equal(document_record_decode(value, &record, &selectors), 0);
    free(selectors);
    assert_int_equal(record.refused, record.reason.size > 0);
    snprintf(reason, sizeof(reason), "%.*s", (int)record.reason.size, record.reason.data);
    return reason;
}

static inline uint64_t counted(struct fixture *fixture, enum scoreboard_counter counter)
{
    return atomic_load(&fixture->block.counters[counter]);
}

static inline uint64_t revision(struct fixture *fixture, const char *config)
{
    struct auth_config_record record;

    assert_true(look_config(fixture, config, &record));
    return record.revision;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
