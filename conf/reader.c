#include "conf/document.h"
#include "conf/roles.h"
#include "conf/text_file.h"
#include "shared/child.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { LINE_MAX_SIZE = 3072 }; /* bytes of one logged diagnostic */

/* Of gatehouse.yaml, as master opened it: absolute. NULL when master did not say. */
static const char *reader_path(int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i += 2)
        if (strcmp(argv[i], "--path") == 0)
            return argv[i + 1];
    return NULL;
}

/* Users are changed to only by a master that is root. The reader may have been dropped already, but
 * the channel remembers who made it. */
static bool reader_master_is_root(int channel)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);

    return getsockopt(channel, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == 0;
}

static void reader_log(struct diagnostics *diagnostics)
{
    char line[LINE_MAX_SIZE];

    diagnostics_sort(diagnostics);
    for (size_t i = 0; i < diagnostics->count; i++) {
        const struct diagnostic *entry = &diagnostics->entries[i];
        bool error = entry->severity == DIAGNOSTIC_ERROR;

        diagnostic_format(entry, line, sizeof(line));
        log_write(error ? LOG_ERROR : LOG_WARNING, error ? "settings_refused" : "settings_warning",
                  "%s", line);
    }
}

static int reader_send(int channel, const struct settings *settings)
{
    struct buffer message = {0};
    int error = settings_encode(settings, &message);

    if (error == 0)
        error = channel_send(channel, MESSAGE_SETTINGS, buffer_slice(&message), NULL, 0);
    if (error != 0)
        log_error("settings_not_sent", "%s", strerror(-error));
    buffer_free(&message);
    if (error == -EMSGSIZE)
        return EXIT_SETTINGS; /* all its paths together are too long for a message */
    return error == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int reader_read(int channel, struct slice text, const char *path)
{
    struct diagnostics diagnostics = {0};
    struct document_list apps = {0};
    struct settings settings;
    int status = EXIT_SETTINGS;
    bool good = settings_document_read(text, slice_from(path), reader_master_is_root(channel),
                                       &settings, &apps, &diagnostics);

    if (good) {
        documents_check_names(&apps, settings.public_addr, &diagnostics);
        good = diagnostics.errors == 0;
    }
    reader_log(&diagnostics);
    if (good)
        status = reader_send(channel, &settings);
    document_list_free(&apps);
    diagnostics_free(&diagnostics);
    return status;
}

int reader_main(int argc, char **argv)
{
    const char *path = reader_path(argc, argv);
    struct buffer text = {0};
    struct child child;
    int error;
    int status;

    child_start(argc, argv, &child);
    if (path == NULL || path[0] != '/') {
        log_error("start_failed", "--path must name the settings file, absolute");
        return EXIT_FAILURE;
    }
    error = text_file_read(SETTINGS_FILE_FD, &text);
    if (error != 0) {
        log_error("settings_refused", "%s: %s", path, text_file_reason(error));
        status = EXIT_SETTINGS;
    } else {
        status = reader_read(child.channel, buffer_slice(&text), path);
    }
    buffer_free(&text);
    arena_free(&child.arena);
    return status;
}
