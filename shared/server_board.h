/* server_board.h: what became of the stdio servers of each app, for /metrics.
 *
 * A part of the work scoreboard, written by the bridge alone, read by workers. It belongs to no
 * process: a bridge that comes after another counts on in the same entries, and says at first that
 * nothing runs. Names are read with atomic loads, and believed only when they are an app's.
 */
#ifndef GATEHOUSE_SHARED_SERVER_BOARD_H
#define GATEHOUSE_SHARED_SERVER_BOARD_H

#include "shared/buffer.h"

#include <stdatomic.h>
#include <stdint.h>

enum {
    SERVER_BOARD_APPS = 256,     /* as many as there may be: STDIO_APPS_MAX */
    SERVER_BOARD_NAME_SIZE = 64, /* bytes: a DNS label and its NUL */
    SERVER_BOARD_NAME_WORDS = 8, /* of 8 bytes each */
};

struct server_board_entry {
    _Atomic uint64_t name[SERVER_BOARD_NAME_WORDS]; /* name[0] 0: free */
    _Atomic uint64_t servers;                       /* that run, or start, or end */
    _Atomic uint64_t starts;                        /* that were asked for */
    _Atomic uint64_t deaths;                        /* that ended by themselves */
    _Atomic uint64_t failures; /* that did not start, or died before they had answered */
} __attribute__((aligned(64)));

struct server_board {
    struct server_board_entry entries[SERVER_BOARD_APPS];
};

/* The entry of that app, an old one or a free one; NULL: there is none, or the name is too long. */
struct server_board_entry *server_board_take(struct server_board *board, struct slice app);
/* The app is gone: its numbers vanish. NULL is ignored. */
void server_board_drop(struct server_board_entry *entry);
/* Nothing runs: a new bridge begins. */
void server_board_begin(struct server_board *board);
/* false: it is free, or holds what is no app's name. */
bool server_board_name(const struct server_board_entry *entry, char out[SERVER_BOARD_NAME_SIZE]);

/* One more, of one writer. */
static inline void server_board_count(_Atomic uint64_t *number)
{
    atomic_store_explicit(number, atomic_load_explicit(number, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

#endif
