#include "conf/binding.h"

#include "conf/label_index.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static int matches_add(struct binding_matches *matches, struct registry_slot *app,
                       struct registry_slot *config)
{
    if (matches->count == matches->capacity) {
        size_t capacity = matches->capacity == 0 ? 64 : matches->capacity * 2;
        struct binding_match *grown = realloc(matches->items, capacity * sizeof(*grown));

        if (grown == NULL)
            return -ENOMEM;
        matches->items = grown;
        matches->capacity = capacity;
    }
    matches->items[matches->count++] = (struct binding_match){.app = app, .config = config};
    return 0;
}

void binding_matches_free(struct binding_matches *matches)
{
    free(matches->items);
    memset(matches, 0, sizeof(*matches));
}

/* One config held against the candidates of an index. */
struct pairing {
    struct registry_slot *config;
    const struct label_selector *selectors;
    size_t selector_count;
    label_index_version version;
    struct scoreboard_block *block;
    int (*matched)(void *context, struct registry_slot *app, struct registry_slot *config);
    void *context;
};

static int visit_candidate(void *context, struct registry_slot *app)
{
    const struct pairing *pairing = context;
    const struct app_record *record = &pairing->version(app)->app;

    scoreboard_count(pairing->block, COUNT_LABEL_MATCHES);
    if (!label_matches(pairing->selectors, pairing->selector_count, record->labels,
                       record->label_count))
        return 0;
    return pairing->matched(pairing->context, app, pairing->config);
}

static int pair(const struct label_index *index, struct pairing *pairing,
                struct registry_slot *config)
{
    const struct registry_entry *entry = pairing->version(config);

    if (entry == NULL)
        return 0;
    pairing->config = config;
    pairing->selectors = entry->origin.selectors;
    pairing->selector_count = entry->origin.selector_count;
    return label_index_candidates(index, pairing->selectors, pairing->selector_count,
                                  visit_candidate, pairing);
}

static size_t count_changed(const struct registry_list *list)
{
    size_t count = 0;

    for (size_t i = 0; i < list->count; i++)
        count += registry_changed(list->slots[i]);
    return count;
}

static int visit_match(void *context, struct registry_slot *app, struct registry_slot *config)
{
    return matches_add(context, app, config);
}

/* All pairs of the configs whose `registry_changed` is `changed`, and the apps of a version. */
static int match_configs(struct registry *registry, bool changed, label_index_version apps,
                         struct pairing *pairing)
{
    const struct registry_list *configs = &registry->lists[DOCUMENT_AUTH_CONFIG];
    size_t touched = count_changed(configs);
    struct label_index index;
    int status = label_index_make(&index, &registry->lists[DOCUMENT_APP], apps,
                                  changed ? touched : configs->count - touched);

    for (size_t i = 0; i < configs->count && status == 0; i++)
        if (registry_changed(configs->slots[i]) == changed)
            status = pair(&index, pairing, configs->slots[i]);
    label_index_free(&index);
    return status;
}

/* A changed config against all apps, and the other configs against the apps that changed. */
static int match_touched(struct registry *registry, struct scoreboard_block *block,
                         struct binding_matches *matches)
{
    struct pairing pairing = {.version = registry_version_effective,
                              .block = block,
                              .matched = visit_match,
                              .context = matches};
    size_t apps = count_changed(&registry->lists[DOCUMENT_APP]);
    int status = match_configs(registry, true, registry_version_effective, &pairing);

    for (size_t i = 0; i < apps; i++)
        scoreboard_count(block, COUNT_CONFIG_LISTS);
    if (status == 0 && apps > 0)
        status = match_configs(registry, false, registry_version_next, &pairing);
    return status;
}

static struct slice match_issuer(const struct binding_match *match)
{
    return registry_effective(match->config)->config.issuer;
}

static int match_compare(const void *left, const void *right)
{
    const struct binding_match *a = left;
    const struct binding_match *b = right;
    int order;

    if (a->app != b->app)
        return slice_compare(a->app->name, b->app->name);
    order = slice_compare(match_issuer(a), match_issuer(b));
    return order != 0 ? order : slice_compare(a->config->name, b->config->name);
}

/* A candidate may have been visited twice. */
static void matches_sort(struct binding_matches *matches)
{
    size_t kept = 0;

    if (matches->count > 0)
        qsort(matches->items, matches->count, sizeof(*matches->items), match_compare);
    for (size_t i = 0; i < matches->count; i++)
        if (kept == 0 || matches->items[kept - 1].app != matches->items[i].app ||
            matches->items[kept - 1].config != matches->items[i].config)
            matches->items[kept++] = matches->items[i];
    matches->count = kept;
}

static void binding_key(struct slice app, struct slice issuer, struct store_key *key)
{
    store_key_begin(key);
    store_key_part(key, app);
    store_key_digest(key, issuer);
}

/* The config that holds the issuer at an app by what the store says, unless it changes now. */
static int match_standing(struct registry *registry, struct publication *publication,
                          const struct binding_match *match, struct registry_slot **out)
{
    struct binding_record record;
    struct store_key key;
    struct slice value;
    int status;

    *out = NULL;
    binding_key(match->app->name, match_issuer(match), &key);
    status = publication_get(publication, STORE_BINDINGS, &key, &value);
    if (status == -ENOENT || (status == 0 && binding_record_decode(value, &record) < 0))
        return 0;
    if (status < 0)
        return status;
    *out = registry_find(registry, DOCUMENT_AUTH_CONFIG, record.config, false);
    if (*out != NULL && (registry_changed(*out) || *out == match->config))
        *out = NULL;
    return 0;
}

static void clash_refuse(struct registry_slot *refused, struct slice issuer,
                         const struct registry_slot *app, const struct registry_slot *other)
{
    struct place place = registry_place(other);

    registry_refuse(refused,
                    "spec.jwt.issuer: issuer \"%.*s\" on app \"%.*s\" is also the issuer of "
                    "app_auth_config \"%.*s\" at %.*s:%u:%u",
                    (int)issuer.size, issuer.data, (int)app->name.size, app->name.data,
                    (int)other->name.size, other->name.data, (int)place.file.size, place.file.data,
                    place.line, place.column);
}

static void clash_refuse_app(struct registry_slot *app, struct slice issuer,
                             const struct registry_slot *a, const struct registry_slot *b)
{
    struct place first = registry_place(a);
    struct place second = registry_place(b);

    registry_refuse(app,
                    "labels: two app_auth_configs of issuer \"%.*s\" would match: \"%.*s\" at "
                    "%.*s:%u:%u and \"%.*s\" at %.*s:%u:%u",
                    (int)issuer.size, issuer.data, (int)a->name.size, a->name.data,
                    (int)first.file.size, first.file.data, first.line, first.column,
                    (int)b->name.size, b->name.data, (int)second.file.size, second.file.data,
                    second.line, second.column);
}

/* As things stood before any clash of a round was judged. */
struct clash {
    struct registry_slot *app, *config, *other;
    struct slice issuer;
    bool app_changed, config_changed, other_changed;
};

/* The change is refused, not what stood before it. Several clashes may name one slot. */
static void clash_judge(const struct clash *clash, size_t *refused)
{
    if (clash->config_changed)
        clash_refuse(clash->config, clash->issuer, clash->app, clash->other);
    if (clash->other_changed)
        clash_refuse(clash->other, clash->issuer, clash->app, clash->config);
    if (!clash->config_changed && !clash->other_changed && clash->app_changed)
        clash_refuse_app(clash->app, clash->issuer, clash->config, clash->other);
    if (clash->config_changed || clash->other_changed || clash->app_changed)
        *refused += 1;
}

static struct clash clash_of(const struct binding_match *match, struct registry_slot *other)
{
    return (struct clash){.app = match->app,
                          .config = match->config,
                          .other = other,
                          .issuer = match_issuer(match),
                          .app_changed = registry_changed(match->app),
                          .config_changed = registry_changed(match->config),
                          .other_changed = registry_changed(other)};
}

static int clash_add(struct clash **clashes, size_t *count, size_t *capacity, struct clash clash)
{
    if (*count == *capacity) {
        size_t wanted = *capacity == 0 ? 16 : *capacity * 2;
        struct clash *grown = realloc(*clashes, wanted * sizeof(*grown));

        if (grown == NULL)
            return -ENOMEM;
        *clashes = grown;
        *capacity = wanted;
    }
    (*clashes)[(*count)++] = clash;
    return 0;
}

/* All clashes are found before any is judged: a refusal changes what is in force. */
static int clashes_find(struct registry *registry, struct publication *publication,
                        const struct binding_matches *matches, struct clash **clashes,
                        size_t *count)
{
    size_t capacity = 0;
    int status = 0;

    for (size_t i = 0; i < matches->count && status == 0; i++) {
        const struct binding_match *match = &matches->items[i];
        const struct binding_match *before = i > 0 ? match - 1 : NULL;
        struct registry_slot *other = NULL;

        if (before != NULL && before->app == match->app &&
            slice_equal(match_issuer(before), match_issuer(match)))
            other = before->config;
        else if (!registry_changed(match->app))
            status = match_standing(registry, publication, match, &other);
        if (status == 0 && other != NULL)
            status = clash_add(clashes, count, &capacity, clash_of(match, other));
    }
    return status;
}

int binding_judge(struct registry *registry, struct publication *publication,
                  struct scoreboard_block *block, struct binding_matches *matches, size_t *refused)
{
    struct clash *clashes = NULL;
    size_t count = 0;
    int status;

    matches->count = 0;
    status = match_touched(registry, block, matches);
    if (status == 0 && matches->count > 0) {
        matches_sort(matches);
        status = clashes_find(registry, publication, matches, &clashes, &count);
    }
    for (size_t i = 0; i < count && status == 0; i++)
        clash_judge(&clashes[i], refused);
    free(clashes);
    return status;
}

static int binding_put(const struct registry_slot *app, const struct registry_slot *config,
                       struct publication *publication)
{
    const struct registry_entry *entry = registry_effective(config);
    struct binding_record record = {.config = config->name};
    struct buffer bytes = {0};
    struct store_key key;
    int status = binding_record_encode(&record, &bytes);

    binding_key(app->name, entry->config.issuer, &key);
    if (status == 0)
        status = publication_put(publication, STORE_BINDINGS, &key, buffer_slice(&bytes));
    buffer_free(&bytes);
    return status;
}

struct binding_walk {
    struct registry *registry;
    struct publication *publication;
};

static int visit_old(void *context, struct registry_slot *app, struct registry_slot *config)
{
    const struct binding_walk *walk = context;
    struct store_key key;

    binding_key(app->name, config->good->config.issuer, &key);
    return publication_delete(walk->publication, STORE_BINDINGS, &key);
}

/* What is good is free of clashes, so its matches are what the store holds. */
static int delete_of_configs(struct registry *registry, struct publication *publication,
                             struct scoreboard_block *block)
{
    struct binding_walk walk = {.registry = registry, .publication = publication};
    struct pairing pairing = {
        .version = registry_version_good, .block = block, .matched = visit_old, .context = &walk};

    return match_configs(registry, true, registry_version_good, &pairing);
}

static int visit_binding(void *context, struct slice key, struct slice value)
{
    const struct binding_walk *walk = context;
    struct store_key name;

    (void)value;
    if (key.size > STORE_KEY_MAX)
        return -EBADMSG;
    store_key_begin(&name);
    memcpy(name.text, key.data, key.size);
    name.text[key.size] = '\0';
    name.size = key.size;
    return publication_delete(walk->publication, STORE_BINDINGS, &name);
}

/* An app's name is one DNS label, which a key spells as it is. */
static int delete_of_apps(struct registry *registry, struct store *store,
                          struct publication *publication)
{
    const struct registry_list *apps = &registry->lists[DOCUMENT_APP];
    struct binding_walk walk = {.registry = registry, .publication = publication};
    int status = 0;

    for (size_t i = 0; i < apps->count && status == 0; i++) {
        struct store_key prefix;

        if (!registry_changed(apps->slots[i]) || apps->slots[i]->good == NULL)
            continue;
        store_key_of(&prefix, apps->slots[i]->name);
        store_key_plain(&prefix, "");
        status = store_scan(store, STORE_BINDINGS, store_key_slice(&prefix), slice_from(""),
                            visit_binding, &walk);
    }
    return status;
}

static int visit_any(void *context, struct slice key, struct slice value)
{
    const struct binding_walk *walk = context;
    struct slice rest = key;
    struct registry_slot *config = NULL;
    struct registry_slot *app;
    struct binding_record record;

    while (rest.size > 0 && rest.data[rest.size - 1] != '/')
        rest.size--;
    rest.size -= rest.size > 0;
    app = registry_find(walk->registry, DOCUMENT_APP, rest, false);
    if (binding_record_decode(value, &record) == 0)
        config = registry_find(walk->registry, DOCUMENT_AUTH_CONFIG, record.config, false);
    if (app != NULL && config != NULL && registry_effective(app) != NULL &&
        registry_effective(config) != NULL)
        return 0;
    return visit_binding(context, key, value);
}

int binding_write(struct registry *registry, struct store *store, struct publication *publication,
                  const struct binding_matches *matches, struct scoreboard_block *block)
{
    int status = delete_of_configs(registry, publication, block);

    if (status == 0)
        status = delete_of_apps(registry, store, publication);
    for (size_t i = 0; i < matches->count && status == 0; i++)
        status = binding_put(matches->items[i].app, matches->items[i].config, publication);
    return status;
}

int binding_reconcile(struct registry *registry, struct store *store,
                      struct publication *publication)
{
    struct binding_walk walk = {.registry = registry, .publication = publication};

    return store_scan(store, STORE_BINDINGS, slice_from(""), slice_from(""), visit_any, &walk);
}
