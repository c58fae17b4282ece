#include "master/json_writer.h"

#include "master/time_text.h"
#include "shared/json.h"

#include <errno.h>
#include <inttypes.h>

static void json_writer_keep(struct json_writer *writer, int error)
{
    if (writer->error == 0)
        writer->error = error;
}

static void json_writer_text(struct json_writer *writer, const char *text)
{
    json_writer_keep(writer, buffer_append_text(&writer->out, text));
}

static void json_writer_begin(struct json_writer *writer, const char *name)
{
    if (writer->comma)
        json_writer_text(writer, ",");
    writer->comma = true;
    if (name == NULL)
        return;
    json_writer_keep(writer, json_append_string(&writer->out, slice_from(name)));
    json_writer_text(writer, ":");
}

void json_writer_open(struct json_writer *writer, const char *name, char bracket)
{
    json_writer_begin(writer, name);
    json_writer_keep(writer, buffer_append(&writer->out, &bracket, 1));
    writer->comma = false;
}

void json_writer_close(struct json_writer *writer, char bracket)
{
    json_writer_keep(writer, buffer_append(&writer->out, &bracket, 1));
    writer->comma = true;
}

void json_writer_string(struct json_writer *writer, const char *name, struct slice text)
{
    json_writer_begin(writer, name);
    json_writer_keep(writer, json_append_string(&writer->out, text));
}

void json_writer_optional(struct json_writer *writer, const char *name, struct slice text)
{
    if (text.size == 0)
        json_writer_null(writer, name);
    else
        json_writer_string(writer, name, text);
}

void json_writer_number(struct json_writer *writer, const char *name, int64_t number)
{
    json_writer_begin(writer, name);
    json_writer_keep(writer, buffer_append_format(&writer->out, "%" PRId64, number));
}

void json_writer_boolean(struct json_writer *writer, const char *name, bool value)
{
    json_writer_begin(writer, name);
    json_writer_text(writer, value ? "true" : "false");
}

void json_writer_null(struct json_writer *writer, const char *name)
{
    json_writer_begin(writer, name);
    json_writer_text(writer, "null");
}

void json_writer_time(struct json_writer *writer, const char *name, int64_t seconds)
{
    char text[TIME_TEXT_SIZE];

    if (seconds != 0)
        time_text_utc(seconds, text);
    json_writer_optional(writer, name, slice_from(seconds == 0 ? NULL : text));
}

void json_writer_strings(struct json_writer *writer, const char *name, const struct slice *texts,
                         size_t count)
{
    json_writer_open(writer, name, '[');
    for (size_t i = 0; i < count; i++)
        json_writer_string(writer, NULL, texts[i]);
    json_writer_close(writer, ']');
}

void json_writer_unreadable(struct json_writer *writer, struct slice key)
{
    json_writer_open(writer, NULL, '{');
    json_writer_string(writer, "key", key);
    json_writer_string(writer, "error", slice_from("cannot be read"));
    json_writer_close(writer, '}');
}

int json_writer_end(struct json_writer *writer, FILE *out)
{
    int error = writer->error;

    if (error == 0) {
        fwrite(buffer_data(&writer->out), 1, buffer_size(&writer->out), out);
        fputc('\n', out);
        error = ferror(out) ? -EIO : 0;
    }
    buffer_free(&writer->out);
    *writer = (struct json_writer){0};
    return error;
}
