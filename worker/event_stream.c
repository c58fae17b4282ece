#include "worker/event_stream.h"

#include <errno.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { EVENT_FIELD_MAX = 6 /* bytes that tell what a line is: "data: " */ };

static const char event_mark[] = "\xef\xbb\xbf"; /* U+FEFF */

/* The next CR or LF, or `end`. One pass for both: two would be quadratic for lines that end in CR.
 */
static const char *event_line_end(const char *at, const char *end)
{
#ifdef __SSE2__
    const __m128i feed = _mm_set1_epi8('\n');
    const __m128i carriage = _mm_set1_epi8('\r');

    while (end - at >= 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
        int found = _mm_movemask_epi8(
            _mm_or_si128(_mm_cmpeq_epi8(bytes, feed), _mm_cmpeq_epi8(bytes, carriage)));

        if (found != 0)
            return at + __builtin_ctz((unsigned)found);
        at += 16;
    }
#endif
    while (at < end && *at != '\n' && *at != '\r')
        at++;
    return at;
}

/* The value's place in a line when it is a data line: "data", "data:", "data: ". 0: it is none. */
static size_t event_data_at(const char *line, size_t size)
{
    if (size < 4 || memcmp(line, "data", 4) != 0)
        return 0;
    if (size == 4)
        return 4;
    if (line[4] != ':')
        return 0;
    return size > 5 && line[5] == ' ' ? 6 : 5;
}

/* A byte of the event, whose begin is held and whose rest stands in the input. */
static char stream_byte(const struct event_stream *stream, struct slice input, size_t at)
{
    size_t held = buffer_size(&stream->held);

    if (at < held)
        return buffer_data(&stream->held)[at];
    return at - held < input.size ? input.data[at - held] : '\0';
}

/* A line is complete; it ends before `end` (of the event). Whether it is empty. */
static bool stream_line(struct event_stream *stream, struct slice input, size_t end)
{
    char begin[EVENT_FIELD_MAX];
    size_t size;
    size_t value;

    if (!stream->begun) {
        size_t mark = 0;

        while (mark < 3 && mark < end && stream_byte(stream, input, mark) == event_mark[mark])
            mark++;
        stream->begun = true;
        if (mark == 3) {
            stream->skip = (uint32_t)mark;
            stream->line = (uint32_t)mark;
        }
    }
    size = end - stream->line;
    for (size_t i = 0; i < sizeof(begin) && i < size; i++)
        begin[i] = stream_byte(stream, input, stream->line + i);
    value = event_data_at(begin, size);
    if (value > 0 && stream->data_lines++ == 0) {
        stream->data_at = stream->line + (uint32_t)value;
        stream->data_size = (uint32_t)(size - value);
    }
    return size == 0;
}

/* Looks at the input, which follows what is held, up to the event's end: true. */
static bool stream_scan(struct event_stream *stream, struct slice input)
{
    size_t held = buffer_size(&stream->held);
    const char *at = input.data;
    const char *end = input.data + input.size;

    while (at < end) {
        bool empty;

        if (stream->after_cr && *at == '\n') {
            stream->line++;
            if (stream->scanned == 0)
                stream->skip = 1;
            at++;
        }
        stream->after_cr = false;
        stream->scanned = (uint32_t)(held + (size_t)(at - input.data));
        at = event_line_end(at, end);
        if (at == end)
            break;
        empty = stream_line(stream, input, held + (size_t)(at - input.data));
        if (*at++ == '\r') {
            stream->after_cr = at == end;
            if (at < end && *at == '\n')
                at++;
        }
        stream->line = stream->scanned = (uint32_t)(held + (size_t)(at - input.data));
        if (empty)
            return true;
    }
    stream->scanned = (uint32_t)(held + input.size);
    return false;
}

/* Joins what the data lines say. */
static int stream_join(struct event_stream *stream, struct event *event)
{
    struct slice rest = slice_skip(event->bytes, event->skip);
    size_t lines = 0;

    buffer_clear(&stream->joined);
    if (buffer_reserve(&stream->joined, rest.size) != 0)
        return -ENOMEM;
    while (rest.size > 0) {
        const char *end = event_line_end(rest.data, rest.data + rest.size);
        size_t size = (size_t)(end - rest.data);
        size_t value = event_data_at(rest.data, size);

        if (value > 0) {
            buffer_append(&stream->joined, "\n", lines++ == 0 ? 0 : 1);
            buffer_append(&stream->joined, rest.data + value, size - value);
        }
        rest = slice_skip(rest, size + 1);
    }
    event->data = buffer_slice(&stream->joined);
    return 0;
}

/* What was scanned is an event: `bytes`. */
static int stream_give(struct event_stream *stream, struct slice bytes, struct event *out)
{
    *out = (struct event){.bytes = bytes, .has_data = stream->data_lines > 0, .skip = stream->skip};
    if (stream->data_lines == 1)
        out->data = slice_make(bytes.data + stream->data_at, stream->data_size);
    else if (stream->data_lines > 1 && stream_join(stream, out) != 0)
        return -ENOMEM;
    stream->skip = stream->line = stream->scanned = stream->data_lines = 0;
    return 1;
}

static int stream_hold(struct event_stream *stream, struct slice data)
{
    if (data.size > stream->limit - buffer_size(&stream->held))
        return -EMSGSIZE;
    return buffer_append_slice(&stream->held, data);
}

/* Gives back what the event before was given out of. */
static void stream_take_back(struct event_stream *stream)
{
    if (stream->given)
        buffer_free(&stream->held);
    stream->given = false;
    if (buffer_size(&stream->joined) > 0)
        buffer_free(&stream->joined);
}

int event_stream_next(struct event_stream *stream, struct slice *input, struct event *out)
{
    struct slice piece;
    bool whole;
    int error;

    stream_take_back(stream);
    if (input->size == 0)
        return 0;
    whole = stream_scan(stream, *input);
    piece = slice_make(input->data, stream->scanned - buffer_size(&stream->held));
    *input = slice_skip(*input, piece.size);
    if (whole && buffer_size(&stream->held) == 0)
        return piece.size > stream->limit ? -EMSGSIZE : stream_give(stream, piece, out);
    error = stream_hold(stream, piece);
    if (error != 0 || !whole)
        return error;
    stream->given = true;
    return stream_give(stream, buffer_slice(&stream->held), out);
}

int event_stream_end(struct event_stream *stream, struct event *out)
{
    stream_take_back(stream);
    if (buffer_size(&stream->held) == 0)
        return 0;
    if (stream->scanned > stream->line)
        stream_line(stream, slice_make(NULL, 0), stream->scanned);
    stream->given = true;
    return stream_give(stream, buffer_slice(&stream->held), out);
}

size_t event_stream_held(const struct event_stream *stream)
{
    return stream->held.capacity + stream->joined.capacity;
}

void event_stream_free(struct event_stream *stream)
{
    buffer_free(&stream->held);
    buffer_free(&stream->joined);
}

/* Appends data lines: one for each line of `data`. */
static int event_append_data(struct buffer *out, struct slice data, struct slice line_end)
{
    for (;;) {
        const char *end =
            data.size == 0 ? data.data : event_line_end(data.data, data.data + data.size);
        struct slice line = slice_make(data.data, (size_t)(end - data.data));
        int error = buffer_append_text(out, "data: ");

        if (error == 0)
            error = buffer_append_slice(out, line);
        if (error == 0)
            error = buffer_append_slice(out, line_end);
        if (error != 0 || line.size == data.size)
            return error;
        data = slice_skip(data, line.size + 1);
    }
}

int event_replace(struct buffer *out, const struct event *event, struct slice data)
{
    struct slice rest = slice_skip(event->bytes, event->skip);
    bool replaced = false;
    int error = buffer_append(out, event->bytes.data, event->skip);

    while (rest.size > 0 && error == 0) {
        const char *end = event_line_end(rest.data, rest.data + rest.size);
        size_t size = (size_t)(end - rest.data);
        size_t end_size = size == rest.size ? 0 : 1;

        if (end_size == 1 && *end == '\r' && size + 1 < rest.size && end[1] == '\n')
            end_size = 2;
        if (event_data_at(rest.data, size) == 0)
            error = buffer_append(out, rest.data, size + end_size);
        else if (!replaced)
            error = event_append_data(out, data,
                                      end_size == 0 ? slice_from("\n") : slice_make(end, end_size));
        replaced = replaced || event_data_at(rest.data, size) > 0;
        rest = slice_skip(rest, size + end_size);
    }
    return error;
}
