/* stdio_admission.h: whether what a document calls a stdio server may be started: who can change
 * the document, who can change the program, and whom it would run as.
 *
 * Called by the collector and by `check`. The launcher looks at the program again before each
 * start.
 */
#ifndef GATEHOUSE_CONF_STDIO_ADMISSION_H
#define GATEHOUSE_CONF_STDIO_ADMISSION_H

#include "conf/stdio_document.h"

#include <sys/types.h>

struct stdio_authority {
    bool root;                       /* the service is root's, and changes to other users */
    uid_t self;                      /* whose it is */
    const struct settings *settings; /* its stdio_users are looked up when root */
};

/* Whether nobody but root, or whose service it is, can change the open file or put another in its
 * place: it is regular, and neither it nor the directory that it is in can be written by others.
 * false after an error at `place`. */
bool stdio_admit_file(const struct stdio_authority *authority, int fd, struct place place,
                      struct diagnostics *diagnostics);

/* Whether the command may be started; fills in the ids of its user. What this process has no right
 * to look at is left to the launcher. false after errors. */
bool stdio_admit_app(const struct stdio_authority *authority, struct stdio_document *document,
                     struct diagnostics *diagnostics);

#endif
