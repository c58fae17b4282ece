/* scoreboard.h: what processes see of each other without asking: two size-sealed memfds.
 *
 * Public: written by the watcher only, read by all. Work: one block a process; master hands blocks
 * out and folds a dead process's block into the totals. Mapped after exec from inherited
 * descriptors; the public one is inherited read-only by all but the watcher.
 * Holds numbers only: nothing here is trusted for access but as "something changed, look".
 */
#ifndef GATEHOUSE_SHARED_SCOREBOARD_H
#define GATEHOUSE_SHARED_SCOREBOARD_H

#include "shared/health_board.h"
#include "shared/server_board.h"

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

enum { SCOREBOARD_BLOCKS = 192 };

/* The names of the memfds, as /proc/PID/fd shows them. */
#define SCOREBOARD_PUBLIC_NAME "gatehouse-public"
#define SCOREBOARD_WORK_NAME "gatehouse-work"

struct scoreboard_public {
    _Atomic uint64_t generation;  /* of the last committed config transaction: meta.generation */
    _Atomic uint64_t revocations; /* of the last committed change of revocations: meta.revocations;
                                     0: the watcher has not said yet */
    struct health_board health;
};

/* Counters only rise. Names in /metrics and `gatehouse status` follow from scoreboard_counters. */
enum scoreboard_counter {
    COUNT_CONNECTIONS, /* client connections accepted */
    COUNT_REQUESTS,    /* request heads read */
    COUNT_RESPONSES_2XX,
    COUNT_RESPONSES_4XX,
    COUNT_RESPONSES_5XX,
    COUNT_SESSIONS_CREATED,
    COUNT_SESSIONS_FOUND,   /* requests that a stored session answered */
    COUNT_SIGNATURE_CHECKS, /* public-key operations on tokens */
    COUNT_LABEL_MATCHES,    /* selector evaluations: only ever rises in the watcher */
    COUNT_CONFIG_LISTS,     /* scans over configs: only ever rises in the watcher */
    COUNT_TOKEN_REFUSED_MISSING,
    COUNT_TOKEN_REFUSED_MALFORMED,
    COUNT_TOKEN_REFUSED_EXPIRED,
    COUNT_TOKEN_REFUSED_AUDIENCE,
    COUNT_TOKEN_REFUSED_ISSUER,
    COUNT_TOKEN_REFUSED_SIGNATURE,
    COUNT_TOKEN_REFUSED_KID,
    COUNT_TOKEN_REFUSED_ALG,
    COUNT_TOKEN_REFUSED_CLAIM,
    COUNT_TOKEN_REFUSED_AGE,
    COUNT_TOKEN_REFUSED_REVOKED, /* also locked */
    COUNT_TOKEN_UNAVAILABLE,     /* 503 for want of keys */
    COUNT_POLICY_REFUSED,        /* requests that the caller's roles do not permit */
    COUNT_UPSTREAM_CONNECTS,
    COUNT_UPSTREAM_REUSED,
    COUNT_UPSTREAM_FAILED,
    COUNT_MCP_SESSIONS_REINITIALIZED, /* opened anew at another server, or at the same */
    COUNT_MCP_SESSIONS_REINITIALIZE_FAILED,
    COUNT_HEALTH_PROBES,      /* of endpoints, by the watcher */
    COUNT_HEALTH_TRANSITIONS, /* endpoints that were found dead, or alive again */
    COUNT_STORE_FULL,
    COUNT_KEY_FETCHES,
    COUNT_KEY_FETCHES_FAILED,
    COUNT_PUBLISHED, /* config transactions committed */
    COUNT_DOCUMENTS_REFUSED,
    COUNT_SESSIONS_EXPIRED,
    COUNT_AUDIT_LINES,      /* written */
    COUNT_AUDIT_LOST,       /* lines that found no place while they could not be written */
    COUNT_AUDIT_FAILURES,   /* writes of the audit trail that failed */
    COUNT_LOG_LOST,         /* lines of the log that nobody took */
    COUNT_PROCESSES_KILLED, /* by the watchdog */
    COUNT_RESPAWNS,
    COUNTERS
};

/* Gauges are set, and vanish with their process. */
enum scoreboard_gauge {
    GAUGE_CONNECTIONS, /* open client connections */
    GAUGE_EXCHANGES,   /* requests in progress */
    GAUGE_STREAMS,     /* open SSE responses */
    GAUGE_BODY_BYTES,  /* request bodies held */
    GAUGE_ENDPOINTS_PROBED,
    GAUGE_ENDPOINTS_DEAD,  /* of them */
    GAUGE_AUDIT_FAILING,   /* 1: this worker cannot write the audit trail */
    GAUGE_BRIDGE_SESSIONS, /* that the bridge holds */
    GAUGE_BRIDGE_LINES,    /* that wait for stdio servers to read them */
    GAUGE_BRIDGE_BYTES,    /* of messages that are kept to be sent, or sent again, to clients */
    GAUGES
};

struct scoreboard_block {
    _Atomic int32_t pid;  /* 0: free */
    _Atomic int32_t role; /* enum child_role */
    _Atomic int32_t slot;
    _Atomic int32_t ready;
    _Atomic int64_t heartbeat; /* clock_monotonic_milliseconds */
    _Atomic uint64_t counters[COUNTERS];
    _Atomic uint64_t gauges[GAUGES];
} __attribute__((aligned(64)));

struct scoreboard_work {
    struct scoreboard_block totals; /* of processes that ended, and master's own */
    struct scoreboard_block blocks[SCOREBOARD_BLOCKS];
    struct server_board servers; /* the bridge's */
};

/* Master: two sealed memfds. The public one's mode keeps all but `public_owner` from writing. */
int scoreboard_create(uid_t public_owner, int *public_fd, int *work_fd);
/* The descriptor's other, read-only form, for the children that only read. -errno. */
int scoreboard_reopen_read_only(int public_fd);

/* *out lives until the process ends. 0 or -errno; the size is checked. */
int scoreboard_map_public(int fd, int writable, struct scoreboard_public **out);
int scoreboard_map_work(int fd, struct scoreboard_work **out);
/* For a process that is none of the service's, and only looks. */
int scoreboard_map_work_read_only(int fd, const struct scoreboard_work **out);

/* Names for metrics: "requests_total", ... ; NULL past the end. */
const char *scoreboard_counter_name(enum scoreboard_counter counter);
const char *scoreboard_gauge_name(enum scoreboard_gauge gauge);
/* Over the totals and every live block. */
uint64_t scoreboard_sum(const struct scoreboard_work *work, enum scoreboard_counter counter);
uint64_t scoreboard_gauge_sum(const struct scoreboard_work *work, enum scoreboard_gauge gauge);

static inline void scoreboard_count_to(struct scoreboard_block *block,
                                       enum scoreboard_counter counter, uint64_t value)
{
    atomic_store_explicit(&block->counters[counter], value, memory_order_relaxed);
}

/* Only the owner of a block writes it, so a plain load and store is enough. */
static inline void scoreboard_count(struct scoreboard_block *block, enum scoreboard_counter counter)
{
    uint64_t now = atomic_load_explicit(&block->counters[counter], memory_order_relaxed);

    atomic_store_explicit(&block->counters[counter], now + 1, memory_order_relaxed);
}

static inline void scoreboard_set(struct scoreboard_block *block, enum scoreboard_gauge gauge,
                                  uint64_t value)
{
    atomic_store_explicit(&block->gauges[gauge], value, memory_order_relaxed);
}

#endif
