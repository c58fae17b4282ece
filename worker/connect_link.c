#include "worker/connect_link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

enum {
    LINK_READ = 64 * 1024,     /* bytes at once */
    LINK_HEAD_MAX = 64 * 1024, /* bytes of a response's head */
    LINK_CONNECT_MS = 10000,   /* to one address, with TLS */
    LINK_IDLE_MS = 4000,       /* shorter than servers keep idle connections (node: 5 s) */
    LINK_IDLE_MAX = 8,         /* idle connections kept */
};

enum link_state { LINK_CONNECTING, LINK_HANDSHAKE, LINK_SENDING, LINK_HEAD, LINK_BODY, LINK_IDLE };

struct connect_link {
    struct connect_remains remains;
    struct connect_links *links;
    struct connect_link *next, **place; /* in links->idle or links->busy */
    struct connection connection;
    struct deadline deadline;
    enum link_state state;
    bool closed;
    struct connect_addresses addresses; /* of the origin; not tried yet */
    struct buffer head;                 /* of the request; owned */
    struct slice body;
    size_t written; /* of both */
    uint64_t wait;
    struct buffer in; /* owned */
    struct http_response response;
    struct http_chunk_decoder decoder;
    uint64_t left; /* bytes of a body of known length */
    struct connect_listener listener;
};

static void link_ready(struct connection *connection, int events);
static void link_connect(struct connect_link *link, const char *before);

static void link_unlist(struct connect_link *link)
{
    if (link->place == NULL)
        return;
    *link->place = link->next;
    if (link->next != NULL)
        link->next->place = link->place;
    link->place = NULL;
    if (link->state == LINK_IDLE)
        link->links->idle_count--;
}

static void link_list(struct connect_link *link, struct connect_link **list)
{
    link->place = list;
    link->next = *list;
    if (link->next != NULL)
        link->next->place = &link->next;
    *list = link;
}

static void link_release(struct connect_remains *remains)
{
    struct connect_link *link = (struct connect_link *)remains;

    buffer_free(&link->in);
    buffer_wipe(&link->head);
    connect_addresses_free(&link->addresses);
    free(link);
}

static void link_close(struct connect_link *link)
{
    if (link->closed)
        return;
    link->closed = true;
    link_unlist(link);
    deadline_close(&link->deadline);
    connection_close(&link->connection);
    connect_grave_bury(link->links->grave, &link->remains, link_release);
}

void connect_link_cancel(struct connect_link *link)
{
    link_close(link);
}

static void link_fail(struct connect_link *link, enum connect_end end, const char *reason)
{
    struct connect_listener listener = link->listener;
    char words[CONNECT_REASON_MAX];

    snprintf(words, sizeof(words), "%s", reason);
    link_close(link);
    listener.end(listener.context, end, words);
}

/* The connection broke: what that means depends on how far the request had come. */
static void link_broken(struct connect_link *link, const char *reason)
{
    if (link->state < LINK_SENDING)
        link_connect(link, reason);
    else
        link_fail(link, link->state == LINK_SENDING ? CONNECT_UNSENT : CONNECT_LOST, reason);
}

static void link_late(struct deadline *deadline)
{
    struct connect_link *link = deadline->owner;

    if (link->state == LINK_IDLE)
        link_close(link);
    else
        link_broken(link, "no answer in time");
}

static void link_want(struct connect_link *link)
{
    int events = link->state == LINK_SENDING || link->state == LINK_CONNECTING ? EV_WRITE : 0;

    if (!link->links->paused || link->state < LINK_HEAD)
        events |= link->state == LINK_CONNECTING ? 0 : EV_READ;
    connection_want(&link->connection, events);
}

/* The exchange is over, and the connection stands at a message's begin. */
static void link_done(struct connect_link *link)
{
    struct connect_listener listener = link->listener;
    struct connect_links *links = link->links;

    bool sent = link->written == buffer_size(&link->head) + link->body.size;

    if (!sent || !link->response.keep_alive || buffer_size(&link->in) > 0 ||
        links->idle_count >= LINK_IDLE_MAX) {
        link_close(link);
    } else {
        link_unlist(link);
        link->state = LINK_IDLE;
        buffer_wipe(&link->head);
        buffer_free(&link->in);
        link_list(link, &links->idle);
        links->idle_count++;
        deadline_set(&link->deadline, LINK_IDLE_MS);
        connection_want(&link->connection, EV_READ);
    }
    listener.end(listener.context, CONNECT_WHOLE, "");
}

static void link_data(struct connect_link *link, struct slice bytes)
{
    if (bytes.size > 0)
        link->listener.data(link->listener.context, bytes);
}

/* Bytes of a chunked body. Each piece is given out where it stands in `in`. */
static void link_chunks(struct connect_link *link)
{
    for (;;) {
        struct slice data;
        size_t used = 0;
        enum http_chunk_result result =
            http_chunk_decode(&link->decoder, buffer_slice(&link->in), &used, &data);

        if (result == HTTP_CHUNK_DATA)
            link_data(link, data);
        if (link->closed)
            return;
        buffer_consume(&link->in, used);
        if (result == HTTP_CHUNK_END)
            link_done(link);
        else if (result == HTTP_CHUNK_ERROR)
            link_fail(link, CONNECT_GARBAGE, "malformed chunked body");
        if (result != HTTP_CHUNK_DATA)
            return;
    }
}

static void link_body(struct connect_link *link)
{
    struct slice input = buffer_slice(&link->in);

    if (link->response.body == HTTP_BODY_CHUNKED) {
        link_chunks(link);
        return;
    }
    if (link->response.body != HTTP_BODY_UNTIL_CLOSE && input.size > link->left)
        input.size = (size_t)link->left;
    link_data(link, input);
    if (link->closed)
        return;
    buffer_consume(&link->in, input.size);
    if (link->response.body == HTTP_BODY_UNTIL_CLOSE)
        return;
    link->left -= input.size;
    if (link->left == 0)
        link_done(link);
}

/* false: more is needed, or the exchange is over. */
static bool link_head(struct connect_link *link)
{
    const char *reason;
    long size;

    do {
        size =
            http_response_parse(buffer_slice(&link->in), LINK_HEAD_MAX, &link->response, &reason);
        if (size <= 0)
            break;
        if (link->response.status >= 200)
            break;
        buffer_consume(&link->in, (size_t)size);
    } while (true);
    if (size < 0)
        link_fail(link, CONNECT_GARBAGE, reason);
    if (size <= 0)
        return false;
    deadline_clear(&link->deadline);
    link->state = LINK_BODY;
    link->decoder = (struct http_chunk_decoder){0};
    link->left = link->response.body == HTTP_BODY_LENGTH ? link->response.content_length : 0;
    link->listener.head(link->listener.context, &link->response);
    if (link->closed)
        return false;
    buffer_consume(&link->in, (size_t)size);
    return true;
}

static void link_ended(struct connect_link *link)
{
    if (link->state == LINK_BODY && link->response.body == HTTP_BODY_UNTIL_CLOSE) {
        link->response.keep_alive = false;
        link_done(link);
    } else {
        link_broken(link, "the connection was closed");
    }
}

static void link_receive(struct connect_link *link)
{
    size_t room;
    ssize_t count;

    if (buffer_reserve(&link->in, LINK_READ) != 0) {
        link_broken(link, "out of memory");
        return;
    }
    count = connection_read(&link->connection, buffer_space(&link->in, &room), LINK_READ);
    if (count == -EAGAIN)
        return;
    if (count == 0) {
        link_ended(link);
        return;
    }
    if (count < 0) {
        link_broken(link, count == -EPROTO ? "TLS failed" : strerror((int)-count));
        return;
    }
    buffer_commit(&link->in, (size_t)count);
    /* A server may refuse before it has all; the rest is not worth sending. */
    if (link->state == LINK_SENDING)
        link->state = LINK_HEAD;
    if (link->state == LINK_HEAD && !link_head(link))
        return;
    link_body(link);
    if (!link->closed && link->state != LINK_IDLE)
        link_want(link); /* TLS may hold more */
}

static void link_send(struct connect_link *link)
{
    size_t all = buffer_size(&link->head) + link->body.size;

    while (link->written < all) {
        struct slice head = slice_skip(buffer_slice(&link->head), link->written);
        size_t of_body = link->written - (buffer_size(&link->head) - head.size);
        struct slice body = slice_skip(link->body, of_body);
        struct iovec parts[2] = {{(void *)head.data, head.size}, {(void *)body.data, body.size}};
        ssize_t count = connection_write(&link->connection, head.size > 0 ? parts : parts + 1,
                                         head.size > 0 ? 2 : 1);

        if (count == -EAGAIN)
            return;
        if (count < 0) {
            link_broken(link, count == -EPROTO ? "TLS failed" : strerror((int)-count));
            return;
        }
        link->written += (size_t)count;
    }
    link->state = LINK_HEAD;
    if (link->wait > 0)
        deadline_set(&link->deadline, link->wait);
    else
        deadline_clear(&link->deadline);
    link_want(link);
}

static void link_opened(struct connect_link *link)
{
    deadline_clear(&link->deadline);
    link->state = LINK_SENDING;
    link_want(link);
}

static void link_handshake(struct connect_link *link)
{
    char reason[TLS_REASON_MAX];
    int result = connection_handshake(&link->connection, reason);

    if (result == 0)
        link_opened(link);
    else if (result != -EAGAIN)
        link_fail(link, CONNECT_UNSENT, reason); /* another address would not change that */
}

static void link_connected(struct connect_link *link)
{
    const struct uri *uri = link->links->uri;
    int error = 0;
    socklen_t size = sizeof(error);

    if (getsockopt(link->connection.fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        error = errno;
    if (error != 0) {
        link_broken(link, strerror(error));
    } else if (link->links->tls == NULL) {
        link_opened(link);
    } else if (tls_connect(&link->connection.tls, link->links->tls, link->connection.fd, uri->host,
                           uri->host_is_ip) != 0) {
        link_fail(link, CONNECT_UNSENT, "TLS cannot start");
    } else {
        link->state = LINK_HANDSHAKE;
        connection_want(&link->connection, EV_READ);
        link_handshake(link);
    }
}

static void link_ready(struct connection *connection, int events)
{
    struct connect_link *link = connection->owner;

    switch (link->state) {
    case LINK_CONNECTING:
        link_connected(link);
        break;
    case LINK_HANDSHAKE:
        link_handshake(link);
        break;
    case LINK_IDLE:
        link_close(link); /* its end, or bytes that nobody asked for */
        break;
    default:
        if ((events & EV_WRITE) != 0 && link->state == LINK_SENDING)
            link_send(link);
        if ((events & EV_READ) != 0 && !link->closed)
            link_receive(link);
    }
}

/* Tries the next address; when there is none, `before` tells why. */
static void link_connect(struct connect_link *link, const char *before)
{
    char words[CONNECT_REASON_MAX];
    int fd;

    snprintf(words, sizeof(words), "%s", before);
    connection_close(&link->connection);
    fd = connect_addresses_next(&link->addresses, words);
    if (fd < 0) {
        link_fail(link, CONNECT_UNSENT, words);
        return;
    }
    link->state = LINK_CONNECTING;
    connection_open(&link->connection, link->links->loop, fd, NULL, link_ready, link);
    deadline_set(&link->deadline, LINK_CONNECT_MS);
    connection_want(&link->connection, EV_WRITE);
}

static void link_resolve(struct deadline *deadline)
{
    struct connect_link *link = deadline->owner;
    char words[CONNECT_REASON_MAX];

    if (connect_addresses_find(&link->addresses, link->links->uri, words) != 0) {
        link_fail(link, CONNECT_UNSENT, words);
        return;
    }
    deadline->passed = link_late;
    link_connect(link, "the name has no address");
}

/* An idle connection that is still silent: its end may wait behind the request that wants it. */
static struct connect_link *link_reuse(struct connect_links *links)
{
    while (links->idle != NULL) {
        struct connect_link *link = links->idle;
        char byte;

        if (!ev_is_pending(&link->connection.watcher) &&
            recv(link->connection.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN) {
            link_unlist(link);
            return link;
        }
        link_close(link);
    }
    return NULL;
}

static struct connect_link *link_make(struct connect_links *links)
{
    struct connect_link *link = calloc(1, sizeof(*link));

    if (link == NULL)
        return NULL;
    link->links = links;
    link->connection.fd = -1;
    /* Later, as every call-back. */
    deadline_open(&link->deadline, links->loop, link_resolve, link);
    deadline_set(&link->deadline, 0);
    return link;
}

struct connect_link *connect_link_open(struct connect_links *links, struct buffer *head,
                                       struct slice body, uint64_t wait,
                                       const struct connect_listener *listener)
{
    struct connect_link *link = link_reuse(links);
    bool reused = link != NULL;

    if (!reused)
        link = link_make(links);
    if (link == NULL) {
        buffer_wipe(head);
        return NULL;
    }
    link->head = *head;
    *head = (struct buffer){0};
    link->body = body;
    link->written = 0;
    link->wait = wait;
    link->listener = *listener;
    link->state = reused ? LINK_SENDING : LINK_CONNECTING;
    link_list(link, &links->busy);
    if (reused)
        link_opened(link);
    return link;
}

void connect_links_pause(struct connect_links *links, bool paused)
{
    links->paused = paused;
    for (struct connect_link *link = links->busy; link != NULL; link = link->next)
        if (link->state >= LINK_HEAD)
            link_want(link);
}

void connect_links_close(struct connect_links *links)
{
    while (links->idle != NULL)
        link_close(links->idle);
    while (links->busy != NULL)
        link_close(links->busy);
}
