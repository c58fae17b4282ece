#include "master/session_list.h"

#include "shared/session_store.h"

#include <errno.h>
#include <stdlib.h>

enum { SESSION_LIST_BATCH = 1000 }; /* sessions a transaction */

struct session_list_scan {
    struct session_list *list;
    char last[STORE_KEY_MAX + 1]; /* the key that was read last, and a NUL: the next possible key */
    size_t last_size;
    size_t batch;
};

static int session_list_copy(struct session_list_entry *entry, const struct session_id *id,
                             struct slice value)
{
    entry->memory = malloc(SESSION_ID_SIZE + value.size);
    if (entry->memory == NULL)
        return -ENOMEM;
    memcpy(entry->memory, id->text, SESSION_ID_SIZE);
    memcpy(entry->memory + SESSION_ID_SIZE, value.data, value.size);
    entry->id = slice_make(entry->memory, SESSION_ID_SIZE);
    entry->value = slice_make(entry->memory + SESSION_ID_SIZE, value.size);
    return 0;
}

static void session_list_swap(struct session_list_entry *one, struct session_list_entry *other)
{
    struct session_list_entry entry = *one;

    *one = *other;
    *other = entry;
}

/* While they are read, entries are a heap whose first is the oldest: most sessions come in the
 * order of their making, so that each gives the place of an older one away. */
static void session_list_rise(struct session_list *list, size_t place)
{
    struct session_list_entry *entries = list->entries;

    for (size_t above; place > 0; place = above) {
        above = (place - 1) / 2;
        if (entries[above].created <= entries[place].created)
            return;
        session_list_swap(&entries[above], &entries[place]);
    }
}

static void session_list_sink(struct session_list *list)
{
    struct session_list_entry *entries = list->entries;

    for (size_t place = 0, below; (below = 2 * place + 1) < list->count; place = below) {
        if (below + 1 < list->count && entries[below + 1].created < entries[below].created)
            below++;
        if (entries[place].created <= entries[below].created)
            return;
        session_list_swap(&entries[place], &entries[below]);
    }
}

/* The oldest gives way when the list is full. */
static int session_list_add(struct session_list *list, int64_t created, const struct session_id *id,
                            struct slice value)
{
    struct session_list_entry entry = {.created = created};
    bool full = list->count == list->limit;
    int error;

    if (full && list->entries[0].created >= created)
        return 0;
    error = session_list_copy(&entry, id, value);
    if (error != 0)
        return error;
    if (full) {
        free(list->entries[0].memory);
        list->entries[0] = entry;
        session_list_sink(list);
    } else {
        list->entries[list->count] = entry;
        session_list_rise(list, list->count++);
    }
    return 0;
}

static int session_list_compare(const void *one, const void *other)
{
    const struct session_list_entry *first = one, *second = other;

    if (first->created != second->created)
        return first->created > second->created ? -1 : 1;
    return slice_compare(first->id, second->id);
}

static bool session_list_fits(const struct session_list *list, const struct session_record *session)
{
    return session->expires > list->now &&
           (list->user == NULL || slice_is(session->user, list->user)) &&
           (list->app == NULL || slice_is(session->app, list->app));
}

static int session_list_visit(void *context, struct slice key, struct slice value)
{
    struct session_list_scan *scan = context;
    struct session_list *list = scan->list;
    struct session_record session;
    struct session_id id;

    if (key.size > STORE_KEY_MAX)
        return -EUCLEAN;
    memcpy(scan->last, key.data, key.size);
    scan->last[key.size] = '\0';
    scan->last_size = key.size + 1;
    scan->batch++;
    if (!session_store_key_id(key, &id) || session_record_decode(value, &session) != 0) {
        list->damaged++;
    } else if (session_list_fits(list, &session)) {
        int error = session_list_add(list, session.created, &id, value);

        if (error != 0)
            return error;
        list->matched++;
    }
    return scan->batch == SESSION_LIST_BATCH ? 1 : 0;
}

int session_list_read(struct session_list *list, struct store *store)
{
    struct session_list_scan scan = {.list = list};
    int result = 1;

    list->entries = calloc(list->limit, sizeof(*list->entries));
    if (list->entries == NULL)
        return -ENOMEM;
    while (result == 1) {
        scan.batch = 0;
        store_turn_begin(store);
        result = store_scan(store, STORE_SESSION, slice_from(""),
                            slice_make(scan.last, scan.last_size), session_list_visit, &scan);
        store_turn_end(store);
    }
    qsort(list->entries, list->count, sizeof(*list->entries), session_list_compare);
    return result;
}

void session_list_free(struct session_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->entries[i].memory);
    free(list->entries);
    list->entries = NULL;
    list->count = 0;
}
