#include "conf/role_match.h"

#include "conf/label_index.h"

#include <errno.h>

/* What is done for each matching pair. */
struct walk {
    struct publication *publication;
    struct scoreboard_block *block;
    label_index_version version; /* of apps and roles */
    bool erase;                  /* the match goes; else it is made */
    /* The pair that is looked at. */
    const struct registry_slot *role;
    const struct label_selector *selectors;
    size_t selector_count;
    bool deny;
};

static int match_add(const struct walk *walk, struct slice app)
{
    struct policy_match match = {0};
    struct buffer bytes = {0};
    struct store_key key;
    struct slice value;
    int status;

    policy_match_key(&key, app, walk->role->name);
    status = publication_get(walk->publication, STORE_POLICIES, &key, &value);
    if (status == 0 && policy_match_decode(value, &match) < 0)
        match = (struct policy_match){0};
    if (status < 0 && status != -ENOENT)
        return status;
    match.allow = match.allow || !walk->deny;
    match.deny = match.deny || walk->deny;
    status = policy_match_encode(match, &bytes);
    if (status == 0)
        status = publication_put(walk->publication, STORE_POLICIES, &key, buffer_slice(&bytes));
    buffer_free(&bytes);
    return status;
}

static int visit_app(void *context, struct registry_slot *app)
{
    const struct walk *walk = context;
    const struct app_record *record = &walk->version(app)->app;
    struct store_key key;

    scoreboard_count(walk->block, COUNT_LABEL_MATCHES);
    if (!label_matches(walk->selectors, walk->selector_count, record->labels, record->label_count))
        return 0;
    if (!walk->erase)
        return match_add(walk, app->name);
    policy_match_key(&key, app->name, walk->role->name);
    return publication_delete(walk->publication, STORE_POLICIES, &key);
}

static int walk_role(const struct label_index *index, struct walk *walk,
                     const struct registry_slot *role)
{
    const struct registry_entry *entry = walk->erase ? role->good : registry_effective(role);
    int status = 0;

    walk->role = role;
    for (int deny = 0; entry != NULL && deny < 2 && status == 0; deny++) {
        if (!entry->role.has[deny])
            continue;
        walk->deny = deny;
        walk->selectors = role_side_selectors(&entry->role.records[deny], &walk->selector_count);
        status =
            label_index_candidates(index, walk->selectors, walk->selector_count, visit_app, walk);
    }
    return status;
}

/* A role that chooses the same apps as before keeps its matches. */
static bool role_touched(const struct registry_slot *role)
{
    if (!registry_changed(role))
        return false;
    return role->good == NULL || role->change == REGISTRY_REMOVED ||
           !role_sides_choose_alike(&role->good->role, &role->next->role);
}

/* All roles whose role_touched is `touched`, against the apps of the walk's version. */
static int walk_roles(struct registry *registry, bool touched, struct walk *walk)
{
    const struct registry_list *roles = &registry->lists[DOCUMENT_ROLE];
    struct label_index index;
    size_t count = 0;
    int status;

    for (size_t i = 0; i < roles->count; i++)
        count += role_touched(roles->slots[i]) == touched;
    /* A role has two sides to be looked up. */
    status = label_index_make(&index, &registry->lists[DOCUMENT_APP], walk->version, 2 * count);
    for (size_t i = 0; i < roles->count && status == 0; i++)
        if (role_touched(roles->slots[i]) == touched)
            status = walk_role(&index, walk, roles->slots[i]);
    label_index_free(&index);
    return status;
}

struct erasure {
    struct registry *registry;
    struct publication *publication;
};

static int erase_key(struct publication *publication, struct slice text)
{
    struct store_key key;

    if (store_key_take(&key, text) != 0)
        return -EBADMSG;
    return publication_delete(publication, STORE_POLICIES, &key);
}

static int visit_match(void *context, struct slice key, struct slice value)
{
    const struct erasure *erasure = context;

    (void)value;
    return erase_key(erasure->publication, key);
}

static size_t changed_apps(const struct registry *registry)
{
    const struct registry_list *apps = &registry->lists[DOCUMENT_APP];
    size_t count = 0;

    for (size_t i = 0; i < apps->count; i++)
        count += registry_changed(apps->slots[i]);
    return count;
}

static int erase_of_apps(struct registry *registry, struct store *store,
                         struct publication *publication)
{
    const struct registry_list *apps = &registry->lists[DOCUMENT_APP];
    struct erasure erasure = {.registry = registry, .publication = publication};
    int status = 0;

    for (size_t i = 0; i < apps->count && status == 0; i++) {
        struct store_key prefix;

        if (!registry_changed(apps->slots[i]) || apps->slots[i]->good == NULL)
            continue;
        policy_match_key(&prefix, apps->slots[i]->name, slice_from(""));
        status = store_scan(store, STORE_POLICIES, store_key_slice(&prefix), slice_from(""),
                            visit_match, &erasure);
    }
    return status;
}

int role_match_write(struct registry *registry, struct store *store,
                     struct publication *publication, struct scoreboard_block *block)
{
    struct walk erase = {.publication = publication,
                         .block = block,
                         .version = registry_version_good,
                         .erase = true};
    struct walk make = {
        .publication = publication, .block = block, .version = registry_version_effective};
    size_t apps = changed_apps(registry);
    int status = walk_roles(registry, true, &erase);

    if (status == 0 && apps > 0)
        status = erase_of_apps(registry, store, publication);
    if (status == 0)
        status = walk_roles(registry, true, &make);
    make.version = registry_version_next;
    if (status == 0 && apps > 0)
        status = walk_roles(registry, false, &make);
    return status;
}

static bool in_force(struct registry *registry, enum document_kind kind, struct slice name)
{
    const struct registry_slot *slot = registry_find(registry, kind, name, false);

    return slot != NULL && registry_effective(slot) != NULL;
}

/* "app/" app "/" role, and "role/" role "/" side. Names are spelled as they are. */
static int visit_any(void *context, struct slice key, struct slice value)
{
    const struct erasure *erasure = context;
    const char *first = memchr(key.data, '/', key.size);
    const char *second;
    struct slice rest, name;
    bool keep = false;

    (void)value;
    if (first != NULL) {
        rest = slice_skip(key, (size_t)(first - key.data) + 1);
        second = rest.size == 0 ? NULL : memchr(rest.data, '/', rest.size);
        if (second != NULL) {
            name = slice_make(rest.data, (size_t)(second - rest.data));
            rest = slice_skip(rest, name.size + 1);
            if (slice_has_prefix(key, slice_from("app/")))
                keep = in_force(erasure->registry, DOCUMENT_APP, name) &&
                       in_force(erasure->registry, DOCUMENT_ROLE, rest);
            else
                keep = in_force(erasure->registry, DOCUMENT_ROLE, name);
        }
    }
    return keep ? 0 : erase_key(erasure->publication, key);
}

int role_match_reconcile(struct registry *registry, struct store *store,
                         struct publication *publication)
{
    struct erasure erasure = {.registry = registry, .publication = publication};

    return store_scan(store, STORE_POLICIES, slice_from(""), slice_from(""), visit_any, &erasure);
}
