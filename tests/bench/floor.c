/* floor.c: the least that a gateway can do: frames the request, hashes its token, looks it up, and
 * passes it on without the token. The limit that the bench measures against; not a proxy.
 *
 *     floor PORT UPSTREAM_PORT TOKEN_FILE
 *
 * One upstream connection for each client connection, one read and one write each way, no copy, no
 * log. Takes requests that come whole in one read, as the bench's do.
 */
#include "tests/bench/peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { EVENTS = 256, SLOTS = 8192, DIGEST = 32, BACKLOG = 4096, INPUT = 64 * 1024 };

struct side {
    int fd;
    struct side *other;
    int client;
};

static unsigned char known[SLOTS][DIGEST]; /* open addressing */
static const unsigned char empty[DIGEST];  /* as no digest is */
static EVP_MD *sha256;
static EVP_MD_CTX *context;

/* The slot that holds the token's digest, or the empty one where it belongs. */
static unsigned char *known_find(const char *token, size_t size, unsigned char digest[DIGEST])
{
    unsigned slot;

    EVP_DigestInit_ex2(context, sha256, NULL);
    EVP_DigestUpdate(context, token, size);
    EVP_DigestFinal_ex(context, digest, NULL);
    memcpy(&slot, digest, sizeof(slot));
    for (slot %= SLOTS; memcmp(known[slot], digest, DIGEST) != 0; slot = (slot + 1) % SLOTS)
        if (memcmp(known[slot], empty, DIGEST) == 0)
            break;
    return known[slot];
}

static int known_is(const char *token, size_t size)
{
    unsigned char digest[DIGEST];

    return memcmp(known_find(token, size, digest), empty, DIGEST) != 0;
}

static void known_load(const char *path)
{
    struct peer_tokens tokens;

    peer_tokens_read(&tokens, path);
    if (tokens.count >= SLOTS / 2)
        peer_fail("too many tokens");
    for (size_t i = 0; i < tokens.count; i++) {
        unsigned char digest[DIGEST];
        unsigned char *slot = known_find(tokens.items[i], strlen(tokens.items[i]), digest);

        memcpy(slot, digest, DIGEST);
    }
}

/* The pair's memory stays: an event of its other side may be under way. */
static void side_close(struct side *side)
{
    close(side->fd);
    close(side->other->fd);
    side->fd = side->other->fd = -1;
}

static void side_refuse(const struct side *side)
{
    static const char refusal[] =
        "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\nContent-Length: 0\r\n\r\n";

    send(side->fd, refusal, sizeof(refusal) - 1, MSG_NOSIGNAL);
}

/* The value of a header; NULL: there is none. Headers end at `end`. */
static const char *header_find(const char *data, const char *end, const char *name)
{
    size_t size = strlen(name);

    for (const char *line = memchr(data, '\n', (size_t)(end - data)); line != NULL && line < end;
         line = memchr(line, '\n', (size_t)(end - line) + 2)) {
        line++;
        if (strncasecmp(line, name, size) == 0)
            return line + size;
    }
    return NULL;
}

static void side_request(const struct side *side, char *data, size_t size)
{
    static const char subject[] = "X-Auth-Subject: 00000000-7f3c-4c1e-9d55-1b2f0c6f9a10\r\n";
    static const char scheme[] = "Authorization: Bearer ";
    const char *end = memmem(data, size, "\r\n\r\n", 4);
    const char *token = end == NULL ? NULL : header_find(data, end, scheme);
    const char *length = end == NULL ? NULL : header_find(data, end, "Content-Length:");
    const char *token_end = token == NULL ? NULL : memchr(token, '\r', (size_t)(end + 2 - token));
    struct iovec parts[3];
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 3};

    if (token_end == NULL || length == NULL || !known_is(token, (size_t)(token_end - token)) ||
        (size_t)(end + 4 - data) + strtoul(length, NULL, 10) != size) {
        side_refuse(side);
        return;
    }
    parts[0] = (struct iovec){data, (size_t)(token - data) - (sizeof(scheme) - 1)};
    parts[1] = (struct iovec){(void *)subject, sizeof(subject) - 1};
    parts[2] = (struct iovec){(char *)token_end + 2, size - (size_t)(token_end + 2 - data)};
    sendmsg(side->other->fd, &message, MSG_NOSIGNAL);
}

static void side_ready(struct side *side)
{
    static char input[INPUT];
    ssize_t count = recv(side->fd, input, sizeof(input) - 1, MSG_DONTWAIT);

    if (count < 0 && (errno == EAGAIN || side->fd < 0))
        return;
    if (count <= 0) {
        side_close(side);
        return;
    }
    input[count] = '\0';
    if (side->client)
        side_request(side, input, (size_t)count);
    else
        send(side->other->fd, input, (size_t)count, MSG_NOSIGNAL);
}

static void accept_one(int loop, int fd, const char *upstream_port)
{
    struct side *sides = calloc(2, sizeof(*sides));
    int on = 1;

    if (sides == NULL)
        peer_fail("memory");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    sides[0] = (struct side){.fd = fd, .other = &sides[1], .client = 1};
    sides[1] = (struct side){.fd = peer_connect(upstream_port), .other = &sides[0]};
    for (int i = 0; i < 2; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &sides[i]};

        epoll_ctl(loop, EPOLL_CTL_ADD, sides[i].fd, &event);
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event event = {.events = EPOLLIN}, events[EVENTS];
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int loop = epoll_create1(EPOLL_CLOEXEC);
    int on = 1;

    if (argc != 4)
        return 2;
    peer_raise_limits();
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    context = EVP_MD_CTX_new();
    known_load(argv[3]);
    address.sin_port = htons((uint16_t)peer_number(argv[1], 1, 65535));
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(listener, BACKLOG) != 0)
        peer_fail("listen");
    epoll_ctl(loop, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int count = epoll_wait(loop, events, EVENTS, -1);

        for (int i = 0; i < count; i++) {
            int fd;

            if (events[i].data.ptr != NULL)
                side_ready(events[i].data.ptr);
            else
                while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
                    accept_one(loop, fd, argv[2]);
        }
    }
}
