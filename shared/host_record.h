/* host_record.h: which app a public address opens; the value in `hosts`, keyed by the host name.
 *
 * Written by the watcher, read by workers. The slice is borrowed from the decoded bytes.
 */
#ifndef GATEHOUSE_SHARED_HOST_RECORD_H
#define GATEHOUSE_SHARED_HOST_RECORD_H

#include "shared/buffer.h"
#include "shared/slice.h"

int host_record_encode(struct slice app, struct buffer *out);
/* 0 or -EBADMSG. */
int host_record_decode(struct slice bytes, struct slice *app);

#endif
