/* The collector: finds the stdio servers that the documents name, for the launcher. One-shot, as
 * the watcher's user: it reads what the watcher reads, but looks at nothing on the network, so that
 * what a root process starts was never the watcher's word. */

#include "conf/document.h"
#include "conf/roles.h"
#include "conf/stdio_admission.h"
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
    struct document_list settings;  /* the apps of gatehouse.yaml */
    struct document_list resources; /* of files that may name a command */
    struct stdio_app apps[STDIO_APPS_MAX];
    struct place places[STDIO_APPS_MAX];
    size_t count;
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

/* Two of one name: the watcher publishes neither, so nothing is lost by starting neither. */
static bool collector_is_new(struct collector *collector, const struct document *document)
{
    for (size_t i = 0; i < collector->count; i++)
        if (slice_equal(collector->apps[i].name, document->name)) {
            diagnostics_add(&collector->diagnostics, DIAGNOSTIC_ERROR, document->place, "name",
                            NULL, "the stdio server \"%.*s\" is also in %.*s:%u",
                            (int)document->name.size, document->name.data,
                            (int)collector->places[i].file.size, collector->places[i].file.data,
                            collector->places[i].line);
            return false;
        }
    return true;
}

static void collector_add(struct collector *collector, const struct document *document, int fd)
{
    struct stdio_document *stdio = document->app.stdio;

    if (!stdio_admit_file(&collector->authority, fd, stdio->command, &collector->diagnostics) ||
        !stdio_admit_app(&collector->authority, stdio, &collector->diagnostics) ||
        !collector_is_new(collector, document))
        return;
    if (collector->count == STDIO_APPS_MAX) {
        diagnostics_add(&collector->diagnostics, DIAGNOSTIC_ERROR, document->place, NULL, NULL,
                        "more than %d stdio servers", STDIO_APPS_MAX);
        return;
    }
    collector->places[collector->count] = document->place;
    collector->apps[collector->count++] = stdio->app;
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

/* Most documents name no command, and there may be very many: those are not even parsed. */
static bool collector_is_of_interest(struct slice text)
{
    return text.size > 0 && memmem(text.data, text.size, "command", strlen("command")) != NULL;
}

static void collector_read_file(struct collector *collector, int directory, const char *name)
{
    struct slice parent = collector->child.settings.resources_dir;
    struct document_list *list = &collector->resources;
    struct diagnostics seen = {0};
    struct buffer text = {0};
    char path[PATH_MAX];
    size_t before = list->count;
    int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    snprintf(path, sizeof(path), "%.*s/%s", (int)parent.size, parent.data, name);
    if (fd >= 0 && text_file_read(fd, &text) == 0 &&
        collector_is_of_interest(buffer_slice(&text))) {
        documents_read_text(buffer_slice(&text), slice_from(path), list, &seen);
        collector_add_all(collector, list, before, fd);
    }
    if (fd >= 0)
        close(fd);
    diagnostics_free(&seen);
    buffer_free(&text);
}

/* A directory that cannot be read holds no server that can be started; the watcher says why. */
static void collector_read_resources(struct collector *collector)
{
    struct slice path =
        arena_copy(&collector->resources.arena, collector->child.settings.resources_dir);
    struct dirent **entries = NULL;
    int count, fd;

    if (path.data == NULL || path.size == 0)
        return;
    fd = open(path.data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    count = fd < 0 ? -errno : documents_scan(fd, &entries);
    for (int i = 0; i < count && entries != NULL; i++) {
        collector_read_file(collector, fd, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    if (fd >= 0)
        close(fd);
}

static void collector_log(struct collector *collector)
{
    char line[LINE_MAX_SIZE];

    diagnostics_sort(&collector->diagnostics);
    for (size_t i = 0; i < collector->diagnostics.count; i++) {
        diagnostic_format(&collector->diagnostics.entries[i], line, sizeof(line));
        log_error("stdio_refused", "%s", line);
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
        status = EXIT_SUCCESS;
    }
    collector_log(&collector);
    if (status == EXIT_SUCCESS)
        status = collector_send(&collector);
    document_list_free(&collector.settings);
    document_list_free(&collector.resources);
    diagnostics_free(&collector.diagnostics);
    arena_free(&collector.child.arena);
    return status;
}
