/* How fast messages are read: bytes a second of this process's own time, for bodies that are mostly
 * strings and for dense ones, of 4 KiB and 1 MiB. Run by `make bench-message`; fails below the
 * least that the design asks for. */
#include "worker/mcp_message.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { SMALL = 4 * 1024, LARGE = 1024 * 1024, BYTES = 400 * 1000 * 1000 };

#define BEGIN                                                                                 \
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"write\"," \
    "\"arguments\":{\"lines\":["
#define END "]}}}"

static const struct {
    const char *name, *element;
    double least; /* MB/s */
} corpora[] = {
    {"strings",
     "\"The quick brown fox jumps over the lazy dog, and then it writes a rather long line.\\n\"",
     1000},
    {"dense", "{\"id\":12345,\"x\":[1,2.5,-3e7,true],\"k\":null,\"n\":\"ab\"}", 300},
};

static double seconds(void)
{
    struct timespec time;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void read_whole(struct slice text)
{
    struct mcp_message message;
    struct mcp_reader reader;

    mcp_reader_begin(&reader, text, false);
    if (mcp_reader_next(&reader, &message) != 1 || mcp_reader_next(&reader, &message) != 0)
        abort();
}

static size_t make_body(char *out, const char *element, size_t size)
{
    size_t used = (size_t)sprintf(out, BEGIN "%s", element);

    while (used < size)
        used += (size_t)sprintf(out + used, ",%s", element);
    return used + (size_t)sprintf(out + used, END);
}

int main(void)
{
    static char body[LARGE + SMALL];
    const size_t sizes[] = {SMALL, LARGE};
    int status = 0;

    for (size_t i = 0; i < 4; i++) {
        size_t size = make_body(body, corpora[i / 2].element, sizes[i % 2]);
        double begin = seconds();
        double speed;

        for (size_t left = BYTES; left >= size; left -= size)
            read_whole(slice_make(body, size));
        speed = BYTES / 1e6 / (seconds() - begin);
        printf("%-8s %8zu bytes: %6.0f MB/s\n", corpora[i / 2].name, size, speed);
        if (speed < corpora[i / 2].least)
            status = 1;
    }
    return status;
}
