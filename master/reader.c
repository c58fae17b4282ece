#include "master/reader.h"

#include "master/privilege.h"
#include "master/relay.h"
#include "master/reload.h"
#include "master/roster.h"
#include "shared/clock.h"
#include "shared/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

enum { READER_TIMEOUT = 30 * 1000 }; /* milliseconds for either of the two */

int reader_start(struct supervisor *supervisor)
{
    static const struct settings_user nobody = {{"nobody", 6}, PRIVILEGE_NOBODY, PRIVILEGE_NOBODY};
    const struct configuration *known = supervisor_configuration(supervisor);
    struct process_plan plan = {
        .role = ROLE_READER, .slot = -1, .path = supervisor->path, .user = &nobody};
    int fd = open(supervisor->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0) {
        log_error("settings_unreadable", "%s: %s", supervisor->path, strerror(errno));
        return -errno;
    }
    if (known != NULL && privilege_changes(&known->settings.watcher_user))
        plan.user = &known->settings.watcher_user;
    plan.settings_fd = fd;
    supervisor->refused = false;
    supervisor->settings_file = fd;
    supervisor->reader = roster_spawn(supervisor, &plan);
    if (supervisor->reader == NULL) {
        supervisor->settings_file = -1;
        close(fd);
        return -EAGAIN;
    }
    supervisor->reader->deadline = clock_monotonic_milliseconds() + READER_TIMEOUT;
    return 0;
}

/* A reader that was killed says nothing about the file: exit status 78 would keep a service manager
 * from trying again. */
static void reader_failed(struct supervisor *supervisor, enum child_role role, int status,
                          int64_t now)
{
    char death[96], reason[128] = "the settings cannot be used";
    int code = EXIT_SETTINGS;

    if (WIFSIGNALED(status)) {
        process_death(status, death, sizeof(death));
        snprintf(reason, sizeof(reason), "the %s died: %s", child_role_name(role), death);
        code = EX_OSERR;
    } else if (status != 0) {
        code = WEXITSTATUS(status);
    }
    if (supervisor->phase == PHASE_READING)
        supervisor_fail(supervisor, code, reason);
    else
        reload_abort(supervisor, WIFSIGNALED(status) ? reason : "the file was refused", now);
}

/* The reader is nobody at first, since no user is known before; the collector is who may read the
 * documents. It gets what is in force first: a file that broke since keeps what it said. false: it
 * cannot be started. */
static bool reader_collect(struct supervisor *supervisor, int64_t now)
{
    const struct configuration *configuration = supervisor->candidate;
    const struct configuration *known = supervisor_configuration(supervisor);
    struct process_plan plan = {.role = ROLE_COLLECTOR,
                                .slot = -1,
                                .settings_fd = supervisor->settings_file,
                                .user = &configuration->settings.watcher_user};

    supervisor->reader = roster_spawn(supervisor, &plan);
    if (supervisor->reader == NULL)
        return false;
    supervisor->reader->deadline = now + READER_TIMEOUT;
    if (known == NULL || relay_order(supervisor->reader, MESSAGE_STDIO_APPS,
                                     buffer_slice(&known->stdio_whole), NULL, 0))
        (void)relay_order(supervisor->reader, MESSAGE_SETTINGS,
                          buffer_slice(&configuration->message), NULL, 0);
    return true;
}

void reader_exit(struct supervisor *supervisor, enum child_role role, int status, int64_t now)
{
    struct configuration *configuration = supervisor->candidate;

    supervisor->reader = NULL;
    if (role == ROLE_READER && status == 0 && configuration != NULL &&
        configuration->settings.app_service &&
        (supervisor->phase == PHASE_READING || supervisor->phase == PHASE_SERVING)) {
        if (reader_collect(supervisor, now))
            return;
        status = W_EXITCODE(EX_OSERR, 0);
    }
    close(supervisor->settings_file);
    supervisor->settings_file = -1;
    supervisor->candidate = NULL;
    if (status != 0 || supervisor->refused) {
        configuration_free(configuration);
        configuration = NULL;
    }
    if (supervisor->phase != PHASE_READING && supervisor->phase != PHASE_SERVING)
        configuration_free(configuration);
    else if (configuration == NULL)
        reader_failed(supervisor, role, status, now);
    else if (supervisor->phase == PHASE_READING)
        supervisor_begin(supervisor, configuration);
    else
        reload_read(supervisor, configuration, now);
}
