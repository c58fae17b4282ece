/* worker.h: one worker process: what its parts share, and nothing of what they do.
 *
 * Made by worker.c before READY; lives until the process ends. Parts (listener, client, exchange,
 * upstream) get it from whoever made them.
 */
#ifndef GATEHOUSE_WORKER_WORKER_H
#define GATEHOUSE_WORKER_WORKER_H

#include "shared/child.h"
#include "shared/store.h"
#include "worker/audit.h"
#include "worker/authenticate.h"
#include "worker/catalog.h"
#include "worker/http_head.h"
#include "worker/mcp_session.h"
#include "worker/tls_trust.h"
#include "worker/tool_table.h"
#include "worker/write_queue.h"

#include <ev.h>
#include <sys/un.h>

enum {
    WORKER_SCRATCH = 64 * 1024, /* bytes read from a socket at once */
    WORKER_REOPENINGS = 256,    /* buckets: a lost server may have had thousands of sessions */
    WORKER_SPARE_INPUTS = 64,   /* 1 MiB at most, of which few pages are ever touched */
};

struct client;
struct endpoint_memory;
struct reopening;
struct upstream_pool;

/* First member of objects that callbacks may still hold when they end: their memory is freed at the
 * end of the turn. */
struct remains {
    struct remains *next;
};

struct worker {
    struct ev_loop *loop;
    struct child child;     /* settings, scoreboard, channel */
    struct store *config;   /* read-only */
    struct store *sessions; /* written */
    struct catalog *catalog;
    struct authenticator *authenticator;
    struct mcp_sessions mcp_sessions; /* what this turn writes of them */
    struct tool_table *tools;         /* that are known to repeat arguments in headers */
    struct audit audit;
    struct line_bucket refusals; /* of the log: refusal_log.h */
    struct tls_trust *trust;
    struct upstream_pool *upstreams;
    struct endpoint_memory *endpoints;               /* what was seen of them */
    struct reopening *reopenings[WORKER_REOPENINGS]; /* by session; reopening.c's */
    struct sockaddr_un bridge;                       /* where the bridge listens */
    struct client *clients;                          /* all, newest first */
    uint64_t connection_count;                       /* since the process began */
    size_t client_count;                             /* of `clients` */
    size_t client_peak;                              /* most of them since memory was given back */
    size_t admin_count;                              /* of them, on the admin listener */
    size_t exchange_count, stream_count;             /* of the others */
    uint64_t body_bytes;                             /* of all request bodies that are held */
    bool draining;
    struct remains *remains;   /* freed at the turn's end */
    struct write_queue writes; /* of this turn */
    /* Empty; the memory that the next clients read into: client.c. As many as a turn reads
     * requests under load, before it writes the first. */
    struct buffer spare_inputs[WORKER_SPARE_INPUTS];
    size_t spare_input_count;
    /* Lent for the length of one callback: a parsed head is copied out before it returns. */
    struct http_request request;
    struct http_response response;
    char scratch[WORKER_SCRATCH];
};

/* The object (which begins with struct remains, from malloc) is freed at the turn's end. */
void worker_bury(struct worker *worker, struct remains *remains);
/* Ends the loop, and with it the process. */
void worker_stop(struct worker *worker, int status);
/* A client is gone: while draining, the last one ends the process. */
void worker_client_gone(struct worker *worker);
/* Writes the gauges of this worker's block. */
void worker_gauges(struct worker *worker);

static inline void worker_count(struct worker *worker, enum scoreboard_counter counter)
{
    scoreboard_count(worker->child.block, counter);
}

static inline const struct settings_limits *worker_limits(const struct worker *worker)
{
    return &worker->child.settings.limits;
}

#endif
