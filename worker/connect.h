/* connect.h: one run of `gatehouse connect`: a stdio MCP server that is a Streamable HTTP client.
 *
 * What its parts share. connect.c reads lines and hands each to a call (connect_call.h); calls read
 * answers and write lines; the session (connect_session.h) is what a server of before 2026-07-28
 * remembers of us. One thread, one loop; nothing is kept on disk.
 */
#ifndef GATEHOUSE_WORKER_CONNECT_H
#define GATEHOUSE_WORKER_CONNECT_H

#include "worker/connect_line.h"
#include "worker/connect_link.h"
#include "worker/connect_output.h"
#include "worker/connect_restore.h"
#include "worker/connect_token.h"
#include "worker/connect_tools.h"

struct connect_call;

struct connect_session {
    bool open;                             /* `initialize` was answered */
    bool reopening;                        /* calls wait for it */
    unsigned serial;                       /* counts openings */
    struct buffer id;                      /* Mcp-Session-Id; empty: the server gave none */
    struct buffer version;                 /* negotiated */
    struct buffer server;                  /* serverInfo, as JSON text */
    struct buffer initialize, initialized; /* the client's messages, for replaying */
    struct connect_restore restore;        /* and what they told since */
};

struct connect {
    struct ev_loop *loop;
    const struct connect_options *options;
    struct connect_grave grave;
    struct connect_links links;
    struct connect_output output;
    struct connect_token token;
    struct connect_tools tools;
    struct connect_session session;
    struct connect_call *calls;              /* all that live */
    struct connect_call *queue, **queue_end; /* in the client's order, not yet begun */
    struct connect_call *barrier;            /* later messages wait for its end */
    size_t call_count;
    size_t call_bytes; /* of their messages */
    struct connect_lines lines;
    struct ev_io input;
    struct ev_signal terminate, interrupt;
    struct ev_timer timer; /* bounds the end */
    enum { CONNECT_RUNS, CONNECT_DRAINS, CONNECT_LEAVES, CONNECT_BYE } state;
};

/* A call ended: the queue may go on, and the end may have come. */
void connect_advance(struct connect *connect);

#endif
