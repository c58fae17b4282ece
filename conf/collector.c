/* The collector: finds the stdio servers that the documents name, for the launcher. One-shot, as
 * the watcher's user: it reads what the watcher reads, but looks at nothing on the network, so that
 * what a root process starts was never the watcher's word. */

#include "conf/document.h"
#include "conf/roles.h"
#include "conf/schema.h"
#include "conf/stdio_admission.h"
#include "conf/stdio_keeping.h"
#include "conf/text_file.h"
#include "shared/child.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LINE_MAX_SIZE = 3072 }; /* bytes of one logged diagnostic */

struct collector {
    struct child child;
    struct stdio_authority authority;
    struct diagnostics diagnostics; /* of admission; the watcher tells of the rest */
    struct diagnostics kept;        /* why what was in force stays */
    struct document_list settings;  /* the apps of gatehouse.yaml */
    struct document_list resources; /* of files that may name a command */
    struct stdio_app apps[STDIO_APPS_MAX];
    struct place places[STDIO_APPS_MAX];
    bool twice[STDIO_APPS_MAX]; /* another document has its name */
    size_t count;
    struct staying {
        struct stdio_app app;     /* of the list in force */
        struct stdio_fault fault; /* the resources' arena's */
    } staying[STDIO_APPS_MAX];    /* unless another file has the name now */
    size_t staying_count;
};

/* Who started the service: the channel remembers who made it. */
static void collector_authorize(struct collector *collector)
{
    struct ucred peer = {.uid = geteuid()};
    socklen_t size = sizeof(peer);

    (void)getsockopt(collector->child.channel, SOL_SOCKET, SO_PEERCRED, &peer, &size);
    collector->authority = (struct stdio_authority){
        .root = peer.uid == 0, .self = peer.uid, .settings = &collector->child.settings};
}

/* The place of a name; `count`: there is none. */
static size_t collector_find(const struct collector *collector, struct slice name)
{
    size_t i = 0;

    while (i < collector->count && !slice_equal(collector->apps[i].name, name))
        i++;
    return i;
}

/* Two of one name: the watcher publishes neither, and what was in force stays. */
static bool collector_is_new(struct collector *collector, const struct document *document)
{
    size_t i = collector_find(collector, document->name);

    if (i == collector->count)
        return true;
    collector->twice[i] = true;
    diagnostics_add(&collector->diagnostics, DIAGNOSTIC_ERROR, document->place, "name", NULL,
                    "the stdio server \"%.*s\" is also in %.*s:%u", (int)document->name.size,
                    document->name.data, (int)collector->places[i].file.size,
                    collector->places[i].file.data, collector->places[i].line);
    return false;
}

static bool collector_put(struct collector *collector, const struct stdio_app *app,
                          struct place place)
{
    if (collector->count == STDIO_APPS_MAX) {
        diagnostics_add(&collector->diagnostics, DIAGNOSTIC_ERROR, place, NULL, NULL,
                        "more than %d stdio servers", STDIO_APPS_MAX);
        return false;
    }
    collector->places[collector->count] = place;
    collector->apps[collector->count++] = *app;
    return true;
}

static void collector_add(struct collector *collector, const struct document *document, int fd)
{
    struct stdio_document *stdio = document->app.stdio;

    if (!stdio_admit_file(&collector->authority, fd, stdio->command, &collector->diagnostics) ||
        !stdio_admit_app(&collector->authority, stdio, &collector->diagnostics) ||
        !collector_is_new(collector, document))
        return;
    stdio->app.file = document->place.file;
    (void)collector_put(collector, &stdio->app, document->place);
}

static void collector_add_all(struct collector *collector, const struct document_list *list,
                              size_t from, int fd)
{
    for (size_t i = from; i < list->count; i++)
        if (list->documents[i].kind == DOCUMENT_APP && list->documents[i].state == DOCUMENT_GOOD &&
            list->documents[i].app.stdio != NULL)
            collector_add(collector, &list->documents[i], fd);
}

/* 0, or -errno: gatehouse.yaml is not what the reader read a moment ago. */
static int collector_read_settings(struct collector *collector)
{
    struct diagnostics seen = {0}; /* the reader has told of them */
    struct buffer text = {0};
    struct settings settings;
    int error = lseek(SETTINGS_FILE_FD, 0, SEEK_SET) < 0 ? -errno : 0;

    if (error == 0)
        error = text_file_read(SETTINGS_FILE_FD, &text);
    if (error == 0 &&
        !settings_document_read(arena_copy(&collector->settings.arena, buffer_slice(&text)),
                                collector->child.settings.path, false, &settings,
                                &collector->settings, &seen))
        error = -EBADMSG;
    if (error == 0)
        collector_add_all(collector, &collector->settings, 0, SETTINGS_FILE_FD);
    diagnostics_free(&seen);
    buffer_free(&text);
    return error;
}

/* Nothing is lost by a mistake: what is in force stays while its file does not say what else is to
 * be. Judged like any other: by who can write the file and the program now. */
static void collector_keep(struct collector *collector, const struct stdio_source *source,
                           const struct stdio_app *app, int fd)
{
    struct staying *staying = &collector->staying[collector->staying_count];
    struct arena *arena = &collector->resources.arena;
    struct diagnostics known = {0}; /* told of, with the document that may not be started */
    struct stdio_fault fault;
    struct stdio_document stdio = {.app = *app};

    if (!stdio_keeps(source, app->name, &fault))
        return;
    fault.place.file = arena_copy(arena, fault.place.file);
    stdio.command = stdio.working_dir = stdio.user = fault.place;
    if (stdio_admit_file(&collector->authority, fd, fault.place,
                         fault.reason.size > 0 ? &collector->diagnostics : &known) &&
        stdio_admit_app(&collector->authority, &stdio,
                        fault.reason.size > 0 ? &collector->diagnostics : &known)) {
        fault.key = arena_copy(arena, fault.key);
        fault.reason = arena_copy(arena, fault.reason);
        *staying = (struct staying){stdio.app, fault};
        collector->staying_count++;
    }
    diagnostics_free(&known);
}

/* Each name of the list in force is of one file: `staying` has room for all. */
static void collector_keep_all(struct collector *collector, const struct stdio_source *source,
                               int fd)
{
    const struct stdio_app_list *last = &collector->child.stdio_apps;

    for (size_t i = 0; i < last->count; i++)
        if (slice_equal(last->apps[i].file, source->path))
            collector_keep(collector, source, &last->apps[i], fd);
}

/* After all files: who alone has the name now has it. */
static bool collector_stays(struct collector *collector, const struct staying *staying)
{
    size_t i = collector_find(collector, staying->app.name);

    if (i == collector->count)
        return collector_put(collector, &staying->app, staying->fault.place);
    if (collector->twice[i])
        collector->apps[i] = staying->app;
    return collector->twice[i];
}

static void collector_add_staying(struct collector *collector)
{
    for (size_t i = 0; i < collector->staying_count; i++) {
        const struct staying *staying = &collector->staying[i];
        const struct stdio_fault *fault = &staying->fault;

        if (!collector_stays(collector, staying))
            continue;
        diagnostics_add(
            &collector->kept, DIAGNOSTIC_ERROR, fault->place, NULL, "mend it, then reload",
            "%.*s%s%.*s%sthe stdio server \"%.*s\" stays as it was", (int)fault->key.size,
            fault->key.data, fault->key.size > 0 ? ": " : "", (int)fault->reason.size,
            fault->reason.data, fault->reason.size > 0 ? "; " : "", (int)staying->app.name.size,
            staying->app.name.data);
    }
}

/* Most documents name no command, and there may be very many: those are not even parsed, unless
 * they named one before. */
static bool collector_is_of_interest(const struct collector *collector, struct slice text,
                                     struct slice path)
{
    const struct stdio_app_list *last = &collector->child.stdio_apps;

    for (size_t i = 0; i < last->count; i++)
        if (slice_equal(last->apps[i].file, path))
            return true;
    return text.size > 0 && memmem(text.data, text.size, "command", strlen("command")) != NULL;
}

/* What cannot be opened to be read can still be looked at. */
static int collector_open(int directory, const char *name, int *error)
{
    int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    *error = fd < 0 ? -errno : 0;
    return fd < 0 ? openat(directory, name, O_PATH | O_CLOEXEC) : fd;
}

static void collector_read_file(struct collector *collector, int directory, const char *name)
{
    struct slice parent = collector->child.settings.resources_dir;
    struct document_list *list = &collector->resources;
    struct diagnostics seen = {0};
    struct buffer text = {0};
    char path[PATH_MAX];
    size_t before = list->count;
    struct stdio_source source = {.diagnostics = &seen};
    int fd = collector_open(directory, name, &source.error);

    if (fd < 0)
        return;
    snprintf(path, sizeof(path), "%.*s/%s", (int)parent.size, parent.data, name);
    source.path = slice_from(path);
    if (source.error == 0)
        source.error = text_file_read(fd, &text);
    if (source.error == 0 &&
        collector_is_of_interest(collector, buffer_slice(&text), source.path)) {
        documents_read_text(buffer_slice(&text), source.path, list, &seen);
        collector_add_all(collector, list, before, fd);
    }
    source.count = list->count - before;
    source.documents = source.count == 0 ? NULL : list->documents + before;
    collector_keep_all(collector, &source, fd);
    close(fd);
    diagnostics_free(&seen);
    buffer_free(&text);
}

/* Of files in a directory that cannot be read, but perhaps be looked into. */
static void collector_keep_unread(struct collector *collector, struct slice directory, int error)
{
    const struct stdio_app_list *last = &collector->child.stdio_apps;
    const struct diagnostics none = {0};
    char path[PATH_MAX];

    for (size_t i = 0; i < last->count; i++) {
        struct slice file = last->apps[i].file;
        struct stdio_source source = {.path = file, .error = error, .diagnostics = &none};
        int fd;

        if (file.size >= sizeof(path) || !slice_equal(schema_directory(file), directory))
            continue;
        snprintf(path, sizeof(path), "%.*s", (int)file.size, file.data);
        fd = open(path, O_PATH | O_CLOEXEC);
        if (fd < 0)
            continue;
        collector_keep(collector, &source, &last->apps[i], fd);
        close(fd);
    }
}

/* A directory that cannot be read holds no server that can be started for the first time; the
 * watcher says why. */
static void collector_read_resources(struct collector *collector)
{
    struct slice path =
        arena_copy(&collector->resources.arena, collector->child.settings.resources_dir);
    struct dirent **entries;
    int count, fd;

    if (path.data == NULL || path.size == 0)
        return;
    fd = documents_open(path.data, &entries, &count);
    if (fd < 0) {
        collector_keep_unread(collector, path, fd);
        return;
    }
    for (int i = 0; i < count; i++) {
        collector_read_file(collector, fd, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    close(fd);
}

static void collector_log(struct diagnostics *diagnostics, const char *event)
{
    char line[LINE_MAX_SIZE];

    diagnostics_sort(diagnostics);
    for (size_t i = 0; i < diagnostics->count; i++) {
        diagnostic_format(&diagnostics->entries[i], line, sizeof(line));
        log_error(event, "%s", line);
    }
}

static int collector_send(struct collector *collector)
{
    struct stdio_app_list list = {collector->apps, collector->count};
    struct buffer message = {0};
    int error = stdio_apps_encode(&list, true, &message);

    if (error == 0)
        error = channel_send(collector->child.channel, MESSAGE_STDIO_APPS, buffer_slice(&message),
                             NULL, 0);
    buffer_wipe(&message);
    if (error == 0)
        return EXIT_SUCCESS;
    log_error("stdio_refused", "%s",
              error == -EMSGSIZE
                  ? "the commands and environments of all stdio servers together are "
                    "longer than 64 KiB: shorten them"
                  : strerror(-error));
    return error == -EMSGSIZE ? EXIT_SETTINGS : EXIT_FAILURE;
}

int collector_main(int argc, char **argv)
{
    static struct collector collector;
    int error, status = EXIT_SETTINGS;

    child_start(argc, argv, &collector.child);
    collector_authorize(&collector);
    error = collector_read_settings(&collector);
    if (error < 0)
        log_error("stdio_refused", "%s", text_file_reason(error));
    /* The settings are in force as a whole or not at all; a resource stands for itself. */
    if (error == 0 && collector.diagnostics.errors == 0) {
        collector_read_resources(&collector);
        collector_add_staying(&collector);
        status = EXIT_SUCCESS;
    }
    collector_log(&collector.diagnostics, "stdio_refused");
    collector_log(&collector.kept, "stdio_kept");
    if (status == EXIT_SUCCESS)
        status = collector_send(&collector);
    document_list_free(&collector.settings);
    document_list_free(&collector.resources);
    diagnostics_free(&collector.diagnostics);
    diagnostics_free(&collector.kept);
    arena_free(&collector.child.stdio_arena);
    arena_free(&collector.child.arena);
    return status;
}
