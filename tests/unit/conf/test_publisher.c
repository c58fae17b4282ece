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

enum { MAX_STALE = 5000 }; /* seconds */

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

static size_t known_addresses(void *context, struct slice host, struct slice *out, size_t max)
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

static void open_publisher(struct fixture *fixture)
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

static void close_publisher(struct fixture *fixture)
{
    publisher_close(&fixture->publisher);
    store_close(fixture->store);
}

/* A copy of a record, as a reader of a new turn sees it. false: there is none. */
static bool look(struct fixture *fixture, enum store_database database, const struct store_key *key,
                 struct slice *value)
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

static uint64_t stored_generation(struct fixture *fixture)
{
    struct store_key key;
    struct slice value;
    uint64_t generation = 0;

    generation_record_key(&key);
    if (look(fixture, STORE_META, &key, &value))
        assert_int_equal(generation_record_decode(value, &generation), 0);
    return generation;
}

static int setup(void **state)
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

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    close_publisher(fixture);
    nftw(fixture->directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    free(fixture->bytes);
    free(fixture);
    return 0;
}

/* Two files of the resources; NULL: the file is not there. */
static int apply(struct fixture *fixture, const char *first, const char *second)
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

static bool look_config(struct fixture *fixture, const char *name, struct auth_config_record *out)
{
    struct store_key key;
    struct slice value;

    store_key_of(&key, slice_from(name));
    if (!look(fixture, STORE_APP_AUTH_CONFIGS, &key, &value))
        return false;
    assert_int_equal(auth_config_record_decode(value, out), 0);
    return true;
}

static bool look_app(struct fixture *fixture, const char *name, struct app_record *out)
{
    struct store_key key;
    struct slice value;

    store_key_of(&key, slice_from(name));
    if (!look(fixture, STORE_APPS, &key, &value))
        return false;
    assert_int_equal(app_record_decode(value, out), 0);
    return true;
}

static bool look_binding(struct fixture *fixture, const char *app, const char *issuer,
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
static const char *bound(struct fixture *fixture, const char *app, const char *issuer)
{
    static char name[64];
    struct binding_record binding;

    if (!look_binding(fixture, app, issuer, &binding))
        return "";
    snprintf(name, sizeof(name), "%.*s", (int)binding.config.size, binding.config.data);
    return name;
}

static bool look_key(struct fixture *fixture, const char *config, const char *kid)
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
static const char *refusal(struct fixture *fixture, enum document_kind kind, const char *name)
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

static uint64_t counted(struct fixture *fixture, enum scoreboard_counter counter)
{
    return atomic_load(&fixture->block.counters[counter]);
}

static uint64_t revision(struct fixture *fixture, const char *config)
{
    struct auth_config_record record;

    assert_true(look_config(fixture, config, &record));
    return record.revision;
}

static void test_first_publication(void **state)
{
    struct fixture *fixture = *state;
    struct auth_config_record config;
    struct binding_record binding;
    struct app_record app;

    fixture->addresses[0] = "127.0.0.1";
    assert_int_equal(apply(fixture, APP("one", "a"),
                           CONFIG("idp", "a", "https://i", "x-{{app.resource}}", STATIC_A)),
                     1);
    assert_int_equal(fixture->publisher.numbers.generation, fixture->first + 1);
    assert_int_equal(atomic_load(&fixture->public.generation), fixture->first + 1);
    assert_true(look_app(fixture, "one", &app));
    assert_int_equal(app.endpoint_count, 1);
    assert_int_equal(app.endpoints[0].address_count, 1);
    assert_true(look_binding(fixture, "one", "https://i", &binding));
    assert_true(look_config(fixture, "idp", &config));
    assert_int_equal(config.audience_count, 1);
    assert_true(slice_is(config.audiences[0], "x-" GATE "/mcp/apps/{{app}}"));
    assert_true(config.keys_static && config.keys_usable && config.last_fetch_ok);
    assert_int_not_equal(config.revision, 0);
    assert_true(look_key(fixture, "idp", "a"));
    assert_string_equal(refusal(fixture, DOCUMENT_APP, "one"), "");
    assert_int_equal(counted(fixture, COUNT_LABEL_MATCHES), 1);
}

static void test_nothing_new_is_no_transaction(void **state)
{
    struct fixture *fixture = *state;
    const char *config = CONFIG("idp", "a", "https://i", "x", STATIC_A);

    assert_int_equal(apply(fixture, APP("one", "a"), config), 1);
    assert_int_equal(apply(fixture, APP("one", "a"), config), 0);
    close_publisher(fixture);
    open_publisher(fixture);
    assert_int_equal(apply(fixture, APP("one", "a"), config), 0);
    assert_int_equal(fixture->publisher.numbers.generation, fixture->first + 1);
    assert_int_equal(counted(fixture, COUNT_LABEL_MATCHES), 1);
    assert_int_equal(counted(fixture, COUNT_PUBLISHED), 1);
}

/* Through the lock file a worker can have readers see the snapshot of before. */
static void test_an_older_store_than_was_seen_is_not_published(void **state)
{
    struct fixture *fixture = *state;
    uint64_t seen = fixture->first + 7;

    publisher_close(&fixture->publisher);
    atomic_store(&fixture->public.generation, seen);
    assert_int_equal(publisher_open(&fixture->publisher), -ESTALE);
    assert_int_equal(atomic_load(&fixture->public.generation), seen);
    assert_int_equal(stored_generation(fixture), fixture->first);
}

static void test_an_empty_start_has_a_generation(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(apply(fixture, NULL, NULL), 0);
    assert_int_equal(atomic_load(&fixture->public.generation), fixture->first);
}

static void test_only_touched_pairs_are_matched(void **state)
{
    struct fixture *fixture = *state;
    const char *apps = APP("one", "a") APP("two", "a") APP("three", "b");
    struct auth_config_record config;
    uint64_t before;

    assert_int_equal(apply(fixture, apps,
                           CONFIG("x", "a", "https://x", "1", STATIC_A)
                               CONFIG("y", "b", "https://y", "1", STATIC_A)),
                     1);
    assert_int_equal(counted(fixture, COUNT_LABEL_MATCHES), 6);
    before = revision(fixture, "x");
    assert_int_equal(apply(fixture, apps,
                           CONFIG("x", "a", "https://x", "2", STATIC_A)
                               CONFIG("y", "b", "https://y", "1", STATIC_A)),
                     1);
    /* What it binds now, and what it bound before: against three apps each. */
    assert_int_equal(counted(fixture, COUNT_LABEL_MATCHES), 12);
    assert_true(look_config(fixture, "x", &config));
    assert_int_not_equal(config.revision, before);
    assert_true(slice_is(config.audiences[0], "2"));
    assert_string_equal(bound(fixture, "two", "https://x"), "x");
    assert_string_equal(bound(fixture, "three", "https://x"), "");
    assert_string_equal(bound(fixture, "three", "https://y"), "y");
}

/* Many configs are looked up by label; wildcards, several labels and values as label.h has them. */
static void test_many_configs_match_as_one_would(void **state)
{
    static const struct {
        const char *labels;
        const char *bound[3]; /* whether to one (env a, tier x), two (env b), three (env a) */
    } cases[] = {
        {"{env: a}", {"y", "", "y"}},         {"{env: [a, a, b]}", {"y", "y", "y"}},
        {"{env: '*'}", {"y", "y", "y"}},      {"{'*': '*'}", {"y", "y", "y"}},
        {"{env: a, tier: x}", {"y", "", ""}}, {"{env: b, tier: x}", {"", "", ""}},
        {"{tier: '*'}", {"y", "", ""}},       {"{none: a}", {"", "", ""}},
    };
    static const char *const names[] = {"one", "two", "three"};
    enum { CASES = sizeof(cases) / sizeof(cases[0]), ROUNDS = 3 };
    struct fixture *fixture = *state;
    struct buffer configs = {0};

    for (int round = 0; round < ROUNDS; round++)
        for (int i = 0; i < CASES; i++)
            assert_int_equal(
                buffer_append_format(&configs,
                                     "---\nversion: v1\nkind: app_auth_config\nmetadata: {name: "
                                     "c%d-%d}\nspec:\n  app_labels: %s\n  jwt: {issuer: i%d-%d, "
                                     "audience: a, static_jwks: '{\"keys\":[" KEY_A "]}'}\n",
                                     round, i, cases[i].labels, round, i),
                0);
    assert_int_equal(buffer_append(&configs, "", 1), 0);
    apply(fixture,
          "version: v1\nkind: app\nmetadata: {name: one, labels: {env: a, tier: x}}\n"
          "spec: {uri: 'mcp+http://localhost:1'}\n" APP("two", "b") APP("three", "a"),
          buffer_data(&configs));
    for (int i = 0; i < CASES; i++) {
        char issuer[16];

        snprintf(issuer, sizeof(issuer), "i%d-%d", ROUNDS - 1, i);
        for (int app = 0; app < 3; app++)
            assert_int_equal(bound(fixture, names[app], issuer)[0] == 'c',
                             cases[i].bound[app][0] == 'y');
    }
    /* All go: so does every binding. */
    apply(fixture,
          "version: v1\nkind: app\nmetadata: {name: one, labels: {env: a, tier: x}}\n"
          "spec: {uri: 'mcp+http://localhost:1'}\n" APP("two", "b") APP("three", "a"),
          NULL);
    assert_string_equal(bound(fixture, "one", "i0-0"), "");
    assert_string_equal(bound(fixture, "two", "i2-3"), "");
    buffer_free(&configs);
}

static void test_labels_that_go_take_the_binding(void **state)
{
    struct fixture *fixture = *state;
    const char *config = CONFIG("idp", "a", "https://i", "x", STATIC_A);

    apply(fixture, APP("one", "a"), config);
    assert_string_equal(bound(fixture, "one", "https://i"), "idp");
    apply(fixture, APP("one", "b"), config);
    assert_string_equal(bound(fixture, "one", "https://i"), "");
    apply(fixture, APP("one", "b"), CONFIG("idp", "b", "https://j", "x", STATIC_A));
    assert_string_equal(bound(fixture, "one", "https://j"), "idp");
    apply(fixture, APP("one", "b"), NULL);
    assert_string_equal(bound(fixture, "one", "https://j"), "");
    assert_false(look_key(fixture, "idp", "a"));
    assert_string_equal(refusal(fixture, DOCUMENT_AUTH_CONFIG, "idp"), "none");
}

static void test_refused_document_keeps_its_last_good(void **state)
{
    struct fixture *fixture = *state;
    const char *broken = CONFIG("idp", "a", "https://j", "x", STATIC_A "\n    isuer: https://k");
    uint64_t before;

    apply(fixture, APP("one", "a"), CONFIG("idp", "a", "https://i", "x", STATIC_A));
    before = revision(fixture, "idp");
    assert_int_equal(apply(fixture, APP("one", "a"), broken), 1);
    assert_non_null(strstr(refusal(fixture, DOCUMENT_AUTH_CONFIG, "idp"), "isuer"));
    assert_int_equal(apply(fixture, APP("one", "a"), broken), 0);
    assert_int_equal(counted(fixture, COUNT_DOCUMENTS_REFUSED), 1);
    close_publisher(fixture);
    open_publisher(fixture);
    assert_int_equal(apply(fixture, APP("one", "a"), broken), 0);
    assert_string_equal(bound(fixture, "one", "https://i"), "idp");
    assert_int_equal(revision(fixture, "idp"), before);
    /* A new app is matched against the good version, which only the store remembers. */
    apply(fixture, APP("one", "a") APP("two", "a"), broken);
    assert_string_equal(bound(fixture, "two", "https://i"), "idp");
    apply(fixture, APP("one", "a"), CONFIG("idp", "a", "https://i", "x", STATIC_A));
    assert_string_equal(refusal(fixture, DOCUMENT_AUTH_CONFIG, "idp"), "");
    assert_int_equal(revision(fixture, "idp"), before);
}

static void test_refused_without_a_good_version(void **state)
{
    struct fixture *fixture = *state;

    apply(fixture, "version: v1\nkind: app\nmetadata: {name: one}\nspec: {uri: nonsense}\n", NULL);
    assert_string_not_equal(refusal(fixture, DOCUMENT_APP, "one"), "");
    assert_string_not_equal(refusal(fixture, DOCUMENT_APP, "one"), "none");
    apply(fixture, NULL, NULL);
    assert_string_equal(refusal(fixture, DOCUMENT_APP, "one"), "none");
}

static void test_unreadable_file_keeps_all_of_it(void **state)
{
    struct fixture *fixture = *state;
    const char *good = APP("one", "a") APP("two", "a");
    const char *broken = APP("one", "b") "---\nkind: [app\n";
    struct app_record app;

    apply(fixture, good, NULL);
    apply(fixture, broken, NULL);
    assert_true(look_app(fixture, "two", &app));
    assert_non_null(strstr(refusal(fixture, DOCUMENT_UNKNOWN, "/r/1.yaml"), "YAML"));
    close_publisher(fixture);
    open_publisher(fixture);
    assert_int_equal(apply(fixture, broken, NULL), 0);
    assert_true(look_app(fixture, "two", &app));
    assert_int_equal(counted(fixture, COUNT_DOCUMENTS_REFUSED), 1);
    apply(fixture, APP("one", "b"), NULL);
    assert_false(look_app(fixture, "two", &app));
    assert_string_equal(refusal(fixture, DOCUMENT_UNKNOWN, "/r/1.yaml"), "none");
}

static void test_a_document_may_move_to_another_file(void **state)
{
    struct fixture *fixture = *state;
    struct app_record app;
    uint64_t matches;

    apply(fixture, APP("one", "a"), CONFIG("idp", "a", "https://i", "x", STATIC_A));
    matches = counted(fixture, COUNT_LABEL_MATCHES);
    apply(fixture, NULL, CONFIG("idp", "a", "https://i", "x", STATIC_A) APP("one", "a"));
    assert_int_equal(counted(fixture, COUNT_LABEL_MATCHES), matches);
    /* Its old file does not matter any more, its new one does. */
    apply(fixture, "kind: [", CONFIG("idp", "a", "https://i", "x", STATIC_A));
    assert_false(look_app(fixture, "one", &app));
}

static void test_settings_that_cannot_be_read_keep_their_apps(void **state)
{
    struct fixture *fixture = *state;
    struct reading reading = {0};
    struct app_record app;

    reading.settings.source = slice_from("/etc/gatehouse.yaml");
    documents_read_text(slice_from(APP("one", "a")), reading.settings.source,
                        &reading.settings.list, &reading.settings.diagnostics);
    assert_int_equal(publisher_apply(&fixture->publisher, &reading, fixture->gate), 1);
    document_list_free(&reading.settings.list);
    reading.settings.error = -EBADMSG;
    assert_int_equal(publisher_apply(&fixture->publisher, &reading, fixture->gate), 1);
    assert_true(look_app(fixture, "one", &app));
    assert_string_not_equal(refusal(fixture, DOCUMENT_UNKNOWN, "/etc/gatehouse.yaml"), "none");
    reading_free(&reading);
}

/* One reading of real files after the other, as the watcher does it. */
static int apply_directory(struct fixture *fixture, struct reading *reading)
{
    char path[128];
    int status;

    snprintf(path, sizeof(path), "%s/resources", fixture->directory);
    reading_resources(reading, slice_from(path));
    /* What was written just now is not trusted, and would be read again. */
    for (size_t i = 0; i < reading->cache.count; i++)
        reading->cache.files[i]->young = false;
    status = publisher_apply(&fixture->publisher, reading, fixture->gate);
    reading_forget_resources(reading);
    return status;
}

static void write_resource(struct fixture *fixture, const char *name, const char *text)
{
    char path[128];
    FILE *file;

    snprintf(path, sizeof(path), "%s/resources", fixture->directory);
    mkdir(path, 0700);
    snprintf(path, sizeof(path), "%s/resources/%s", fixture->directory, name);
    if (text == NULL) {
        assert_int_equal(unlink(path), 0);
        return;
    }
    file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void test_unchanged_files_stay_in_force_unread(void **state)
{
    struct fixture *fixture = *state;
    struct reading reading = {.settings.source = slice_from("/etc/gatehouse.yaml")};

    write_resource(fixture, "1.yaml", APP("one", "a"));
    write_resource(fixture, "2.yaml", CONFIG("idp", "a", "https://i", "x", STATIC_A));
    assert_int_equal(apply_directory(fixture, &reading), 1);
    assert_int_equal(apply_directory(fixture, &reading), 0);
    assert_int_equal(document_cache_read_count(&reading.cache), 0);
    assert_string_equal(bound(fixture, "one", "https://i"), "idp");
    /* A second one of a name that an unread file has: both are refused, and the first stays. */
    write_resource(fixture, "3.yaml", APP("one", "b"));
    apply_directory(fixture, &reading);
    assert_int_equal(document_cache_read_count(&reading.cache), 1);
    assert_non_null(strstr(refusal(fixture, DOCUMENT_APP, "one"), "defined twice"));
    assert_string_equal(bound(fixture, "one", "https://i"), "idp");
    apply_directory(fixture, &reading);
    assert_int_equal(document_cache_read_count(&reading.cache), 2);
    /* Gone again, all stands as before; and the unread file's document goes with its file. */
    write_resource(fixture, "3.yaml", NULL);
    apply_directory(fixture, &reading);
    assert_string_equal(refusal(fixture, DOCUMENT_APP, "one"), "");
    apply_directory(fixture, &reading);
    assert_int_equal(document_cache_read_count(&reading.cache), 0);
    write_resource(fixture, "1.yaml", NULL);
    assert_int_equal(apply_directory(fixture, &reading), 1);
    assert_string_equal(refusal(fixture, DOCUMENT_APP, "one"), "none");
    assert_string_equal(bound(fixture, "one", "https://i"), "");
    reading_free(&reading);
}

static void test_refused_files_are_read_each_time(void **state)
{
    struct fixture *fixture = *state;
    struct reading reading = {.settings.source = slice_from("/etc/gatehouse.yaml")};

    write_resource(fixture, "1.yaml", APP("one", "a") "---\nkind: nonsense\n");
    write_resource(fixture, "2.yaml", CONFIG("x", "a", "https://i", "x", STATIC_A));
    write_resource(fixture, "3.yaml", CONFIG("y", "b", "https://i", "x", STATIC_A));
    apply_directory(fixture, &reading);
    apply_directory(fixture, &reading);
    assert_int_equal(document_cache_read_count(&reading.cache), 1);
    /* A clash with what an unread file says; when that goes, what was refused comes into force. */
    write_resource(fixture, "3.yaml", CONFIG("y", "a", "https://i", "x", STATIC_A));
    apply_directory(fixture, &reading);
    assert_string_equal(bound(fixture, "one", "https://i"), "x");
    assert_string_not_equal(refusal(fixture, DOCUMENT_AUTH_CONFIG, "y"), "");
    write_resource(fixture, "2.yaml", NULL);
    apply_directory(fixture, &reading);
    assert_string_equal(bound(fixture, "one", "https://i"), "y");
    reading_free(&reading);
}

static void test_twice_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct app_record app;

    apply(fixture, APP("one", "a"), APP("one", "b"));
    assert_false(look_app(fixture, "one", &app));
    assert_non_null(strstr(refusal(fixture, DOCUMENT_APP, "one"), "/r/1.yaml:2:1"));
    assert_non_null(strstr(refusal(fixture, DOCUMENT_APP, "one"), "/r/2.yaml:2:1"));
    apply(fixture, APP("one", "a"), NULL);
    assert_true(look_app(fixture, "one", &app));
}

static void test_clash_refuses_the_change(void **state)
{
    struct fixture *fixture = *state;
    const char *apps = APP("one", "a");
    const char *x = CONFIG("x", "a", "https://i", "1", STATIC_A);
    struct auth_config_record config;

    apply(fixture, apps, x);
    apply(fixture, apps,
          CONFIG("x", "a", "https://i", "1", STATIC_A)
              CONFIG("y", "a", "https://i", "2", STATIC_B));
    assert_string_equal(bound(fixture, "one", "https://i"), "x");
    assert_false(look_config(fixture, "y", &config));
    assert_string_equal(refusal(fixture, DOCUMENT_AUTH_CONFIG, "x"), "");
    assert_non_null(strstr(refusal(fixture, DOCUMENT_AUTH_CONFIG, "y"), "\"x\" at /r/2.yaml:2:1"));
    /* Once the other is gone, it is bound without having been touched. */
    apply(fixture, apps, CONFIG("y", "a", "https://i", "2", STATIC_B));
    assert_string_equal(bound(fixture, "one", "https://i"), "y");
}

static void test_clash_without_an_earlier_state_binds_neither(void **state)
{
    struct fixture *fixture = *state;
    struct app_record app;

    apply(fixture, APP("one", "a"),
          CONFIG("x", "a", "https://i", "1", STATIC_A)
              CONFIG("y", "a", "https://i", "2", STATIC_B));
    assert_true(look_app(fixture, "one", &app));
    assert_string_equal(bound(fixture, "one", "https://i"), "");
    assert_non_null(strstr(refusal(fixture, DOCUMENT_AUTH_CONFIG, "x"), "\"y\""));
    assert_non_null(strstr(refusal(fixture, DOCUMENT_AUTH_CONFIG, "y"), "\"x\""));
}

static void test_clash_by_an_app(void **state)
{
    struct fixture *fixture = *state;
    const char *configs =
        CONFIG("x", "a", "https://i", "1", STATIC_A) CONFIG("y", "'*'", "https://i", "2", STATIC_B);
    const char *both =
        CONFIG("x", "a", "https://i", "1", STATIC_A) CONFIG("y", "b", "https://i", "2", STATIC_B);
    struct app_record app;

    apply(fixture, APP("one", "b"), both);
    assert_string_equal(bound(fixture, "one", "https://i"), "y");
    /* y would take every env, which x already has nowhere: allowed. */
    apply(fixture, APP("one", "b"), configs);
    assert_string_equal(bound(fixture, "one", "https://i"), "y");
    apply(fixture, APP("one", "a"), configs);
    assert_non_null(strstr(refusal(fixture, DOCUMENT_APP, "one"), "\"x\""));
    assert_true(look_app(fixture, "one", &app));
    assert_string_equal(bound(fixture, "one", "https://i"), "y");
}

static void test_issuers_may_be_swapped(void **state)
{
    struct fixture *fixture = *state;

    apply(fixture, APP("one", "a"),
          CONFIG("x", "a", "https://i", "1", STATIC_A)
              CONFIG("y", "a", "https://j", "2", STATIC_B));
    apply(fixture, APP("one", "a"),
          CONFIG("x", "a", "https://j", "1", STATIC_A)
              CONFIG("y", "a", "https://i", "2", STATIC_B));
    assert_string_equal(bound(fixture, "one", "https://j"), "x");
    assert_string_equal(bound(fixture, "one", "https://i"), "y");
}

static void test_public_address_of_the_gate_fills_again(void **state)
{
    struct fixture *fixture = *state;
    const char *config = CONFIG("idp", "a", "https://i", "{{app.resource}}", STATIC_A);
    struct auth_config_record record;
    uint64_t before;

    apply(fixture, APP("one", "a"), config);
    before = revision(fixture, "idp");
    fixture->gate = slice_from("https://other.example.com");
    assert_int_equal(apply(fixture, APP("one", "a"), config), 1);
    assert_true(look_config(fixture, "idp", &record));
    assert_true(slice_is(record.audiences[0], "https://other.example.com/mcp/apps/{{app}}"));
    assert_int_equal(record.revision, before);
}

#define WEB(name, host)                                                                           \
    "---\nversion: v1\nkind: app\nmetadata: {name: " name "}\nspec: {uri: 'http://127.0.0.1:8', " \
    "public_addr: " host "}\n"

static bool host_is(struct fixture *fixture, const char *host, const char *app)
{
    struct store_key key;
    struct slice value;
    struct slice found;

    store_key_of(&key, slice_from(host));
    if (!look(fixture, STORE_HOSTS, &key, &value))
        return app == NULL;
    assert_int_equal(host_record_decode(value, &found), 0);
    return app != NULL && slice_is(found, app);
}

static void test_hosts(void **state)
{
    struct fixture *fixture = *state;

    apply(fixture, WEB("one", "a.example.com"), NULL);
    assert_true(host_is(fixture, "a.example.com", "one"));
    apply(fixture, WEB("one", "a.example.com"), WEB("two", "a.example.com"));
    assert_true(host_is(fixture, "a.example.com", "one"));
    assert_non_null(strstr(refusal(fixture, DOCUMENT_APP, "two"), "\"one\" at /r/1.yaml:2:1"));
    apply(fixture, WEB("one", "b.example.com"), WEB("two", "a.example.com"));
    assert_true(host_is(fixture, "a.example.com", "two"));
    assert_true(host_is(fixture, "b.example.com", "one"));
    apply(fixture, NULL, NULL);
    assert_true(host_is(fixture, "a.example.com", NULL));
    assert_true(host_is(fixture, "b.example.com", NULL));
}

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

#define REMOTE                                                    \
    "version: v1\nkind: app\nmetadata: {name: one}\nspec: {uri: " \
    "'mcp+http://mcp.example.com/mcp'}\n"

#define LOCK(name, spec) \
    "---\nkind: lock\nversion: v2\nmetadata: {name: " name "}\nspec: {" spec "}\n"

static bool look_lock(struct fixture *fixture, enum revocation_kind kind, const char *value,
                      const char *name, struct revocation_record *out)
{
    struct revocation_record record = {.lock = slice_from(name)};
    struct store_key key;
    struct slice found;

    record.target.values[kind] = slice_from(value);
    revocation_record_key(&key, &record);
    if (!look(fixture, STORE_REVOCATIONS, &key, &found))
        return false;
    assert_int_equal(revocation_record_decode(found, out), 0);
    return true;
}

static void test_locks(void **state)
{
    struct fixture *fixture = *state;
    struct revocation_record record;
    uint64_t sequence;

    assert_int_equal(apply(fixture, NULL, NULL), 0);
    sequence = atomic_load(&fixture->public.revocations);
    assert_int_not_equal(sequence, 0);
    assert_int_equal(
        apply(fixture, LOCK("ban", "target: {user: ann, app: one}, message: why"), APP("one", "a")),
        1);
    /* One transaction, and both numbers with it. */
    assert_int_equal(atomic_load(&fixture->public.generation), fixture->first + 1);
    assert_int_equal(atomic_load(&fixture->public.revocations), sequence + 1);
    assert_true(look_lock(fixture, REVOCATION_USER, "ann", "ban", &record));
    assert_true(slice_is(record.target.values[REVOCATION_APP], "one"));
    assert_true(slice_is(record.why, "why"));
    assert_int_equal(record.uid, -1);
    assert_int_equal(record.since + record.until, 0);
    /* Other documents do not move the revocations. */
    assert_int_equal(
        apply(fixture, LOCK("ban", "target: {user: ann, app: one}, message: why"), APP("one", "b")),
        1);
    assert_int_equal(atomic_load(&fixture->public.revocations), sequence + 1);
    /* A broken edit keeps what was. */
    assert_int_equal(apply(fixture, LOCK("ban", "target: {usr: ann}"), APP("one", "b")), 1);
    assert_true(look_lock(fixture, REVOCATION_USER, "ann", "ban", &record));
    assert_non_null(strstr(refusal(fixture, DOCUMENT_LOCK, "ban"), "did you mean"));
    /* A good one takes the old key away, also after a restart. */
    close_publisher(fixture);
    open_publisher(fixture);
    assert_int_equal(apply(fixture, LOCK("ban", "target: {subject: s}"), APP("one", "b")), 1);
    assert_false(look_lock(fixture, REVOCATION_USER, "ann", "ban", &record));
    assert_true(look_lock(fixture, REVOCATION_SUBJECT, "s", "ban", &record));
    assert_int_equal(atomic_load(&fixture->public.revocations), sequence + 2);
    close_publisher(fixture);
    open_publisher(fixture);
    assert_int_equal(apply(fixture, NULL, APP("one", "b")), 1);
    assert_false(look_lock(fixture, REVOCATION_SUBJECT, "s", "ban", &record));
    assert_string_equal(refusal(fixture, DOCUMENT_LOCK, "ban"), "none");
    assert_int_equal(atomic_load(&fixture->public.revocations), sequence + 3);
}

static void test_locks_expire(void **state)
{
    struct fixture *fixture = *state;
    struct revocation_record record;

    assert_int_equal(apply(fixture,
                           LOCK("old", "target: {user: a}, expires: 2001-01-01T00:00:00Z")
                               LOCK("new", "target: {user: a}, expires: 2901-01-01T00:00:00Z"),
                           NULL),
                     1);
    assert_string_equal(refusal(fixture, DOCUMENT_LOCK, "old"), "");
    assert_false(look_lock(fixture, REVOCATION_USER, "a", "old", &record));
    assert_true(look_lock(fixture, REVOCATION_USER, "a", "new", &record));
    assert_true(record.until > clock_wall_seconds());
    /* An edit that ends it takes it away. */
    assert_int_equal(
        apply(fixture, LOCK("new", "target: {user: a}, expires: 2001-01-01T00:00:00Z"), NULL), 1);
    assert_false(look_lock(fixture, REVOCATION_USER, "a", "new", &record));
}

/* What a worker once refused by is not forgotten. */
static void test_revocations_never_go_backwards(void **state)
{
    struct fixture *fixture = *state;
    uint64_t ahead = UINT64_C(1) << 60;

    atomic_store(&fixture->public.revocations, ahead);
    assert_int_equal(apply(fixture, LOCK("ban", "target: {user: a}"), NULL), 1);
    assert_int_equal(atomic_load(&fixture->public.revocations), ahead);
}

static void test_addresses(void **state)
{
    struct fixture *fixture = *state;
    struct app_record app;

    apply(fixture, REMOTE, NULL);
    assert_true(look_app(fixture, "one", &app));
    assert_int_equal(app.endpoints[0].address_count, 0);
    fixture->addresses[0] = "192.0.2.1";
    fixture->addresses[1] = "192.0.2.2";
    assert_int_equal(publisher_readdress(&fixture->publisher), 1);
    assert_true(look_app(fixture, "one", &app));
    assert_int_equal(app.endpoints[0].address_count, 2);
    /* Turned round is the same; no answer keeps what was known. */
    fixture->addresses[0] = "192.0.2.2";
    fixture->addresses[1] = "192.0.2.1";
    assert_int_equal(publisher_readdress(&fixture->publisher), 0);
    fixture->addresses[0] = NULL;
    assert_int_equal(publisher_readdress(&fixture->publisher), 0);
    close_publisher(fixture);
    open_publisher(fixture);
    assert_int_equal(apply(fixture, REMOTE, NULL), 0);
    assert_true(look_app(fixture, "one", &app));
    assert_int_equal(app.endpoints[0].address_count, 2);
}

static void test_ca_file(void **state)
{
    struct fixture *fixture = *state;
    struct app_record app;
    char document[512];
    char path[128];
    FILE *file;

    snprintf(path, sizeof(path), "%s/ca.pem", fixture->directory);
    snprintf(document, sizeof(document),
             "version: v1\nkind: app\nmetadata: {name: one}\n"
             "spec: {uri: 'mcp+https://127.0.0.1/mcp', ca: %s}\n",
             path);
    apply(fixture, document, NULL);
    assert_false(look_app(fixture, "one", &app));
    assert_non_null(strstr(refusal(fixture, DOCUMENT_APP, "one"), "No such file"));
    file = fopen(path, "w");
    fputs("first", file);
    fclose(file);
    apply(fixture, document, NULL);
    assert_true(look_app(fixture, "one", &app));
    assert_true(slice_is(app.ca_pem, "first"));
    file = fopen(path, "w");
    fputs("second", file);
    fclose(file);
    assert_int_equal(apply(fixture, document, NULL), 1);
    assert_true(look_app(fixture, "one", &app));
    assert_true(slice_is(app.ca_pem, "second"));
    assert_int_equal(truncate(path, APP_CA_MAX + 1), 0);
    apply(fixture, document, NULL);
    assert_string_not_equal(refusal(fixture, DOCUMENT_APP, "one"), "");
    assert_true(look_app(fixture, "one", &app));
    assert_true(slice_is(app.ca_pem, "second"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_first_publication),
        TEST(test_nothing_new_is_no_transaction),
        TEST(test_an_empty_start_has_a_generation),
        TEST(test_an_older_store_than_was_seen_is_not_published),
        TEST(test_only_touched_pairs_are_matched),
        TEST(test_many_configs_match_as_one_would),
        TEST(test_labels_that_go_take_the_binding),
        TEST(test_refused_document_keeps_its_last_good),
        TEST(test_refused_without_a_good_version),
        TEST(test_unreadable_file_keeps_all_of_it),
        TEST(test_a_document_may_move_to_another_file),
        TEST(test_settings_that_cannot_be_read_keep_their_apps),
        TEST(test_unchanged_files_stay_in_force_unread),
        TEST(test_refused_files_are_read_each_time),
        TEST(test_twice_is_refused),
        TEST(test_clash_refuses_the_change),
        TEST(test_clash_without_an_earlier_state_binds_neither),
        TEST(test_clash_by_an_app),
        TEST(test_issuers_may_be_swapped),
        TEST(test_public_address_of_the_gate_fills_again),
        TEST(test_hosts),
        TEST(test_fetched_keys),
        TEST(test_keys_outlive_failures_and_restarts),
        TEST(test_unchanged_keys_are_renewed),
        TEST(test_unchanged_without_keys_is_no_success),
        TEST(test_discovered_keys_belong_to_the_issuer),
        TEST(test_removed_and_made_again_is_judged_anew),
        TEST(test_static_key_that_left),
        TEST(test_locks),
        TEST(test_locks_expire),
        TEST(test_revocations_never_go_backwards),
        TEST(test_addresses),
        TEST(test_ca_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
