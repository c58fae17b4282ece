/* pace.c: open-loop load: requests leave at random (Poisson) times of a fixed rate, whatever the
 * answers do, and latency counts from the time at which a request was due.
 *
 *     pace PORT PATH TOKEN_FILE CONNECTIONS RATE SECONDS
 *     pace PORT PATH TOKEN_FILE CONNECTIONS
 *
 * The second form is a closed loop: each token of the file once, as fast as answers come. Prints
 * {"count":N,"p50":…,"p99":…,"bad":N} in microseconds. The same seed each time, so that two targets
 * get the same load.
 */
#include "tests/bench/peer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 1024, RATE_MAX = 60000, SECONDS_MAX = 30, EVENTS = 128 };
static const int64_t patience = 10000000000; /* nanoseconds for the last answers */

struct connection {
    int fd;
    size_t size;
    int64_t due;
    char input[8192];
};

struct load {
    const char *path;
    struct peer_tokens tokens;
    struct peer_request request; /* of the last token that was used */
    struct connection *connections;
    int *free; /* indices of connections without a request */
    size_t free_count;
    int64_t *due, *latency; /* nanoseconds */
    size_t total, sent, done, bad;
    int64_t begin;
    int loop;
};

static void load_open(struct load *load, const char *port, unsigned connections)
{
    load->connections = calloc(connections, sizeof(*load->connections));
    load->free = calloc(connections, sizeof(*load->free));
    load->loop = epoll_create1(EPOLL_CLOEXEC);
    if (load->connections == NULL || load->free == NULL || load->loop < 0)
        peer_fail("set-up");
    for (unsigned i = 0; i < connections; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};

        load->connections[i].fd = peer_connect(port);
        load->free[load->free_count++] = (int)i;
        epoll_ctl(load->loop, EPOLL_CTL_ADD, load->connections[i].fd, &event);
    }
}

/* Without a rate all are due at once. */
static void load_schedule(struct load *load, unsigned rate, unsigned seconds)
{
    double at = 0;

    load->total = rate == 0 ? load->tokens.count : (size_t)rate * seconds;
    load->due = calloc(load->total, sizeof(*load->due));
    load->latency = calloc(load->total, sizeof(*load->latency));
    if (load->due == NULL || load->latency == NULL)
        peer_fail("memory");
    srand48(42);
    for (size_t i = 0; i < load->total && rate > 0; i++) {
        at += -log(1 - drand48()) / rate;
        load->due[i] = (int64_t)(at * 1e9);
    }
}

/* Sends what is due; what finds no free connection waits, and its latency grows. */
static void load_send(struct load *load)
{
    int64_t now = peer_now() - load->begin;

    while (load->sent < load->total && load->due[load->sent] <= now && load->free_count > 0) {
        struct connection *connection = &load->connections[load->free[--load->free_count]];

        if (load->sent == 0 || load->tokens.count > 1)
            peer_request(&load->request, load->path,
                         load->tokens.items[load->sent % load->tokens.count]);
        connection->due = load->due[load->sent++];
        connection->size = 0;
        if (write(connection->fd, load->request.text, load->request.size) !=
            (ssize_t)load->request.size)
            peer_fail("write");
    }
}

static int connection_has_answer(struct connection *connection)
{
    const char *end, *length;

    connection->input[connection->size] = '\0';
    end = strstr(connection->input, "\r\n\r\n");
    length = strcasestr(connection->input, "\ncontent-length:");
    if (end == NULL)
        return 0;
    if (length != NULL && length < end)
        return connection->size >=
               (size_t)(end + 4 - connection->input) + strtoul(length + 16, NULL, 10);
    return connection->size >= 5 &&
           memcmp(connection->input + connection->size - 5, "0\r\n\r\n", 5) == 0;
}

static void load_receive(struct load *load, unsigned index)
{
    struct connection *connection = &load->connections[index];
    ssize_t count = read(connection->fd, connection->input + connection->size,
                         sizeof(connection->input) - 1 - connection->size);

    if (count <= 0)
        peer_fail("the target closed a connection");
    connection->size += (size_t)count;
    if (!connection_has_answer(connection))
        return;
    if (memcmp(connection->input, "HTTP/1.1 200", 12) == 0)
        load->latency[load->done++] = peer_now() - load->begin - connection->due;
    else
        load->bad++;
    load->free[load->free_count++] = (int)index;
}

static void load_wait(struct load *load)
{
    struct epoll_event events[EVENTS];
    struct timespec wait = {.tv_nsec = 100000000};
    int count;

    if (load->sent < load->total && load->free_count > 0) {
        int64_t left = load->due[load->sent] - (peer_now() - load->begin);

        if (left < 0)
            left = 0;
        wait = (struct timespec){.tv_sec = left / 1000000000, .tv_nsec = left % 1000000000};
    }
    count = epoll_pwait2(load->loop, events, EVENTS, &wait, NULL);
    for (int i = 0; i < count; i++)
        load_receive(load, events[i].data.u32);
}

int main(int argc, char **argv)
{
    static struct load load;
    unsigned rate = 0, seconds = SECONDS_MAX;
    int64_t end;

    if (argc != 5 && argc != 7)
        return 2;
    load.path = argv[2];
    peer_tokens_read(&load.tokens, argv[3]);
    load_open(&load, argv[1], peer_number(argv[4], 1, CONNECTIONS_MAX));
    if (argc == 7) {
        rate = peer_number(argv[5], 1, RATE_MAX);
        seconds = peer_number(argv[6], 1, SECONDS_MAX);
    }
    load_schedule(&load, rate, seconds);
    load.begin = peer_now() + (rate > 0 ? 5000000 : 0);
    end = load.begin + (int64_t)seconds * 1000000000 + patience;
    while (load.done + load.bad < load.total && peer_now() < end) {
        size_t before = load.done + load.bad;

        load_send(&load);
        load_wait(&load);
        /* Without a rate it takes as long as it takes, while answers come. */
        if (rate == 0 && load.done + load.bad > before)
            end = peer_now() + patience;
    }
    if (load.done == 0)
        return 1;
    end = peer_now();
    qsort(load.latency, load.done, sizeof(*load.latency), peer_compare);
    printf("{\"count\":%zu,\"seconds\":%.4f,\"p50\":%.1f,\"p99\":%.1f,\"bad\":%zu}\n", load.done,
           (double)(end - load.begin) / 1e9, (double)load.latency[load.done / 2] / 1e3,
           (double)load.latency[load.done * 99 / 100] / 1e3, load.total - load.done);
    return 0;
}
