#include "worker/connect_event.h"

#include "worker/http_field.h"

static void event_line(struct slice line, struct connect_event *out)
{
    const char *colon = line.size == 0 ? NULL : memchr(line.data, ':', line.size);
    struct slice name = line;
    struct slice value = slice_make(NULL, 0);

    if (colon != NULL) {
        name.size = (size_t)(colon - line.data);
        value = slice_skip(line, name.size + 1);
        if (value.size > 0 && value.data[0] == ' ')
            value = slice_skip(value, 1);
    }
    if (slice_is(name, "id") && http_is_field_value(value)) {
        out->has_id = true;
        out->id = value;
    } else if (slice_is(name, "retry") && value.size > 0) {
        out->has_retry = http_length_parse(value, &out->retry) || out->has_retry;
    }
}

void connect_event_read(const struct event *event, struct connect_event *out)
{
    struct slice rest = slice_skip(event->bytes, event->skip);

    *out = (struct connect_event){0};
    while (rest.size > 0) {
        size_t size = 0;

        while (size < rest.size && rest.data[size] != '\n' && rest.data[size] != '\r')
            size++;
        event_line(slice_make(rest.data, size), out);
        rest = slice_skip(rest, size + 1);
    }
}
