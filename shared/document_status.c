#include "shared/document_status.h"

#include "shared/record.h"

#include <errno.h>
#include <limits.h>

int document_status_decode(struct slice bytes, struct document_status *out)
{
    struct record_reader reader;
    struct slice state;

    record_open(&reader, bytes, '1');
    out->name = record_get(&reader, "name");
    state = record_get(&reader, "state");
    out->refused = slice_is(state, "refused");
    out->file = record_get(&reader, "file");
    out->line = (unsigned)record_get_range(&reader, "line", 0, INT_MAX);
    out->column = (unsigned)record_get_range(&reader, "column", 0, INT_MAX);
    out->reason = record_get(&reader, "reason");
    out->time = record_get_range(&reader, "time", 0, INT64_MAX);
    out->good = record_get(&reader, "good").size > 0;
    (void)record_get(&reader, "file");
    (void)record_get_range(&reader, "line", 0, INT_MAX);
    (void)record_get_range(&reader, "column", 0, INT_MAX);
    out->warning = slice_make(NULL, 0);
    if (record_next_is(&reader, "warning"))
        out->warning = record_get(&reader, "warning");
    if (record_next_is(&reader, "revocation")) /* of a lock */
        (void)record_get(&reader, "revocation");
    (void)record_get_range(&reader, "key_epoch", 0, INT64_MAX);
    out->jwks_url = record_get(&reader, "jwks_url");
    return reader.failed || (!out->refused && !slice_is(state, "accepted")) ? -EBADMSG : 0;
}
