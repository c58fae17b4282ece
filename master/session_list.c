#include "master/session_list.h"

#include <errno.h>
#include <stdlib.h>

enum { SESSION_LIST_BATCH = 1000 }; /* sessions a transaction */

struct session_list_scan {
    struct session_list *list;
    char last[STORE_KEY_MAX + 1]; /* the key that was read last, and a NUL: the next possible key */
    size_t last_size;
    size_t batch;
};

static int session_list_copy(struct session_list_entry *entry, struct slice id, struct slice value)
{
    entry->memory = malloc(id.size + value.size);
    if (entry->memory == NULL)
        return -ENOMEM;
    memcpy(entry->memory, id.data, id.size);
    memcpy(entry->memory + id.size, value.data, value.size);
    entry->id = slice_make(entry->memory, id.size);
    entry->value = slice_make(entry->memory + id.size, value.size);
    return 0;
}

/* Puts it before the first entry that is older; the last one gives way when the list is full. */
static int session_list_add(struct session_list *list, int64_t created, struct slice id,
                            struct slice value)
{
    struct session_list_entry entry = {.created = created};
    size_t place = list->count;
    int error;

    while (place > 0 && list->entries[place - 1].created < created)
        place--;
    if (place == list->limit)
        return 0;
    error = session_list_copy(&entry, id, value);
    if (error != 0)
        return error;
    if (list->count == list->limit)
        free(list->entries[--list->count].memory);
    memmove(list->entries + place + 1, list->entries + place,
            (list->count - place) * sizeof(*list->entries));
    list->entries[place] = entry;
    list->count++;
    return 0;
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

    if (key.size > STORE_KEY_MAX)
        return -EUCLEAN;
    memcpy(scan->last, key.data, key.size);
    scan->last[key.size] = '\0';
    scan->last_size = key.size + 1;
    scan->batch++;
    if (session_record_decode(value, &session) != 0) {
        list->damaged++;
    } else if (session_list_fits(list, &session)) {
        int error = session_list_add(list, session.created, key, value);

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
