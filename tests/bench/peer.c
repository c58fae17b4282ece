#include "tests/bench/peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const char peer_body[] =
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":"
    "\"search_documents\",\"arguments\":{\"query\":\"quarterly revenue by region and product line, "
    "last four quarters\",\"limit\":10,\"cursor\":null,\"filters\":{\"lang\":\"en\",\"type\":"
    "[\"pdf\",\"html\"]}},\"_meta\":{\"progressToken\":\"a1b2c3d4-0001-4a5b-8c9d-001122334455\"}}}";

_Noreturn void peer_fail(const char *what)
{
    fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
    exit(1);
}

void peer_tokens_read(struct peer_tokens *out, const char *path)
{
    char line[PEER_REQUEST_MAX / 2];
    FILE *file = fopen(path, "r");
    size_t room = 0;

    if (file == NULL)
        peer_fail(path);
    *out = (struct peer_tokens){0};
    while (fgets(line, sizeof(line), file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (out->count == room) {
            room = room == 0 ? 16 : room * 2;
            out->items = realloc(out->items, room * sizeof(*out->items));
        }
        if (out->items == NULL || (out->items[out->count++] = strdup(line)) == NULL)
            peer_fail("memory");
    }
    fclose(file);
    if (out->count == 0)
        peer_fail("no token");
}

static void peer_compose(struct peer_request *out, const char *path, const char *token,
                         const char *body)
{
    int size;

    size = snprintf(out->text, sizeof(out->text),
                    "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                    "Accept: application/json, text/event-stream\r\n"
                    "MCP-Protocol-Version: 2025-06-18\r\nUser-Agent: bench/1.0\r\n"
                    "Authorization: Bearer %s\r\nContent-Length: %zu\r\n\r\n%s",
                    path, token, strlen(body), body);
    if (size < 0 || (size_t)size >= sizeof(out->text)) {
        errno = EMSGSIZE;
        peer_fail("request");
    }
    out->size = (size_t)size;
}

void peer_request(struct peer_request *out, const char *path, const char *token)
{
    peer_compose(out, path, token, peer_body);
}

void peer_request_stream(struct peer_request *out, const char *path, const char *token,
                         unsigned count, unsigned interval)
{
    char body[256];

    snprintf(
        body, sizeof(body),
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"wait\","
        "\"arguments\":{\"stream\":\"%u,%u\"}}}",
        count, interval);
    peer_compose(out, path, token, body);
}

int peer_connect(const char *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)peer_number(port, 1, 65535)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;

    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        peer_fail("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return fd;
}

void peer_raise_limits(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

int64_t peer_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int peer_compare(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

    return (left > right) - (left < right);
}

unsigned peer_number(const char *text, unsigned low, unsigned high)
{
    char *end;
    unsigned long number = strtoul(text, &end, 10);

    if (*text == '\0' || *end != '\0' || number < low || number > high) {
        errno = ERANGE;
        peer_fail(text);
    }
    return (unsigned)number;
}
