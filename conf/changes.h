/* changes.h: what is to be published next: documents that changed, key sets that were fetched,
 * addresses that were found. They are gathered for a moment, then each kind is one transaction.
 *
 * Called by the watcher, whose loop it lives in. Where there is no room in the store nothing ends:
 * what is published is served on, and the change is tried again until it fits. Exits the process
 * when publishing fails otherwise.
 */
#ifndef GATEHOUSE_CONF_CHANGES_H
#define GATEHOUSE_CONF_CHANGES_H

#include "conf/key_refresh.h"
#include "conf/prober.h"
#include "conf/publisher.h"
#include "conf/resolver.h"
#include "shared/child.h"

#include <ev.h>

/* Changes were published (`changed`), or found to be none; from the loop. */
typedef void (*changes_done)(void *context, bool changed);

struct changes {
    /* The caller's to fill before changes_open; borrowed. */
    struct ev_loop *loop;
    struct child *child;
    struct store *store;
    struct scoreboard_public *public;
    changes_done done;
    void *context;

    struct publisher publisher;
    struct reading reading;
    struct resolver *resolver;
    struct key_refresher *refresher;
    struct prober *prober;
    ev_timer gather;
    bool settings_wanted, resources_wanted, keys_wanted, addresses_wanted;
    bool full;    /* a change waits for room in the store */
    bool blocked; /* found in this turn */
    ev_tstamp room_wait;
};

/* Loads what was published before, reads the settings' and the resources' documents, and publishes
 * them: a watcher that cannot is none. true: a transaction was committed. */
bool changes_open(struct changes *changes);
void changes_close(struct changes *changes);

/* The settings and the resources, or the resources alone, are to be read again. */
void changes_want_settings(struct changes *changes);
void changes_want_resources(struct changes *changes);

/* What a publishing function gave, of a change that does not come by itself. true: a transaction
 * was committed. */
bool changes_published(struct changes *changes, const char *what, int status);

/* Whether all that is asked for at start was answered, as well as it can be at once. */
bool changes_settled(const struct changes *changes);

/* Says why, and exits: with another status where the store is lost. */
_Noreturn void changes_fail(const char *what, int error);

#endif
