#include "master/configuration.h"

#include "master/log_file.h"
#include "master/privilege.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int configuration_open_file(struct configuration *configuration, struct slice name, int *fd,
                                   char reason[CONFIGURATION_REASON])
{
    char path[PATH_MAX];
    const char *why;
    int error;

    if (name.size == 0 || name.size >= sizeof(path) || memchr(name.data, '\0', name.size) != NULL)
        return -EINVAL;
    memcpy(path, name.data, name.size);
    path[name.size] = '\0';
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (*fd < 0) {
        error = -errno;
        snprintf(reason, CONFIGURATION_REASON, "%.400s: %s", path, strerror(-error));
        return error;
    }
    error = privilege_check_file(*fd, &configuration->settings, &why);
    if (error < 0)
        snprintf(reason, CONFIGURATION_REASON, "%.400s %s", path, why);
    return error;
}

static int configuration_open_certificates(struct configuration *configuration,
                                           char reason[CONFIGURATION_REASON])
{
    const struct settings *settings = &configuration->settings;
    int error = 0;

    for (size_t i = 0; i < settings->certificate_count && error == 0; i++) {
        error = configuration_open_file(configuration, settings->certificates[i].certificate,
                                        &configuration->certificates[i][0], reason);
        if (error == 0)
            error = configuration_open_file(configuration, settings->certificates[i].key,
                                            &configuration->certificates[i][1], reason);
    }
    return error;
}

int configuration_reopen_audit(struct configuration *configuration, int original)
{
    struct slice output = configuration->settings.audit.output;
    int fd;

    if (output.size == 0)
        return 0;
    fd = log_file_open(output, original);
    if (fd < 0)
        return fd;
    if (configuration->audit >= 0)
        close(configuration->audit);
    configuration->audit = fd;
    return 0;
}

static int configuration_fill(struct configuration *configuration, struct slice message, int file,
                              char reason[CONFIGURATION_REASON])
{
    const char *why;
    int error;

    snprintf(reason, CONFIGURATION_REASON, "the reader's message is not one of settings");
    error = settings_decode(message, &configuration->arena, &configuration->settings);
    if (error == 0)
        error = buffer_append_slice(&configuration->message, message);
    if (error < 0)
        return error;
    error = privilege_check_users(&configuration->settings, &why);
    if (error < 0) {
        snprintf(reason, CONFIGURATION_REASON, "gate.users %s", why);
        return error;
    }
    error = privilege_check_file(file, &configuration->settings, &why);
    if (error < 0) {
        snprintf(reason, CONFIGURATION_REASON, "%.*s %s", (int)configuration->settings.path.size,
                 configuration->settings.path.data, why);
        return error;
    }
    return configuration_open_certificates(configuration, reason);
}

int configuration_take_stdio(struct configuration *configuration, struct slice message)
{
    int error =
        stdio_apps_decode(message, true, &configuration->stdio_arena, &configuration->stdio_apps);

    buffer_clear(&configuration->stdio_whole);
    buffer_clear(&configuration->stdio_public);
    if (error == 0)
        error = stdio_apps_encode(&configuration->stdio_apps, true, &configuration->stdio_whole);
    if (error == 0)
        error = stdio_apps_encode(&configuration->stdio_apps, false, &configuration->stdio_public);
    return error;
}

/* Until the collector says more there is none. */
static int configuration_empty_stdio(struct configuration *configuration)
{
    int error = stdio_apps_encode(&configuration->stdio_apps, true, &configuration->stdio_whole);

    return error < 0
               ? error
               : stdio_apps_encode(&configuration->stdio_apps, false, &configuration->stdio_public);
}

int configuration_load(struct slice message, int file, int original, struct configuration **out,
                       char reason[CONFIGURATION_REASON])
{
    struct configuration *configuration = calloc(1, sizeof(*configuration));
    int error;

    if (configuration == NULL) {
        snprintf(reason, CONFIGURATION_REASON, "%s", strerror(ENOMEM));
        return -ENOMEM;
    }
    for (size_t i = 0; i < SETTINGS_CERTIFICATES_MAX; i++)
        configuration->certificates[i][0] = configuration->certificates[i][1] = -1;
    configuration->audit = -1;
    error = configuration_fill(configuration, message, file, reason);
    if (error == 0)
        error = configuration_empty_stdio(configuration);
    if (error == 0) {
        error = configuration_reopen_audit(configuration, original);
        if (error < 0)
            snprintf(reason, CONFIGURATION_REASON, "gate.audit.output: %.*s: %s",
                     (int)configuration->settings.audit.output.size,
                     configuration->settings.audit.output.data, strerror(-error));
    }
    if (error < 0) {
        configuration_free(configuration);
        return error;
    }
    *out = configuration;
    return 0;
}

void configuration_free(struct configuration *configuration)
{
    if (configuration == NULL)
        return;
    for (size_t i = 0; i < SETTINGS_CERTIFICATES_MAX; i++)
        for (int part = 0; part < 2; part++)
            if (configuration->certificates[i][part] >= 0)
                close(configuration->certificates[i][part]);
    if (configuration->audit >= 0)
        close(configuration->audit);
    buffer_free(&configuration->message);
    buffer_wipe(&configuration->stdio_whole);
    buffer_free(&configuration->stdio_public);
    arena_free(&configuration->stdio_arena);
    arena_free(&configuration->arena);
    free(configuration);
}
