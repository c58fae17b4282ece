#include "worker/listener.h"

#include "shared/log.h"
#include "worker/client.h"
#include "worker/tls_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    LISTENER_BATCH = 16, /* connections accepted in a row, so that others get their turn */
};
static const double listener_pause = 0.1; /* seconds without descriptors or memory */

struct listener {
    struct listener *next;
    struct listener_set *set;
    struct message_listener which;
    struct ev_io watcher;
    bool admin;
};

struct listener_set {
    struct worker *worker;
    struct listener *listeners;
    struct tls_server *servers[SETTINGS_LISTENERS_MAX]; /* by listener index; NULL: plain */
    struct tls_pair pairs[SETTINGS_CERTIFICATES_MAX];   /* owned; -1: none */
    struct message_ticket_keys tickets;
    struct ev_timer pause; /* runs after EMFILE and the like */
    bool started;
    bool full; /* the limit of connections stopped it */
};

static void listener_address(const struct sockaddr_storage *peer, char out[INET6_ADDRSTRLEN])
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)peer;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)peer;

    if (peer->ss_family == AF_INET)
        inet_ntop(AF_INET, &v4->sin_addr, out, INET6_ADDRSTRLEN);
    else if (peer->ss_family == AF_INET6)
        inet_ntop(AF_INET6, &v6->sin6_addr, out, INET6_ADDRSTRLEN);
    else
        out[0] = '\0';
}

static void listener_set_apply(struct listener_set *set)
{
    bool accepting = set->started && !ev_is_active(&set->pause);

    for (struct listener *one = set->listeners; one != NULL; one = one->next) {
        if (accepting && (one->admin || !set->full))
            ev_io_start(set->worker->loop, &one->watcher);
        else
            ev_io_stop(set->worker->loop, &one->watcher);
    }
}

static void listener_pause_over(struct ev_loop *loop, struct ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    listener_set_apply(timer->data);
}

static void listener_failed(struct listener_set *set, int error)
{
    if (error == EAGAIN || error == ECONNABORTED || error == EINTR)
        return;
    log_warning("accept_failed", "%s; trying again in a moment", strerror(error));
    ev_timer_set(&set->pause, listener_pause, 0.);
    ev_timer_start(set->worker->loop, &set->pause);
    listener_set_apply(set);
}

static void listener_take(struct listener *listener, int fd, const struct sockaddr_storage *peer)
{
    struct worker *worker = listener->set->worker;
    struct tls_server *server = listener->set->servers[listener->which.listener];
    struct tls *tls = NULL;
    char address[INET6_ADDRSTRLEN];
    int on = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (server != NULL && tls_accept(&tls, server, fd) != 0) {
        close(fd);
        return;
    }
    listener_address(peer, address);
    client_open(worker, fd, tls, listener->admin, address);
}

static void listener_ready(struct ev_loop *loop, struct ev_io *watcher, int events)
{
    struct listener *listener = watcher->data;
    struct listener_set *set = listener->set;

    (void)loop;
    (void)events;
    for (int i = 0; i < LISTENER_BATCH; i++) {
        struct sockaddr_storage peer = {0};
        socklen_t size = sizeof(peer);
        int fd;

        if (!listener->admin && set->worker->client_count - set->worker->admin_count >=
                                    worker_limits(set->worker)->connections) {
            set->full = true;
            listener_set_apply(set);
            return;
        }
        fd = accept4(watcher->fd, (struct sockaddr *)&peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            listener_failed(set, errno);
            return;
        }
        listener_take(listener, fd, &peer);
    }
}

int listener_set_open(struct listener_set **out, struct worker *worker)
{
    struct listener_set *set = calloc(1, sizeof(*set));

    *out = set;
    if (set == NULL)
        return -ENOMEM;
    set->worker = worker;
    for (size_t i = 0; i < SETTINGS_CERTIFICATES_MAX; i++)
        set->pairs[i] = (struct tls_pair){.certificate = -1, .key = -1};
    ev_timer_init(&set->pause, listener_pause_over, 0., 0.);
    set->pause.data = set;
    return 0;
}

static void listener_set_forget_certificates(struct listener_set *set)
{
    for (size_t i = 0; i < SETTINGS_CERTIFICATES_MAX; i++) {
        if (set->pairs[i].certificate >= 0)
            close(set->pairs[i].certificate);
        if (set->pairs[i].key >= 0)
            close(set->pairs[i].key);
        set->pairs[i] = (struct tls_pair){.certificate = -1, .key = -1};
    }
}

static void listener_free(struct listener *listener)
{
    ev_io_stop(listener->set->worker->loop, &listener->watcher);
    close(listener->watcher.fd);
    free(listener);
}

void listener_set_stop(struct listener_set *set)
{
    set->started = false;
    ev_timer_stop(set->worker->loop, &set->pause);
    while (set->listeners != NULL) {
        struct listener *next = set->listeners->next;

        listener_free(set->listeners);
        set->listeners = next;
    }
}

void listener_set_close(struct listener_set *set)
{
    if (set == NULL)
        return;
    listener_set_stop(set);
    listener_set_forget_certificates(set);
    for (size_t i = 0; i < SETTINGS_LISTENERS_MAX; i++)
        tls_server_close(set->servers[i]);
    explicit_bzero(&set->tickets, sizeof(set->tickets));
    free(set);
}

static struct listener **listener_find(struct listener_set *set,
                                       const struct message_listener *which)
{
    struct listener **link = &set->listeners;

    while (*link != NULL &&
           ((*link)->which.listener != which->listener || (*link)->which.slot != which->slot))
        link = &(*link)->next;
    return link;
}

int listener_set_add(struct listener_set *set, const struct message_listener *which, int fd)
{
    const struct settings *settings = &set->worker->child.settings;
    struct listener *listener = NULL;

    if (which->listener < settings->listener_count && which->slot < SETTINGS_WORKERS_MAX &&
        *listener_find(set, which) == NULL)
        listener = calloc(1, sizeof(*listener));
    if (listener == NULL) {
        close(fd);
        return -EINVAL;
    }
    listener->set = set;
    listener->which = *which;
    listener->admin = settings->listeners[which->listener].admin;
    ev_io_init(&listener->watcher, listener_ready, fd, EV_READ);
    listener->watcher.data = listener;
    listener->next = set->listeners;
    set->listeners = listener;
    listener_set_apply(set);
    return 0;
}

void listener_set_remove(struct listener_set *set, const struct message_listener *which)
{
    struct listener **link = listener_find(set, which);
    struct listener *listener = *link;

    if (listener == NULL)
        return;
    *link = listener->next;
    listener_free(listener);
}

int listener_set_certificate(struct listener_set *set, uint32_t index, int certificate, int key)
{
    if (index >= SETTINGS_CERTIFICATES_MAX) {
        close(certificate);
        close(key);
        return -EINVAL;
    }
    if (set->pairs[index].certificate >= 0)
        close(set->pairs[index].certificate);
    if (set->pairs[index].key >= 0)
        close(set->pairs[index].key);
    set->pairs[index] = (struct tls_pair){.certificate = certificate, .key = key};
    return 0;
}

void listener_set_tickets(struct listener_set *set, const struct message_ticket_keys *tickets)
{
    set->tickets = *tickets;
}

/* A context for each TLS listener; all or none. */
static int listener_set_prepare(struct listener_set *set,
                                struct tls_server *servers[SETTINGS_LISTENERS_MAX],
                                char reason[TLS_REASON_MAX])
{
    const struct settings *settings = &set->worker->child.settings;

    for (size_t i = 0; i < settings->listener_count; i++) {
        const struct settings_listener *listener = &settings->listeners[i];
        const struct tls_pair *pairs = &set->pairs[listener->first_certificate];
        int error = 0;

        if (!listener->tls)
            continue;
        for (size_t j = 0; j < listener->certificate_count; j++)
            if (pairs[j].certificate < 0 || pairs[j].key < 0)
                error = -EINVAL;
        if (error != 0)
            snprintf(reason, TLS_REASON_MAX, "a certificate of %.*s is missing",
                     (int)listener->address.size, listener->address.data);
        else
            error = tls_server_open(&servers[i], pairs, listener->certificate_count, &set->tickets,
                                    reason);
        if (error != 0)
            return error;
    }
    return 0;
}

int listener_set_commit(struct listener_set *set, char reason[TLS_REASON_MAX])
{
    struct tls_server *servers[SETTINGS_LISTENERS_MAX] = {0};
    int error = listener_set_prepare(set, servers, reason);

    listener_set_forget_certificates(set);
    for (size_t i = 0; i < SETTINGS_LISTENERS_MAX; i++) {
        if (error != 0) {
            tls_server_close(servers[i]);
        } else {
            tls_server_close(set->servers[i]);
            set->servers[i] = servers[i];
        }
    }
    return error;
}

void listener_set_start(struct listener_set *set)
{
    set->started = true;
    listener_set_apply(set);
}

void listener_set_resume(struct listener_set *set)
{
    if (!set->full)
        return;
    set->full = false;
    listener_set_apply(set);
}
