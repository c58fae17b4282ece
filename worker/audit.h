/* audit.h: the audit trail of one worker: who did what, a line of JSON each.
 *
 * Lines are made in memory, and written at the end of each turn: whole, in one write, in order, to
 * a descriptor that master opened (O_APPEND) and hands over again after SIGUSR1 and SIGHUP. So a
 * crash loses no more than its turn. Nothing blocks: a pipe or socket that takes nothing keeps the
 * lines waiting, AUDIT_WAITING_MAX bytes of them at most. What a line says is audit_event.h's and
 * exchange_audit.c's.
 *
 * Never in a line: a token, a header's value but User-Agent, a body; an Mcp-Session-Id, which
 * servers take for proof, only as the first 16 digits of its SHA-256; arguments of a tool only with
 * gate.audit.arguments. A gate session's id is itself a hash, and opens nothing.
 *
 * While a write fails (ENOSPC, EIO, EDQUOT, EFBIG, a pipe that nobody reads) or no descriptor is
 * there, lines wait as above and are then lost; a try follows each second; the metric audit_failing
 * is 1, the log says so once a minute, and with `on_failure: refuse` requests are answered 503. A
 * line that was written in part is written anew on a line of its own: readers pass over lines that
 * are no JSON.
 *
 * Sessions that end by time are told by the janitor, within a second or two of their removal; the
 * end of one that was shut out before is told then, too.
 *
 * Members of every line:
 *     time         RFC 3339, UTC, with microseconds
 *     event        session_start, session_end, mcp_session_start, mcp_session_end,
 *                  mcp_session_foreign, mcp_session_reopen, request, refused,
 *                  batch_message, stream_end, refusals_withheld, audit_gap
 *     worker, pid  the process; `line` counts its lines, so that a missing one shows
 * Of requests and their streams:
 *     connection   number of the client's connection in that process
 *     request      number of the request on that connection: with `pid` and `connection`, its name
 *     client       address
 *     agent        User-Agent, unless it has a token in it
 *     http, path   method; path without query, of apps that are no MCP servers and of no app
 *     app, config, issuer, subject, user, roles, session
 *                  the caller; `session` is the gate's id: kind and SHA-256
 *     mcp_session  16 digits of the SHA-256 of Mcp-Session-Id
 *     method, id   of JSON-RPC; `id` as the client wrote it
 *     name         of the tool or prompt, the resource's URI, the task's id
 *     batch        number of messages of a batch; each has a line batch_message before
 *     arguments    of the tool, as a string of JSON, at most AUDIT_ARGUMENTS_MAX bytes
 *     decision     allowed, denied, undecided, needs_scope
 *     role, rule   that decided; the rule by its place, file:line:column
 *     endpoint     address:port of the server
 *     status       of HTTP; none when the client left before
 *     reason       why it was refused, or ended as it did
 *     ms, upstream_ms, first_byte_ms
 *                  from the request's head to the end of the answer; to the request's first byte to
 *                  the server; to the head of the server's answer
 *     bytes_in, bytes_out
 *                  of head and body as they stand in HTTP, without TLS
 *     stream       true: the answer is an event stream and goes on; stream_end has its end
 *     cut          true: a member was shortened or left out
 */
#ifndef GATEHOUSE_WORKER_AUDIT_H
#define GATEHOUSE_WORKER_AUDIT_H

#include "shared/buffer.h"
#include "shared/scoreboard.h"
#include "shared/settings.h"
#include "worker/audit_line.h"
#include "worker/line_bucket.h"

enum {
    AUDIT_LINE_MAX = 16 * 1024, /* bytes of a line in a file: arguments, escaped, and the rest */
    AUDIT_ARGUMENTS_MAX = 4 * 1024,  /* bytes of arguments: enough to see what was asked for */
    AUDIT_WAITING_MAX = 1024 * 1024, /* bytes of lines that wait: some thousand requests */
    AUDIT_ENDED = 64,                /* sessions whose end was told lately, to tell it once */
};

struct audit {
    bool on;        /* the settings name an output */
    bool arguments; /* of the settings */
    bool failing;
    /* private */
    struct scoreboard_block *block;
    const struct scoreboard_work *work;
    bool refuse;
    bool file;         /* a regular file: any write may be long */
    bool torn;         /* what was written last is half a line */
    bool neighbour;    /* another worker fails: its half line may be the file's last */
    int fd;            /* owned; -1: none */
    struct buffer out; /* whole lines, but for the one that is being made */
    uint64_t line;     /* number of the last line */
    uint64_t lost;     /* lines, since it fails */
    uint64_t refused;  /* requests, since it fails */
    int64_t failed_at; /* wall seconds */
    int64_t next_try;  /* monotonic milliseconds */
    int64_t next_log;  /* monotonic milliseconds */
    int64_t second;    /* that `stamp` was made of */
    char stamp[32];    /* "2026-01-31T12:00:00" */
    char process[64];  /* `"worker":0,"pid":1,` */
    uint64_t refusals; /* lines a second about strangers */
    struct line_bucket strangers;
    uint64_t ended[AUDIT_ENDED]; /* of session ids; a ring */
    unsigned ended_next;
};

/* `block` and `work` are borrowed for its life; `slot` is the worker's. */
void audit_open(struct audit *audit, int slot, struct scoreboard_block *block,
                const struct scoreboard_work *work);
/* The settings came, or changed. Without an output the descriptor is closed. */
void audit_configure(struct audit *audit, const struct settings_audit *settings);
/* Takes a descriptor over, in the place of the one before; what waits goes to the new one. */
void audit_take(struct audit *audit, int fd);
/* At the turn's end: writes what waits. */
void audit_flush(struct audit *audit);
/* Now and then, at least once a second: tries again what failed, tells what was withheld. */
void audit_tick(struct audit *audit);
/* Writes what waits, for a second at most, and closes. */
void audit_close(struct audit *audit);

/* Whether requests are to be refused just now; counts the one that asks. */
bool audit_refuses(struct audit *audit);
/* Whether a line about a caller who proved nothing may be written; counts it otherwise. */
bool audit_admits_stranger(struct audit *audit);
/* Whether this session's end was not told yet, as far as is remembered; remembers it. */
bool audit_ends_session(struct audit *audit, struct slice id);

/* Begins a line with what all have; only when audit->on. Then members, then audit_end, with no
 * other line in between. */
void audit_begin(struct audit *audit, struct audit_line *line, const char *event);
void audit_end(struct audit *audit, struct audit_line *line);

#endif
