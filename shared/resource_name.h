/* resource_name.h: a resource's URI as rules see it. Pure; called by policy.c.
 *
 * Allow rules are compared with the URI's exact bytes. Deny rules are compared with them too, and
 * with the folded form of both: percent-encoding decoded once, ASCII letters in lower case, runs of
 * '/' behind "://" made one; and with that form without its query and fragment, which servers of
 * files pass over. So no other spelling of a forbidden URI passes, and a deny rule
 * forbids somewhat more than it says, never less. A URI that is not plain could name another
 * resource than any comparison would see, and is denied wherever a rule narrows resources.
 */
#ifndef GATEHOUSE_SHARED_RESOURCE_NAME_H
#define GATEHOUSE_SHARED_RESOURCE_NAME_H

#include "shared/slice.h"

/* False: it has a dot segment ("." or ".."; also before ';'), a backslash or control character,
 * plain or encoded; an encoded '/', '.' or '%', or an overlong form of one; a '%' that begins no
 * encoding; or a space before or behind it, which the URL standard takes off. */
bool resource_name_is_plain(struct slice uri);

/* The folded form of a URI, or of a literal or glob, into `out` (as many bytes as `text`). Its
 * size. */
size_t resource_name_fold(struct slice text, char *out);

#endif
