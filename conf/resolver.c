#include "conf/resolver.h"

#include "shared/log.h"

#include <ares.h>
#include <arpa/inet.h>
#include <errno.h>
#include <ev.h>
#include <netdb.h>
#include <stdlib.h>

enum { RESOLVER_SOCKETS = ARES_GETSOCK_MAXNUM, ADDRESSES_MAX = 8, QUERY_TIMEOUT = 1000, TRIES = 2 };

struct host {
    struct resolver *resolver;
    struct slice name; /* owned, follows the struct */
    char addresses[ADDRESSES_MAX][INET6_ADDRSTRLEN];
    size_t count;
    bool literal; /* known without asking */
    bool asked;   /* an answer came */
    bool failing; /* and the last was an error */
    bool asking;  /* c-ares holds this pointer */
    bool dropped; /* to be freed when c-ares gave it back */
    ev_timer again;
};

struct resolver {
    struct ev_loop *loop; /* borrowed */
    ares_channel channel;
    resolver_changed changed;
    void *context;
    struct host **hosts; /* sorted by name */
    size_t count;
    ev_io sockets[RESOLVER_SOCKETS];
    ev_timer timeout;
};

static void resolver_arm(struct resolver *resolver)
{
    struct timeval most = {.tv_sec = QUERY_TIMEOUT / 1000};
    struct timeval wait;
    struct timeval *next = ares_timeout(resolver->channel, &most, &wait);

    ev_timer_stop(resolver->loop, &resolver->timeout);
    if (next == NULL)
        return;
    ev_timer_set(&resolver->timeout, (double)next->tv_sec + (double)next->tv_usec / 1e6, 0);
    ev_timer_start(resolver->loop, &resolver->timeout);
}

static void on_timeout(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct resolver *resolver = timer->data;

    (void)loop;
    (void)events;
    ares_process_fd(resolver->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    resolver_arm(resolver);
}

static void on_socket(struct ev_loop *loop, ev_io *io, int events)
{
    struct resolver *resolver = io->data;

    (void)loop;
    ares_process_fd(resolver->channel, (events & EV_READ) != 0 ? io->fd : ARES_SOCKET_BAD,
                    (events & EV_WRITE) != 0 ? io->fd : ARES_SOCKET_BAD);
    resolver_arm(resolver);
}

/* c-ares says which sockets it waits for; more than there is room for are served by the timer. */
static void on_socket_state(void *context, ares_socket_t fd, int readable, int writable)
{
    struct resolver *resolver = context;
    ev_io *free_io = NULL;
    ev_io *io = NULL;
    int events = (readable ? EV_READ : 0) | (writable ? EV_WRITE : 0);

    for (size_t i = 0; i < RESOLVER_SOCKETS; i++) {
        if (ev_is_active(&resolver->sockets[i]) && resolver->sockets[i].fd == fd)
            io = &resolver->sockets[i];
        else if (!ev_is_active(&resolver->sockets[i]))
            free_io = &resolver->sockets[i];
    }
    io = io != NULL ? io : free_io;
    if (io == NULL)
        return;
    ev_io_stop(resolver->loop, io);
    if (events == 0)
        return;
    ev_io_set(io, fd, events);
    ev_io_start(resolver->loop, io);
}

static bool host_add(struct host *host, int family, const void *address)
{
    char text[INET6_ADDRSTRLEN];

    if (host->count == ADDRESSES_MAX || inet_ntop(family, address, text, sizeof(text)) == NULL)
        return false;
    for (size_t i = 0; i < host->count; i++)
        if (strcmp(host->addresses[i], text) == 0)
            return false;
    memcpy(host->addresses[host->count++], text, sizeof(text));
    return true;
}

/* Takes the answer. Its time to live, bounded. */
static int host_take(struct host *host, const struct ares_addrinfo *answer)
{
    int ttl = RESOLVER_TTL_MAX;

    host->count = 0;
    for (const struct ares_addrinfo_node *node = answer->nodes; node != NULL;
         node = node->ai_next) {
        if (node->ai_family == AF_INET) {
            struct sockaddr_in in;

            memcpy(&in, node->ai_addr, sizeof(in));
            host_add(host, AF_INET, &in.sin_addr);
        } else if (node->ai_family == AF_INET6) {
            struct sockaddr_in6 in6;

            memcpy(&in6, node->ai_addr, sizeof(in6));
            host_add(host, AF_INET6, &in6.sin6_addr);
        }
        if (node->ai_ttl < ttl)
            ttl = node->ai_ttl;
    }
    return ttl < RESOLVER_TTL_MIN ? RESOLVER_TTL_MIN : ttl;
}

static void host_free(struct host *host)
{
    ev_timer_stop(host->resolver->loop, &host->again);
    free(host);
}

static void host_tell(struct host *host, int status)
{
    bool failing = status != ARES_SUCCESS;

    if (failing && !host->failing)
        log_warning("resolve_failed", "%.*s: %s; %s", (int)host->name.size, host->name.data,
                    ares_strerror(status),
                    host->count > 0 ? "its last addresses stay" : "it has no address");
    else if (!failing && host->failing)
        log_info("resolved", "%.*s has addresses again", (int)host->name.size, host->name.data);
    host->failing = failing;
}

static void on_answer(void *context, int status, int timeouts, struct ares_addrinfo *answer)
{
    struct host *host = context;
    struct resolver *resolver = host->resolver;
    int wait = RESOLVER_RETRY;

    (void)timeouts;
    host->asking = false;
    if (!host->dropped) {
        host_tell(host, status);
        host->asked = true;
        if (status == ARES_SUCCESS)
            wait = host_take(host, answer);
    }
    if (answer != NULL)
        ares_freeaddrinfo(answer);
    if (host->dropped) {
        host_free(host);
        return;
    }
    ev_timer_set(&host->again, wait, 0);
    ev_timer_start(resolver->loop, &host->again);
    resolver->changed(resolver->context);
}

static void host_ask(struct host *host)
{
    struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};

    host->asking = true;
    /* The name is a copy of ours, with a NUL. The answer may come before this returns. */
    ares_getaddrinfo(host->resolver->channel, host->name.data, NULL, &hints, on_answer, host);
}

static void on_again(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct host *host = timer->data;
    struct resolver *resolver = host->resolver;

    (void)loop;
    (void)events;
    host_ask(host);
    resolver_arm(resolver);
}

/* Servers listen on one of localhost's two addresses, or on both (RFC 6761, 6.3). */
static bool host_literal(struct host *host)
{
    struct in6_addr address;

    if (slice_equal_nocase(host->name, slice_from("localhost"))) {
        inet_pton(AF_INET, "127.0.0.1", &address);
        host_add(host, AF_INET, &address);
        host_add(host, AF_INET6, &in6addr_loopback);
    } else if (inet_pton(AF_INET, host->name.data, &address) == 1) {
        host_add(host, AF_INET, &address);
    } else if (inet_pton(AF_INET6, host->name.data, &address) == 1) {
        host_add(host, AF_INET6, &address);
    }
    return host->count > 0;
}

static struct host *host_make(struct resolver *resolver, struct slice name)
{
    struct host *host = calloc(1, sizeof(*host) + name.size + 1);

    if (host == NULL)
        return NULL;
    memcpy(host + 1, name.data, name.size);
    host->name = slice_make((char *)(host + 1), name.size);
    host->resolver = resolver;
    host->literal = host_literal(host);
    ev_timer_init(&host->again, on_again, 0, 0);
    host->again.data = host;
    return host;
}

static int slice_order(const void *left, const void *right)
{
    const struct slice *a = left;
    const struct slice *b = right;

    return slice_compare(*a, *b);
}

static struct host *resolver_find(const struct resolver *resolver, struct slice name)
{
    size_t low = 0;
    size_t high = resolver->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = slice_compare(resolver->hosts[middle]->name, name);

        if (order == 0)
            return resolver->hosts[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static void host_drop(struct host *host)
{
    if (host->asking)
        host->dropped = true;
    else
        host_free(host);
}

/* Frees the hosts of before that are not among those of now: both are sorted. */
static void resolver_replace(struct resolver *resolver, struct host **hosts, size_t count)
{
    size_t kept = 0;

    for (size_t i = 0; i < resolver->count; i++) {
        while (kept < count && slice_compare(hosts[kept]->name, resolver->hosts[i]->name) < 0)
            kept++;
        if (kept == count || hosts[kept] != resolver->hosts[i])
            host_drop(resolver->hosts[i]);
    }
    free(resolver->hosts);
    resolver->hosts = hosts;
    resolver->count = count;
}

int resolver_follow(struct resolver *resolver, struct slice *hosts, size_t count)
{
    struct host **next = calloc(count + 1, sizeof(*next));
    size_t unique = 0;

    if (next == NULL)
        return -ENOMEM;
    qsort(hosts, count, sizeof(*hosts), slice_order);
    for (size_t i = 0; i < count; i++) {
        struct host *host;

        if (hosts[i].size == 0 || (i > 0 && slice_equal(hosts[i - 1], hosts[i])))
            continue;
        host = resolver_find(resolver, hosts[i]);
        if (host == NULL)
            host = host_make(resolver, hosts[i]);
        if (host == NULL) {
            free(next); /* hosts made here are lost; the caller ends the process */
            return -ENOMEM;
        }
        next[unique++] = host;
    }
    resolver_replace(resolver, next, unique);
    for (size_t i = 0; i < unique; i++)
        if (!next[i]->literal && !next[i]->asked && !next[i]->asking)
            host_ask(next[i]);
    resolver_arm(resolver);
    return 0;
}

size_t resolver_addresses(void *context, struct slice name, struct slice *out, size_t max)
{
    struct host *host = resolver_find(context, name);
    size_t count = 0;

    if (host == NULL)
        return 0;
    while (count < host->count && count < max) {
        out[count] = slice_from(host->addresses[count]);
        count++;
    }
    return count;
}

bool resolver_settled(const struct resolver *resolver)
{
    for (size_t i = 0; i < resolver->count; i++)
        if (!resolver->hosts[i]->literal && !resolver->hosts[i]->asked)
            return false;
    return true;
}

int resolver_open(struct resolver **out, struct ev_loop *loop, resolver_changed changed,
                  void *context)
{
    struct resolver *resolver = calloc(1, sizeof(*resolver));
    struct ares_options options = {.sock_state_cb = on_socket_state,
                                   .sock_state_cb_data = resolver,
                                   .timeout = QUERY_TIMEOUT,
                                   .tries = TRIES};

    if (resolver == NULL)
        return -ENOMEM;
    resolver->loop = loop;
    resolver->changed = changed;
    resolver->context = context;
    for (size_t i = 0; i < RESOLVER_SOCKETS; i++) {
        ev_io_init(&resolver->sockets[i], on_socket, -1, 0);
        resolver->sockets[i].data = resolver;
    }
    ev_timer_init(&resolver->timeout, on_timeout, 0, 0);
    resolver->timeout.data = resolver;
    if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS ||
        ares_init_options(&resolver->channel, &options,
                          ARES_OPT_SOCK_STATE_CB | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES) !=
            ARES_SUCCESS) {
        free(resolver);
        return -EIO;
    }
    *out = resolver;
    return 0;
}

void resolver_close(struct resolver *resolver)
{
    if (resolver == NULL)
        return;
    resolver_replace(resolver, NULL, 0);
    ares_destroy(resolver->channel); /* gives every open question back */
    for (size_t i = 0; i < RESOLVER_SOCKETS; i++)
        ev_io_stop(resolver->loop, &resolver->sockets[i]);
    ev_timer_stop(resolver->loop, &resolver->timeout);
    free(resolver);
    ares_library_cleanup();
}
