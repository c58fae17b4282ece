/* upstream.h: connections to apps' servers: opened, pooled while idle, watched for their end.
 *
 * A worker's own pool. An exchange takes one, writes its request and reads the response itself, and
 * gives it back or closes it. An idle one that becomes readable (closed, or bytes that nobody asked
 * for) is closed, and none outlives upstream_idle. Resolves no name: addresses come from the app's
 * record.
 */
#ifndef GATEHOUSE_WORKER_UPSTREAM_H
#define GATEHOUSE_WORKER_UPSTREAM_H

#include "shared/app_record.h"
#include "worker/connection.h"
#include "worker/deadline.h"
#include "worker/worker.h"

#include <netinet/in.h>

/* Where to; two targets that are equal in all of it share connections. */
struct upstream_target {
    char address[INET6_ADDRSTRLEN]; /* numeric */
    uint16_t port;
    bool bridge;            /* the bridge's socket: address and port are only a name for it */
    struct tls_client *tls; /* NULL: plain */
    struct slice host;      /* for SNI and verification; empty when plain; borrowed */
};

/* A server that there are connections to; they share it, and the last one frees it. */
struct upstream_server {
    struct upstream_server *next, **link; /* in the pool */
    struct upstream *idle;                /* the one used last comes first */
    size_t idle_count;
    size_t connection_count;       /* idle or not */
    struct upstream_target target; /* its host is `host` */
    char host[];
};

enum upstream_state {
    UPSTREAM_CONNECTING,
    UPSTREAM_HANDSHAKE,
    UPSTREAM_BUSY,
    UPSTREAM_IDLE,
    UPSTREAM_CLOSED
};

struct upstream {
    struct remains remains;
    struct worker *worker;
    struct upstream *next, **link; /* of the server's, while idle */
    struct upstream_server *server;
    struct connection connection;
    struct deadline deadline; /* connect, or idle */
    ev_tstamp idle_since;     /* loop time */
    enum upstream_state state;
    bool reused; /* it served an exchange before this one */
    /* Its exchange's: */
    void *owner;
    void (*opened)(struct upstream *upstream, const char *failure); /* NULL: it is open */
    void (*ready)(struct upstream *upstream, int events);
};

int upstream_pool_open(struct upstream_pool **out);
/* Closes the idle ones: when draining, and at the end. */
void upstream_pool_clear(struct upstream_pool *pool);
/* When all that are not idle are closed. NULL is ignored. */
void upstream_pool_close(struct upstream_pool *pool);

/* The n-th address of an app's endpoint. false: its certificates cannot be checked just now. */
bool upstream_target_at(const struct worker *worker, const struct app_record *app,
                        const struct app_endpoint *endpoint, size_t n,
                        struct upstream_target *target);

/* An idle connection (its state is UPSTREAM_BUSY, reused is true) unless a fresh one is wanted, or
 * one that connects: `opened` follows, later. *out is NULL with -errno when not even a socket could
 * be had.
 */
int upstream_take(struct worker *worker, const struct upstream_target *target, bool fresh,
                  struct upstream **out);
/* Whether a kept connection's end has come, behind the poll's back. Costs a system call, which is
 * worth it where another server could serve: a POST that was sent there could not be repeated. */
bool upstream_has_ended(const struct upstream *upstream);
/* The exchange is over and the connection stands at a message's begin: it may serve another, within
 * `idle` milliseconds. */
void upstream_give_back(struct upstream *upstream, uint64_t idle);
void upstream_close(struct upstream *upstream);

#endif
