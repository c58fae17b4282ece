/* configuration.h: one accepted reading of gatehouse.yaml, as master holds it: the settings, the
 * reader's message, and the opened certificate, key and audit files.
 *
 * Called by the supervisor. The files are opened with master's privilege and passed on as
 * descriptors; what is in them is never read here.
 */
#ifndef GATEHOUSE_MASTER_CONFIGURATION_H
#define GATEHOUSE_MASTER_CONFIGURATION_H

#include "shared/settings.h"
#include "shared/stdio_app.h"

enum { CONFIGURATION_REASON = 512 }; /* bytes of a sentence */

struct configuration {
    struct arena arena; /* owns the settings' texts */
    struct settings settings;
    struct buffer message;                   /* settings_encode, as the reader sent it */
    struct arena stdio_arena;                /* owns the apps' texts */
    struct stdio_app_list stdio_apps;        /* empty until the collector has said them */
    struct buffer stdio_whole, stdio_public; /* stdio_apps_encode: for launcher and for bridge */
    int certificates[SETTINGS_CERTIFICATES_MAX][2]; /* owned: certificate, key; -1: none */
    int audit;                                      /* owned: the audit trail; -1: none */
};

/* Decodes the message and checks what is master's to check: ranges, users, that `file` (the opened
 * gatehouse.yaml) and the key files are safe from the service's users. `original`: see log_file.h.
 * *out is owned; on failure -errno, and `reason` is a sentence. */
int configuration_load(struct slice message, int file, int original, struct configuration **out,
                       char reason[CONFIGURATION_REASON]);

/* Takes the collector's message. 0, or -errno when it is not one of stdio apps. */
int configuration_take_stdio(struct configuration *configuration, struct slice message);

/* Opens the audit trail again, after it was moved aside. 0 or -errno: the old file stays. */
int configuration_reopen_audit(struct configuration *configuration, int original);

/* May be NULL. */
void configuration_free(struct configuration *configuration);

#endif
