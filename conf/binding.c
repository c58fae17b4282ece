#include "conf/binding.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define APP_RESOURCE "{{app.resource}}"
#define APP_PATH "/mcp/apps/"

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

static int match_pair(struct registry_slot *app, struct registry_slot *config,
                      struct scoreboard_block *block, struct binding_matches *matches)
{
    const struct registry_entry *a = registry_effective(app);
    const struct registry_entry *c = registry_effective(config);

    if (a == NULL || c == NULL)
        return 0;
    scoreboard_count(block, COUNT_LABEL_MATCHES);
    if (!label_matches(c->origin.selectors, c->origin.selector_count, a->app.labels,
                       a->app.label_count))
        return 0;
    return matches_add(matches, app, config);
}

/* A changed app against all configs, and a changed config against the apps that did not change. */
static int match_touched(struct registry *registry, struct scoreboard_block *block,
                         struct binding_matches *matches)
{
    const struct registry_list *apps = &registry->lists[DOCUMENT_APP];
    const struct registry_list *configs = &registry->lists[DOCUMENT_AUTH_CONFIG];
    int status = 0;

    for (size_t i = 0; i < apps->count; i++) {
        if (!registry_changed(apps->slots[i]))
            continue;
        scoreboard_count(block, COUNT_CONFIG_LISTS);
        for (size_t j = 0; j < configs->count && status == 0; j++)
            status = match_pair(apps->slots[i], configs->slots[j], block, matches);
    }
    for (size_t j = 0; j < configs->count; j++) {
        if (!registry_changed(configs->slots[j]))
            continue;
        for (size_t i = 0; i < apps->count && status == 0; i++)
            if (!registry_changed(apps->slots[i]))
                status = match_pair(apps->slots[i], configs->slots[j], block, matches);
    }
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
        qsort(matches->items, matches->count, sizeof(*matches->items), match_compare);
        status = clashes_find(registry, publication, matches, &clashes, &count);
    }
    for (size_t i = 0; i < count && status == 0; i++)
        clash_judge(&clashes[i], refused);
    free(clashes);
    return status;
}

/* A template with every {{app.resource}} filled in; the arena's. */
static struct slice audience_fill(struct slice template, struct slice app, struct slice public_addr,
                                  struct arena *arena)
{
    struct slice mark = slice_from(APP_RESOURCE);
    struct buffer text = {0};
    struct slice filled = {0};
    int status = 0;

    while (template.size > 0 && status == 0) {
        if (slice_has_prefix(template, mark)) {
            status = buffer_append_slice(&text, public_addr);
            if (status == 0)
                status = buffer_append_text(&text, APP_PATH);
            if (status == 0)
                status = buffer_append_slice(&text, app);
            template = slice_skip(template, mark.size);
        } else {
            status = buffer_append(&text, template.data, 1);
            template = slice_skip(template, 1);
        }
    }
    if (status == 0)
        filled = arena_copy(arena, buffer_slice(&text));
    buffer_free(&text);
    return filled;
}

static int binding_put(const struct registry_slot *app, const struct registry_slot *config,
                       struct publication *publication, struct slice public_addr)
{
    const struct registry_entry *entry = registry_effective(config);
    struct binding_record record = {.config = config->name};
    struct buffer bytes = {0};
    struct arena arena = {0};
    struct store_key key;
    int status = 0;

    for (size_t i = 0; i < entry->origin.audience_count && status == 0; i++) {
        struct slice audience =
            audience_fill(entry->origin.audiences[i], app->name, public_addr, &arena);

        if (audience.data == NULL)
            status = -ENOMEM;
        record.audiences[record.audience_count++] = audience;
    }
    if (status == 0)
        status = binding_record_encode(&record, &bytes);
    binding_key(app->name, entry->config.issuer, &key);
    if (status == 0)
        status = publication_put(publication, STORE_BINDINGS, &key, buffer_slice(&bytes));
    buffer_free(&bytes);
    arena_free(&arena);
    return status;
}

struct binding_walk {
    struct registry *registry;
    struct publication *publication;
    struct slice public_addr;
    bool refill;
};

/* An app's name is one DNS label, which a key spells as it is. */
static struct slice app_of_key(struct slice key)
{
    const char *end = key.size == 0 ? NULL : memchr(key.data, '/', key.size);

    return slice_make(key.data, end == NULL ? 0 : (size_t)(end - key.data));
}

static int visit_binding(void *context, struct slice key, struct slice value)
{
    const struct binding_walk *walk = context;
    struct registry_slot *app = registry_find(walk->registry, DOCUMENT_APP, app_of_key(key), false);
    struct registry_slot *config = NULL;
    struct binding_record record;
    struct store_key name;

    if (binding_record_decode(value, &record) == 0)
        config = registry_find(walk->registry, DOCUMENT_AUTH_CONFIG, record.config, false);
    if (app == NULL || config == NULL || registry_effective(app) == NULL ||
        registry_effective(config) == NULL || registry_changed(app) || registry_changed(config)) {
        if (key.size > STORE_KEY_MAX)
            return -EBADMSG;
        store_key_begin(&name);
        memcpy(name.text, key.data, key.size);
        name.text[key.size] = '\0';
        name.size = key.size;
        return publication_delete(walk->publication, STORE_BINDINGS, &name);
    }
    return walk->refill ? binding_put(app, config, walk->publication, walk->public_addr) : 0;
}

static bool registry_any_changed(const struct registry *registry)
{
    for (size_t kind = DOCUMENT_APP; kind <= DOCUMENT_AUTH_CONFIG; kind++)
        for (size_t i = 0; i < registry->lists[kind].count; i++)
            if (registry_changed(registry->lists[kind].slots[i]))
                return true;
    return false;
}

int binding_write(struct registry *registry, struct store *store, struct publication *publication,
                  const struct binding_matches *matches, struct slice public_addr, bool refill)
{
    struct binding_walk walk = {.registry = registry,
                                .publication = publication,
                                .public_addr = public_addr,
                                .refill = refill};
    int status = 0;

    if (refill || registry_any_changed(registry))
        status =
            store_scan(store, STORE_BINDINGS, slice_from(""), slice_from(""), visit_binding, &walk);
    for (size_t i = 0; i < matches->count && status == 0; i++)
        status =
            binding_put(matches->items[i].app, matches->items[i].config, publication, public_addr);
    return status;
}
