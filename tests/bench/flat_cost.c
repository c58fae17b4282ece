/* flat_cost.c: the worker's way to an authenticated request, over stores of a given size, for
 * callgrind to count. Run by flat_cost.sh, which says more.
 *
 *     flat_cost make DIRECTORY SIZE SESSIONS
 *     flat_cost ask DIRECTORY REQUESTS
 *
 * The first makes both environments in the empty DIRECTORY, with SIZE app auth configs, SIZE apps
 * and one binding each, and SESSIONS sessions of other tokens; and a file of 64 tokens. The second
 * has these proven once, then asks REQUESTS times, each in a turn of its own, as connections do
 * that were open before. Exits 1 when a request was not accepted from its stored session alone,
 * scanned the store, or matched a label.
 */
#include "shared/auth_config_record.h"
#include "shared/base64url.h"
#include "shared/clock.h"
#include "shared/generation_record.h"
#include "shared/jose.h"
#include "shared/jose_jwk.h"
#include "shared/key_record.h"
#include "shared/label.h"
#include "shared/revocation_record.h"
#include "shared/session_store.h"
#include "worker/authenticate.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    TOKENS = 64,
    NAME_SIZE = 40,
    TOKEN_MAX = 1024,
    PUTS = 20000, /* sessions a transaction */
};
static const size_t config_map = (size_t)256 << 20, sessions_map = (size_t)4 << 30;

struct caller {
    char app[NAME_SIZE];
    struct buffer token;
    struct auth_memo memo;
    bool accepted;
};

struct bench {
    const char *directory;
    struct store *config, *sessions;
    struct scoreboard_public public;
    struct scoreboard_block block;
    struct child child;
    struct catalog *catalog;
    struct authenticator *authenticator;
    struct audit audit; /* zeroed: none */
    struct jose_key *key;
    struct buffer key_record;
    struct caller callers[TOKENS];
};

/* The linker puts these in the place of the real ones (--wrap): what the worker's code calls is
 * counted, whatever it says of itself. */
static size_t scans, matches;

int __real_store_scan(struct store *store, enum store_database database, struct slice prefix,
                      struct slice from, store_visit visit, void *context);
int __wrap_store_scan(struct store *store, enum store_database database, struct slice prefix,
                      struct slice from, store_visit visit, void *context);
bool __real_label_matches(const struct label_selector *selectors, size_t selector_count,
                          const struct label *labels, size_t label_count);
bool __wrap_label_matches(const struct label_selector *selectors, size_t selector_count,
                          const struct label *labels, size_t label_count);

int __wrap_store_scan(struct store *store, enum store_database database, struct slice prefix,
                      struct slice from, store_visit visit, void *context)
{
    scans++;
    return __real_store_scan(store, database, prefix, from, visit, context);
}

bool __wrap_label_matches(const struct label_selector *selectors, size_t selector_count,
                          const struct label *labels, size_t label_count)
{
    matches++;
    return __real_label_matches(selectors, selector_count, labels, label_count);
}

static void must(int status, const char *what)
{
    if (status == 0)
        return;
    fprintf(stderr, "flat_cost: %s: %d\n", what, status);
    exit(1);
}

static void path_of(const struct bench *bench, const char *name, char path[128])
{
    snprintf(path, 128, "%s/%s", bench->directory, name);
}

static struct store *open_store(const struct bench *bench, enum store_environment environment)
{
    bool config = environment == STORE_CONFIG;
    char path[128];
    struct store_options options = {path, environment, true, config ? config_map : sessions_map};
    struct store *store;

    path_of(bench, config ? "config" : "sessions", path);
    must(store_create(&options), "store_create");
    must(store_open(&store, &options), "store_open");
    return store;
}

static void put(struct bench *bench, enum store_database database, const struct store_key *key,
                struct buffer *record)
{
    must(store_put(bench->config, database, key, buffer_slice(record)), "store_put");
    buffer_free(record);
}

static void put_app(struct bench *bench, const char *name)
{
    struct app_record app = {.name = slice_from(name), .transport = APP_MCP_HTTP};
    struct buffer record = {0};
    struct store_key key;

    app.endpoint_count = 1;
    app.endpoints[0] = (struct app_endpoint){
        .host = slice_from("localhost"), .port = 3001, .path = slice_from("/mcp")};
    store_key_of(&key, app.name);
    must(app_record_encode(&app, &record), "app_record_encode");
    put(bench, STORE_APPS, &key, &record);
}

static void put_config(struct bench *bench, const char *name, const char *issuer)
{
    struct auth_config_record config = {.name = slice_from(name),
                                        .revision = 1,
                                        .issuer = slice_from(issuer),
                                        .audience_count = 1,
                                        .username_claim = slice_from("email"),
                                        .algorithms = JOSE_ALL,
                                        .clock_skew = 60,
                                        .max_token_age = 1800,
                                        .keys_static = true,
                                        .keys_usable = true};
    struct buffer record = {0};
    struct store_key key;

    config.audiences[0] = slice_from("gate");
    store_key_of(&key, config.name);
    must(auth_config_record_encode(&config, &record), "auth_config_record_encode");
    put(bench, STORE_APP_AUTH_CONFIGS, &key, &record);
}

static void put_binding(struct bench *bench, const char *app, const char *issuer,
                        const char *config)
{
    struct binding_record binding = {.config = slice_from(config), .audience_count = 1};
    struct buffer record = {0};
    struct store_key key;

    binding.audiences[0] = slice_from("gate");
    store_key_of(&key, slice_from(app));
    store_key_digest(&key, slice_from(issuer));
    must(binding_record_encode(&binding, &record), "binding_record_encode");
    put(bench, STORE_BINDINGS, &key, &record);
}

/* The public half of the bench's key, as the watcher records it. */
static void make_key_record(struct bench *bench)
{
    struct buffer set = {0}, der = {0};
    struct arena arena = {0};
    struct jwk_set keys;
    struct key_record value = {.kid = slice_from("k1"), .fetched = clock_wall_seconds()};
    const char *reason;

    must(jose_key_generate(&bench->key, JOSE_ES256), "jose_key_generate");
    buffer_append_text(&set, "{\"keys\":[");
    must(jose_jwk_append(bench->key, JOSE_ES256, &set), "jose_jwk_append");
    buffer_append_text(&set, "]}");
    must(jwk_set_parse(buffer_slice(&set), &arena, &keys, &reason), "jwk_set_parse");
    must(jose_jwk_to_der(&keys.keys[0], &der, &value.algorithms, &reason), "jose_jwk_to_der");
    value.der = buffer_slice(&der);
    value.thumbprint = slice_from(keys.keys[0].thumbprint);
    must(key_record_encode(&value, &bench->key_record), "key_record_encode");
    buffer_free(&set);
    buffer_free(&der);
    arena_free(&arena);
}

static void put_key(struct bench *bench, const char *config)
{
    struct store_key name;

    store_key_of(&name, slice_from(config));
    store_key_part(&name, slice_from("k1"));
    store_key_plain(&name, "0");
    must(store_put(bench->config, STORE_KEYS, &name, buffer_slice(&bench->key_record)),
         "store_put");
}

static void names_of(size_t number, char app[NAME_SIZE], char config[NAME_SIZE],
                     char issuer[NAME_SIZE])
{
    snprintf(app, NAME_SIZE, "app-%05zu", number);
    snprintf(config, NAME_SIZE, "config-%05zu", number);
    snprintf(issuer, NAME_SIZE, "https://idp-%05zu.test", number);
}

/* Of somebody else: with none at all, a request would not even look. */
static void put_revocation(struct bench *bench)
{
    struct revocation_record record = {.made = clock_wall_seconds(), .uid = 0};
    struct buffer bytes = {0};
    struct store_key key;

    record.target.values[REVOCATION_JTI] = slice_from("another-token");
    revocation_record_key(&key, &record);
    must(revocation_record_encode(&record, &bytes), "revocation_record_encode");
    put(bench, STORE_REVOCATIONS, &key, &bytes);
}

/* What the watcher would have published. */
static void publish(struct bench *bench, size_t size)
{
    char app[NAME_SIZE], config[NAME_SIZE], issuer[NAME_SIZE];
    uint64_t generation = (uint64_t)clock_wall_milliseconds() + 1000;
    struct buffer record = {0};
    struct store_key key;

    must(store_write_begin(bench->config), "store_write_begin");
    for (size_t i = 0; i < size; i++) {
        names_of(i, app, config, issuer);
        put_app(bench, app);
        put_config(bench, config, issuer);
        put_binding(bench, app, issuer, config);
        put_key(bench, config);
    }
    put_revocation(bench);
    revocation_sequence_key(&key);
    must(revocation_sequence_encode(generation, &record), "revocation_sequence_encode");
    put(bench, STORE_META, &key, &record);
    generation_record_key(&key);
    must(generation_record_encode(generation, &record), "generation_record_encode");
    put(bench, STORE_META, &key, &record);
    must(store_commit(bench->config), "store_commit");
    bench->public.generation = generation;
    bench->public.revocations = generation;
}

static void write_token(const struct bench *bench, size_t number, size_t size, FILE *file)
{
    char app[NAME_SIZE], config[NAME_SIZE], issuer[NAME_SIZE], payload[256];
    struct buffer token = {0}, signature = {0};
    long long now = clock_wall_seconds();

    /* Spread over all there is. */
    names_of(number * size / TOKENS, app, config, issuer);
    snprintf(payload, sizeof(payload),
             "{\"iss\":\"%s\",\"aud\":\"gate\",\"email\":\"user-%02zu@x.test\",\"iat\":%lld,"
             "\"exp\":%lld}",
             issuer, number, now, now + 3600);
    base64url_encode(slice_from("{\"alg\":\"ES256\",\"kid\":\"k1\",\"typ\":\"JWT\"}"), &token);
    buffer_append_text(&token, ".");
    base64url_encode(slice_from(payload), &token);
    must(jose_sign(bench->key, JOSE_ES256, buffer_slice(&token), &signature), "jose_sign");
    buffer_append_text(&token, ".");
    base64url_encode(buffer_slice(&signature), &token);
    fprintf(file, "%s %.*s\n", app, (int)buffer_size(&token), buffer_data(&token));
    buffer_free(&token);
    buffer_free(&signature);
}

static FILE *open_tokens(const struct bench *bench, const char *mode)
{
    char path[128];
    FILE *file;

    path_of(bench, "tokens", path);
    file = fopen(path, mode);
    must(file == NULL, "tokens");
    return file;
}

static void write_tokens(const struct bench *bench, size_t size)
{
    FILE *file = open_tokens(bench, "w");

    fprintf(file, "%" PRIu64 "\n", bench->public.generation);
    for (size_t i = 0; i < TOKENS; i++)
        write_token(bench, i, size, file);
    must(fclose(file), "tokens");
}

static void read_tokens(struct bench *bench)
{
    FILE *file = open_tokens(bench, "r");
    char token[TOKEN_MAX];

    must(fscanf(file, "%" SCNu64, &bench->public.generation) != 1, "tokens");
    bench->public.revocations = bench->public.generation;
    for (size_t i = 0; i < TOKENS; i++) {
        must(fscanf(file, "%31s %1023s", bench->callers[i].app, token) != 2, "tokens");
        buffer_append_text(&bench->callers[i].token, token);
    }
    fclose(file);
}

/* What a token of a provider leaves, as workers write it. */
static void put_session(struct bench *bench, size_t number, size_t size, size_t sessions)
{
    static const char digest[] = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    char app[NAME_SIZE], config[NAME_SIZE], issuer[NAME_SIZE], user[NAME_SIZE];
    long long now = clock_wall_seconds();
    struct session_record session = {.revision = 1,
                                     .audience_count = 1,
                                     .kid = slice_from("k1"),
                                     .key_thumbprint = slice_from(digest),
                                     .algorithm = slice_from("ES256"),
                                     .issued_at = now,
                                     .expires_at = now + 3600,
                                     .expires = now + 3600 + (long long)(number % 1800),
                                     .created = now,
                                     .scope_count = 3,
                                     .claim_count = 1,
                                     .jti = slice_from("0d1f9a52-6f0e-4c0e-9b61-6d6a8d0b1f7c"),
                                     .signing_input = slice_from(digest),
                                     .client_address = slice_from("192.0.2.17")};
    struct session_id id;

    names_of(number % size, app, config, issuer);
    snprintf(user, sizeof(user), "user-%07zu@other.test", number);
    session.app = slice_from(app);
    session.config = slice_from(config);
    session.issuer = slice_from(issuer);
    session.user = session.subject = slice_from(user);
    session.audiences[0] = slice_from("gate");
    session.scopes[0] = slice_from("mcp:tools");
    session.scopes[1] = slice_from("mcp:resources");
    session.scopes[2] = slice_from("openid");
    session.claims[0] = (struct auth_claim){slice_from("email"), slice_from("\"user@other.test\"")};
    /* Spread as digests are, but in order, so that each page is written once. */
    snprintf(id.text, sizeof(id.text), "%s%016" PRIx64 "%s", SESSION_KIND_JWT,
             (uint64_t)number * (UINT64_MAX / sessions), digest + 16);
    must(session_store_put(bench->sessions, &id, &session), "session_store_put");
}

static void put_sessions(struct bench *bench, size_t size, size_t sessions)
{
    for (size_t i = 0; i < sessions; i++) {
        if (i % PUTS == 0)
            must(store_write_begin(bench->sessions), "store_write_begin");
        put_session(bench, i, size, sessions);
        if (i % PUTS == PUTS - 1 || i == sessions - 1)
            must(store_commit(bench->sessions), "store_commit");
    }
}

static void on_done(struct auth_attempt *attempt)
{
    struct caller *caller = attempt->context;

    caller->accepted = attempt->verdict == AUTH_ACCEPTED;
}

/* One turn of the worker with one request. */
static void request(struct bench *bench, struct caller *caller)
{
    struct auth_attempt attempt = {.app = slice_from(caller->app),
                                   .token = buffer_slice(&caller->token),
                                   .client_address = slice_from("127.0.0.1"),
                                   .memo = &caller->memo,
                                   .done = on_done,
                                   .context = caller};
    struct catalog_app *app;
    int error = 0;

    caller->accepted = false;
    store_turn_begin(bench->config);
    store_turn_begin(bench->sessions);
    catalog_turn(bench->catalog, &error);
    app = catalog_app_find(bench->catalog, attempt.app);
    if (app != NULL && authenticate(bench->authenticator, &attempt) == AUTH_ACCEPTED)
        caller->accepted = true;
    catalog_app_release(app);
    error = authenticator_commit(bench->authenticator);
    store_turn_end(bench->config);
    store_turn_end(bench->sessions);
    must(error, "authenticator_commit");
}

static void open_stores(struct bench *bench, const char *directory)
{
    bench->directory = directory;
    bench->config = open_store(bench, STORE_CONFIG);
    bench->sessions = open_store(bench, STORE_SESSIONS);
}

static void close_stores(struct bench *bench)
{
    store_close(bench->config);
    store_close(bench->sessions);
}

static void open_bench(struct bench *bench)
{
    read_tokens(bench);
    bench->child.channel = -1;
    bench->child.settings.session_cache = true;
    bench->child.public = &bench->public;
    bench->child.block = &bench->block;
    must(catalog_open(&bench->catalog, bench->config, &bench->public), "catalog_open");
    must(authenticator_open(&bench->authenticator, bench->sessions, bench->catalog, &bench->child,
                            &bench->audit),
         "authenticator_open");
}

static void close_bench(struct bench *bench)
{
    for (size_t i = 0; i < TOKENS; i++) {
        auth_memo_free(&bench->callers[i].memo);
        buffer_free(&bench->callers[i].token);
    }
    authenticator_close(bench->authenticator);
    catalog_close(bench->catalog);
}

/* What callgrind counts: not inlined, so that it has a name there. How many were accepted. */
__attribute__((noinline)) size_t flat_cost_measured(struct bench *bench, size_t requests);
size_t flat_cost_measured(struct bench *bench, size_t requests)
{
    size_t accepted = 0;

    for (size_t i = 0; i < requests; i++) {
        request(bench, &bench->callers[i % TOKENS]);
        accepted += bench->callers[i % TOKENS].accepted;
    }
    return accepted;
}

/* Whether `requests` requests were all answered from their sessions, and by nothing else. */
static bool run(struct bench *bench, size_t requests)
{
    const _Atomic uint64_t *counters = bench->block.counters;
    uint64_t checks = counters[COUNT_SIGNATURE_CHECKS];
    uint64_t found = counters[COUNT_SESSIONS_FOUND];
    size_t accepted;

    scans = matches = 0;
    accepted = flat_cost_measured(bench, requests);
    found = counters[COUNT_SESSIONS_FOUND] - found;
    checks = counters[COUNT_SIGNATURE_CHECKS] - checks;
    printf("requests %zu accepted %zu found %llu signature_checks %llu label_matches %zu scans "
           "%zu\n",
           requests, accepted, (unsigned long long)found, (unsigned long long)checks, matches,
           scans);
    return accepted == requests && found == requests && checks == 0 && matches == 0 && scans == 0 &&
           counters[COUNT_LABEL_MATCHES] == 0 && counters[COUNT_CONFIG_LISTS] == 0;
}

static int make(struct bench *bench, size_t size, size_t sessions)
{
    make_key_record(bench);
    publish(bench, size);
    put_sessions(bench, size, sessions);
    write_tokens(bench, size);
    jose_key_free(bench->key);
    buffer_free(&bench->key_record);
    return 0;
}

static int ask(struct bench *bench, size_t requests)
{
    bool good;

    open_bench(bench);
    /* Each token is proven once, and found once: then all is decoded that a request needs. */
    for (size_t i = 0; i < 2 * TOKENS; i++)
        request(bench, &bench->callers[i % TOKENS]);
    good = run(bench, requests);
    close_bench(bench);
    return good ? 0 : 1;
}

int main(int argc, char **argv)
{
    static struct bench bench;
    bool making = argc == 5 && strcmp(argv[1], "make") == 0;
    bool asking = argc == 4 && strcmp(argv[1], "ask") == 0;
    size_t number = making || asking ? strtoul(argv[3], NULL, 10) : 0;
    int status;

    if (number == 0) {
        fprintf(stderr, "usage: flat_cost make DIRECTORY SIZE SESSIONS\n"
                        "       flat_cost ask DIRECTORY REQUESTS\n");
        return 64;
    }
    open_stores(&bench, argv[2]);
    status = making ? make(&bench, number, strtoul(argv[4], NULL, 10)) : ask(&bench, number);
    close_stores(&bench);
    return status;
}
