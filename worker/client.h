/* client.h: a client's connection: bytes in, requests one after the other, bytes out.
 *
 * Reads heads and hands each to an exchange; keeps pipelined requests until it is over. Buffers are
 * held only while bytes are in them. Made by listener.c; calls exchange.c; knows nothing of
 * upstreams or tokens.
 */
#ifndef GATEHOUSE_WORKER_CLIENT_H
#define GATEHOUSE_WORKER_CLIENT_H

#include "shared/buffer.h"
#include "worker/audit_event.h"
#include "worker/authenticate.h"
#include "worker/connection.h"
#include "worker/deadline.h"
#include "worker/worker.h"
#include "worker/write_queue.h"

struct exchange;

enum client_state {
    CLIENT_HANDSHAKE,
    CLIENT_OPEN,
    CLIENT_FLUSH,  /* what is in `out` is the last */
    CLIENT_LINGER, /* our side is shut: what still comes is read and dropped, so that no reset
                      destroys the answer (RFC 9112, 9.6) */
    CLIENT_CLOSED,
};

struct client {
    struct remains remains;
    struct worker *worker;
    struct client *next, **link;
    struct connection connection;
    struct deadline deadline; /* handshake, head, idle, body, write or linger */
    enum client_state state : 8;
    bool admin;
    bool processing; /* inside client_process: no recursion */
    bool head_begun; /* part of a head is in `in`, and its deadline runs */
    uint32_t request_count;
    struct buffer in;
    struct buffer out;
    struct write_entry writing; /* `out` waits for the turn's end */
    struct exchange *exchange;  /* NULL between requests */
    struct auth_memo memo;
    struct audit_caller *caller; /* of its last audited request; owned; NULL: none */
    uint64_t number;             /* of the connection, in this process */
    uint64_t sent;               /* bytes that it took */
    char address[];              /* numeric */
};

/* Takes `fd` and `tls` over. -ENOMEM: both are closed. */
int client_open(struct worker *worker, int fd, struct tls *tls, bool admin, const char *address);
/* Ends it now, with its exchange. Safe from any callback. */
void client_close(struct client *client);

/* What was read is used up: gives the input's memory on. */
void client_lend_input(struct client *client);
/* Sends what is in `out`, as far as it goes. Call after appending. */
void client_flush(struct client *client);
/* The same at the turn's end, unless much of it waits already. */
void client_flush_later(struct client *client);
/* The present exchange is over. `close`: no further request is read. */
void client_finished(struct client *client, bool close);
/* Listens for what the state now asks for: after an exchange went on by itself. Safe when closed.
 */
void client_update(struct client *client);
/* The exchange needs more of a body: reads on, and waits so long for the next byte. */
void client_await_body(struct client *client);
/* Draining: ends it when it is idle; else its next answer says so. */
void client_drain(struct client *client);

#endif
