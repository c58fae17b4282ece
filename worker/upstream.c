#include "worker/upstream.h"

#include "shared/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { UPSTREAM_BUCKETS = 256 };
/* Seconds for which a kept connection is taken for alive without a look: servers close idle ones
 * after seconds, and one that ends just now could as well end just after the look. */
static const ev_tstamp upstream_warm = 0.05;

struct upstream_pool {
    struct upstream_server *servers[UPSTREAM_BUCKETS];
};

static struct upstream_server **upstream_bucket(struct upstream_pool *pool,
                                                const struct upstream_target *target)
{
    unsigned hash = target->port;

    for (const char *c = target->address; *c != '\0'; c++)
        hash = hash * 31 + (unsigned char)*c;
    for (size_t i = 0; i < target->host.size; i++)
        hash = hash * 31 + (unsigned char)target->host.data[i];
    return &pool->servers[hash % UPSTREAM_BUCKETS];
}

static bool upstream_target_equal(const struct upstream_target *a, const struct upstream_target *b)
{
    return a->port == b->port && a->bridge == b->bridge && a->tls == b->tls &&
           strcmp(a->address, b->address) == 0 && slice_equal(a->host, b->host);
}

/* NULL: there is no connection to it. */
static struct upstream_server *upstream_server_find(struct upstream_pool *pool,
                                                    const struct upstream_target *target)
{
    struct upstream_server *server = *upstream_bucket(pool, target);

    while (server != NULL && !upstream_target_equal(&server->target, target))
        server = server->next;
    return server;
}

static struct upstream_server *upstream_server_make(struct upstream_pool *pool,
                                                    const struct upstream_target *target)
{
    struct upstream_server **bucket = upstream_bucket(pool, target);
    struct upstream_server *server = calloc(1, sizeof(*server) + target->host.size);

    if (server == NULL)
        return NULL;
    server->target = *target;
    if (target->host.size > 0)
        memcpy(server->host, target->host.data, target->host.size);
    server->target.host = slice_make(server->host, target->host.size);
    server->link = bucket;
    server->next = *bucket;
    if (server->next != NULL)
        server->next->link = &server->next;
    *bucket = server;
    return server;
}

/* A connection to it is gone. */
static void upstream_server_leave(struct upstream_server *server)
{
    if (--server->connection_count > 0)
        return;
    *server->link = server->next;
    if (server->next != NULL)
        server->next->link = server->link;
    free(server);
}

int upstream_pool_open(struct upstream_pool **out)
{
    *out = calloc(1, sizeof(**out));
    return *out == NULL ? -ENOMEM : 0;
}

void upstream_pool_clear(struct upstream_pool *pool)
{
    struct upstream_server *server;
    struct upstream_server *next;

    for (size_t i = 0; i < UPSTREAM_BUCKETS; i++) {
        for (server = pool->servers[i]; server != NULL; server = next) {
            next = server->next;
            /* With the last one the server may go. */
            for (size_t n = server->idle_count; n > 0; n--)
                upstream_close(server->idle);
        }
    }
}

void upstream_pool_close(struct upstream_pool *pool)
{
    if (pool != NULL)
        upstream_pool_clear(pool);
    free(pool);
}

static void upstream_unlink(struct upstream *upstream)
{
    if (upstream->link == NULL)
        return;
    *upstream->link = upstream->next;
    if (upstream->next != NULL)
        upstream->next->link = upstream->link;
    upstream->link = NULL;
    upstream->server->idle_count--;
}

void upstream_close(struct upstream *upstream)
{
    if (upstream->state == UPSTREAM_CLOSED)
        return;
    upstream->state = UPSTREAM_CLOSED;
    upstream_unlink(upstream);
    deadline_close(&upstream->deadline);
    connection_close(&upstream->connection);
    upstream_server_leave(upstream->server);
    upstream->server = NULL;
    worker_bury(upstream->worker, &upstream->remains);
}

static void upstream_connected(struct upstream *upstream)
{
    deadline_clear(&upstream->deadline);
    upstream->state = UPSTREAM_BUSY;
    upstream->opened(upstream, NULL);
}

static void upstream_handshake(struct upstream *upstream)
{
    char reason[TLS_REASON_MAX];
    int result = connection_handshake(&upstream->connection, reason);

    if (result == 0)
        upstream_connected(upstream);
    else if (result != -EAGAIN)
        upstream->opened(upstream, reason);
}

/* The socket is writable: connected, or refused. */
static void upstream_connect_done(struct upstream *upstream)
{
    const struct upstream_target *target = &upstream->server->target;
    int error = 0;
    socklen_t size = sizeof(error);

    if (getsockopt(upstream->connection.fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        error = errno;
    if (error != 0) {
        upstream->opened(upstream, strerror(error));
        return;
    }
    if (target->tls == NULL) {
        upstream_connected(upstream);
        return;
    }
    error = tls_connect(&upstream->connection.tls, target->tls, upstream->connection.fd,
                        target->host, slice_is(target->host, target->address));
    if (error != 0) {
        upstream->opened(upstream, "TLS cannot start");
        return;
    }
    upstream->state = UPSTREAM_HANDSHAKE;
    upstream_handshake(upstream);
}

static void upstream_ready(struct connection *connection, int events)
{
    struct upstream *upstream = connection->owner;

    switch (upstream->state) {
    case UPSTREAM_CONNECTING:
        upstream_connect_done(upstream);
        break;
    case UPSTREAM_HANDSHAKE:
        upstream_handshake(upstream);
        break;
    case UPSTREAM_BUSY:
        upstream->ready(upstream, events);
        break;
    case UPSTREAM_IDLE:
        upstream_close(upstream);
        break;
    case UPSTREAM_CLOSED:
        break;
    }
}

static void upstream_late(struct deadline *deadline)
{
    struct upstream *upstream = deadline->owner;

    if (upstream->state == UPSTREAM_IDLE)
        upstream_close(upstream);
    else
        upstream->opened(upstream, "no answer to connect in time");
}

static int upstream_connect(const struct sockaddr *address, socklen_t size)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;

    if (fd < 0)
        return -errno;
    if (address->sa_family != AF_UNIX)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (connect(fd, address, size) != 0 && errno != EINPROGRESS) {
        int error = errno;

        close(fd);
        return -error;
    }
    return fd;
}

/* A socket that connects to the target; -errno. */
static int upstream_socket(const struct worker *worker, const struct upstream_target *target)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(target->port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(target->port)};
    const struct sockaddr *address = (const struct sockaddr *)&v4;
    socklen_t size = sizeof(v4);

    if (target->bridge)
        return upstream_connect((const struct sockaddr *)&worker->bridge, sizeof(worker->bridge));
    if (inet_pton(AF_INET, target->address, &v4.sin_addr) != 1) {
        if (inet_pton(AF_INET6, target->address, &v6.sin6_addr) != 1)
            return -EINVAL;
        address = (const struct sockaddr *)&v6;
        size = sizeof(v6);
    }
    return upstream_connect(address, size);
}

bool upstream_has_ended(const struct upstream *upstream)
{
    char byte;

    return recv(upstream->connection.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || errno != EAGAIN;
}

static bool upstream_is_silent(const struct upstream *upstream)
{
    if (ev_is_pending(&upstream->connection.watcher))
        return false; /* the poll has seen it already */
    return ev_now(upstream->worker->loop) - upstream->idle_since < upstream_warm ||
           !upstream_has_ended(upstream);
}

static struct upstream *upstream_reuse(struct upstream_pool *pool,
                                       const struct upstream_target *target)
{
    struct upstream_server *server = upstream_server_find(pool, target);
    struct upstream *upstream = server == NULL ? NULL : server->idle;

    while (upstream != NULL && !upstream_is_silent(upstream)) {
        struct upstream *next = upstream->next;

        upstream_close(upstream);
        upstream = next;
    }
    if (upstream == NULL)
        return NULL;
    upstream_unlink(upstream);
    deadline_clear(&upstream->deadline);
    upstream->state = UPSTREAM_BUSY;
    upstream->reused = true;
    worker_count(upstream->worker, COUNT_UPSTREAM_REUSED);
    return upstream;
}

bool upstream_target_at(const struct worker *worker, const struct app_record *app,
                        const struct app_endpoint *endpoint, size_t n,
                        struct upstream_target *target)
{
    snprintf(target->address, sizeof(target->address), "%.*s", (int)endpoint->addresses[n].size,
             endpoint->addresses[n].data);
    target->port = endpoint->port;
    target->bridge = false;
    target->tls = NULL;
    target->host = slice_make(NULL, 0);
    if (!endpoint->tls)
        return true;
    target->host = endpoint->host;
    target->tls = tls_client_find(worker->trust, app->ca_pem, !app->insecure_skip_verify);
    return target->tls != NULL;
}

static struct upstream *upstream_make(struct worker *worker, const struct upstream_target *target)
{
    struct upstream *upstream = calloc(1, sizeof(*upstream));
    struct upstream_server *server;

    if (upstream == NULL)
        return NULL;
    server = upstream_server_find(worker->upstreams, target);
    if (server == NULL)
        server = upstream_server_make(worker->upstreams, target);
    if (server == NULL) {
        free(upstream);
        return NULL;
    }
    server->connection_count++;
    upstream->server = server;
    upstream->worker = worker;
    return upstream;
}

int upstream_take(struct worker *worker, const struct upstream_target *target, bool fresh,
                  struct upstream **out)
{
    struct upstream *upstream = NULL;
    int fd;

    if (!fresh)
        upstream = upstream_reuse(worker->upstreams, target);
    *out = upstream;
    if (upstream != NULL)
        return 0;
    fd = upstream_socket(worker, target);
    if (fd < 0)
        return fd;
    upstream = upstream_make(worker, target);
    if (upstream == NULL) {
        close(fd);
        return -ENOMEM;
    }
    upstream->state = UPSTREAM_CONNECTING;
    connection_open(&upstream->connection, worker->loop, fd, NULL, upstream_ready, upstream);
    deadline_open(&upstream->deadline, worker->loop, upstream_late, upstream);
    deadline_set(&upstream->deadline, worker_limits(worker)->connect_timeout);
    connection_want(&upstream->connection, EV_WRITE);
    worker_count(worker, COUNT_UPSTREAM_CONNECTS);
    *out = upstream;
    return 0;
}

void upstream_give_back(struct upstream *upstream, uint64_t idle)
{
    struct upstream_server *server = upstream->server;
    uint64_t limit = worker_limits(upstream->worker)->upstream_pool;

    if (server->idle_count >= limit || idle == 0 || upstream->worker->draining) {
        upstream_close(upstream);
        return;
    }
    upstream->owner = NULL;
    upstream->state = UPSTREAM_IDLE;
    upstream->idle_since = ev_now(upstream->worker->loop);
    upstream->link = &server->idle;
    upstream->next = server->idle;
    if (upstream->next != NULL)
        upstream->next->link = &upstream->next;
    server->idle = upstream;
    server->idle_count++;
    deadline_set(&upstream->deadline, idle);
    connection_want(&upstream->connection, EV_READ);
}
