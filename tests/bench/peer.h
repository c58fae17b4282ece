/* peer.h: what the bench's load programs share: one request's text, and loopback connections.
 *
 * Start-up may die: each function exits with a sentence when it cannot do its work. Not for tests.
 */
#ifndef GATEHOUSE_BENCH_PEER_H
#define GATEHOUSE_BENCH_PEER_H

#include <stddef.h>
#include <stdint.h>

enum { PEER_REQUEST_MAX = 8192 };

struct peer_request {
    char text[PEER_REQUEST_MAX];
    size_t size;
};

/* Bearer tokens of a file, one a line. */
struct peer_tokens {
    char **items;
    size_t count;
};
void peer_tokens_read(struct peer_tokens *out, const char *path);

/* A tools/call of 308 bytes. `stream`: of the tool that answers with an event stream: `count`
 * events `interval` milliseconds apart, then its end; count 0: it stays open and silent. */
void peer_request(struct peer_request *out, const char *path, const char *token);
void peer_request_stream(struct peer_request *out, const char *path, const char *token,
                         unsigned count, unsigned interval);

/* A blocking connection to 127.0.0.1. */
int peer_connect(const char *port);
/* As many descriptors as we may have. */
void peer_raise_limits(void);

int64_t peer_now(void); /* nanoseconds, monotonic */
/* By qsort's rules, of int64_t. */
int peer_compare(const void *a, const void *b);
/* An argument's number, within low and high. */
unsigned peer_number(const char *text, unsigned low, unsigned high);
_Noreturn void peer_fail(const char *what);

#endif
