#include "conf/document.h"
#include "conf/roles.h"
#include "conf/text_file.h"
#include "shared/child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { LINE_MAX_SIZE = 4096 }; /* bytes of one printed diagnostic */

static void state_dir_print(struct diagnostics *diagnostics)
{
    char line[LINE_MAX_SIZE];

    diagnostics_sort(diagnostics);
    for (size_t i = 0; i < diagnostics->count; i++) {
        if (diagnostics->entries[i].severity != DIAGNOSTIC_ERROR)
            continue;
        diagnostic_format(&diagnostics->entries[i], line, sizeof(line));
        fprintf(stderr, "%s\n", line);
    }
}

/* Users are not looked up: the command stays who it is, or becomes the owner of what it reads. */
static int state_dir_of_text(struct slice text, const char *path, char *out, size_t room)
{
    struct diagnostics diagnostics = {0};
    struct document_list apps = {0};
    struct settings settings;
    int status = EXIT_SETTINGS;

    if (settings_document_read(text, slice_from(path), false, &settings, &apps, &diagnostics) &&
        settings.state_dir.size < room) {
        memcpy(out, settings.state_dir.data, settings.state_dir.size);
        out[settings.state_dir.size] = '\0';
        status = 0;
    }
    state_dir_print(&diagnostics);
    document_list_free(&apps);
    diagnostics_free(&diagnostics);
    return status;
}

int state_dir_read(const char *path, char *out, size_t room)
{
    struct buffer text = {0};
    char absolute[PATH_MAX];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int error = fd < 0 ? -errno : text_file_read(fd, &text);
    int status = EXIT_SETTINGS;

    if (error == 0 && realpath(path, absolute) == NULL)
        error = -errno;
    if (error == 0)
        status = state_dir_of_text(buffer_slice(&text), absolute, out, room);
    else
        fprintf(stderr, "%s: %s\n", path, text_file_reason(error));
    if (fd >= 0)
        close(fd);
    buffer_free(&text);
    return status;
}
