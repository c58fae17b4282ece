#include "shared/server_board.h"

#include "shared/stdio_app.h"
#include "shared/uri.h"

_Static_assert((int)SERVER_BOARD_APPS >= (int)STDIO_APPS_MAX, "each app has an entry");
_Static_assert(SERVER_BOARD_NAME_WORDS * sizeof(uint64_t) == SERVER_BOARD_NAME_SIZE,
               "a name fills its words");

/* Whatever stands there, NUL-terminated. */
static void board_name(const struct server_board_entry *entry, char out[SERVER_BOARD_NAME_SIZE])
{
    for (size_t i = 0; i < SERVER_BOARD_NAME_WORDS; i++) {
        uint64_t word = atomic_load_explicit(&entry->name[i], memory_order_relaxed);

        memcpy(out + i * sizeof(word), &word, sizeof(word));
    }
    out[SERVER_BOARD_NAME_SIZE - 1] = '\0';
}

static void board_set_name(struct server_board_entry *entry, struct slice app)
{
    char name[SERVER_BOARD_NAME_SIZE] = "";

    memcpy(name, app.data, app.size);
    for (size_t i = 0; i < SERVER_BOARD_NAME_WORDS; i++) {
        uint64_t word;

        memcpy(&word, name + i * sizeof(word), sizeof(word));
        atomic_store_explicit(&entry->name[i], word, memory_order_relaxed);
    }
}

struct server_board_entry *server_board_take(struct server_board *board, struct slice app)
{
    struct server_board_entry *vacant = NULL;
    char name[SERVER_BOARD_NAME_SIZE];

    if (app.size == 0 || app.size >= SERVER_BOARD_NAME_SIZE)
        return NULL;
    for (size_t i = 0; i < SERVER_BOARD_APPS; i++) {
        struct server_board_entry *entry = &board->entries[i];

        board_name(entry, name);
        if (slice_is(app, name))
            return entry;
        if (vacant == NULL && name[0] == '\0')
            vacant = entry;
    }
    if (vacant != NULL)
        board_set_name(vacant, app);
    return vacant;
}

void server_board_drop(struct server_board_entry *entry)
{
    if (entry == NULL)
        return;
    for (size_t i = 0; i < SERVER_BOARD_NAME_WORDS; i++)
        atomic_store_explicit(&entry->name[i], 0, memory_order_relaxed);
    atomic_store_explicit(&entry->servers, 0, memory_order_relaxed);
    atomic_store_explicit(&entry->starts, 0, memory_order_relaxed);
    atomic_store_explicit(&entry->deaths, 0, memory_order_relaxed);
    atomic_store_explicit(&entry->failures, 0, memory_order_relaxed);
}

void server_board_begin(struct server_board *board)
{
    for (size_t i = 0; i < SERVER_BOARD_APPS; i++)
        atomic_store_explicit(&board->entries[i].servers, 0, memory_order_relaxed);
}

bool server_board_name(const struct server_board_entry *entry, char out[SERVER_BOARD_NAME_SIZE])
{
    board_name(entry, out);
    return uri_is_dns_label(slice_from(out));
}
