#include "worker/client.h"

#include "shared/log.h"
#include "worker/exchange.h"
#include "worker/reply.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CLIENT_READ_MAX = 16 * 1024,     /* bytes taken at once while a head is awaited */
    CLIENT_PIPELINE_MAX = 64 * 1024, /* bytes of further requests kept while one runs */
    CLIENT_LATER_MAX = 16 * 1024,    /* bytes that wait for the turn's end */
    CLIENT_LINGER_TIME = 2000,       /* milliseconds: RFC 9112, 9.6 leaves it to us */
};

static void client_process(struct client *client);

void client_close(struct client *client)
{
    struct worker *worker = client->worker;

    if (client->state == CLIENT_CLOSED)
        return;
    client->state = CLIENT_CLOSED;
    write_queue_remove(&worker->writes, &client->writing);
    if (client->exchange != NULL) {
        exchange_abort(client->exchange);
        client->exchange = NULL;
    }
    deadline_close(&client->deadline);
    connection_close(&client->connection);
    buffer_wipe(&client->in); /* it held tokens */
    buffer_free(&client->out);
    auth_memo_free(&client->memo);
    free(client->caller);
    client->caller = NULL;
    *client->link = client->next;
    if (client->next != NULL)
        client->next->link = client->link;
    worker->client_count--;
    if (client->admin)
        worker->admin_count--;
    worker_bury(worker, &client->remains);
    worker_client_gone(worker);
}

/* It was not we who ended it. */
static void client_left(struct client *client)
{
    if (client->exchange != NULL)
        exchange_bridge_left(client->exchange);
    client_close(client);
}

/* The input is empty: its memory goes to who reads next, who finds it in the processor's cache. */
void client_lend_input(struct client *client)
{
    struct worker *worker = client->worker;

    if (worker->spare_input_count == WORKER_SPARE_INPUTS ||
        client->in.capacity != CLIENT_READ_MAX) {
        buffer_wipe(&client->in);
        return;
    }
    buffer_erase(&client->in);
    worker->spare_inputs[worker->spare_input_count++] = client->in;
    client->in = (struct buffer){0};
}

static void client_borrow_input(struct client *client)
{
    struct worker *worker = client->worker;

    if (client->in.memory == NULL && worker->spare_input_count > 0)
        client->in = worker->spare_inputs[--worker->spare_input_count];
}

static void client_linger(struct client *client)
{
    client->state = CLIENT_LINGER;
    if (client->connection.tls != NULL) {
        tls_free(client->connection.tls);
        client->connection.tls = NULL;
    }
    shutdown(client->connection.fd, SHUT_WR);
    deadline_set(&client->deadline, CLIENT_LINGER_TIME);
    connection_want(&client->connection, EV_READ);
}

/* What the connection listens for follows from its state alone. */
void client_update(struct client *client)
{
    int events = 0;
    size_t room = CLIENT_PIPELINE_MAX;

    if (client->exchange != NULL)
        room = exchange_input_limit(client->exchange, CLIENT_PIPELINE_MAX);
    if (client->state == CLIENT_OPEN && buffer_size(&client->in) < room)
        events |= EV_READ;
    if (client->state == CLIENT_LINGER)
        events |= EV_READ;
    if (buffer_size(&client->out) > 0 && !write_entry_waits(&client->writing))
        events |= EV_WRITE;
    if (client->state != CLIENT_CLOSED)
        connection_want(&client->connection, events);
}

/* Between requests: how long we wait for the next. */
static void client_rest(struct client *client)
{
    const struct settings_limits *limits = worker_limits(client->worker);

    if (buffer_size(&client->in) == 0) {
        client_lend_input(client);
        deadline_set(&client->deadline, limits->idle_timeout);
    }
}

static void client_written(struct client *client)
{
    buffer_free(&client->out);
    if (client->state == CLIENT_FLUSH) {
        client_linger(client);
        return;
    }
    if (client->exchange != NULL) {
        deadline_clear(&client->deadline);
        exchange_written(client->exchange);
        return;
    }
    client_rest(client);
    client_process(client);
    /* Draining began while the answer waited to be written. */
    if (client->worker->draining && client->exchange == NULL)
        client_drain(client);
}

/* Writes what it can; false when the connection broke (and is closed). */
static bool client_write(struct client *client)
{
    while (buffer_size(&client->out) > 0) {
        struct iovec part = {.iov_base = buffer_data(&client->out),
                             .iov_len = buffer_size(&client->out)};
        ssize_t count = connection_write(&client->connection, &part, 1);

        if (count == -EAGAIN)
            return true;
        if (count < 0) {
            client_left(client);
            return false;
        }
        client->sent += (uint64_t)count;
        buffer_consume(&client->out, (size_t)count);
        if (buffer_size(&client->out) > 0)
            deadline_set(&client->deadline, worker_limits(client->worker)->write_timeout);
    }
    return true;
}

void client_flush(struct client *client)
{
    write_queue_remove(&client->worker->writes, &client->writing);
    if (client->state == CLIENT_CLOSED || buffer_size(&client->out) == 0)
        return;
    if (!client_write(client))
        return;
    if (buffer_size(&client->out) == 0)
        buffer_free(&client->out);
    else if (client->deadline.at == 0)
        deadline_set(&client->deadline, worker_limits(client->worker)->write_timeout);
    client_update(client);
}

/* Writes what waited: for the turn's end, or for the client to take it. */
static void client_write_on(struct client *client)
{
    if (!client_write(client))
        return;
    if (buffer_size(&client->out) == 0)
        client_written(client);
    else if (client->deadline.at == 0)
        deadline_set(&client->deadline, worker_limits(client->worker)->write_timeout);
    client_update(client);
}

static void client_write_queued(struct write_entry *entry)
{
    struct client *client = entry->owner;

    client_write_on(client);
    if (client->state != CLIENT_CLOSED && buffer_size(&client->out) > 0 && client->exchange != NULL)
        exchange_blocked(client->exchange);
}

void client_flush_later(struct client *client)
{
    if (buffer_size(&client->out) == 0 || buffer_size(&client->out) > CLIENT_LATER_MAX) {
        client_flush(client);
        return;
    }
    client->writing.write = client_write_queued;
    client->writing.owner = client;
    write_queue_add(&client->worker->writes, &client->writing);
}

void client_finished(struct client *client, bool close)
{
    client->exchange = NULL;
    if (client->state != CLIENT_OPEN)
        return;
    if (close || client->worker->draining) {
        client->state = CLIENT_FLUSH;
        if (buffer_size(&client->out) == 0)
            client_linger(client);
        else
            client_update(client);
        return;
    }
    if (buffer_size(&client->out) == 0)
        client_rest(client);
    if (!client->processing)
        client_process(client);
}

static void client_refuse_head(struct client *client, unsigned status, const char *reason)
{
    struct reply_error error = {.status = status, .message = reason, .close = true};

    worker_count(client->worker, COUNT_REQUESTS);
    worker_count(client->worker, COUNT_RESPONSES_4XX);
    exchange_audit_malformed(client, status, reason);
    log_debug("request_refused", "%s: %u %s", client->address, status, reason);
    if (reply_error(&client->out, &error) != 0) {
        client_close(client);
        return;
    }
    client->state = CLIENT_FLUSH;
    if (client_write(client)) {
        if (buffer_size(&client->out) == 0)
            client_linger(client);
        else
            client_update(client);
    }
}

/* Takes requests out of `in` until one is incomplete, or has to wait for something. */
static void client_process(struct client *client)
{
    struct worker *worker = client->worker;
    const struct settings_limits *limits = worker_limits(worker);

    client->processing = true;
    while (client->state == CLIENT_OPEN && client->exchange == NULL &&
           buffer_size(&client->out) == 0 && buffer_size(&client->in) > 0) {
        const char *reason = NULL;
        long size = http_request_parse(buffer_slice(&client->in), limits->head_size,
                                       &worker->request, &reason);

        if (size < 0) {
            client_refuse_head(client, (unsigned)-size, reason);
            break;
        }
        if (size == 0) {
            /* From the head's first byte on: who sends slowly does not get more time. */
            if (!client->head_begun)
                deadline_set(&client->deadline, limits->head_timeout);
            client->head_begun = true;
            break;
        }
        client->head_begun = false;
        deadline_clear(&client->deadline);
        if (!client->admin)
            worker_count(worker, COUNT_REQUESTS);
        exchange_start(client, (size_t)size);
    }
    client->processing = false;
    client_update(client);
}

static void client_drop_input(struct client *client)
{
    char *scratch = client->worker->scratch;
    ssize_t count;

    do {
        count = recv(client->connection.fd, scratch, WORKER_SCRATCH, MSG_DONTWAIT);
    } while (count > 0);
    if (count == 0 || (errno != EAGAIN && errno != EINTR))
        client_close(client);
}

static void client_readable(struct client *client)
{
    size_t room;
    ssize_t count;

    client_borrow_input(client);
    if (buffer_reserve(&client->in, CLIENT_READ_MAX) != 0) {
        client_close(client);
        return;
    }
    buffer_space(&client->in, &room);
    count = connection_read(&client->connection, buffer_space(&client->in, &room), room);
    if (count == -EAGAIN) {
        if (buffer_size(&client->in) == 0)
            client_lend_input(client);
        return;
    }
    if (count <= 0) {
        client_left(client);
        return;
    }
    buffer_commit(&client->in, (size_t)count);
    if (client->exchange == NULL) {
        client_process(client);
    } else {
        exchange_input(client->exchange);
        client_update(client);
    }
}

static void client_handshake(struct client *client)
{
    char reason[TLS_REASON_MAX];
    int result = connection_handshake(&client->connection, reason);

    if (result == -EAGAIN)
        return;
    if (result != 0) {
        log_debug("tls_refused", "%s: %s", client->address, reason);
        client_close(client);
        return;
    }
    client->state = CLIENT_OPEN;
    client_rest(client);
    client_update(client);
}

static void client_ready(struct connection *connection, int events)
{
    struct client *client = connection->owner;

    if (client->state == CLIENT_HANDSHAKE) {
        client_handshake(client);
        return;
    }
    if (client->state == CLIENT_LINGER) {
        client_drop_input(client);
        return;
    }
    if ((events & EV_WRITE) != 0 && buffer_size(&client->out) > 0)
        client_write_on(client);
    if ((events & EV_READ) != 0 && client->state == CLIENT_OPEN)
        client_readable(client);
}

/* Idle, or slow: a head that does not end gets an answer, all else just ends. */
static void client_late(struct deadline *deadline)
{
    struct client *client = deadline->owner;

    if (client->state == CLIENT_OPEN && client->exchange == NULL && client->head_begun &&
        buffer_size(&client->out) == 0)
        client_refuse_head(client, 408, "the request's head did not end in time");
    else if (client->state == CLIENT_OPEN && client->exchange != NULL &&
             buffer_size(&client->out) == 0)
        exchange_body_late(client->exchange);
    else
        client_close(client);
}

void client_await_body(struct client *client)
{
    deadline_set(&client->deadline, worker_limits(client->worker)->body_timeout);
    client_update(client);
}

void client_drain(struct client *client)
{
    if (client->exchange != NULL)
        exchange_drain(client->exchange);
    else if (client->state == CLIENT_HANDSHAKE ||
             (client->state == CLIENT_OPEN && buffer_size(&client->in) == 0 &&
              buffer_size(&client->out) == 0))
        client_close(client);
}

int client_open(struct worker *worker, int fd, struct tls *tls, bool admin, const char *address)
{
    size_t address_size = strlen(address) + 1;
    struct client *client = calloc(1, sizeof(*client) + address_size);

    if (client == NULL) {
        tls_free(tls);
        close(fd);
        return -ENOMEM;
    }
    client->worker = worker;
    client->admin = admin;
    client->number = ++worker->connection_count;
    memcpy(client->address, address, address_size);
    connection_open(&client->connection, worker->loop, fd, tls, client_ready, client);
    deadline_open(&client->deadline, worker->loop, client_late, client);
    client->link = &worker->clients;
    client->next = worker->clients;
    if (client->next != NULL)
        client->next->link = &client->next;
    worker->clients = client;
    worker->client_count++;
    if (admin)
        worker->admin_count++;
    else
        worker_count(worker, COUNT_CONNECTIONS);
    if (tls != NULL) {
        client->state = CLIENT_HANDSHAKE;
        deadline_set(&client->deadline, worker_limits(worker)->tls_timeout);
        client_handshake(client);
    } else {
        client->state = CLIENT_OPEN;
        client_rest(client);
        client_update(client);
    }
    return 0;
}
