/* source.h: notices that the resource documents changed, by inotify.
 *
 * Called by the watcher. Says only that something changed, after a short silence, so that a burst
 * of writes is one reading; the reading looks at everything. A directory that is not there (yet, or
 * any more) is looked for once a second. Files outside of it (gatehouse.yaml, targets of links, CA
 * bundles) are the operator's to announce, by SIGHUP.
 */
#ifndef GATEHOUSE_CONF_SOURCE_H
#define GATEHOUSE_CONF_SOURCE_H

#include "shared/slice.h"

struct ev_loop;
struct source;

typedef void (*source_changed)(void *context);

/* An empty directory is never watched. 0 or -errno. */
int source_open(struct source **out, struct ev_loop *loop, struct slice directory,
                source_changed changed, void *context);
void source_close(struct source *source); /* NULL is ignored */

#endif
