#include "conf/reading.h"

#include "conf/text_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { REASON_MAX = 1024 };

static void part_free(struct reading_part *part)
{
    document_list_free(&part->list);
    diagnostics_free(&part->diagnostics);
    memset(part, 0, sizeof(*part));
}

void reading_forget_resources(struct reading *reading)
{
    part_free(&reading->resources);
}

void reading_free(struct reading *reading)
{
    part_free(&reading->settings);
    part_free(&reading->resources);
    document_cache_free(&reading->cache);
}

static int file_read(const char *path, struct buffer *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    int error;

    if (fd < 0)
        return -errno;
    error = text_file_read(fd, out);
    close(fd);
    return error;
}

static bool place_before(const struct place *place, const struct place *other)
{
    return place->line < other->line ||
           (place->line == other->line && place->column <= other->column);
}

/* The document that a diagnostic speaks of: the last of its file that begins before it. */
static const struct document *part_owner(const struct reading_part *part,
                                         const struct diagnostic *diagnostic)
{
    const struct document *owner = NULL;

    for (size_t i = 0; i < part->list.count; i++) {
        const struct document *document = &part->list.documents[i];

        if (slice_equal(document->place.file, diagnostic->place.file) &&
            place_before(&document->place, &diagnostic->place) &&
            (owner == NULL || place_before(&owner->place, &document->place)))
            owner = document;
    }
    return owner;
}

/* Without memory nothing of the source was seen: all of it is kept. */
static void part_lost(struct reading_part *part)
{
    diagnostics_free(&part->diagnostics);
    part->list.count = 0;
    part->error = -ENOMEM;
}

int reading_attribute(struct reading_part *part)
{
    size_t count = part->diagnostics.count;

    part->owners = arena_array(&part->list.arena, count + 1, sizeof(*part->owners));
    if (part->owners == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        part->owners[i] = part_owner(part, &part->diagnostics.entries[i]);
    return 0;
}

void reading_settings(struct reading *reading, struct slice path)
{
    struct reading_part *part = &reading->settings;
    struct buffer text = {0};
    struct settings settings = {0};

    part_free(part);
    part->source = arena_copy(&part->list.arena, path);
    part->error = part->source.data == NULL ? -ENOMEM : file_read(part->source.data, &text);
    if (part->error == 0) {
        struct slice copy = arena_copy(&part->list.arena, buffer_slice(&text));

        if (!settings_document_read(copy, part->source, false, &settings, &part->list,
                                    &part->diagnostics))
            part->error = -EBADMSG;
    }
    buffer_free(&text);
    if (reading_attribute(part) < 0)
        part_lost(part);
}

void reading_resources(struct reading *reading, struct slice directory)
{
    struct reading_part *part = &reading->resources;

    part_free(part);
    part->source = arena_copy(&part->list.arena, directory);
    if (directory.size > 0)
        part->error = part->source.data == NULL
                          ? -ENOMEM
                          : document_cache_read(&reading->cache, part->source, &part->list,
                                                &part->diagnostics);
    else
        document_cache_free(&reading->cache);
    if (reading_attribute(part) < 0)
        part_lost(part);
}

/* An error that no named, refused document accounts for is the file's as a whole; so is one of
 * YAML itself (it has no key), since documents may follow that could not be read. */
static bool part_is_damage(const struct reading_part *part, size_t index)
{
    const struct diagnostic *diagnostic = &part->diagnostics.entries[index];
    const struct document *owner = part->owners[index];

    if (diagnostic->severity != DIAGNOSTIC_ERROR)
        return false;
    return diagnostic->key.size == 0 || owner == NULL || owner->state == DOCUMENT_GOOD ||
           owner->kind == DOCUMENT_UNKNOWN || owner->name.size == 0;
}

static bool part_damaged(const struct reading_part *part, struct slice file)
{
    /* Errors that there was no room for may be anyone's. */
    if (part->error != 0 || part->diagnostics.count >= DIAGNOSTICS_MAX)
        return true;
    for (size_t i = 0; i < part->diagnostics.count; i++) {
        if (slice_equal(part->diagnostics.entries[i].place.file, file) && part_is_damage(part, i))
            return true;
    }
    return false;
}

/* Everything that is not the settings file is of the directory. */
bool reading_damaged(const struct reading *reading, struct slice file)
{
    if (slice_equal(file, reading->settings.source))
        return reading->settings.error != 0;
    return part_damaged(&reading->resources, file);
}

static void reason_format(const struct diagnostic *diagnostic, size_t more, char *out, size_t room)
{
    char others[64] = "";

    if (more > 0)
        snprintf(others, sizeof(others), " (and %zu more, see `gatehouse check`)", more);
    snprintf(out, room, "%.*s%s%.*s%s%.*s%s", (int)diagnostic->key.size, diagnostic->key.data,
             diagnostic->key.size > 0 ? ": " : "", (int)diagnostic->reason.size,
             diagnostic->reason.data, diagnostic->hint.size > 0 ? "; " : "",
             (int)diagnostic->hint.size, diagnostic->hint.data, others);
}

static bool part_reason(const struct reading_part *part, const struct document *document,
                        enum diagnostic_severity severity, char *out, size_t room,
                        struct place *place)
{
    const struct diagnostic *first = NULL;
    size_t more = 0;

    for (size_t i = 0; i < part->diagnostics.count; i++) {
        const struct diagnostic *diagnostic = &part->diagnostics.entries[i];

        if (diagnostic->severity != severity || part->owners[i] != document)
            continue;
        if (first == NULL)
            first = diagnostic;
        else
            more++;
    }
    if (first == NULL)
        return false;
    reason_format(first, more, out, room);
    *place = first->place;
    return true;
}

void reading_reason(const struct reading *reading, const struct document *document, char *out,
                    size_t room, struct place *place)
{
    *place = document->place;
    if (!part_reason(&reading->resources, document, DIAGNOSTIC_ERROR, out, room, place) &&
        !part_reason(&reading->settings, document, DIAGNOSTIC_ERROR, out, room, place))
        snprintf(out, room, "refused; see `gatehouse check`");
}

bool reading_warning(const struct reading *reading, const struct document *document, char *out,
                     size_t room)
{
    struct place place;

    return part_reason(&reading->resources, document, DIAGNOSTIC_WARNING, out, room, &place) ||
           part_reason(&reading->settings, document, DIAGNOSTIC_WARNING, out, room, &place);
}

static int visit_error(const struct reading_part *part, reading_visit visit, void *context)
{
    struct place place = {.file = part->source};
    char reason[REASON_MAX];

    if (part->diagnostics.errors > 0)
        return 0;
    snprintf(reason, sizeof(reason), "%s", text_file_reason(part->error));
    return visit(context, place, reason);
}

static bool visited_before(const struct reading_part *part, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (slice_equal(part->diagnostics.entries[i].place.file,
                        part->diagnostics.entries[index].place.file) &&
            (part->error != 0 || part_is_damage(part, i)) &&
            part->diagnostics.entries[i].severity == DIAGNOSTIC_ERROR)
            return true;
    return false;
}

static int part_damages(const struct reading_part *part, reading_visit visit, void *context)
{
    int status = part->error != 0 ? visit_error(part, visit, context) : 0;

    for (size_t i = 0; i < part->diagnostics.count && status == 0; i++) {
        const struct diagnostic *diagnostic = &part->diagnostics.entries[i];
        char reason[REASON_MAX];

        if (diagnostic->severity != DIAGNOSTIC_ERROR ||
            !(part->error != 0 || part_is_damage(part, i)) || visited_before(part, i))
            continue;
        reason_format(diagnostic, 0, reason, sizeof(reason));
        status = visit(context, diagnostic->place, reason);
    }
    return status;
}

int reading_damages(const struct reading *reading, reading_visit visit, void *context)
{
    int status = part_damages(&reading->settings, visit, context);

    return status != 0 ? status : part_damages(&reading->resources, visit, context);
}
