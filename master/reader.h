/* reader.h: a reading of gatehouse.yaml, at start and at each reload: the reader's, then the
 * collector's of the documents.
 *
 * What they say comes by relay.c, and is the candidate until both have ended well. Called by
 * supervisor.c and reload.c. Never parses the file, which is theirs alone.
 */
#ifndef GATEHOUSE_MASTER_READER_H
#define GATEHOUSE_MASTER_READER_H

#include "master/supervisor.h"

/* Opens gatehouse.yaml and starts a reader on it. 0 or -errno (logged). */
int reader_start(struct supervisor *supervisor);

/* The reader or the collector ended: the other begins, what they said comes in force, or the start
 * or the reload fails. */
void reader_exit(struct supervisor *supervisor, enum child_role role, int status, int64_t now);

#endif
