/* document_status.h: what a record in `status` tells an operator of a document.
 *
 * The records are the watcher's own (conf/document_record.h), keyed kind/name; this reads the part
 * that the commands show and leaves the rest alone. Slices are borrowed from the decoded bytes.
 */
#ifndef GATEHOUSE_SHARED_DOCUMENT_STATUS_H
#define GATEHOUSE_SHARED_DOCUMENT_STATUS_H

#include "shared/slice.h"

#include <stdint.h>

struct document_status {
    struct slice name; /* empty for a file that could not be read as a whole */
    bool refused;
    struct slice file; /* where the version stands that was judged last */
    unsigned line, column;
    struct slice reason;   /* empty unless refused */
    int64_t time;          /* wall seconds of the judgement */
    bool good;             /* a good version, of now or of before, is in force */
    struct slice warning;  /* of the good version; may be empty */
    struct slice jwks_url; /* of an app auth config's good version; empty: static keys */
};

/* 0 or -EBADMSG. */
int document_status_decode(struct slice bytes, struct document_status *out);

#endif
