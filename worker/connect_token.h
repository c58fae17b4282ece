/* connect_token.h: the bearer token, from a file, a command or the environment.
 *
 * Read when the first call needs it, and again when the gate refused it: once, however many calls
 * wait. It is sent in one header and shown nowhere; what a command says on standard error is its
 * user's to read.
 */
#ifndef GATEHOUSE_WORKER_CONNECT_TOKEN_H
#define GATEHOUSE_WORKER_CONNECT_TOKEN_H

#include "shared/buffer.h"
#include "worker/connect_options.h"
#include "worker/deadline.h"

#include <ev.h>

struct connect_token {
    struct ev_loop *loop; /* borrowed, the default loop */
    const struct connect_options *options;
    /* Called once for each ask, maybe within it: NULL, or words that say why there is none. */
    void (*answered)(void *context, const char *failure);
    void *context;
    struct buffer value; /* the token; empty: none yet */
    unsigned serial;     /* counts tokens that differ */
    bool asking;
    /* private */
    struct ev_child child;
    struct ev_io reader;
    struct deadline deadline;
    struct buffer said;
    int pipe;
};

/* loop, options, answered and context are set; the rest is zeroed. */
void connect_token_open(struct connect_token *token);
void connect_token_close(struct connect_token *token);

/* Whether calls need no asking: there is a token, or none is used. */
bool connect_token_ready(const struct connect_token *token);
/* Whether asking again can give another. */
bool connect_token_can_change(const struct connect_token *token);
/* Does nothing while an ask is on its way. */
void connect_token_ask(struct connect_token *token);

#endif
