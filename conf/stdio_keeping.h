/* stdio_keeping.h: whether a stdio server that was in force stays, though what its file says of it
 * now cannot be used.
 *
 * Called by the collector, for each server of the last list that this file named. As the watcher
 * keeps the last good record (reading.h, staging.h), so that record and command go together. Judges
 * only what the file says: whether the command may be started is stdio_admission.h's, as for any
 * other. Reads nothing, owns nothing.
 */
#ifndef GATEHOUSE_CONF_STDIO_KEEPING_H
#define GATEHOUSE_CONF_STDIO_KEEPING_H

#include "conf/document.h"

/* What was read of one file. */
struct stdio_source {
    struct slice path;
    int error; /* of reading it: then there is nothing else of it. 0: none */
    const struct document *documents;
    size_t count;
    const struct diagnostics *diagnostics; /* of this file alone */
};

/* Why the server is kept. Borrowed from the source, and from text_file_reason. */
struct stdio_fault {
    struct place place;
    struct slice key, reason; /* may be empty */
};

/* Whether what the source said last of the server of this name stays: the source cannot be read, or
 * the server's document in it is refused, or none is seen where some of the source is not readable.
 * Also when its document is good, and again that of a stdio server: whoever asks found that it may
 * not be started (the fault has no reason then). *fault is filled when it stays. */
bool stdio_keeps(const struct stdio_source *source, struct slice name, struct stdio_fault *fault);

#endif
