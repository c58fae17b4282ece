#include "shared/stdio_app.h"

#include "shared/digest.h"
#include "shared/record.h"

#include <errno.h>

enum { STDIO_VERSION = '1' };

static const int64_t stdio_number_max = INT64_C(1) << 53;

static void stdio_put_command(struct record_writer *writer, const struct stdio_app *app)
{
    record_put(writer, "command", app->command);
    for (size_t i = 0; i < app->argument_count; i++)
        record_put(writer, "argument", app->arguments[i]);
    for (size_t i = 0; i < app->variable_count; i++) {
        record_put(writer, "variable", app->variables[i].name);
        record_put(writer, "value", app->variables[i].value);
    }
    record_put(writer, "working_dir", app->working_dir);
    record_put(writer, "user", app->user.name);
    record_put_number(writer, "open_files", (int64_t)app->limits.open_files);
    record_put_number(writer, "processes", (int64_t)app->limits.processes);
    record_put_number(writer, "memory", (int64_t)app->limits.memory);
    record_put_number(writer, "cpu_time", (int64_t)app->limits.cpu_time);
}

static void stdio_put(struct record_writer *writer, const struct stdio_app *app, bool whole)
{
    record_put(writer, "name", app->name);
    record_put(writer, "revision", app->revision);
    record_put_number(writer, "scope", app->scope);
    record_put_number(writer, "max_servers", (int64_t)app->max_servers);
    if (!whole)
        return;
    record_put(writer, "file", app->file);
    stdio_put_command(writer, app);
    record_put_number(writer, "uid", app->user.uid);
    record_put_number(writer, "gid", app->user.gid);
}

int stdio_apps_encode(const struct stdio_app_list *list, bool whole, struct buffer *out)
{
    struct record_writer writer;

    record_begin(&writer, out, STDIO_VERSION);
    record_put_number(&writer, "apps", (int64_t)list->count);
    for (size_t i = 0; i < list->count; i++)
        stdio_put(&writer, &list->apps[i], whole);
    return record_finish(&writer);
}

int stdio_app_encode(const struct stdio_app *app, struct buffer *out)
{
    struct record_writer writer;

    record_begin(&writer, out, STDIO_VERSION);
    stdio_put(&writer, app, true);
    return record_finish(&writer);
}

/* What exec(2) takes ends at the first NUL. */
static struct slice stdio_get_text(struct record_reader *reader, const char *name)
{
    struct slice text = record_get(reader, name);

    if (text.size > 0 && memchr(text.data, '\0', text.size) != NULL)
        reader->failed = true;
    return text;
}

static struct slice stdio_get_path(struct record_reader *reader, const char *name)
{
    struct slice path = stdio_get_text(reader, name);

    if (path.size == 0 || path.data[0] != '/')
        reader->failed = true;
    return path;
}

static void stdio_get_variable(struct record_reader *reader, struct stdio_variable *out)
{
    out->name = stdio_get_text(reader, "variable");
    out->value = stdio_get_text(reader, "value");
    if (out->name.size == 0 || memchr(out->name.data, '=', out->name.size) != NULL)
        reader->failed = true;
}

static uint64_t stdio_get_number(struct record_reader *reader, const char *name)
{
    return (uint64_t)record_get_range(reader, name, 0, stdio_number_max);
}

/* A list that is longer than its array leaves fields over, which the next get refuses. */
static void stdio_get_command(struct record_reader *reader, struct stdio_app *out)
{
    out->file = stdio_get_path(reader, "file");
    out->command = stdio_get_path(reader, "command");
    while (out->argument_count < STDIO_ARGUMENTS_MAX && record_next_is(reader, "argument"))
        out->arguments[out->argument_count++] = stdio_get_text(reader, "argument");
    while (out->variable_count < STDIO_VARIABLES_MAX && record_next_is(reader, "variable"))
        stdio_get_variable(reader, &out->variables[out->variable_count++]);
    out->working_dir = stdio_get_path(reader, "working_dir");
    out->user.name = stdio_get_text(reader, "user");
    out->limits.open_files = stdio_get_number(reader, "open_files");
    out->limits.processes = stdio_get_number(reader, "processes");
    out->limits.memory = stdio_get_number(reader, "memory");
    out->limits.cpu_time = stdio_get_number(reader, "cpu_time");
    out->user.uid = (uint32_t)record_get_range(reader, "uid", 0, UINT32_MAX - 1);
    out->user.gid = (uint32_t)record_get_range(reader, "gid", 0, UINT32_MAX - 1);
    if (out->user.name.size > 0 && (out->user.uid == 0 || out->user.gid == 0))
        reader->failed = true;
}

static void stdio_get(struct record_reader *reader, bool whole, struct stdio_app *out)
{
    *out = (struct stdio_app){0};
    out->name = record_get(reader, "name");
    out->revision = record_get(reader, "revision");
    if (out->name.size == 0 || out->revision.size != DIGEST_HEX_SIZE)
        reader->failed = true;
    out->scope = (enum stdio_scope)record_get_range(reader, "scope", STDIO_SESSION, STDIO_SHARED);
    out->max_servers = stdio_get_number(reader, "max_servers");
    if (whole)
        stdio_get_command(reader, out);
}

int stdio_apps_decode(struct slice bytes, bool whole, struct arena *arena,
                      struct stdio_app_list *out)
{
    struct slice copy = arena_copy(arena, bytes);
    struct record_reader reader;
    size_t count;

    *out = (struct stdio_app_list){0};
    if (copy.data == NULL)
        return -ENOMEM;
    record_open(&reader, copy, STDIO_VERSION);
    count = (size_t)record_get_range(&reader, "apps", 0, STDIO_APPS_MAX);
    if (!reader.failed)
        out->apps = arena_array(arena, count + 1, sizeof(*out->apps));
    if (!reader.failed && out->apps == NULL)
        return -ENOMEM;
    while (!reader.failed && out->count < count) {
        stdio_get(&reader, whole, &out->apps[out->count]);
        if (stdio_apps_find(out, out->apps[out->count].name) != NULL)
            reader.failed = true;
        out->count++;
    }
    if (record_end(&reader) == 0)
        return 0;
    *out = (struct stdio_app_list){0};
    return -EBADMSG;
}

int stdio_app_decode(struct slice bytes, struct arena *arena, struct stdio_app *out)
{
    struct slice copy = arena_copy(arena, bytes);
    struct record_reader reader;

    *out = (struct stdio_app){0};
    if (copy.data == NULL)
        return -ENOMEM;
    record_open(&reader, copy, STDIO_VERSION);
    stdio_get(&reader, true, out);
    if (record_end(&reader) == 0)
        return 0;
    *out = (struct stdio_app){0};
    return -EBADMSG;
}

const struct stdio_app *stdio_apps_find(const struct stdio_app_list *list, struct slice name)
{
    for (size_t i = 0; i < list->count; i++)
        if (slice_equal(list->apps[i].name, name))
            return &list->apps[i];
    return NULL;
}

int stdio_app_revise(struct stdio_app *app, struct arena *arena)
{
    struct buffer encoded = {0};
    struct record_writer writer;
    struct digest digest;
    char hex[DIGEST_HEX_SIZE + 1];
    int error;

    record_begin(&writer, &encoded, STDIO_VERSION);
    record_put_number(&writer, "scope", app->scope);
    record_put_number(&writer, "max_servers", (int64_t)app->max_servers);
    stdio_put_command(&writer, app);
    error = record_finish(&writer);
    if (error == 0) {
        digest_of(buffer_slice(&encoded), &digest);
        digest_hex(&digest, hex);
        app->revision = arena_copy(arena, slice_from(hex));
        if (app->revision.data == NULL)
            error = -ENOMEM;
    }
    buffer_free(&encoded);
    return error;
}
