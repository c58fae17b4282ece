#include "shared/clock.h"
#include "shared/generation_record.h"
#include "shared/host_record.h"
#include "worker/catalog_parts.h"
#include "worker/key_list.h"

#include <errno.h>
#include <stdlib.h>

enum { CATALOG_APP_NAME_MAX = 256 }; /* bytes; an app's name is a DNS label */

/* A binding with the bytes that its records borrow from. */
struct binding_entry {
    struct catalog_binding binding;
    char bytes[];
};

int catalog_open(struct catalog **out, struct store *config, const struct scoreboard_public *public)
{
    struct catalog *catalog = calloc(1, sizeof(*catalog));

    if (catalog == NULL)
        return -ENOMEM;
    catalog->store = config;
    catalog->public = public;
    catalog->empty = UINT64_MAX;
    *out = catalog;
    return 0;
}

static void catalog_release_app(void *value)
{
    catalog_app_release(value);
}

static void catalog_release_keys(void *value)
{
    key_list_free(value);
}

static void catalog_release_issuers(void *value)
{
    issuer_list_free(value);
}

static void catalog_drop(struct catalog *catalog)
{
    name_table_clear(&catalog->apps, catalog_release_app);
    name_table_clear(&catalog->hosts, catalog_release_app);
    name_table_clear(&catalog->bindings, free);
    name_table_clear(&catalog->keys, catalog_release_keys);
    name_table_clear(&catalog->issuers, catalog_release_issuers);
    policy_cache_clear(&catalog->policies);
    issuer_list_free(catalog->all_issuers);
    catalog->all_issuers = NULL;
}

void catalog_close(struct catalog *catalog)
{
    if (catalog == NULL)
        return;
    catalog_drop(catalog);
    policy_cache_free(&catalog->policies);
    buffer_free(&catalog->scratch);
    free(catalog);
}

int catalog_error(const struct catalog *catalog)
{
    return catalog->fatal != 0 ? catalog->fatal : catalog->error;
}

uint64_t catalog_generation(const struct catalog *catalog)
{
    return catalog->generation;
}

int catalog_failed(struct catalog *catalog, int error)
{
    catalog->error = error;
    if (error == -EUCLEAN || error == -ESTALE)
        catalog->fatal = error;
    return error;
}

/* The generation that the store's snapshot says it is; 0 when nothing was published yet. */
static int catalog_stored_generation(struct catalog *catalog, uint64_t *generation)
{
    struct store_key key;
    struct slice value;
    int error;

    *generation = 0;
    generation_record_key(&key);
    error = store_get(catalog->store, STORE_META, &key, &value);
    if (error == -ENOENT)
        return 0;
    if (error != 0)
        return error;
    /* What cannot be read was not written by our watcher: as good as turned back. */
    return generation_record_decode(value, generation) == 0 ? 0 : -ESTALE;
}

int catalog_compare(struct catalog *catalog)
{
    uint64_t stored;
    int error;

    if (catalog->fatal != 0)
        return catalog->fatal;
    if (catalog->compared)
        return 0;
    error = catalog_stored_generation(catalog, &stored);
    if (error == 0 && stored < catalog->generation) {
        error = store_refresh(catalog->store);
        if (error == 0)
            error = catalog_stored_generation(catalog, &stored);
        if (error == 0 && stored < catalog->generation)
            error = -ESTALE;
    }
    if (error != 0)
        return catalog_failed(catalog, error);
    catalog->compared = true;
    return 0;
}

int catalog_refresh(struct catalog *catalog)
{
    int error = store_refresh(catalog->store);

    catalog->compared = false;
    catalog->revocations = 0;
    return error != 0 ? catalog_failed(catalog, error) : catalog_compare(catalog);
}

bool catalog_turn(struct catalog *catalog, int *error)
{
    uint64_t published = atomic_load_explicit(&catalog->public->generation, memory_order_acquire);
    bool moved = published != catalog->generation;

    catalog->error = 0;
    catalog->compared = false;
    catalog->revocations = 0;
    if (moved) {
        catalog_drop(catalog);
        catalog->generation = published;
        catalog_refresh(catalog);
    }
    *error = catalog->fatal;
    return moved;
}

/* One get; a miss is looked up once more in a renewed snapshot, since this one may be older than
 * the request that asks. */
static int catalog_get(struct catalog *catalog, enum store_database database,
                       const struct store_key *key, struct slice *value)
{
    int error = catalog_compare(catalog);

    if (error != 0)
        return error;
    error = store_get(catalog->store, database, key, value);
    if (error == -ENOENT) {
        error = catalog_refresh(catalog);
        if (error != 0)
            return error;
        error = store_get(catalog->store, database, key, value);
    }
    if (error != 0 && error != -ENOENT)
        catalog_failed(catalog, error);
    return error;
}

static int catalog_app_decode(struct slice value, struct catalog_app **out)
{
    struct catalog_app *app = calloc(1, sizeof(*app));
    int error = -ENOMEM;

    if (app == NULL)
        return -ENOMEM;
    app->holds = 1;
    app->bytes = malloc(value.size + 1);
    if (app->bytes != NULL) {
        memcpy(app->bytes, value.data, value.size);
        error = app_record_decode(slice_make(app->bytes, value.size), &app->record);
    }
    if (error != 0) {
        catalog_app_release(app);
        return error;
    }
    *out = app;
    return 0;
}

static struct catalog_app *catalog_app_load(struct catalog *catalog, struct slice name)
{
    struct catalog_app *app;
    struct store_key key;
    struct slice value;
    int error;

    store_key_of(&key, name);
    if (catalog_get(catalog, STORE_APPS, &key, &value) != 0)
        return NULL;
    error = catalog_app_decode(value, &app);
    if (error != 0) {
        catalog_failed(catalog, error);
        return NULL;
    }
    /* A key that was made by a digest is proven by the record's own name. */
    if (!slice_equal(app->record.name, name)) {
        catalog_app_release(app);
        return NULL;
    }
    error = name_table_put(&catalog->apps, name, app);
    if (error != 0) {
        catalog_failed(catalog, error);
        catalog_app_release(app);
        return NULL;
    }
    return app;
}

static struct catalog_app *catalog_app_hold(struct catalog_app *app)
{
    app->holds++;
    return app;
}

struct catalog_app *catalog_app_find(struct catalog *catalog, struct slice name)
{
    struct catalog_app *app = name_table_find(&catalog->apps, name);

    if (app == NULL)
        app = catalog_app_load(catalog, name);
    return app == NULL ? NULL : catalog_app_hold(app);
}

struct catalog_app *catalog_app_find_host(struct catalog *catalog, struct slice host)
{
    struct catalog_app *app = name_table_find(&catalog->hosts, host);
    char name[CATALOG_APP_NAME_MAX];
    struct store_key key;
    struct slice value, stored;

    if (app != NULL)
        return catalog_app_hold(app);
    store_key_of(&key, host);
    if (catalog_get(catalog, STORE_HOSTS, &key, &value) != 0)
        return NULL;
    if (host_record_decode(value, &stored) != 0 || stored.size > sizeof(name)) {
        catalog_failed(catalog, -EBADMSG);
        return NULL;
    }
    /* The next look-up may renew the snapshot that `stored` is borrowed from. */
    memcpy(name, stored.data, stored.size);
    app = catalog_app_find(catalog, slice_make(name, stored.size));
    if (app != NULL && name_table_put(&catalog->hosts, host, app) == 0)
        catalog_app_hold(app);
    return app;
}

void catalog_app_release(struct catalog_app *app)
{
    if (app == NULL || --app->holds > 0)
        return;
    free(app->bytes);
    free(app);
}

/* A name of two parts that no other two parts share: the first one's size goes before it. */
static struct slice catalog_pair(struct catalog *catalog, struct slice first, struct slice second)
{
    buffer_clear(&catalog->scratch);
    if (buffer_append(&catalog->scratch, &first.size, sizeof(first.size)) != 0 ||
        buffer_append_slice(&catalog->scratch, first) != 0 ||
        buffer_append_slice(&catalog->scratch, second) != 0) {
        catalog_failed(catalog, -ENOMEM);
        return slice_make(NULL, 0);
    }
    return buffer_slice(&catalog->scratch);
}

/* Copies both values behind a new entry and decodes them there. `binding` may be a borrowed read.
 * The audiences' room: the config's bytes hold them, and each takes the app's name once. */
static int catalog_binding_decode(struct slice binding, struct slice config, struct slice app,
                                  struct binding_entry **out)
{
    size_t size = binding.size + config.size;
    struct binding_entry *entry =
        calloc(1, sizeof(*entry) + size + config.size + AUTH_AUDIENCES_MAX * app.size);
    int error;

    if (entry == NULL)
        return -ENOMEM;
    memcpy(entry->bytes, binding.data, binding.size);
    memcpy(entry->bytes + binding.size, config.data, config.size);
    error = binding_record_decode(slice_make(entry->bytes, binding.size), &entry->binding.record);
    if (error == 0)
        error = auth_config_record_decode(slice_make(entry->bytes + binding.size, config.size),
                                          &entry->binding.config);
    if (error == 0 && !slice_equal(entry->binding.record.config, entry->binding.config.name))
        error = -EBADMSG;
    if (error != 0) {
        free(entry);
        return error;
    }
    binding_record_fill(&entry->binding.record, &entry->binding.config, app, entry->bytes + size);
    *out = entry;
    return 0;
}

/* The records of an app's binding to an issuer: two gets in one snapshot. */
static int catalog_binding_read(struct catalog *catalog, struct slice app, struct slice issuer,
                                struct binding_entry **out)
{
    struct binding_record record;
    struct slice binding, config;
    struct store_key key;
    int error;

    store_key_of(&key, app);
    store_key_digest(&key, issuer);
    error = catalog_get(catalog, STORE_BINDINGS, &key, &binding);
    if (error != 0)
        return error;
    error = binding_record_decode(binding, &record);
    if (error != 0)
        return error;
    store_key_of(&key, record.config);
    error = store_get(catalog->store, STORE_APP_AUTH_CONFIGS, &key, &config);
    if (error != 0)
        return error == -ENOENT ? -EBADMSG : error;
    return catalog_binding_decode(binding, config, app, out);
}

const struct catalog_binding *catalog_binding_find(struct catalog *catalog, struct slice app,
                                                   struct slice issuer)
{
    struct slice name = catalog_pair(catalog, app, issuer);
    struct binding_entry *entry;
    int error;

    if (name.size == 0)
        return NULL;
    entry = name_table_find(&catalog->bindings, name);
    if (entry != NULL)
        return &entry->binding;
    error = catalog_binding_read(catalog, app, issuer, &entry);
    if (error != 0) {
        if (error != -ENOENT)
            catalog_failed(catalog, error);
        return NULL;
    }
    /* The key holds only a digest of the issuer; the record says which it is, byte for byte. */
    if (!slice_equal(entry->binding.config.issuer, issuer)) {
        free(entry);
        return NULL;
    }
    error = name_table_put(&catalog->bindings, name, entry);
    if (error != 0) {
        catalog_failed(catalog, error);
        free(entry);
        return NULL;
    }
    return &entry->binding;
}

size_t catalog_keys(struct catalog *catalog, struct slice config, struct slice kid,
                    struct jose_key **keys, struct slice *thumbprints, size_t max)
{
    struct slice name = catalog_pair(catalog, config, kid);
    struct key_list *list = name_table_find(&catalog->keys, name);
    int error = catalog_compare(catalog);

    if (name.size == 0 || error != 0)
        return 0;
    if (list == NULL) {
        error = key_list_read(&list, catalog->store, config, kid);
        if (error == 0 && list == NULL) {
            error = catalog_refresh(catalog);
            if (error == 0)
                error = key_list_read(&list, catalog->store, config, kid);
        }
        if (error == 0 && list != NULL) {
            error = name_table_put(&catalog->keys, name, list);
            if (error != 0)
                key_list_free(list);
        }
        if (error != 0) {
            catalog_failed(catalog, error);
            return 0;
        }
    }
    return list == NULL ? 0 : key_list_current(list, clock_wall_seconds(), keys, thumbprints, max);
}

struct policy_set *catalog_policy(struct catalog *catalog, struct slice app,
                                  const struct session_record *session)
{
    struct policy_caller caller = {
        .app = app, .roles = session->roles, .role_count = session->role_count};
    struct policy_set *set = NULL;
    bool missing = false;
    int error;

    if (caller.role_count == 1 && slice_is(caller.roles[0], POLICY_ROLE_ACCESS))
        return policy_set_open();
    set = policy_cache_find(&catalog->policies, &caller);
    if (set != NULL)
        return set;
    error = catalog_compare(catalog);
    if (error == 0)
        error =
            policy_cache_load(&catalog->policies, catalog->store, &caller, false, &missing, &set);
    if (error == 0 && missing) {
        policy_set_release(set);
        set = NULL;
        error = catalog_refresh(catalog);
        if (error == 0)
            error = policy_cache_load(&catalog->policies, catalog->store, &caller, true, &missing,
                                      &set);
    }
    if (error != 0)
        catalog_failed(catalog, error);
    return set;
}

const struct issuer_list *catalog_issuers(struct catalog *catalog, struct slice app)
{
    struct issuer_list *list;
    int error;

    if (catalog_compare(catalog) != 0)
        return NULL;
    list = name_table_find(&catalog->issuers, app);
    if (list != NULL)
        return list;
    error = issuer_list_read_app(&list, catalog->store, app);
    if (error == 0 && list != NULL) {
        error = name_table_put(&catalog->issuers, app, list);
        if (error != 0)
            issuer_list_free(list);
    } else if (error == 0) {
        if (catalog->all_issuers == NULL)
            error = issuer_list_read_all(&catalog->all_issuers, catalog->store);
        list = catalog->all_issuers;
    }
    if (error != 0)
        catalog_failed(catalog, error);
    return error == 0 ? list : NULL;
}
