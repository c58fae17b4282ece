/* events.c: how late events arrive: STREAMS event streams at once, COUNT events each.
 *
 *     events PORT PATH TOKEN_FILE STREAMS COUNT INTERVAL
 *
 * Prints {"count":N,"p50":…,"p99":…} in microseconds from the server's write to our read. Both run
 * on one machine, and read the same clock.
 */
#include "tests/bench/peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { STREAMS_MAX = 1024, COUNT_MAX = 10000, INTERVAL_MAX = 1000, EVENTS = 128 };

struct stream {
    int fd;
    size_t size;
    char input[8192];
};

static int64_t *late;
static size_t late_count, wanted;

/* Takes the times of whole events out of what was read. */
static void stream_take(struct stream *stream)
{
    static const char mark[] = "\"sent\":";
    int64_t now = peer_now();
    char *at = stream->input, *end;

    stream->input[stream->size] = '\0';
    for (; (end = strstr(at, "\n\n")) != NULL; at = end + 2) {
        char *sent = strstr(at, mark);

        if (sent != NULL && sent < end && late_count < wanted)
            late[late_count++] = now - strtoll(sent + sizeof(mark) - 1, NULL, 10);
    }
    stream->size -= (size_t)(at - stream->input);
    memmove(stream->input, at, stream->size);
}

static int stream_read(struct stream *stream)
{
    ssize_t count =
        read(stream->fd, stream->input + stream->size, sizeof(stream->input) - 1 - stream->size);

    if (count <= 0)
        return 0;
    stream->size += (size_t)count;
    stream_take(stream);
    return 1;
}

int main(int argc, char **argv)
{
    struct peer_request request;
    struct peer_tokens tokens;
    struct stream *streams;
    unsigned count, events;
    int loop = epoll_create1(EPOLL_CLOEXEC);

    if (argc != 7)
        return 2;
    count = peer_number(argv[4], 1, STREAMS_MAX);
    events = peer_number(argv[5], 1, COUNT_MAX);
    peer_tokens_read(&tokens, argv[3]);
    peer_request_stream(&request, argv[2], tokens.items[0], events,
                        peer_number(argv[6], 1, INTERVAL_MAX));
    wanted = (size_t)count * (events + 1);
    late = calloc(wanted, sizeof(*late));
    streams = calloc(count, sizeof(*streams));
    if (late == NULL || streams == NULL)
        peer_fail("memory");
    for (unsigned i = 0; i < count; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};

        streams[i].fd = peer_connect(argv[1]);
        epoll_ctl(loop, EPOLL_CTL_ADD, streams[i].fd, &event);
        if (write(streams[i].fd, request.text, request.size) != (ssize_t)request.size)
            peer_fail("write");
    }
    while (late_count < wanted) {
        struct epoll_event ready[EVENTS];
        int n = epoll_wait(loop, ready, EVENTS, 10000);

        if (n <= 0)
            break;
        for (int i = 0; i < n; i++)
            if (!stream_read(&streams[ready[i].data.u32]))
                peer_fail("the target closed a stream");
    }
    if (late_count == 0)
        return 1;
    qsort(late, late_count, sizeof(*late), peer_compare);
    printf("{\"count\":%zu,\"wanted\":%zu,\"p50\":%.1f,\"p99\":%.1f}\n", late_count, wanted,
           (double)late[late_count / 2] / 1e3, (double)late[late_count * 99 / 100] / 1e3);
    return late_count == wanted ? 0 : 1;
}
