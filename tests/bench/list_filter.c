/* How fast a narrowed caller's responses are read: bytes a second of this process's own time, as
 * events of 4 KiB and 1 MiB that come in pieces as sockets give them; messages that are mostly
 * strings, dense ones, and lists of which a half is cut. Run by `make bench-filter`; fails below
 * the least that the design asks for. */
#include "worker/list_filter.h"
#include "tests/unit/shared/policy_example.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    SMALL = 4 * 1024,
    LARGE = 1024 * 1024,
    PIECE = 64 * 1024, /* as a worker reads */
    BYTES = 400 * 1000 * 1000,
};

static const struct {
    const char *name, *begin, *element, *other, *end;
    double least; /* MB/s */
} corpora[] = {
    {"strings", "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[",
     "\"The quick brown fox jumps over the lazy dog, and then it writes a rather long line.\\n\"",
     NULL, "]}}", 1000},
    {"dense", "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[",
     "{\"id\":12345,\"x\":[1,2.5,-3e7,true],\"k\":null,\"n\":\"ab\"}", NULL, "]}}", 300},
    {"lists", "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":[",
     "{\"name\":\"read_file\",\"description\":\"Reads a file below the root, whole or in parts, "
     "and "
     "tells how large it is.\",\"inputSchema\":{\"type\":\"object\",\"properties\":{\"path\":{"
     "\"type\":\"string\"},\"offset\":{\"type\":\"integer\",\"minimum\":0}}}}",
     "{\"name\":\"drop_file\",\"description\":\"Removes a file below the root, for good: there is "
     "no way to have it back.\",\"inputSchema\":{\"type\":\"object\",\"properties\":{\"path\":{"
     "\"type\":\"string\"},\"force\":{\"type\":\"boolean\"}}}}",
     "],\"nextCursor\":\"x\"}}", 300},
};

static struct list_filter filter;
static size_t put_bytes;

static double seconds(void)
{
    struct timespec time;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static enum mcp_verdict look(void *context, struct slice text, struct buffer *out)
{
    enum mcp_verdict verdict = list_filter_message(context, text, out);

    if (filter.refusal != NULL)
        abort();
    return verdict;
}

static bool put(void *context, struct slice bytes)
{
    (void)context;
    put_bytes += bytes.size;
    return true;
}

/* One event, of about `size` bytes. */
static size_t make_event(char *out, size_t corpus, size_t size)
{
    size_t used = (size_t)sprintf(out, "event: message\ndata: %s%s", corpora[corpus].begin,
                                  corpora[corpus].element);

    for (unsigned i = 1; used < size; i++)
        used +=
            (size_t)sprintf(out + used, ",%s",
                            i % 2 == 1 && corpora[corpus].other != NULL ? corpora[corpus].other
                                                                        : corpora[corpus].element);
    return used + (size_t)sprintf(out + used, "%s\n\n", corpora[corpus].end);
}

static double speed(struct slice stream)
{
    struct mcp_response response = {
        .limit = 2 * LARGE, .context = &filter, .look = look, .put = put};
    double begin = seconds();
    size_t left = BYTES;

    while (left >= stream.size) {
        for (size_t at = 0; at < stream.size; at += PIECE) {
            size_t size = stream.size - at < PIECE ? stream.size - at : PIECE;

            if (mcp_response_events(&response, slice_make(stream.data + at, size)) != 0)
                abort();
        }
        left -= stream.size;
    }
    mcp_response_free(&response);
    return (double)(BYTES - left) / 1e6 / (seconds() - begin);
}

int main(void)
{
    static const struct policy_rule rule = {
        .kind = POLICY_TOOL, .pattern = TEXT("read_*"), .place = TEXT("role.yaml:1")};
    static const struct policy_record record = {.role = TEXT("reader"),
                                                .file = TEXT("role.yaml"),
                                                .place = TEXT("role.yaml:1"),
                                                .rules = &rule,
                                                .rule_count = 1};
    static char stream[2 * LARGE + SMALL];
    const size_t sizes[] = {SMALL, LARGE};
    struct policy_set *set;
    int status = 0;

    if (policy_set_make(&set, &record, 1) != 0)
        return 1;
    filter.policy = set;
    for (size_t i = 0; i < 6; i++) {
        size_t size = make_event(stream, i / 2, sizes[i % 2]);
        size_t all = size;
        double found;

        /* Small events come many at a time. */
        while (all + size <= LARGE) {
            memcpy(stream + all, stream, size);
            all += size;
        }
        found = speed(slice_make(stream, all));
        printf("%-8s %8zu bytes: %6.0f MB/s\n", corpora[i / 2].name, size, found);
        if (found < corpora[i / 2].least)
            status = 1;
    }
    policy_set_release(set);
    return put_bytes == 0 ? 1 : status;
}
